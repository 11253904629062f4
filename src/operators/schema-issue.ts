import type { ZodError } from 'zod';

/** What is wrong with a value, in zod's words: its first issue, and how many more there are. */
export function issueOf(error: ZodError): {
  readonly code: string;
  readonly reason: string;
  readonly path: readonly PropertyKey[];
} {
  const [first, ...others] = error.issues;
  // Zod writes the error's own message when it is read: all its issues, as JSON.
  if (!first) return { code: 'custom', reason: error.message, path: [] };
  const reason = others.length === 0 ? first.message : `${first.message} (and ${others.length} more issues)`;
  return { code: first.code, reason, path: first.path };
}

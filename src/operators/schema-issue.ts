import type { ZodError } from 'zod';

/** What is wrong with a value, in zod's words: its first issue, and how many more there are. */
export function issueOf({ issues, message }: ZodError): {
  readonly code: string;
  readonly reason: string;
  readonly path: readonly PropertyKey[];
} {
  const [first, ...others] = issues;
  if (!first) return { code: 'custom', reason: message, path: [] };
  const reason = others.length === 0 ? first.message : `${first.message} (and ${others.length} more issues)`;
  return { code: first.code, reason, path: first.path };
}

import type { ZodError, ZodType } from 'zod';

/** What is wrong with a value, in zod's words: its first issue, and how many more there are. */
interface SchemaIssue {
  readonly code: string;
  readonly reason: string;
  readonly path: readonly PropertyKey[];
}

/** Deeper than anybody means to nest: a schema that refers to itself takes some two thousand levels, on the stack that Node has. */
const DEEP = 100;

/**
 * Checks JSON by a schema. Whoever sends it can nest it deeper than a schema that refers to itself can follow: that is an issue of the value, or
 * one record would end every run.
 *
 * @throws whatever else the schema throws
 */
export function checkedBy<T>(schema: ZodType<T>, value: unknown): { readonly data: T } | { readonly issue: SchemaIssue } {
  try {
    const result = schema.safeParse(value);
    return result.success ? { data: result.data } : { issue: issueOf(result.error) };
  } catch (error) {
    if (!(error instanceof RangeError && isDeep(value))) throw error;
    return {
      issue: { code: 'too_deep', reason: `expected JSON that its schema can follow, got more than ${DEEP} levels`, path: [] },
    };
  }
}

function issueOf(error: ZodError): SchemaIssue {
  const [first, ...others] = error.issues;
  // Zod writes the error's own message when it is read: all its issues, as JSON.
  if (!first) return { code: 'custom', reason: error.message, path: [] };
  const reason = others.length === 0 ? first.message : `${first.message} (and ${others.length} more issues)`;
  return { code: first.code, reason, path: first.path };
}

/** Without recursion, for what has been too much of that. */
function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth < DEEP; depth++)
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? (Object.values(each) as unknown[]) : []));
  return level.length > 0;
}

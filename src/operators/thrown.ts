import { inspect } from 'node:util';
import type { RejectReason } from '../event.ts';

/** Makes what a user's function threw the reason of a reject: its `code` or name, its message, its `path` where it has one. */
export function thrown(step: string, error: unknown): RejectReason {
  if (!(error instanceof Error)) return { step, code: 'thrown', reason: wordsOf(error) };
  const { code, path } = error as { readonly code?: unknown; readonly path?: unknown };
  return {
    step,
    code: typeof code === 'string' ? code : error.name,
    reason: error.message,
    ...(typeof path === 'string' && { path }),
  };
}

/** What somebody threw that is no error, in words: an object may have none of its own, or `[object Object]`. */
export function wordsOf(thrown: unknown): string {
  return typeof thrown === 'string' ? thrown : inspect(thrown, { breakLength: Infinity });
}

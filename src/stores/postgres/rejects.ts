import { asBuffer } from '../../as-buffer.ts';
import type { Owner } from '../../owner.ts';
import type { RejectRow } from '../database.ts';

/** The code is part of the primary key, of which an index takes 2,704 bytes; it may be anything that a function of a pipeline's throws. */
const MAX_CODE_LENGTH = 200;

/**
 * Encodes rejects as lines of CSV, in the order of the columns that `storeRejects` names; one at a time, as they are sent.
 *
 * @param takesAnyText whether the database can store all characters there are
 */
export function* rejectLines(
  { pipeline, sink }: Owner,
  rejects: readonly RejectRow[],
  takesAnyText: boolean,
): Generator<Uint8Array> {
  for (const { position, arrivedAtMs, why, raw } of rejects) {
    const words = [why.step, why.code.slice(0, MAX_CODE_LENGTH), why.reason, why.path ?? ''];
    const fields = [
      pipeline,
      sink,
      position.shard,
      position.sequence,
      String(position.subSequence),
      new Date(arrivedAtMs).toISOString(),
      ...(takesAnyText ? words : words.map(inAscii)),
      `\\x${asBuffer(raw).toString('hex')}`,
    ];
    yield Buffer.from(fields.map(quote).join(','));
  }
}

function inAscii(text: string): string {
  return text.replace(/[^\p{ASCII}]/gu, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`);
}

// Postgres has no text with a NUL in it, and a reject must never be refused.
function quote(field: string): string {
  return `"${field.replaceAll('\0', '\\0').replaceAll('"', '""')}"`;
}

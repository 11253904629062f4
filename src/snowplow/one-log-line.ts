import { BAD_ROW, LOGGER, THROWN, logLineLength } from './noise-grammar.ts';
import type { NoiseKnowledge } from './noise-knowledge.ts';

/** The longest log line that says itself where it ends, and more. */
const MAX_LOG_LINE = 1024;
/** Where one of these stands there may be other noise: of a refused event, an exception, its stack trace, the library's own log. */
const OTHER_NOISE = [BAD_ROW, ...THROWN, ...['\tat ', '\t... ', 'com.amazonaws.'].map((word) => Buffer.from(word))];
const OPENING_BRACKET = 0x5b;
const NEWLINE = 10;

/**
 * Takes the log line out of a payload that is one record with one log line in front, inside or behind it, as nearly all damaged ones are.
 * Nothing where there may be the least doubt: then all ways to read it have to be weighed, which takes ten times as long.
 */
export function withoutLogLine(payload: Buffer, knowledge: NoiseKnowledge): Buffer | undefined {
  const logger = payload.indexOf(LOGGER);
  const at = payload.lastIndexOf(OPENING_BRACKET, logger);
  if (logger === -1 || at === -1 || payload.indexOf(LOGGER, logger + 1) !== -1) return undefined;
  const length = logLineLength(payload.toString('latin1', at, at + MAX_LOG_LINE));
  if (length === 0 || OTHER_NOISE.some((word) => payload.includes(word))) return undefined;
  const behind = at + length + (payload[at + length] === NEWLINE ? 1 : 0);
  const end = payload.length > behind && payload.at(-1) === NEWLINE ? payload.length - 1 : payload.length;
  const record =
    at === 0
      ? payload.subarray(behind, end)
      : behind >= end
        ? payload.subarray(0, at)
        : Buffer.concat([payload.subarray(0, at), payload.subarray(behind, end)]);
  // It has no newline and the columns of a record, so the log line is all that was to be taken out.
  return knowledge.isPlausible(record) ? record : undefined;
}

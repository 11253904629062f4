import { BAD_ROW, LOGGER, THROWN_WORDS, logLineLength } from './grammar.ts';
import type { NoiseKnowledge } from './knowledge.ts';

/** The longest log line that says itself where it ends, and more. */
const MAX_LOG_LINE = 1024;
/** Where one of these stands there may be other noise: of a refused event, an exception, the library's own log; or a line of a stack trace. */
const OTHER_NOISE = [BAD_ROW.toString(), ...THROWN_WORDS, 'com.amazonaws.'];
// An expression of its own: `includes` would stop at each tab, and one for all of them takes twice as long as both together.
const frame = /\t(?:at|\.\.\.) /;
const LOGGER_NAME = LOGGER.toString();
const NEWLINE = 10;

/**
 * Takes the log line out of a payload that is one record with one log line in front, inside or behind it, as nearly all damaged ones are.
 * Nothing where there may be the least doubt: then all ways to read it have to be weighed, which takes ten times as long.
 */
export function withoutLogLine(payload: Buffer, knowledge: NoiseKnowledge): Buffer | undefined {
  const text = payload.toString('latin1');
  const logger = text.indexOf(LOGGER_NAME);
  const at = text.lastIndexOf('[', logger);
  if (logger === -1 || at === -1 || text.includes(LOGGER_NAME, logger + 1)) return undefined;
  const length = logLineLength(text.slice(at, at + MAX_LOG_LINE));
  if (length === 0 || frame.test(text) || OTHER_NOISE.some((word) => text.includes(word))) return undefined;
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

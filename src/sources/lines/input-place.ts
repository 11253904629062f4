import type { Position } from '../../position.ts';

/** A place in what came in on a stream, over all runs that read one: where the text of one of them ends there. */
export interface InputPlace {
  /** When that run began to read, in milliseconds since 1970: what tells its text from those of others. */
  readonly beganAtMs: number;
  /** So many bytes of its text lie before. */
  readonly end: number;
}

/** So many digits of a sequence number say where a line ends: ten terabytes. */
const END_DIGITS = 13;

/** The sequence number of the line that ends at a place: those of a later run are greater. */
export function sequenceOf({ beganAtMs, end }: InputPlace): string {
  return `${beganAtMs}${String(end).padStart(END_DIGITS, '0')}`;
}

/** The place at which the line of a position ends. */
export function placeOf({ sequence }: Position): InputPlace {
  return { beganAtMs: Number(sequence.slice(0, -END_DIGITS)), end: Number(sequence.slice(-END_DIGITS)) };
}

/** Whether a place lies behind another one; anything lies behind nothing. */
export function isBehind(place: InputPlace, other: InputPlace | undefined): boolean {
  if (!other || place.beganAtMs !== other.beganAtMs) return !other || place.beganAtMs > other.beganAtMs;
  return place.end > other.end;
}

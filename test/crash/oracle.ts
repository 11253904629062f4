import { type Position, comparePositions } from '../../src/position.ts';
import type { Truth } from '../../src/demo/shop.ts';

/** A record that was sent, and where the stream put it. */
export interface Sent extends Position {
  /** What it is; `corrupt` is an aggregate or batch that cannot be taken apart. */
  readonly truth: Truth | 'corrupt';
  readonly eventId: string;
  /** Its bytes, one character each. */
  readonly text: string;
}

/** What has to be where in the end. */
export interface Expected {
  /** The record by its event_id, for events that reach the stores. */
  readonly stored: ReadonlyMap<string, Sent>;
  /** Each record that has to be a reject, by its place. */
  readonly rejected: ReadonlyMap<string, Sent>;
}

/** A record's place as one word. */
export function placeOf({ shard, sequence, subSequence }: Position): string {
  return `${shard}:${sequence}:${subSequence}`;
}

/** A record as a person finds it: its event_id and its place. */
export function nameOf(sent: Sent): string {
  return `${sent.eventId} at ${placeOf(sent)}`;
}

/**
 * Knows from how records were made what becomes of each.
 *
 * @param rejects the places of the rejects that were found: a record that the enricher's log ran through may be among them when it could
 *   not be mended, and then must not be stored
 */
export function oracleOf(records: readonly Sent[], rejects: ReadonlySet<string>): Expected {
  const stored = new Map<string, Sent>();
  const rejected = new Map<string, Sent>();
  for (const sent of records) {
    if (sent.truth === 'event') stored.set(sent.eventId, sent);
    else if (sent.truth === 'noise' && !rejects.has(placeOf(sent))) stored.set(sent.eventId, sent);
    else if (sent.truth !== 'repeat') rejected.set(placeOf(sent), sent);
  }
  return { stored, rejected };
}

/** Tells whether a record lies at or before a position of its shard. */
export function isCovered(sent: Sent, position: Position | undefined): boolean {
  return position !== undefined && comparePositions(sent, position) <= 0;
}

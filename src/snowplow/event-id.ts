import { type Identity, hash128 } from '../operators/identity.ts';
import type { EnrichedEvent } from './enriched-event.ts';
import { fieldNumber } from './fields/field-number.ts';

const EVENT_ID = fieldNumber('event_id');
const FINGERPRINT = fieldNumber('event_fingerprint');

const fingerprint = new Uint32Array(4);

/** Takes events of one event_id for the same event: its 128 bits, read from the line without a string. One of zeros is no id: it is never a repeat. */
export const eventId: Identity<EnrichedEvent> = {
  name: 'event_id',
  hash: readEventId,
  hashLine: (index, into) => void index.uuid(EVENT_ID, into),
};

/**
 * Takes events of one event_id and one event_fingerprint for the same event, so that events of different visitors whose
 * trackers made up the same event_id are kept apart. Without a fingerprint (before r71 there is none) it goes by the event_id.
 */
export const eventIdAndFingerprint: Identity<EnrichedEvent> = {
  name: 'event_id and event_fingerprint',
  hash(event, into) {
    readEventId(event, into);
    const column = event.layout.columnOf[FINGERPRINT]!;
    if (column < 0) return;
    const index = event.indexed();
    hash128(index.bytes, index.start(column), index.end(column), fingerprint);
    for (let word = 0; word < 4; word++) into[word]! ^= fingerprint[word]!;
  },
};

function readEventId(event: EnrichedEvent, into: Uint32Array): void {
  event.indexed().uuid(event.layout.columnOf[EVENT_ID]!, into);
}

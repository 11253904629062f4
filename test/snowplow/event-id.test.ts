import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../src/operators/identity.ts';
import type { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { eventId, eventIdAndFingerprint } from '../../src/snowplow/event-id.ts';
import { eventOf } from './line.ts';

function hashOf(identity: Identity<EnrichedEvent>, event: EnrichedEvent): string {
  const words = new Uint32Array(4);
  identity.hash(event, words);
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('');
}

const fingerprint = fc.stringMatching(/^[0-9a-f]{0,40}$/);

describe('eventId', () => {
  it.each([98, 108, 125, 131])('is the 128 bits of the UUID, in %d columns', (columns) => {
    fc.assert(
      fc.property(fc.uuid(), (id) => {
        expect(hashOf(eventId, eventOf({ event_id: id, app_id: 'shop' }, columns))).toBe(id.replaceAll('-', ''));
      }),
    );
  });

  it('is none when it is zeros, so that events of a tracker that sends those are no repeats', () => {
    expect(hashOf(eventId, eventOf({ event_id: '00000000-0000-0000-0000-000000000000' }))).toBe('0'.repeat(32));
  });

  it('is the same in capitals', () => {
    const id = 'c6ef3124-b53a-4b13-a233-0088f79dcbcb';
    expect(hashOf(eventId, eventOf({ event_id: id.toUpperCase() }))).toBe(hashOf(eventId, eventOf({ event_id: id })));
  });
});

describe('eventIdAndFingerprint', () => {
  it('keeps events of one event_id and different fingerprints apart', () => {
    fc.assert(
      fc.property(fc.uuid(), fingerprint, fingerprint, (event_id, a, b) => {
        const [x, y] = [a, b].map((event_fingerprint) => hashOf(eventIdAndFingerprint, eventOf({ event_id, event_fingerprint })));
        expect(x === y).toBe(a === b);
      }),
    );
  });

  it('is the event_id where there is no fingerprint', () => {
    for (const columns of [98, 108, 125, 131])
      expect(hashOf(eventIdAndFingerprint, eventOf({}, columns))).toBe(hashOf(eventId, eventOf({}, columns)));
  });
});

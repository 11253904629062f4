import { decode } from '../src/operators/decode.ts';
import { enriched } from '../src/snowplow/enriched.ts';
import type { EnrichedEvent } from '../src/snowplow/enriched-event.ts';
import { marble } from '../src/testing/marble.ts';
import { lineOf } from '../test/snowplow/line.ts';

const tick = { seconds: 1 };
const ids = [
  'c6ef3124-b53a-4b13-a233-0088f79dcbcb',
  'a1b6fbbe-5e6e-4e5c-9f7a-2d7a7f6f6d11',
  '0f5f0a7e-9f0e-4f0c-8d55-3f1f0c2a9b77',
];
const compare = (event: EnrichedEvent): string => `${event.event_id} of ${event.layout.columns} columns`;

marble('decode reads the lines of every layout of the enriched format', {
  tick,
  operator: decode(enriched),
  label: 'decode(enriched)',
  source: '-a-b-c-|',
  result: '-A-B-C-|',
  given: { a: lineOf({ event_id: ids[0]! }, 98), b: lineOf({ event_id: ids[1]! }, 108), c: lineOf({ event_id: ids[2]! }) },
  compare,
  emits: { A: `${ids[0]} of 98 columns`, B: `${ids[1]} of 108 columns`, C: `${ids[2]} of 131 columns` },
  legend: { a: '98 columns', b: '108 columns', c: '131 columns', A: 'the event, its fields read when asked for' },
});

marble('decode rejects what is no event and goes on', {
  tick,
  operator: decode(enriched),
  label: 'decode(enriched)',
  source: '-a---b---c---d-|',
  result: '-A-----------D-|',
  rejected: '-----b---c',
  given: {
    a: lineOf({ event_id: ids[0]! }),
    b: Buffer.from('half\ta\tline'),
    c: lineOf({ event_id: '' }),
    d: lineOf({ event_id: ids[1]! }),
  },
  compare,
  emits: { A: `${ids[0]} of 131 columns`, D: `${ids[1]} of 131 columns` },
  why: { b: { step: 'decode', code: 'column_count' }, c: { step: 'decode', code: 'no_event_id' } },
});

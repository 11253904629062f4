import { take } from 'rxjs';
import { expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { summaryOf } from '../../src/command/summary.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

it('is a sum, in which repeats and rejects are always named', () => {
  const counts = { read: 7, stored: 3, dropped: { filter: 1, dedupe: 2, own: 0 }, rejected: 1, inFlight: 0 };
  expect(summaryOf(counts)).toBe('read 7 = stored 3 + repeats 2 + filtered 1 + rejected 1');
});

it('says what is in flight where a step ended the stream, and the next run reads what was not taken', async () => {
  const sink = memorySink<Event<Uint8Array>>();
  const declared = pipeline('some')
    .from(scripted({ s: [['a', 'b', 'c']] }))
    .pipe(take(2))
    .to(sink);
  expect(summaryOf(await run(declared))).toMatch(
    /^read 3 = stored 0 .* \+ in flight 3\nin flight: a step \(take, say\) ended the stream/,
  );
  await run(declared);
  expect(sink.stored.map(({ data }) => Buffer.from(data).toString())).toEqual(['a', 'b', 'c']);
});

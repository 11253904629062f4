import { PassThrough } from 'node:stream';
import { type SchedulerLike, asyncScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { transform } from '../../src/operators/transform.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { lines } from '../../src/sources/lines.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

type Text = Event<string>;
const at = (ms: number): SchedulerLike => ({ now: () => ms, schedule: asyncScheduler.schedule.bind(asyncScheduler) });

it('a pipe that is read by a clock that was set back has greater numbers than any sink knows, that of rejects among them', async () => {
  const [slow, fast, rejects] = [memorySink<Text>('slow'), memorySink<Text>('fast'), memorySink<Reject>('rejects')];
  const read = (text: string, nowMs: number): Promise<unknown> =>
    run(
      pipeline('p')
        .from(lines({ input: new PassThrough().end(text) }))
        .pipe(
          transform((line: Uint8Array) => {
            const said = Buffer.from(line).toString();
            if (said.startsWith('bad')) throw new Error('bad');
            return said;
          }),
        )
        .to(slow, fast)
        .rejects(rejects),
      { scheduler: at(nowMs) },
    );
  // Killed when one sink had what the other one had not.
  slow.beforeCommit = ({ items }) => {
    if (items.length > 0) throw new Error('killed');
  };
  await expect(read('one\nbad one\n', 1_700_000_500_000)).rejects.toThrow('killed');
  slow.beforeCommit = () => {};
  expect([slow, fast].map(({ stored }) => stored.length)).toEqual([0, 1]);
  await read('two\nbad two\n', 1_700_000_000_000);
  expect(slow.stored.map(({ data }) => data)).toEqual(['two']);
  expect(fast.stored.map(({ data }) => data)).toEqual(['one', 'two']);
  expect(rejects.stored.map(({ event }) => Buffer.from(event.data as Uint8Array).toString())).toEqual(['bad one', 'bad two']);
});

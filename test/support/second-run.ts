import { expect, vi } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import type { IdentityState } from '../../src/operators/identity-state.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type Running, startRun } from '../../src/run/run.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { type PushSource, pushSource } from './push-source.ts';

/**
 * Begins a run beside one that is at work, and another one once that has ended: each takes the memory of dedupe over with the shards, the first one
 * ends with the reason, and what an earlier one stored is a repeat.
 *
 * @param state declares the memory, as each run does
 */
export async function expectTakeOver(state: () => IdentityState): Promise<void> {
  const sink = memorySink<Event<Uint8Array>>();
  const begin = async (): Promise<{ readonly source: PushSource; readonly running: Running }> => {
    const source = pushSource();
    const once = dedupe<Uint8Array>({ by: (data) => Buffer.from(data).toString(), within: { hours: 1 }, state: state() });
    const running = startRun(pipeline('twice').from(source).pipe(once).to(sink));
    await source.started();
    return { source, running };
  };
  const first = await begin();
  first.source.push('one');
  await vi.waitFor(() => expect(sink.stored).toHaveLength(1), 10_000);

  const second = await begin();
  first.source.push({ sequence: 2, raw: 'two' });
  await expect(first.running.finished).rejects.toThrow(FencedError);
  second.source.push({ sequence: 2, raw: 'two' }, { sequence: 3, raw: 'one' }, { sequence: 4, raw: 'three' });
  second.source.end();
  expect(await second.running.finished).toMatchObject({ read: 3, stored: 2, dropped: { dedupe: 1 } });

  const third = await begin();
  third.source.push({ sequence: 5, raw: 'three' }, { sequence: 6, raw: 'four' });
  third.source.end();
  expect(await third.running.finished).toMatchObject({ read: 2, stored: 1, dropped: { dedupe: 1 } });
  expect(sink.stored.map(({ data }) => Buffer.from(data).toString())).toEqual(['one', 'two', 'three', 'four']);
}

import { asyncScheduler } from 'rxjs';
import { expect, test } from 'vitest';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { named } from '../../src/operators/named.ts';
import { pipeline } from '../../src/pipeline.ts';
import { PreparedSteps } from '../../src/run/prepared-steps.ts';
import { run } from '../../src/run/run.ts';
import { onServer } from '../../src/stores/identities/on-server.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { memoryBlocks } from '../support/memory-blocks.ts';
import { pushSource } from '../support/push-source.ts';

test('a run that cannot open its sinks takes nothing from one that is at work', async () => {
  const server = memoryBlocks();
  const unique = dedupe<Uint8Array>({ by: String, within: { hours: 1 }, state: onServer(server, undefined) });
  const closed = { ...memorySink<Event<Uint8Array>>(), open: () => Promise.reject(new Error('the disk is away')) };
  await expect(run(pipeline('shop').from(pushSource()).pipe(unique).to(closed))).rejects.toThrow('the disk is away');
  expect(await server.log('shop').stands()).toMatchObject({ epoch: 0 });
});

test('what is ready only once the run is over is let go of, and no further step is made ready', async () => {
  const calls: string[] = [];
  const ready = Promise.withResolvers<void>();
  const step = (name: string) =>
    named<Event<Uint8Array>, Event<Uint8Array>>(name, '', (events) => events, {
      async prepare() {
        calls.push(`${name} is made ready`);
        await ready.promise;
        return async () => void calls.push(`${name} is let go of`);
      },
    });
  const declared = pipeline('shop').from(pushSource()).pipe(step('slow'), step('other')).to(memorySink());
  const steps = new PreparedSteps(declared, asyncScheduler);
  const prepared = steps.prepare();
  await steps.release();
  ready.resolve();
  await prepared;
  expect(calls).toEqual(['slow is made ready', 'slow is let go of']);
});

import { expect, test } from 'vitest';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { pipeline } from '../../src/pipeline.ts';
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

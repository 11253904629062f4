import { setImmediate as soon } from 'node:timers/promises';
import { asyncScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import { SinkDriver } from '../../src/run/sink-driver.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import type { Event } from '../../src/event.ts';

it('asks one thing of a sink at a time, also when a shard is taken over while another commits', async () => {
  const calls: string[] = [];
  const slowly = async (what: string): Promise<undefined> => {
    calls.push(what);
    await soon();
    calls.push('done');
  };
  const sink: OpenSink<Event<Uint8Array>> = {
    acquire: () => slowly('acquire'),
    positions: async () => new Map(),
    commit: () => slowly('commit'),
    close: async () => {},
  };
  const driver = new SinkDriver({
    name: 'slow',
    sink,
    retry: {},
    report: () => {},
    signal: new AbortController().signal,
    beforeCommit: async () => {},
    fail: (error) => expect.unreachable(String(error)),
    scheduler: asyncScheduler,
    random: Math.random,
  });
  await driver.acquire('a');
  driver.advance([['a', { shard: 'a', sequence: '1', subSequence: 0 }]]);
  await Promise.all([driver.acquire('b'), driver.acquire('c'), driver.idle()]);
  expect(calls.filter((call) => call !== 'done').toSorted()).toEqual(['acquire', 'acquire', 'acquire', 'commit']);
  // None began before the one before it was done.
  expect(calls.filter((_, i) => i % 2 === 1)).toEqual(['done', 'done', 'done', 'done']);
});

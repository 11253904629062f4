import { setTimeout as sleep } from 'node:timers/promises';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { FencedError, WentBackError } from '../../src/errors.ts';
import type { Reject } from '../../src/event.ts';
import { pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { pushSource } from '../support/push-source.ts';
import { type Text, texts, at, reset, begin, rejectBad } from '../support/begin-run.ts';

describe('a run whose store fails', () => {
  it('tries a sink again after a passing fault', async () => {
    const sink = memorySink<Text>();
    let failures = 3;
    sink.beforeCommit = ({ items }) => {
      if (items.length > 0 && failures-- > 0) throw reset;
    };
    const { source, finished, told } = await begin({ sinks: [sink] });
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
    expect(texts(sink)).toEqual(['one']);
    expect(told.filter(({ type }) => type === 'sink-retry')).toHaveLength(3);
  });

  it('begins anew where a store stands that has forgotten what it had', async () => {
    const sink = memorySink<Text>();
    const { source, finished, told } = await begin({ sinks: [sink] });
    source.push('one', 'two');
    while (sink.stored.length < 2) await sleep(1);
    sink.beforeCommit = () => {
      sink.beforeCommit = () => {};
      sink.positions.set('shard-1', at(1));
      throw reset;
    };
    source.push({ sequence: 3, raw: 'three' });
    while (!told.some(({ type }) => type === 'went-back')) await sleep(1);
    await source.started();
    expect(source.resumed.get('shard-1')).toEqual(at(1));
    source.push('one', 'two', 'three');
    source.end();
    // The counts are those since.
    expect(await finished).toMatchObject({ read: 3, stored: 2, inFlight: 0 });
    expect(texts(sink)).toEqual(['one', 'two', 'two', 'three']);
  });

  it('begins at LATEST when it was first started, also where a store has forgotten all that it had', async () => {
    const sink = memorySink<Text>();
    const { source, finished, told } = await begin({ sinks: [sink], start: 'LATEST' });
    const began = source.resumed.get('shard-1');
    await sleep(5);
    sink.beforeCommit = () => {
      sink.beforeCommit = () => {};
      sink.positions.clear();
      throw reset;
    };
    source.push('one');
    await vi.waitFor(() => expect(told.some(({ type }) => type === 'went-back')).toBe(true));
    await source.started();
    // What came while the store was away is not stored yet.
    expect(source.resumed.get('shard-1')).toEqual(began);
    source.end();
    await finished;
  });

  it('goes back with a store as often as that takes, when it has been well for long in between', async () => {
    const sink = memorySink<Text>();
    const goBack = (): void => {
      throw new WentBackError('memory', 'shard-1', '1', 'nothing');
    };
    const scheduler = new VirtualTimeScheduler();
    const { source, finished, told } = await begin({ sinks: [sink], scheduler });
    for (let times = 1; times <= 30; times++) {
      scheduler.frame += 601_000;
      sink.beforeCommit = goBack;
      source.push('one');
      await vi.waitFor(() => expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(times));
      sink.beforeCommit = () => {};
      const started = source.started();
      scheduler.maxFrames = scheduler.frame + 100;
      scheduler.flush();
      await started;
    }
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
  });

  it('asks the store whether a commit of unknown outcome took place, and does not repeat it', async () => {
    const sink = memorySink<Text>();
    let failures = 1;
    const sizes: number[] = [];
    sink.afterCommit = ({ items, positions }) => {
      sizes.push(positions.size);
      if (items.length > 0 && failures-- > 0) throw reset;
    };
    const { source, finished } = await begin({ sinks: [sink] });
    source.push('one');
    source.end();
    expect(await finished).toMatchObject({ stored: 1 });
    expect(texts(sink)).toEqual(['one']);
    expect(sizes).not.toContain(0);
  });

  it.each([
    ['a fault that does not pass', new Error('no such table')],
    ['a newer run', new FencedError('memory', 'shard-1', 1)],
  ])('ends with %s, and leaves the position where it was', async (_, fault) => {
    const sink = memorySink<Text>();
    const { source, finished, ledger } = await begin({ sinks: [sink] });
    sink.beforeCommit = () => {
      throw fault;
    };
    const before = sink.positions.get('shard-1');
    source.push('one');
    const error = await finished.catch((reason: unknown) => reason);
    // One that says where, and by which class, is thrown as it is.
    expect(error).toMatchObject(
      fault instanceof FencedError ? fault : { message: `memory (memory: in memory): ${fault.message}`, cause: fault },
    );
    expect(sink.positions.get('shard-1')).toEqual(before);
    expect(ledger.counts()).toMatchObject({ stored: 0, inFlight: 1 });
  });

  it('brings a sink what it lacks when a commit of unknown outcome took place in part', async () => {
    const sink = memorySink<Text>();
    sink.beforeCommit = ({ items }) => {
      if (items.length < 2) return;
      sink.stored.push(items[0]!);
      sink.positions.set('shard-1', items[0]!.last);
      throw reset;
    };
    const { source, finished } = await begin({ sinks: [sink] });
    source.push('one', 'two');
    source.end();
    expect(await finished).toMatchObject({ stored: 2 });
    expect(texts(sink)).toEqual(['one', 'two']);
  });

  it('is fenced when a second run takes over', async () => {
    const sink = memorySink<Text>();
    const first = await begin({ sinks: [sink] });
    const second = await begin({ sinks: [sink] });
    first.source.push('one');
    await expect(first.finished).rejects.toBeInstanceOf(FencedError);
    second.source.push('one');
    second.source.end();
    await second.finished;
    expect(texts(sink)).toEqual(['one']);
  });

  it('ends when a sink cannot be opened', async () => {
    const sink = { ...memorySink<Text>(), open: () => Promise.reject(new Error('no such database')) };
    await expect(startRun(pipeline('test').from(pushSource()).to(sink)).finished).rejects.toThrow(
      /^memory \(memory: in memory\): no such database$/,
    );
  });

  it('blames no sink for what fails before it is asked to commit', async () => {
    const [sink, rejects] = [memorySink<Text>(), memorySink<Reject>('rejects')];
    rejects.beforeCommit = ({ items }) => {
      if (items.length > 0) throw new Error('disk on fire');
    };
    const { source, finished } = await begin({ rejects, sinks: [sink], steps: [rejectBad] });
    source.push('bad', 'good');
    await expect(finished).rejects.toThrow(/^rejects \(rejects: in memory\): disk on fire$/);

    const again = await begin();
    again.ledger.onBeforeCommit(() => {
      throw new Error('no space for the memory of a step');
    });
    again.source.push('good');
    await expect(again.finished).rejects.toThrow(/^no space for the memory of a step$/);
  });
});

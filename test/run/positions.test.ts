import { setTimeout as sleep } from 'node:timers/promises';
import { filter } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { type Text, textOf, texts, at, begin } from '../support/begin-run.ts';

describe('positions of a run', () => {
  it('resumes each shard where the least of its sinks stands, and gives no sink an event twice', async () => {
    const [ahead, behind] = [memorySink<Text>('ahead'), memorySink<Text>('behind')];
    ahead.positions.set('shard-1', at(2));
    behind.positions.set('shard-1', at(1));
    const { source, finished } = await begin({ sinks: [ahead, behind] });
    expect(source.resumed.get('shard-1')).toEqual(at(1));
    source.push('one', 'two', 'three');
    source.end();
    await finished;
    expect(texts(ahead)).toEqual(['three']);
    expect(texts(behind)).toEqual(['two', 'three']);
  });

  it('gives a sink that was added later everything there is, and the others nothing twice', async () => {
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('shard-1', at(2));
    const { source, finished, told } = await begin({ sinks: [old, added] });
    expect(source.resumed.get('shard-1')).toBe('TRIM_HORIZON');
    const joined = { type: 'sink-joined', sink: 'added', shard: 'shard-1', resume: 'TRIM_HORIZON' };
    expect(told.filter(({ type }) => type === 'sink-joined')).toEqual([joined]);
    source.push('one', 'two', 'three');
    source.end();
    await finished;
    expect(texts(old)).toEqual(['three']);
    expect(texts(added)).toEqual(['one', 'two', 'three']);
  });

  it('begins a sink that was added later where the others stand, when it was to begin at the end', async () => {
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('shard-1', at(2));
    const { source, finished } = await begin({ sinks: [old, added], start: 'LATEST' });
    expect(source.resumed.get('shard-1')).toEqual(at(2));
    source.end();
    await finished;
    expect(added.positions.get('shard-1')).toEqual(at(2));
  });

  it('writes down where a run at LATEST began before it reads, so that a crash loses nothing', async () => {
    const { source, sink, finished } = await begin({ start: 'LATEST' });
    const began = source.resumed.get('shard-1');
    expect(began).toBeInstanceOf(Date);
    expect(sink.positions.get('shard-1')).toEqual(began);
    source.end();
    await finished;
    const again = await begin({ start: 'LATEST', sinks: [sink] });
    expect(again.source.resumed.get('shard-1')).toEqual(began);
    again.source.end();
    await again.finished;
  });

  it('moves the position past events that were dropped', async () => {
    const { source, sink, finished, ledger } = await begin({ steps: [filter((event) => textOf(event) !== 'drop')] });
    source.push('keep', 'drop');
    source.push({ raw: 'drop', sequence: 3 });
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual(at(3));
    expect(ledger.counts()).toEqual({ read: 3, stored: 1, dropped: { filter: 2 }, rejected: 0, inFlight: 0 });
  });

  it('tells with the position of a quiet shard until when nothing came, now and then and at the end', async () => {
    const hourMs = 3_600_000;
    const { source, sink, finished, ledger } = await begin({ checkpointEvery: { seconds: 0.001 } });
    source.push('one');
    await expect.poll(() => texts(sink)).toEqual(['one']);
    const tell = async (ms: number) => {
      ledger.caughtUp('shard-1', ms);
      await sleep(10);
    };
    for (const ms of [0, hourMs - 1]) await tell(ms);
    expect(sink.positions.get('shard-1')).toEqual(at(1));
    // Once an hour.
    for (const ms of [hourMs, hourMs + 1, 2 * hourMs - 1]) await tell(ms);
    expect(sink.positions.get('shard-1')).toEqual({ ...at(1), quietUntilMs: hourMs });
    source.push({ raw: 'two', sequence: 2 });
    await expect.poll(() => sink.positions.get('shard-1')).toEqual(at(2));
    await tell(2 * hourMs);
    await tell(2 * hourMs + 60_000);
    expect(sink.positions.get('shard-1')).toEqual(at(2));
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 2 * hourMs + 60_000 });
  });

  it('tells so of a shard in which nothing came at all, and behind what was dropped', async () => {
    const sink = memorySink<Text>();
    sink.positions.set('shard-1', at(1));
    const nothing = await begin({ sinks: [sink] });
    nothing.ledger.caughtUp('shard-1', 1000);
    nothing.source.end();
    await nothing.finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(1), quietUntilMs: 1000 });

    const { source, finished, ledger } = await begin({ sinks: [sink], steps: [filter((event) => textOf(event) !== 'drop')] });
    source.push({ raw: 'drop', sequence: 2 });
    for (const ms of [2000, 62_000]) ledger.caughtUp('shard-1', ms);
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 62_000 });
  });

  it('tells nothing of the sort while something of the shard is in flight', async () => {
    const sink = memorySink<Text>();
    const gate = Promise.withResolvers<void>();
    sink.positions.set('shard-1', at(1));
    sink.beforeCommit = ({ items }) => (items.length > 0 ? gate.promise : undefined);
    const { source, finished, ledger } = await begin({ sinks: [sink], checkpointEvery: { seconds: 0.001 } });
    source.push({ raw: 'two', sequence: 2 });
    for (const ms of [0, 7_200_000]) ledger.caughtUp('shard-1', ms);
    await sleep(10);
    expect([...ledger.quiet()]).toEqual([]);
    gate.resolve();
    source.end();
    await finished;
    expect(sink.positions.get('shard-1')).toEqual({ ...at(2), quietUntilMs: 7_200_000 });
  });

  it('never moves a position back to a checkpoint that a commit has passed meanwhile', async () => {
    const sink = memorySink<Text>();
    const gate = Promise.withResolvers<void>();
    const moves: string[] = [];
    sink.beforeCommit = async ({ items, positions }) => {
      const to = positions.get('shard-1');
      if (to && typeof to === 'object' && 'sequence' in to) moves.push(to.sequence);
      if (items.length > 0) await gate.promise;
    };
    const { source, finished } = await begin({
      sinks: [sink],
      steps: [filter((event) => textOf(event) !== 'drop')],
      checkpointEvery: { seconds: 0.005 },
    });
    source.push('drop');
    source.push({ raw: 'keep', sequence: 2 });
    await sleep(30);
    gate.resolve();
    source.end();
    await finished;
    expect(moves).toEqual(moves.toSorted((a, b) => Number(a) - Number(b)));
    expect(moves.at(-1)).toBe('2');
  });
});

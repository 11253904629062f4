import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Observable, map } from 'rxjs';
import type { Event } from '../../src/event.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type RunOptions, startRun } from '../../src/run/run.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { kinesis } from '../../src/sources/kinesis.ts';
import { type TestDatabase, emptyDuckdb } from '../support/databases.ts';
import { type Kinesis, type KinesisStream, startKinesis } from '../support/kinesis.ts';

let server: Kinesis;
let database: TestDatabase;

beforeAll(async () => {
  server = await startKinesis();
  database = await emptyDuckdb();
}, 30_000);

afterAll(async () => {
  await server.stop();
  await database.close();
});

const columns = [
  { name: 'shard', type: { kind: 'text' }, required: true },
  { name: 'line', type: { kind: 'text' }, required: true },
] as const;

/** Runs a pipeline of windows into the database until so many rows are stored, or, told nothing, until a test stops it. */
function begin(stream: KinesisStream, options: RunOptions = {}) {
  const stop = new AbortController();
  const began: string[] = [];
  const declared = pipeline(stream.name)
    .from(kinesis({ stream: stream.name, endpoint: server.endpoint, pollEveryMs: 20 }))
    .pipe((events: Observable<Event<Uint8Array>>) =>
      events.pipe(map((event) => event.with({ toRow: () => Buffer.concat([Buffer.from(`${event.shard}\t`), event.data]) }))),
    )
    // Nothing closes a window but the end of its shard, and the stop.
    .pipe(minuteWindow({ every: { hours: 24 } }))
    .to(copyInto(database.declare(), { table: stream.name, columns }));
  const { ledger, finished } = startRun(declared, {
    stop: stop.signal,
    report: (told) => void (told.type === 'shard-started' && began.push(told.shard)),
    ...options,
  });
  finished.catch(() => {});
  const read = (count: number) => expect.poll(() => ledger.counts().read, { timeout: 10_000 }).toBe(count);
  return {
    began,
    ledger,
    read,
    /** Waits until so many records were read, then stops with all of them stored. */
    async until(count: number) {
      await Promise.race([read(count), finished]);
      stop.abort('enough');
      return finished;
    },
  };
}

const names = (name: string, count = 3): string[] => Array.from({ length: count }, (_, i) => `${name}-${i}`);

async function stored(stream: KinesisStream): Promise<Record<string, string[]>> {
  const rows = await database.query(`SELECT shard, line FROM "${stream.name}"`);
  const lines: Record<string, string[]> = {};
  for (const { shard, line } of rows) (lines[String(shard)] ??= []).push(String(line));
  return lines;
}

async function positions(stream: KinesisStream, shards: readonly string[]): Promise<string[]> {
  const rows = await database.query(`SELECT shard, position FROM millrace.positions WHERE pipeline = '${stream.name}'`);
  const at = new Map(rows.map(({ shard, position }) => [shard, String(position)]));
  return shards.map((shard) => at.get(shard) ?? 'unknown');
}

describe('a run on a stream that reshards', () => {
  it('stores each record once, in the order of the family, over splits, a merge and restarts', { timeout: 60_000 }, async () => {
    const stream = await server.createStream('family', 1);
    const [parent] = (await stream.shards()) as [string];
    await stream.put(names('parent'), parent);

    // The first run reads the parent, sees it split, and goes on with both halves without waiting for the day to end.
    const first = begin(stream);
    await first.read(3);
    await stream.split(parent);
    const [left, right] = (await stream.shards()) as [string, string];
    await stream.put(names('left'), left);
    await stream.put(names('right'), right);
    expect(await first.until(9)).toMatchObject({ read: 9, stored: 9, inFlight: 0 });
    expect(first.began).toEqual([parent, left, right]);
    expect(await positions(stream, [parent])).toEqual(['SHARD_END']);

    // Nobody runs while a child is split again, and one of its children is merged with its sibling.
    await stream.put(names('late'), right);
    await stream.split(right);
    const [, inner, outer] = (await stream.shards()) as [string, string, string];
    await stream.put(names('inner'), inner);
    await stream.put(names('outer'), outer);
    await stream.merge(left, inner);
    const [merged] = (await stream.shards()) as [string];
    await stream.put(names('merged'), merged);

    // The second is to begin at the end of the stream where no sink knows better; of children of what was read all is read.
    const second = begin(stream, { start: 'LATEST' });
    expect(await second.until(12)).toMatchObject({ read: 12, stored: 12, inFlight: 0 });
    expect(second.began).not.toContain(parent);
    const before = (a: string, b: string) => expect(second.began.indexOf(a)).toBeLessThan(second.began.indexOf(b));
    before(right, inner);
    before(right, outer);
    before(left, merged);
    before(inner, merged);
    expect(await positions(stream, [parent, left, right, inner])).toEqual(Array.from({ length: 4 }, () => 'SHARD_END'));

    // The third has nothing to read of what has ended.
    await stream.put(['last'], outer);
    const third = begin(stream);
    // Either may be the first to be read.
    await expect.poll(() => third.began.toSorted(), { timeout: 10_000 }).toEqual([outer, merged].toSorted());
    expect(await third.until(1)).toMatchObject({ read: 1, stored: 1 });
    expect(third.began).toHaveLength(2);

    expect(await stored(stream)).toEqual({
      [parent]: names('parent'),
      [left]: names('left'),
      [right]: [...names('right'), ...names('late')],
      [inner]: names('inner'),
      [outer]: [...names('outer'), 'last'],
      [merged]: names('merged'),
    });
  });

  it(
    'keeps a child waiting while its parent is not stored, with room for little more than one answer',
    { timeout: 60_000 },
    async () => {
      const stream = await server.createStream('narrow', 1);
      const [parent] = (await stream.shards()) as [string];
      await stream.put(names('parent', 40), parent);
      await stream.split(parent);
      const [left, right] = (await stream.shards()) as [string, string];
      await stream.put(names('left', 40), left);
      await stream.put(names('right', 40), right);
      const narrow = begin(stream, { maxInFlightBytes: 1 });
      expect(await narrow.until(120)).toMatchObject({ read: 120, stored: 120, inFlight: 0 });
      expect(await stored(stream)).toEqual({
        [parent]: names('parent', 40),
        [left]: names('left', 40),
        [right]: names('right', 40),
      });
    },
  );
});

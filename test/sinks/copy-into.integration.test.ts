import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { Window } from '../../src/operators/window.ts';
import type { Resume } from '../../src/position.ts';
import { type Row, copyInto } from '../../src/sinks/copy-into.ts';
import type { Refusal } from '../../src/sinks/sink.ts';
import type { Column } from '../../src/stores/database.ts';
import { duckdb } from '../../src/stores/duckdb.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type SinkFixture, sinkConformance } from './conformance.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

const columns: readonly Column[] = [
  { name: 'sequence', type: { kind: 'text' }, required: true },
  { name: 'line', type: { kind: 'varchar', length: 20 }, required: true },
];
const databases = { postgres: () => emptyPostgres(server), duckdb: () => emptyDuckdb() };

test.each(['', 'a.', '.b', 'a.b.c', '"a"', 'a\r', ' '])('copyInto refuses the name %j of a table', (table) => {
  expect(() => copyInto(duckdb('never.duckdb'), { table })).toThrow(
    /^copy: expected a table as name or schema\.name, without quotes, got "/,
  );
});

test.each([
  { named: [], got: 'none' },
  { named: ['id', 'page', 'id'], got: 'two that are named "id"' },
])('copyInto refuses columns that make no table: $got', ({ named, got }) => {
  const its = named.map((name): Column => ({ name, type: { kind: 'text' }, required: false }));
  expect(() => copyInto(duckdb('never.duckdb'), { table: 'never', columns: its })).toThrow(
    `copy: expected columns, each with a name of its own, got ${got}`,
  );
});

/** A window of events whose row is their sequence number and their line. */
function windowOf(events: readonly Event<Uint8Array>[]): Window<Row> {
  const bounds = { shard: events[0]!.shard, startMs: 0, endMs: 60_000, part: 0, closedBy: 'complete' } as const;
  return new Window(
    bounds,
    events.map((event) => event.with({ toRow: () => Buffer.concat([Buffer.from(`${event.position.sequence}\t`), event.data]) })),
  );
}

async function fixtureOf(database: TestDatabase): Promise<SinkFixture<Window<Row>>> {
  return {
    declare: (name) => copyInto(database.declare(), { table: 'shop.events', columns, ...(name && { name }) }),
    items: (events) => [windowOf(events)],
    stored: async () => {
      const rows = await database.query('SELECT line FROM shop.events');
      return rows.map((row) => row['line'] as string);
    },
    refuses: ['much longer than twenty characters', Buffer.from([0xc3, 0x28]), 'a\ttab', ''],
    close: database.close,
  };
}

for (const [name, empty] of Object.entries(databases)) {
  sinkConformance(`copyInto ${name}`, async () => fixtureOf(await empty()));

  test(`copyInto ${name} tells of a table that it has to make though it stands behind what it has loaded`, async () => {
    const database = await empty();
    const { events } = deliver([{ shard: 'a', sequence: 40, arrivedAtMs: 0, raw: 'one' }]);
    const toldBy = async (table: string): Promise<Diagnostic[]> => {
      const told: Diagnostic[] = [];
      const sink = await copyInto(database.declare(), { table, columns }).open({
        pipeline: 'warehouse',
        report: (diagnostic) => told.push(diagnostic),
      });
      for (const shard of ['a', 'b'])
        if ((await sink.acquire(shard)) === undefined && shard === 'a')
          await sink.commit({ items: [windowOf(events)], positions: new Map([['a', events[0]!.position]]) }, []);
      await sink.close();
      return told;
    };
    const anew = { type: 'table-anew', sink: 'copy', shard: 'a', resume: events[0]!.position };
    expect(await toldBy('events')).toEqual([]);
    expect(await toldBy('events')).toEqual([]);
    await database.query('DROP TABLE events');
    expect(await toldBy('events')).toEqual([{ ...anew, table: 'events' }]);
    expect(await toldBy('events')).toEqual([]);
    expect(await toldBy('shop.other')).toEqual([{ ...anew, table: 'shop.other' }]);
    await database.close();
  });

  test(`copyInto ${name} tells once of such a table, whatever the shards are, and of none where nothing was loaded yet`, async () => {
    const database = await empty();
    const told: Diagnostic[] = [];
    const open = () =>
      copyInto(database.declare(), { table: 'events', columns }).open({ pipeline: 'p', report: (one) => told.push(one) });
    const first = await open();
    const stands = new Map<string, Resume>([
      ['begun', 'TRIM_HORIZON'],
      ['at a time', new Date(7)],
      ['over', 'SHARD_END'],
      ['read', { shard: 'read', sequence: '1', subSequence: 0 }],
    ]);
    for (const shard of stands.keys()) await first.acquire(shard);
    await first.commit({ items: [], positions: stands }, []);
    await first.close();
    await database.query('DROP TABLE events');
    const second = await open();
    const toldBehind: number[] = [];
    for (const shard of stands.keys()) {
      await second.acquire(shard);
      toldBehind.push(told.length);
    }
    await second.close();
    expect(toldBehind).toEqual([0, 0, 1, 1]);
    await database.close();
  });

  test(`copyInto ${name} stores the first of the rows that were made of a window and are refused for one reason`, async () => {
    const database = await empty();
    const sink = await copyInto(database.declare(), { table: 'events', columns }).open({ pipeline: 'sums', report: () => {} });
    await sink.acquire('a');
    const { events } = deliver(['one', 'two'].map((raw, i) => ({ shard: 'a', sequence: 40 + i, raw })));
    const sums = ['1\tfar too long to be a line of it', '2\tfine', '3\tas long as that, and of no use'];
    const window = windowOf(events).with(() => sums.map((sum): Row => ({ toRow: () => Buffer.from(sum) })));
    const refused: Refusal[] = [];
    await sink.commit({ items: [window], positions: new Map([['a', window.last]]) }, refused);
    expect(refused.map(({ why }) => why.code)).toEqual(['22001', '22001']);
    const rejects = 'SELECT CAST(sequence AS text) AS sequence, code, raw FROM millrace.rejects';
    expect(await database.query(rejects)).toEqual([{ sequence: '41', code: '22001', raw: Buffer.from('two').toString('hex') }]);
    expect(await database.query('SELECT line FROM events')).toEqual([{ line: 'fine' }]);
    await sink.close();
    await database.close();
  });

  test(`copyInto ${name} stores a refused row as a reject of its own step, with its bytes`, async () => {
    const database = await empty();
    const sink = await copyInto(database.declare(), { table: 'events', columns }).open({
      pipeline: 'warehouse',
      report: () => {},
    });
    await sink.acquire('a');
    const { events } = deliver(
      ['one', 'far too long to be a line of it', 'three'].map((raw, i) => ({
        shard: 'a',
        sequence: 40 + i,
        arrivedAtMs: 1_000 * i,
        raw,
      })),
    );
    const refused: Refusal[] = [];
    await sink.commit({ items: [windowOf(events)], positions: new Map([['a', events[2]!.position]]) }, refused);
    expect(refused).toEqual([
      { event: expect.anything(), why: expect.objectContaining({ step: 'copyInto', code: '22001', path: 'line' }) },
    ]);
    expect(refused[0]!.event.position).toEqual(events[1]!.position);
    expect(
      await database.query(
        `SELECT pipeline, sink, shard, CAST(sequence AS text) AS sequence, CAST(arrived_at AS text) AS arrived, step, code, path, raw FROM millrace.rejects`,
      ),
    ).toEqual([
      {
        pipeline: 'warehouse',
        sink: 'copy',
        shard: 'a',
        sequence: '41',
        arrived: expect.stringContaining('1970-01-01 00:00:01'),
        step: 'copyInto',
        code: '22001',
        path: 'line',
        raw: Buffer.from('far too long to be a line of it').toString('hex'),
      },
    ]);
    await sink.close();
    await database.close();
  });
}

test.each<[what: string, toRows: readonly (() => unknown)[], message: RegExp]>([
  [
    'throws',
    [() => Buffer.from('1\ta'), () => new Date(Number.NaN).toISOString()],
    /^copy: toRow threw at 2:0 of shard-1, .* make the fields in transform/,
  ],
  [
    'gives a text',
    [() => '1\ta', () => '2\tb'],
    /^copy: expected bytes of toRow\(\), as Buffer\.from\(text\) makes them, got a string$/,
  ],
  [
    'gives nothing',
    [() => undefined, () => undefined],
    /^copy: expected bytes of toRow\(\), as Buffer\.from\(text\) makes them, got undefined$/,
  ],
])('copyInto says so when toRow %s, and stores nothing', async (_, toRows, message) => {
  const database = await emptyDuckdb();
  const { events } = deliver(['a', 'b'], new Ledger());
  const sink = await copyInto(database.declare(), { table: 'odd', columns }).open({ pipeline: 'test', report: () => {} });
  await sink.acquire('shard-1');
  const bounds = { shard: 'shard-1', startMs: 0, endMs: 60_000, part: 0, closedBy: 'complete' } as const;
  const rows = events.map((event, i) => event.with({ toRow: toRows[i] } as Row));
  const positions = new Map([['shard-1', events[1]!.position]]);
  await expect(sink.commit({ items: [new Window(bounds, rows)], positions }, [])).rejects.toThrow(message);
  expect(await sink.positions(['shard-1'])).toEqual(new Map());
  await sink.close();
  await database.close();
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import { logLine } from '../../../src/observe/log.ts';
import type { OpenDatabase, RowFault, Table } from '../../../src/stores/database.ts';
import { type TestPostgres, emptyPostgres } from '../../support/databases.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

const owner = { pipeline: 'warehouse', sink: 'copy' };
const table: Table = {
  name: 'events',
  columns: [
    { name: 'id', type: { kind: 'text' }, required: true },
    { name: 'at', type: { kind: 'timestamp' }, required: true },
  ],
};

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
afterAll(() => server.stop());

describe('a table of postgres', () => {
  let place: TestPostgres;
  let database: OpenDatabase;
  let told: Diagnostic[];
  let sequence = 0;
  beforeEach(async () => {
    place = await emptyPostgres(server);
    told = [];
    database = await place.declare().open({ report: (diagnostic) => told.push(diagnostic) });
    await database.acquire(owner, 'a');
  });
  afterEach(async () => {
    await database.close();
    await place.close();
  });

  /** Loads lines; gives back what was refused. */
  async function load(lines: readonly string[], into = table): Promise<(readonly [number, RowFault])[]> {
    const refused: (readonly [number, RowFault])[] = [];
    const position = { shard: 'a', sequence: String(++sequence), subSequence: 0 };
    await database.commit(owner, {
      rows: { table: into, lines: lines.map((line) => Buffer.from(line)) },
      refuse: (index, fault) => {
        refused.push([index, fault]);
        const why = { step: 'copyInto', ...fault };
        return { position: { ...position, subSequence: index }, arrivedAtMs: 0, why, raw: Buffer.from(lines[index]!) };
      },
      positions: new Map([['a', position]]),
    });
    return refused;
  }

  test.each([{}, { missingBy: 'id' }])(
    'that has no partition for a row makes it a reject, which says what one is missing for: %j',
    async (options) => {
      await place.query('CREATE TABLE events (id text NOT NULL, at timestamp NOT NULL) PARTITION BY RANGE (at)');
      await place.query(
        `CREATE TABLE november PARTITION OF events (CHECK (id <> 'c')) FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')`,
      );
      const into = { ...table, ...options };
      await database.createTable(into);
      const lines = ['a\t2026-11-22 09:00:00', 'b\t2026-12-01 00:00:00', 'c\t2026-11-22 09:00:00', 'd\t2026-11-30 23:59:59'];
      const reason =
        'no partition of relation "events" found for row: Partition key of the failing row contains (at) = (2026-12-01 00:00:00).';
      expect(await load(lines, into)).toEqual([
        [1, { code: '23514', reason, path: '' }],
        [2, { code: '23514', reason: expect.not.stringContaining('2026'), path: '' }],
      ]);
      expect(await place.query('SELECT id FROM november ORDER BY id')).toEqual([{ id: 'a' }, { id: 'd' }]);
      await place.query(`CREATE TABLE december PARTITION OF events FOR VALUES FROM ('2026-12-01') TO ('2027-01-01')`);
      expect(await load([lines[1]!], into)).toEqual([]);
    },
  );

  test('that is UNLOGGED, or has such a partition, is told of with what to do', async () => {
    await place.query('CREATE UNLOGGED TABLE events (id text, at timestamp)');
    expect(await place.declare().check!(table)).toMatch(/table events is there, events is UNLOGGED, so a crash/);
    await database.createTable(table);
    expect(told).toEqual([{ type: 'unlogged', store: expect.anything(), table: 'events' }]);
    await place.query(/ALTER TABLE events SET LOGGED/.exec(logLine(told[0]!)!)![0]);
    await database.createTable(table);
    expect(told).toHaveLength(1);
    expect(await place.declare().check!(table)).toBe('table events is there, schema millrace is there');
    await place.query('CREATE SCHEMA shop');
    await place.query('CREATE TABLE shop.events (id text, at timestamp) PARTITION BY RANGE (at)');
    await place.query(
      `CREATE UNLOGGED TABLE shop."May" PARTITION OF shop.events FOR VALUES FROM ('2026-05-01') TO ('2026-06-01')`,
    );
    await database.createTable({ ...table, name: 'shop.events' });
    expect(told.at(-1)).toMatchObject({ type: 'unlogged', table: 'shop."May"' });
  });

  test('may have a column that a trigger fills, NOT NULL and without a default', async () => {
    await place.query('CREATE TABLE events (id text, at timestamp, day date NOT NULL)');
    await place.query(
      'CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.day := NEW.at; RETURN NEW; END $$',
    );
    await expect(database.createTable(table)).rejects.toThrow(/wants day/);
    await place.query('CREATE TRIGGER late AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION fill()');
    await expect(database.createTable(table)).rejects.toThrow(/wants day/);
    await place.query('CREATE TRIGGER fill BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fill()');
    await database.createTable(table);
    expect(await load(['a\t2026-11-22 09:00:00'])).toEqual([]);
    expect(await place.query('SELECT day::text FROM events')).toEqual([{ day: '2026-11-22' }]);
  });
});

import { afterAll, beforeAll, expect, test } from 'vitest';
import { Reject } from '../../src/event.ts';
import { rejectsIntoDatabase } from '../../src/sinks/rejects-into-database.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { type SinkFixture, sinkConformance } from './conformance.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

const why = { step: 'validate', code: 'invalid_type', reason: 'expected a number, got "x"', path: 'data.price' };
const databases = { postgres: () => emptyPostgres(server), duckdb: () => emptyDuckdb() };

async function fixtureOf(database: TestDatabase): Promise<SinkFixture<Reject>> {
  return {
    declare: (name) => rejectsIntoDatabase(database.declare(), name === undefined ? {} : { name }),
    items: (events) => events.map((event) => new Reject(event, why)),
    stored: async () => {
      const rows = await database.query('SELECT raw FROM millrace.rejects');
      return rows.map((row) => Buffer.from(row['raw'] as string, 'hex').toString());
    },
    close: database.close,
  };
}

for (const [name, empty] of Object.entries(databases)) {
  sinkConformance(`rejectsInto ${name}`, async () => fixtureOf(await empty()));

  test(`rejectsInto ${name} stores one event's rejects of several steps, and each of them once`, async () => {
    const database = await empty();
    const sink = await rejectsIntoDatabase(database.declare()).open({ pipeline: 'warehouse', report: () => {} });
    await sink.acquire('a');
    const [event] = deliver([{ shard: 'a', raw: 'one' }]).events;
    const batch = {
      items: [
        new Reject(event!, why),
        new Reject(event!, { step: 'transform', code: 'threw', reason: 'no' }),
        new Reject(event!, why),
      ],
      positions: new Map([['a', event!.position]]),
    };
    await sink.commit(batch, []);
    await sink.commit(batch, []);
    expect(await database.query('SELECT sink, step, code, reason, path FROM millrace.rejects ORDER BY step')).toEqual([
      { sink: 'rejects', step: 'transform', code: 'threw', reason: 'no', path: '' },
      { sink: 'rejects', ...why },
    ]);
    await sink.close();
    await database.close();
  });
}

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../../src/diagnostic.ts';
import type { Table } from '../../../src/stores/database.ts';
import { type TestPostgres, emptyPostgres } from '../../support/databases.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

const table: Table = {
  name: 'shop.Events',
  columns: [{ name: 'Event id', type: { kind: 'text' }, required: true }],
  missingBy: 'Event id',
};

let server: Postgres;
let database: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
  database = await emptyPostgres(server);
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

describe('postgres, of which only missing rows are loaded', () => {
  async function told(): Promise<Diagnostic[]> {
    const reports: Diagnostic[] = [];
    const open = await database.declare().open({ report: (diagnostic) => reports.push(diagnostic) });
    await open.createTable(table);
    await open.close();
    return reports;
  }

  test('makes an index with the table, and tells when there is none that it can use', async () => {
    expect(await told()).toEqual([]);
    expect(await database.query(`SELECT indexdef FROM pg_indexes WHERE schemaname = 'shop'`)).toEqual([
      { indexdef: expect.stringMatching(/ON shop\."Events" USING btree \("Event id"\)$/) },
    ]);
    await database.query('DROP INDEX shop."Events_Event id_idx"');
    const missing = { type: 'no-index', store: expect.anything(), table: 'shop.Events', column: 'Event id' };
    expect(await told()).toEqual([missing]);
    await database.query(`CREATE INDEX part ON shop."Events" ("Event id") WHERE "Event id" <> ''`);
    expect(await told()).toEqual([missing]);
    await database.query('ALTER TABLE shop."Events" ADD COLUMN n integer');
    await database.query('CREATE INDEX ON shop."Events" (n, "Event id")');
    expect(await told()).toEqual([missing]);
    // As one is left behind by CREATE INDEX CONCURRENTLY that has failed.
    await database.query('CREATE INDEX broken ON shop."Events" ("Event id")');
    await database.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'shop.broken'::regclass`);
    expect(await told()).toEqual([missing]);
    await database.query('CREATE UNIQUE INDEX ON shop."Events" ("Event id")');
    expect(await told()).toEqual([]);
  });
});

import { afterAll, beforeAll } from 'vitest';
import { emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { databaseConformance } from './database.conformance.ts';
import { rejectSourceConformance } from './reject-source.conformance.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

databaseConformance('postgres', () => emptyPostgres(server));
rejectSourceConformance('postgres', () => emptyPostgres(server));

import { afterAll, beforeAll } from 'vitest';
import { databaseConformance } from '../stores/database.conformance.ts';
import { formatsConformance } from '../stores/postgres/formats.conformance.ts';
import { emptyPostgres } from '../support/databases.ts';
import { findPostgres15 } from '../support/postgres-15.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres({ native: findPostgres15() });
});

afterAll(() => server?.stop());

databaseConformance('postgres 15', () => emptyPostgres(server));
formatsConformance('postgres 15', () => server);

import { afterAll, beforeAll } from 'vitest';
import { type Postgres, startPostgres } from '../../support/postgres.ts';
import { formatsConformance } from './formats.conformance.ts';

let server: Postgres;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server.stop());

formatsConformance('postgres', () => server);

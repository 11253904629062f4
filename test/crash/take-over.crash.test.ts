import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shop } from '../../src/demo/shop.ts';
import { type Kinesis, startKinesis } from '../support/kinesis.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { foundInPostgres, linesInDirectory, proveOnce, sendSlowly } from './stage.ts';
import { startVictim } from './victim.ts';

const TAKE_OVERS = 3;

// Each owner remembers for itself, as on machines of their own: of repeats, those on both sides of a take-over would pass.
const records = shop({ seed: 7, shares: { repeat: 0, 'broken-label': 0.03, malformed: 0.01, noise: 0.03 } })
  .take(5000)
  .toArray();

let kinesis: Kinesis;
let postgres: Postgres;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-take-over-'));
  [kinesis, postgres] = await Promise.all([startKinesis(), startPostgres()]);
}, 60_000);

afterAll(async () => {
  await Promise.all([kinesis.stop(), postgres.stop()]);
  await rm(folder, { recursive: true, force: true });
});

describe('the warehouse, taken over by another owner while it runs', () => {
  it('gives way, says so, and leaves every event once in the database and the archive', { timeout: 240_000 }, async () => {
    const stream = await kinesis.createStream('taken-over', 2);
    const owner = (number: number): Record<string, string> => ({
      KINESIS_STREAM: 'taken-over',
      KINESIS_ENDPOINT: kinesis.endpoint,
      DATABASE_URL: postgres.url,
      ARCHIVE_URL: `file:${join(folder, 'archive')}`,
      STATE_FILE: join(folder, `${number}.state`),
      WINDOW: '1s',
    });
    const sending = sendSlowly(stream, records);
    let current = startVictim('warehouse.ts', owner(0));
    for (let number = 1; number <= TAKE_OVERS; number++) {
      await current.reading();
      await sleep(3000);
      const next = startVictim('warehouse.ts', owner(number));
      const { code, output } = await current.ended();
      expect(output).toMatch(/warehouse has ended: FencedError: .*a newer run has taken shardId-\d+ over/);
      expect(code).toBe(1);
      current = next;
    }
    await sending;
    await sleep(3000);
    current.signal('SIGTERM');
    const { code, output } = await current.ended();
    expect(code, output).toBe(0);
    proveOnce(records, { ...(await foundInPostgres(postgres.url)), archived: await linesInDirectory(join(folder, 'archive')) });
  });
});

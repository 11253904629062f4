import dns from 'node:dns';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { postgres } from '../../../src/stores/postgres.ts';
import { certificate, certificateKey } from '../../support/certificate.ts';
import { emptyPostgres } from '../../support/databases.ts';
import { type Postgres, startPostgres } from '../../support/postgres.ts';

let folder: string;
let server: Postgres;
let ca: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-reach-'));
  const made = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    if (process.getuid?.() === 0) await chown(path, 65534, 65534);
    return path;
  };
  await chmod(folder, 0o755);
  ca = await made('ca.pem', certificate);
  // Only `postgres` may do without TLS, and only `changing` needs a password.
  const rules = 'host all changing all scram-sha-256\nhostssl all all all trust\nhost all postgres all trust\n';
  const settings = {
    ssl: 'on',
    ssl_cert_file: ca,
    ssl_key_file: await made('key.pem', certificateKey),
    hba_file: await made('hba', rules),
  };
  server = await startPostgres({ settings });
});

afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

const check = (query: string): Promise<string> => postgres(server.url.replace('127.0.0.1', 'localhost') + query).check!();

describe('TLS', () => {
  test.each(['require', 'verify-ca', 'verify-full'])('with sslmode=%s is spoken with whom it can be sure of', async (mode) => {
    const warned = vi.fn();
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    expect(await check(`?sslmode=${mode}&sslrootcert=${ca}`)).toMatch(/lacks positions/);
    await expect(check(`?sslmode=${mode}`)).rejects.toThrow(
      /^self-signed certificate.* Expected in the URL sslmode=verify-full&sslrootcert=\/path\/ca\.pem/,
    );
    expect(warned).not.toHaveBeenCalled();
  });

  test('with sslmode=no-verify is spoken with anybody', async () => {
    expect(await check('?sslmode=no-verify')).toMatch(/lacks positions/);
  });

  test('is named where the server wants it', async () => {
    const stranger = postgres(server.url.replace('postgres@', 'stranger@'));
    await expect(stranger.check!()).rejects.toThrow(/no pg_hba\.conf entry .* expected sslmode=verify-full in the URL$/);
  });
});

test('a password that is in no URL is read anew from PGPASSFILE for each connection', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const passwords = join(folder, 'passwords');
  const change = async (password: string): Promise<void> => {
    await query(`ALTER ROLE changing PASSWORD '${password}'`);
    await writeFile(passwords, `*:*:*:changing:${password}\n`, { mode: 0o600 });
  };
  vi.stubEnv('PGPASSFILE', passwords);
  onTestFinished(() => void vi.unstubAllEnvs());
  await query('CREATE ROLE changing LOGIN SUPERUSER');
  await change('one');
  const owner = { pipeline: 'warehouse', sink: 'copy' };
  const store = await postgres(url.replace('postgres@', 'changing@')).open({ report: () => {} });
  onTestFinished(() => store.close());
  await store.acquire(owner, 'a');
  await change('two');
  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace'`);
  await expect.poll(() => store.positions(owner, ['a']).catch((error: Error) => error)).toEqual(new Map());
});

test('a name that nobody knows for a while passes once the server was reached by it', async () => {
  const real = dns.lookup;
  let isKnown = true;
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((
    host: string,
    options: object,
    done: (error: Error | null) => void,
  ) => {
    if (host !== 'warehouse.test') return real(host, options, done);
    if (isKnown) return real('127.0.0.1', options, done);
    return done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: 'ENOTFOUND' }));
  }) as never);
  onTestFinished(() => lookup.mockRestore());
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  const named = postgres(url.replace('127.0.0.1', 'warehouse.test'));
  const owner = { pipeline: 'warehouse', sink: 'copy' };
  const store = await named.open({ report: () => {} });
  onTestFinished(() => store.close());
  await store.acquire(owner, 'a');

  isKnown = false;
  await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'millrace'`);
  const failed = async (): Promise<{ message: string; fault: string }> => {
    const error = await store.positions(owner, ['a']).catch((thrown: Error) => thrown);
    return { message: (error as Error).message, fault: faultOf(error) };
  };
  const notFound = { message: 'getaddrinfo ENOTFOUND warehouse.test', fault: 'transient' };
  await expect.poll(failed).toEqual(notFound);
  expect(faultOf(await named.open({ report: () => {} }).catch((error: Error) => error))).toBe('permanent');
  isKnown = true;
  expect(await store.positions(owner, ['a'])).toEqual(new Map());
});

import dns from 'node:dns';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
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

  test('with sslrootcert=system is spoken with whom Node trusts', async () => {
    await expect(check('?sslrootcert=system')).rejects.toThrow(/^self-signed certificate/);
    const trusted = getCACertificates();
    setDefaultCACertificates([certificate]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    expect(await check('?sslmode=verify-full&sslrootcert=system')).toMatch(/lacks positions/);
  });

  test('is spoken with a server by a name that its certificate is good for, or by any where that is asked for', async () => {
    const byAddress = (query: string): Promise<string> => postgres(server.url + query).check!();
    await expect(byAddress(`?sslmode=verify-full&sslrootcert=${ca}`)).rejects.toThrow(
      /IP: 127\.0\.0\.1 is not in the cert's list: *\. Expected in the URL a name .* or uselibpqcompat=true&sslmode=verify-ca&sslrootcert=/,
    );
    expect(await byAddress(`?uselibpqcompat=true&sslmode=verify-ca&sslrootcert=${ca}`)).toMatch(/lacks positions/);
  });

  test('whose bytes were damaged on their way is a connection that was lost', async () => {
    const { url, close } = await emptyPostgres(server);
    onTestFinished(close);
    let damage = false;
    const closed: boolean[] = [];
    const proxy = createServer((socket) => {
      const upstream = connect(Number(new URL(url).port), '127.0.0.1');
      socket.on('error', () => upstream.destroy()).on('close', () => (closed.push(true), upstream.destroy()));
      socket.on('data', (bytes) => (damage ? socket.write(Buffer.alloc(64, 'x')) : upstream.write(bytes)));
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      upstream.on('data', (bytes) => socket.write(bytes));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    onTestFinished(() => void proxy.close());
    const through = new URL(url);
    through.host = `localhost:${(proxy.address() as AddressInfo).port}`;
    const store = await postgres(`${through.href}?sslmode=no-verify`).open({ report: () => {} });
    onTestFinished(() => store.close());
    const owner = { pipeline: 'warehouse', sink: 'copy' };
    await store.acquire(owner, 'a');
    damage = true;
    const error = await store.positions(owner, ['a']).catch((thrown: unknown) => thrown);
    expect((error as { code?: string }).code).toMatch(/SSL|EPROTO/);
    expect(faultOf(error)).toBe('transient');
    // A stream that cannot be decrypted stays open by itself, and with it the session, with all that it has locked.
    await expect.poll(() => closed).toEqual([true]);
    damage = false;
    expect(await store.positions(owner, ['a'])).toEqual(new Map());
  });

  test('is named where the server wants it', async () => {
    const stranger = postgres(server.url.replace('postgres@', 'stranger@'));
    await expect(stranger.check!()).rejects.toThrow(/no pg_hba\.conf entry .* expected sslmode=verify-full in the URL$/);
  });
});

test('a password that is nowhere, or is cut by its own signs, is told of', async () => {
  const asked = (user: string): Promise<string> => postgres(server.url.replace('postgres@', `${user}@`)).check!();
  await expect(asked('changing')).rejects.toThrow(/Expected a password in the URL, or in the file that PGPASSFILE names/);
  await expect(asked('changing:secret%a9')).rejects.toThrow(/^URI malformed\. Expected in the password .* %25 for %$/);
});

test('a pooler that gives each message another session is told of by --check and by a run', async () => {
  // As PgBouncer does, once a message leaves a transaction open.
  const pooler = createServer((socket) => {
    const upstream = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
    socket.pipe(upstream).on('error', () => socket.destroy());
    upstream.on('data', (bytes) => {
      if (!bytes.subarray(-6).equals(Buffer.from('Z\0\0\0\x05T'))) return void socket.write(bytes);
      const fields = 'SERROR\0C08P01\0Mtransaction blocks not allowed in statement pooling mode\0\0';
      const head = Buffer.from('E\0\0\0\0');
      head.writeInt32BE(fields.length + 4, 1);
      socket.end(Buffer.concat([head, Buffer.from(fields)]));
    });
  }).listen(0, '127.0.0.1');
  await once(pooler, 'listening');
  onTestFinished(() => void pooler.close());
  const url = server.url.replace(/:\d+\//, `:${(pooler.address() as AddressInfo).port}/`);
  const told = /not allowed in statement pooling mode\. Expected a pooler .* pool_mode=transaction$/;
  await expect(postgres(url).check!()).rejects.toThrow(told);
  await expect(postgres(url).open({ report: () => {} })).rejects.toThrow(told);
});

test('Redshift is told from a Postgres by --check and by a run', async () => {
  const { url, query, close } = await emptyPostgres(server);
  onTestFinished(close);
  // What it says of itself, by a function that stands before that of the catalog.
  const version =
    'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.61626';
  await query('CREATE SCHEMA redshift');
  await query(`CREATE FUNCTION redshift.version() RETURNS text LANGUAGE sql AS $$ SELECT '${version}' $$`);
  const like = `${url}?options=-csearch_path%3Dredshift,pg_catalog`;
  const told = /^expected Postgres, got Amazon Redshift, whose COPY takes no rows from who is connected$/;
  await expect(postgres(like).check!()).rejects.toThrow(told);
  await expect(postgres(like).open({ report: () => {} })).rejects.toThrow(told);
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

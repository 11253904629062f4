import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { RedisClient } from '../../../src/stores/redis/client.ts';
import { redis } from '../../../src/stores/redis.ts';

/** What opening says of a server that answers so to these commands, and OK to all others. */
async function opening(answers: Readonly<Record<string, string>>): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      for (const [, name] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n([a-z]+)\r\n/gi))
        socket.write(answers[name!.toUpperCase()] ?? '+OK\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const store = redis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`, { timeoutMs: 500 });
  try {
    await (await store.open({ report: () => {} })).close();
    return 'opened';
  } catch (error) {
    return (error as Error).message;
  } finally {
    server.close();
  }
}

const hello = { HELLO: '%1\r\n+proto\r\n:3\r\n' };
const info = (text: string): string => `$${text.length}\r\n${text}\r\n`;

it.each([
  ['6.0.16', 'expected a Redis server of version 7 or later, got 6.0.16'],
  ['7.2.4', 'opened'],
  ['10.0.0', 'opened'],
])('of version %s a server is told: %s', async (version, outcome) => {
  const said = await opening({ ...hello, INFO: info(`redis_version:${version}\r\n`), EVAL: ':0\r\n' });
  expect(said.replace(/^redis \S+: /, '')).toBe(outcome);
});

it('a Sentinel is told from a server that keeps keys', async () => {
  const said = await opening({ ...hello, INFO: info('redis_version:7.4.0\r\nredis_mode:sentinel\r\n') });
  expect(said).toMatch(/^redis \S+: is a Sentinel, which keeps no keys; expected the master, by an address that follows it/);
});

it('a server whose scripts have to name all keys beforehand is refused, and told what to do', async () => {
  const said = await opening({
    ...hello,
    INFO: info('redis_version:7.4.0\r\ndragonfly_version:df-v1.30.0\r\n'),
    EVAL: '-ERR Error running script (call to 1): @user_script:1: script tried accessing undeclared key\r\n',
  });
  expect(said).toMatch(/expected a server whose scripts may use keys .*allow-undeclared-keys/);
});

it('a server that says nothing of itself, and lets nobody ask, is taken for one that will do', async () => {
  const noPermission = '-NOPERM this user has no permissions\r\n';
  expect(await opening({ ...hello, INFO: noPermission, EVAL: noPermission })).toBe('opened');
});

it.each([
  ['redis', ''],
  ['redis-cluster', /127.0.0.1:\d+: /.source],
])('what a server says before it closes a connection is told of %s://', async (scheme, node) => {
  const full = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('-ERR max number of clients reached\r\n');
  }).listen(0, '127.0.0.1');
  await once(full, 'listening');
  const { port } = full.address() as AddressInfo;
  const opened = redis(`${scheme}://127.0.0.1:${port}`, { timeoutMs: 500 }).open({ report: () => {} });
  await expect(opened).rejects.toThrow(
    new RegExp(`^${scheme} 127.0.0.1:\\d+: no connection: ${node}ERR max number of clients reached$`),
  );
  full.close();
});

it('what a server says to a greeting that it does not know is no reason of what comes later', async () => {
  const old = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      if (/get/i.test(data.toString())) socket.destroy();
      else socket.write(/hello/i.test(data.toString()) ? "-ERR unknown command 'HELLO'\r\n".repeat(2) : '+OK\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(old, 'listening');
  const client = new RedisClient(`redis://127.0.0.1:${(old.address() as AddressInfo).port}`, { timeoutMs: 500 });
  await client.open();
  await expect(client.call('GET', ['a'])).rejects.toThrow(/no connection: the server has closed it$/);
  client.close();
  old.close();
});

import { once } from 'node:events';
import { type AddressInfo, connect, createServer as createPlainServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TlsOptions, createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { identityLog } from '../../../src/stores/identity-log.ts';
import * as reads from '../../../src/stores/reads.ts';
import { RedisClient } from '../../../src/stores/redis/client.ts';
import { redis } from '../../../src/stores/redis.ts';
import { certificate, certificateKey } from '../../support/certificate.ts';
import { startRedis } from '../../support/redis.ts';

/** The port of a server that speaks TLS, and closes each connection once it does. */
async function secureServer(options: TlsOptions = {}): Promise<number> {
  const server = createServer({ cert: certificate, key: certificateKey, ...options }, (socket) => {
    socket.on('error', () => {});
    socket.end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const failed = (call: Promise<unknown>): Promise<Error> =>
  call.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: Error) => error,
  );

test.each(['rediss', 'rediss-cluster'])('%s:// says how to trust a certificate that Node does not know', async (scheme) => {
  const port = await secureServer();
  const error = await failed(redis(`${scheme}://:secret@localhost:${port}`).check!());
  expect(error.message).toMatch(/expected NODE_EXTRA_CA_CERTS=\/path\/ca\.pem/);
  expect(error.message).toMatch(/self-signed certificate/);
  expect(error.message).not.toMatch(/secret/);
});

test('a certificate that will not do ends a call at once, as nobody mends it by trying again', async () => {
  const port = await secureServer();
  const source = redis(`rediss://localhost:${port}`).openReads();
  onTestFinished(() => source.close());
  const failure = await new Promise<unknown>((resolve) => source.read([reads.get('a')], (_answers, why) => resolve(why)));
  expect(faultOf(failure)).toBe('permanent');
});

test('a server is called by the name that its certificate is good for', async () => {
  const trusted = getCACertificates();
  setDefaultCACertificates([certificate]);
  onTestFinished(() => setDefaultCACertificates(trusted));
  const port = await secureServer();
  const error = await failed(redis(`rediss://127.0.0.1:${port}`).check!());
  expect(error.message).toMatch(
    /expected a certificate that is good for the name by which it is called: .*IP: 127\.0\.0\.1 is not in the cert's list/,
  );
});

test.each(['rediss', 'rediss-cluster'])(
  'bytes of %s:// that were damaged, and silence behind them, are a lost connection',
  async (scheme) => {
    const trusted = getCACertificates();
    setDefaultCACertificates([certificate]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const secure = createServer({ cert: certificate, key: certificateKey }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data: Buffer) => {
        const commands = data.toString().match(/^\*\d+\r$/gm) ?? [];
        if (/slots/i.test(data.toString())) socket.write(`*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\nlocalhost\r\n:${port()}\r\n`);
        else socket.write('+PONG\r\n'.repeat(commands.length));
      });
    }).listen(0, '127.0.0.1');
    let isDamaged = false;
    const between = createPlainServer((socket) => {
      const upstream = connect((secure.address() as AddressInfo).port, '127.0.0.1');
      socket.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
      upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      upstream.on('data', (bytes) => socket.write(bytes));
      socket.on('data', (bytes) => (isDamaged ? socket.write(Buffer.alloc(64, 'x')) : upstream.write(bytes)));
    }).listen(0, '127.0.0.1');
    const port = (): number => (between.address() as AddressInfo).port;
    onTestFinished(() => void (secure.close(), between.close()));
    await Promise.all([once(secure, 'listening'), once(between, 'listening')]);
    const client = new RedisClient(`${scheme}://localhost:${port()}`, { timeoutMs: 200 });
    await client.open();
    onTestFinished(() => client.close());
    isDamaged = true;
    const error = await failed(client.call('GET', ['a']));
    expect(faultOf(error)).toBe('transient');
    // As long as the client waits for an answer: by then nobody would have listened to it.
    await sleep(400);
    isDamaged = false;
    await expect.poll(() => client.call('GET', ['a']).catch(String)).toBe('PONG');
  },
);

test('a replica is told by --check and by a run as one that only lets read, and says where owners stand', async () => {
  const master = await startRedis();
  onTestFinished(() => master.stop());
  const replica = await startRedis({ replicaOf: master.port });
  onTestFinished(() => replica.stop());
  const store = redis(replica.url);
  for (const call of [
    () => store.check!(),
    () => store.open({ report: () => {} }),
    () => identityLog(replica.url).check!(),
    () => identityLog(replica.url).prepare!('shop'),
  ]) {
    const error = await failed(call());
    expect(error.message).toMatch(/is a replica, which only lets read; expected the master, by an address that follows it/);
    expect(faultOf(error)).toBe('transient');
  }
  expect(await store.stands!({ pipeline: 'shop', sink: 'apply' })).toEqual([]);
});

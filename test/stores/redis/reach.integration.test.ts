import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type TlsOptions, createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { faultOf } from '../../../src/fault.ts';
import { identityLog } from '../../../src/stores/identity-log.ts';
import * as reads from '../../../src/stores/reads.ts';
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

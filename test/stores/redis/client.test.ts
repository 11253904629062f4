import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, it } from 'vitest';
import { RedisClient } from '../../../src/stores/redis/client.ts';
import { certificate, certificateKey } from '../../support/certificate.ts';

function isStringFastBehind(module: string): string {
  const program = `await import(${JSON.stringify(module)}); console.log(%HasFastProperties(String.prototype));`;
  return execFileSync(process.execPath, ['--allow-natives-syntax', '--input-type=module', '--eval', program], {
    encoding: 'utf8',
  }).trim();
}

it('leaves the methods of texts as fast as they were, which ioredis alone does not', () => {
  expect(isStringFastBehind('ioredis')).toBe('false');
  expect(isStringFastBehind(import.meta.resolve('../../../src/index.ts'))).toBe('true');
});

it('finds a node of a cluster by an address of IPv6', async () => {
  const client = new RedisClient('redis-cluster://[::1]:1', { timeoutMs: 1000 });
  await expect(client.open()).rejects.toThrow('redis-cluster [::1]:1: no connection');
});

it.each(['rediss', 'rediss-cluster'])(
  '%s:// tells whom it wants to talk to, as many servers behind one address have to know',
  async (scheme) => {
    const trusted = getCACertificates();
    setDefaultCACertificates([certificate]);
    const asked = new Set<string | false | null>();
    const secure = createServer({ cert: certificate, key: certificateKey }, (socket) => {
      asked.add(socket.servername);
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const client = new RedisClient(`${scheme}://localhost:${(secure.address() as AddressInfo).port}`, { timeoutMs: 1000 });
    await expect(client.open()).rejects.toThrow('no connection');
    expect([...asked]).toEqual(['localhost']);
    secure.close();
    setDefaultCACertificates(trusted);
  },
);

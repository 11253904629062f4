import { once } from 'node:events';
import { type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FencedError, SettledTooEarlyError, WentBackError } from '../src/errors.ts';
import { faultOf } from '../src/fault.ts';

const error = (message: string, fields: object = {}): Error => Object.assign(new Error(message), fields);
const aws = (name: string, httpStatusCode?: number): Error => error('said AWS', { name, $metadata: { httpStatusCode } });
const sql = (code: string): Error => error('said Postgres', { code, severity: 'ERROR' });

describe('faultOf', () => {
  it.each([
    ['throttled by Kinesis', aws('ProvisionedThroughputExceededException', 400)],
    ['throttled by S3', aws('SlowDown', 503)],
    ['throttled by KMS', aws('KMSThrottlingException', 400)],
    ['an AWS server error', aws('InternalFailure', 500)],
    ['an AWS conflict of writers', aws('ConditionalRequestConflict', 409)],
    ['a network error of the SDK', error('socket hang up', { code: 'ECONNRESET', $metadata: { attempts: 3 } })],
    ['a refused connection', error('connect ECONNREFUSED', { code: 'ECONNREFUSED' })],
    ['several refused connections', new AggregateError([error('a', { code: 'ECONNREFUSED' })])],
    ['a Postgres that shuts down', sql('57P01')],
    ['a Postgres that starts', sql('57P03')],
    ['a Postgres connection lost', sql('08006')],
    ['too many connections', sql('53300')],
    ['a deadlock', sql('40P01')],
    ['a lock not to be had', sql('55P03')],
    ['a session ended for idling in a transaction', sql('25P03')],
    ['a Postgres that became a standby', sql('25006')],
    ['a connection that ended under pg', error('Connection terminated unexpectedly')],
    ['a Redis that loads', error('LOADING Redis is loading the dataset in memory')],
    ['a Redis that became a replica', error("READONLY You can't write against a read only replica.")],
    ['a full Redis', error("OOM command not allowed when used memory > 'maxmemory'.")],
    ['a busy Redis', error('BUSY Redis is busy running a script.')],
    ['a Redis that cannot write its data', error('MISCONF Errors writing to the AOF file')],
    ['a Redis with too many clients', error('ERR max number of clients reached')],
    ['a transient cause', error('could not load', { cause: sql('57P01') })],
  ])('tries again after %s', (_, fault) => {
    expect(faultOf(fault)).toBe('transient');
  });

  it.each([
    ['access denied', aws('AccessDeniedException', 400)],
    ['a missing stream', aws('ResourceNotFoundException', 400)],
    ['a missing bucket', aws('NoSuchBucket', 404)],
    ['a missing table', sql('42P01')],
    ['a wrong password', sql('28P01')],
    ['a value of the wrong type', sql('22P02')],
    ['a Redis key of another type', error('WRONGTYPE Operation against a key holding the wrong kind of value')],
    ['a wrong Redis password', error('WRONGPASS invalid username-password pair or user is disabled.')],
    ['a bug', new TypeError('x is not a function')],
    ['something that is no error', 'oops'],
    ['events let go too early', new SettledTooEarlyError('step 1', { shard: 'shard-1', sequence: '1', subSequence: 0 })],
  ])('does not try again after %s', (_, fault) => {
    expect(faultOf(fault)).toBe('permanent');
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['before its answer', (response) => response.destroy()],
    [
      'in the middle of its answer',
      (response) => response.writeHead(200, { 'content-length': 9 }).write('x', () => response.destroy()),
    ],
  ])('tries again after a connection of fetch that was closed %s', async (_, answer) => {
    const server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const asked = fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).then((response) => response.text());
    expect(faultOf(await asked.catch((failure: unknown) => failure))).toBe('transient');
    server.close();
  });

  it('goes back with a store', () => {
    expect(faultOf(new WentBackError('redis', 'shard-1', '3 9:0', '3 7:0'))).toBe('went-back');
  });

  it('gives way to a newer run', () => {
    expect(faultOf(new FencedError('copy', 'shard-1', 3))).toBe('fenced');
  });
});

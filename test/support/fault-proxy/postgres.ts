import type { Socket } from 'node:net';
import type { Fault, FaultPlan } from './plan.ts';
import { PostgresFrames } from './postgres-frames.ts';
import { type Relay, relay } from './relay.ts';

/** FATAL 57P03, as a server says it that is starting up. */
const STARTING = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P03', M: 'the database system is starting up' });

/**
 * Passes Postgres's protocol on. Its requests are `CONNECT`, `COMMIT` (a message of SQL with a COMMIT in it, and the data of its
 * COPYs) and `QUERY` (any other).
 */
export function postgresProxy(target: URL, plan: FaultPlan): Relay {
  return relay(target, 5432, (client, upstream) => void new Connection(client, upstream, plan));
}

class Connection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #plan: FaultPlan;
  readonly #asked = new PostgresFrames('QP', true);
  readonly #answered = new PostgresFrames('C', false);
  #bareAnswers = 0;
  /** What befalls the request at hand. */
  #fault: Fault | undefined;
  /** How many COPYs it still has. */
  #copies = 0;
  #askedBytes = 0;
  #answeredBytes = 0;
  #isLate = false;

  constructor(client: Socket, upstream: Socket, plan: FaultPlan) {
    this.#client = client;
    this.#upstream = upstream;
    this.#plan = plan;
    client.on('data', (chunk) => this.#ask(chunk)).on('end', () => this.#isLate || upstream.end());
    upstream.on('data', (chunk) => this.#answer(chunk)).on('end', () => client.end());
    client.on('close', () => this.#isLate || upstream.destroy());
    upstream.on('close', () => client.destroy());
  }

  #ask(chunk: Buffer): void {
    if (this.#isLate) return;
    let delay: Fault | undefined;
    for (const { type, payload, start } of this.#asked.read(chunk)) {
      if (type === 'encryption') this.#bareAnswers++;
      const isRequest = type === '' || type === 'Q' || type === 'P';
      if (isRequest) this.#begin(type, payload.toString('latin1'));
      if (type === 'c') this.#copies--;
      const isEnd = this.#copies === 0 && (isRequest || type === 'c');
      const fault = this.#fault;
      if (isRequest && fault?.kind === 'cannot-connect-now') return this.#refuse(fault);
      if (isRequest && fault?.kind === 'delay') delay = fault;
      if (isEnd && fault?.kind === 'late') return this.#late(fault, chunk, start);
      if (isEnd && fault?.kind === 'reset-request') {
        this.#upstream.write(chunk.subarray(0, start));
        return this.#reset(fault);
      }
    }
    if (delay) return this.#delay(delay, chunk);
    this.#askedBytes += chunk.length;
    const { kind, bytes = 0 } = this.#fault ?? {};
    if (kind === 'reset-request' && this.#askedBytes > bytes) {
      this.#upstream.write(chunk.subarray(0, Math.max(0, chunk.length - (this.#askedBytes - bytes))));
      return this.#reset(this.#fault!);
    }
    flow(chunk, this.#client, this.#upstream);
  }

  #begin(type: string, text: string): void {
    const operation = type === '' ? 'CONNECT' : /\bCOMMIT\b/.test(text) ? 'COMMIT' : 'QUERY';
    this.#fault = this.#plan.next(operation);
    this.#copies = type === 'Q' ? (text.match(/\bFROM STDIN\b/g)?.length ?? 0) : 0;
    this.#askedBytes = this.#answeredBytes = 0;
    if (this.#fault?.kind === 'silence') this.#plan.count(this.#fault);
  }

  #answer(chunk: Buffer): void {
    const fault = this.#fault;
    if (this.#isLate || fault?.kind === 'silence') return;
    let rest = chunk;
    if (this.#bareAnswers > 0) {
      this.#bareAnswers--;
      this.#client.write(chunk.subarray(0, 1));
      rest = chunk.subarray(1);
    }
    for (const { type, payload, start } of this.#answered.read(rest)) {
      const isDone = type === 'Z' || (type === 'C' && payload.toString('latin1') === 'COMMIT\0');
      if (!isDone || (fault?.kind !== 'drop-answer' && fault?.kind !== 'reset-answer')) continue;
      this.#client.write(rest.subarray(0, start), () => this.#reset(fault));
      this.#upstream.pause();
      return;
    }
    this.#answeredBytes += rest.length;
    if (fault?.kind === 'reset-answer' && this.#answeredBytes > (fault.bytes ?? 0)) {
      this.#upstream.pause();
      const kept = rest.subarray(0, Math.max(0, rest.length - (this.#answeredBytes - (fault.bytes ?? 0))));
      this.#client.write(kept, () => this.#reset(fault));
      return;
    }
    flow(rest, this.#upstream, this.#client);
  }

  #refuse(fault: Fault): void {
    this.#plan.count(fault);
    this.#client.end(STARTING);
    this.#upstream.destroy();
  }

  #delay(fault: Fault, chunk: Buffer): void {
    this.#plan.count(fault);
    this.#client.pause();
    void this.#plan.wait(fault).then(() => {
      this.#client.resume();
      flow(chunk, this.#client, this.#upstream);
    });
  }

  #late(fault: Fault, chunk: Buffer, start: number): void {
    this.#isLate = true;
    this.#upstream.write(chunk.subarray(0, start));
    this.#reset(fault);
    void this.#plan.wait(fault).then(() => this.#upstream.end(chunk.subarray(start)));
  }

  #reset(fault: Fault): void {
    if (!this.#client.destroyed) this.#plan.count(fault);
    this.#client.resetAndDestroy();
    if (!this.#isLate) this.#upstream.destroy();
  }
}

function flow(chunk: Buffer, from: Socket, to: Socket): void {
  if (to.write(chunk)) return;
  from.pause();
  to.once('drain', () => from.resume());
}

function errorResponse(fields: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(fields).map(([name, value]) => `${name}${value}\0`);
  const payload = Buffer.from(`${text.join('')}\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeUInt32BE(payload.length + 4, 1);
  return Buffer.concat([head, payload]);
}

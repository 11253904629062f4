import type { Socket } from 'node:net';
import type { Fault, FaultPlan } from './plan.ts';
import { type Relay, relay } from './relay.ts';
import { RespFrames } from './resp-frames.ts';

/** Passes Redis's protocol on, command by command. Its requests are the commands, by their names: `EVALSHA`, `HMGET`. */
export function redisProxy(target: URL, plan: FaultPlan): Relay {
  return relay(target, 6379, (client, upstream) => void new Connection(client, upstream, plan));
}

class Connection {
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #plan: FaultPlan;
  readonly #asked = new RespFrames();
  readonly #answered = new RespFrames();
  /** The pieces of the command at hand. */
  #pieces: Buffer[] = [];
  /** What befalls the answers to the commands that were passed on, in their order. */
  #awaited: (Fault | undefined)[] = [];
  #asking = Promise.resolve();
  #isOver = false;

  constructor(client: Socket, upstream: Socket, plan: FaultPlan) {
    this.#client = client;
    this.#upstream = upstream;
    this.#plan = plan;
    client.on('data', (chunk) => this.#ask(chunk)).on('close', () => this.#isOver || upstream.destroy());
    upstream.on('data', (chunk) => this.#answer(chunk)).on('close', () => client.destroy());
  }

  #ask(chunk: Buffer): void {
    let from = 0;
    for (const { name, end } of this.#asked.read(chunk)) {
      const command = Buffer.concat([...this.#pieces.splice(0), chunk.subarray(from, end)]);
      from = end;
      this.#asking = this.#asking.then(() => this.#pass(command, this.#plan.next(name)));
    }
    this.#pieces.push(chunk.subarray(from));
  }

  async #pass(command: Buffer, fault: Fault | undefined): Promise<void> {
    if (this.#isOver) return;
    if (fault?.kind === 'delay') {
      this.#plan.count(fault);
      await this.#plan.wait(fault);
    } else if (fault?.kind === 'silence') this.#plan.count(fault);
    else if (fault?.kind === 'reset-request') {
      this.#upstream.write(command.subarray(0, Math.min(fault.bytes ?? 0, command.length - 1)));
      return this.#reset(fault);
    } else if (fault?.kind === 'late') {
      this.#reset(fault);
      await this.#plan.wait(fault);
      this.#upstream.end(command);
      return;
    }
    this.#awaited.push(fault);
    if (!this.#upstream.write(command)) await new Promise((resolve) => this.#upstream.once('drain', resolve));
  }

  #answer(chunk: Buffer): void {
    if (this.#isOver) return;
    for (const { start, end } of this.#answered.read(chunk)) {
      const fault = this.#awaited.shift();
      if (fault?.kind === 'silence') {
        this.#isOver = true;
        this.#client.write(chunk.subarray(0, start));
        return;
      }
      if (fault?.kind !== 'drop-answer' && fault?.kind !== 'reset-answer') continue;
      const kept = fault.kind === 'drop-answer' ? 0 : Math.min(fault.bytes ?? 0, end - start - 1);
      this.#upstream.pause();
      this.#client.write(chunk.subarray(0, start + kept), () => this.#reset(fault));
      return;
    }
    this.#client.write(chunk);
  }

  #reset(fault: Fault): void {
    if (!this.#isOver) this.#plan.count(fault);
    this.#isOver = true;
    this.#client.resetAndDestroy();
    if (fault.kind !== 'late') this.#upstream.destroy();
  }
}

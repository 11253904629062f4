import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Position, isPosition, parseResume } from '../../src/position.ts';
import { type Victim, startVictim } from './victim.ts';

/** How long a process may take for what it is asked to do. */
const PATIENCE_MS = 45_000;

/** A process that owns the stream, with a name by which the database knows it. */
export class Owner {
  readonly name: string;
  readonly #victim: Victim;
  readonly #log: string;

  /** @param folder where its output is kept */
  constructor(name: string, folder: string, file: string, settings: Readonly<Record<string, string>>) {
    this.name = name;
    this.#log = join(folder, `${name}.log`);
    this.#victim = startVictim(file, { ...settings, PGAPPNAME: name, NODE_COMPILE_CACHE: join(folder, 'compiled') });
  }

  get output(): string {
    return this.#victim.output;
  }

  get hasEnded(): boolean {
    return this.#victim.hasEnded;
  }

  get hasRead(): boolean {
    return this.output.includes('reading on from');
  }

  /** Where it began to read each shard; nothing for a shard's oldest record. */
  get from(): ReadonlyMap<string, Position | undefined> {
    const found = this.output.matchAll(/(shardId-\d+): reading on from (\S+)/g);
    return new Map(
      [...found].map(([, shard, text]) => {
        const resume = parseResume(shard!, text!);
        return [shard!, isPosition(resume) ? resume : undefined];
      }),
    );
  }

  /** Resolves when it reads, or has ended. */
  reads(): Promise<void> {
    return this.says('reading on from');
  }

  says(text: string): Promise<void> {
    return within(this.#victim.says(text), `${this.name} to say "${text}"`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#victim.signal(signal);
  }

  /** Kills it, unless it has ended. Tells whether it was alive until then. */
  async kill(): Promise<boolean> {
    this.#victim.signal('SIGKILL');
    const { signal } = await this.#end();
    return signal === 'SIGKILL';
  }

  /** Waits for its end; kills it when that does not come. */
  async ended(): Promise<number | null> {
    try {
      return (await within(this.#end(), `${this.name} to end`)).code;
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  async #end(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    const end = await this.#victim.ended();
    await writeFile(this.#log, `${end.output}\n${end.signal ?? end.code}\n`);
    return end;
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const timer = Promise.withResolvers<never>();
  const timeout = setTimeout(() => timer.reject(new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`)), PATIENCE_MS);
  try {
    return await Promise.race([promise, timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

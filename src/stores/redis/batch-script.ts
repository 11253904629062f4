import type { Command, Script, ScriptCommand } from '../commands.ts';
import { type Needed, neededBy } from './needed.ts';
import { PackWriter } from './pack-writer.ts';
import { type RedisClient, RedisError, type Sendable } from './client.ts';
import { type Compiled, compiled } from './script.ts';

/** The script of a batch, with the scripts of the pipeline's own that have occurred so far. */
export class BatchScript {
  readonly #client: RedisClient;
  readonly #lua: string;
  readonly #own = new Map<string, Script>();
  /** What its user may run, for certain: commands by name. */
  readonly #permitted = new Set<string>();
  /** What the next call asks whether its user may run it, by the name for which that is needed. */
  #asking = new Map<string, readonly Needed[]>();
  /** Those that are not at work. */
  readonly #writers: PackWriter[] = [];
  #compiled: Compiled;

  /** @param lua what comes before the commands: checks, positions, a function `reject` */
  constructor(client: RedisClient, lua: string) {
    this.#client = client;
    this.#lua = lua;
    this.#compiled = compiled(lua, []);
  }

  /**
   * @param keys at least one
   * @param args what comes before the commands
   * @param write adds the commands
   */
  async run(keys: readonly string[], args: readonly Sendable[], write: (writer: PackWriter) => void): Promise<unknown> {
    const writer = this.#writers.pop() ?? new PackWriter();
    write(writer);
    const { sha, lua } = this.#compiled;
    const asking = this.#asking;
    const asked = asking.size === 0 ? '' : JSON.stringify([...asking.values()].flat());
    if (asking.size > 0) this.#asking = new Map();
    const rest = [keys.length, ...keys, ...args, asked, writer.take()];
    const answer = await this.#client.call('EVALSHA', [sha, ...rest]).catch((error: unknown) => {
      // The server was restarted, or another one has taken its place: it gets the script anew.
      if (error instanceof RedisError && error.reply.startsWith('NOSCRIPT')) return this.#client.call('EVAL', [lua, ...rest]);
      throw error;
    });
    for (const name of asking.keys()) this.#permitted.add(name);
    // Of a call that failed the bytes may still be on their way.
    this.#writers.push(writer);
    return answer;
  }

  /** Adds the script that a command may have, and asks for the right to run what is new. To be told of it before it is written. */
  know(command: Command): void {
    const { name, reads } = command;
    const kind = reads === undefined ? name : `${name} that reads`;
    if (!this.#permitted.has(kind) && !this.#asking.has(kind)) this.#asking.set(kind, neededBy(command));
    if (!('script' in command)) return;
    const { script } = command as ScriptCommand;
    const known = this.#own.get(script.name);
    if (known === script) return;
    if (known && known.lua !== script.lua)
      throw new TypeError(`${this.#client.where}: expected one script of the name ${script.name}, got two`);
    this.#own.set(script.name, script);
    this.#compiled = compiled(this.#lua, this.#own.values());
  }
}

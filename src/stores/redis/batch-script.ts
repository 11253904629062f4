import type { Command, Script, ScriptCommand } from '../commands.ts';
import { PackWriter } from './pack-writer.ts';
import { type RedisClient, RedisError, type Sendable } from './client.ts';
import { Rights } from './rights.ts';
import { type Compiled, compiled } from './script.ts';

/** The script of a batch, with the scripts of the pipeline's own that have occurred so far. */
export class BatchScript {
  readonly #client: RedisClient;
  readonly #lua: string;
  readonly #own = new Map<string, Script>();
  readonly #rights: Rights;
  /** Those that are not at work. */
  readonly #writers: PackWriter[] = [];
  #compiled: Compiled;

  /**
   * @param lua what comes before the commands: checks, positions, a function `reject`
   * @param remembers whether scores are remembered
   */
  constructor(client: RedisClient, lua: string, remembers = false) {
    this.#client = client;
    this.#lua = lua;
    this.#rights = new Rights(remembers);
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
    const { needed, granted } = this.#rights.take();
    const rest = [keys.length, ...keys, ...args, needed, writer.take()];
    const answer = await this.#client.call('EVALSHA', [sha, ...rest]).catch((error: unknown) => {
      // The server was restarted, or another one has taken its place: it gets the script anew.
      if (error instanceof RedisError && error.reply.startsWith('NOSCRIPT')) return this.#client.call('EVAL', [lua, ...rest]);
      throw error;
    });
    granted();
    // Of a call that failed the bytes may still be on their way.
    this.#writers.push(writer);
    return answer;
  }

  /** Adds the script that a command may have, and asks for the right to run what is new. To be told of it before it is written. */
  know(command: Command): void {
    this.#rights.need(command);
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

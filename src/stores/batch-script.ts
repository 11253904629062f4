import type { Command, Script, ScriptCommand } from './commands.ts';
import { type RedisClient, RedisError } from './redis-client.ts';
import { type Compiled, compiled } from './redis-script.ts';
import type { Sendable } from './resp-writer.ts';

/** The script of a batch, with the scripts of the pipeline's own that have occurred so far. */
export class BatchScript {
  readonly #client: RedisClient;
  readonly #lua: string;
  readonly #own = new Map<string, Script>();
  #compiled: Compiled;

  /** @param lua what comes before the commands: checks, positions, a function `reject` */
  constructor(client: RedisClient, lua: string) {
    this.#client = client;
    this.#lua = lua;
    this.#compiled = compiled(lua, []);
  }

  /** Adds the script that a command may have. */
  know(command: Command): void {
    if (!('script' in command)) return;
    const { script } = command as ScriptCommand;
    const known = this.#own.get(script.name);
    if (known === script) return;
    if (known && known.lua !== script.lua)
      throw new TypeError(`${this.#client.where}: expected one script of the name ${script.name}, got two`);
    this.#own.set(script.name, script);
    this.#compiled = compiled(this.#lua, this.#own.values());
  }

  /** @param keys at least one */
  async run(keys: readonly string[], args: readonly Sendable[]): Promise<unknown> {
    const { sha, lua } = this.#compiled;
    try {
      return await this.#client.script('EVALSHA', sha, keys, args);
    } catch (error) {
      // The server was restarted, or another one has taken its place: it gets the script anew.
      if (error instanceof RedisError && error.reply.startsWith('NOSCRIPT')) return this.#client.script('EVAL', lua, keys, args);
      throw error;
    }
  }
}

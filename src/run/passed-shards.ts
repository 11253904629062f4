import type { Item } from '../event.ts';
import type { SinkDriver } from './sink-driver.ts';

interface Passed {
  /** The sinks that were new to the shard. */
  readonly drivers: readonly SinkDriver<Item>[];
  readonly parents: readonly string[];
  readonly children: readonly string[];
}

/** The shards that were over when a sink came that was new to them: it has nothing of them, and goes on in their children where the others stand. */
export class PassedShards {
  readonly #passed = new Map<string, Passed>();

  /** Notes who has passed by a shard. Resolves once all is written down that can be by now. */
  async pass(shard: string, passed: Passed): Promise<void> {
    if (passed.drivers.length > 0) this.#passed.set(shard, passed);
    await this.#leave([shard, ...passed.parents]);
  }

  /** Whether a sink has passed by one of these shards, and read none of them. */
  hasPassed(driver: SinkDriver<Item>, shards: readonly string[]): boolean {
    const isPassed = shards.some((shard) => this.#passed.get(shard)?.drivers.includes(driver));
    return isPassed && !shards.some((shard) => driver.resumedAt(shard));
  }

  /**
   * Writes down the end of shards that a sink has passed by, once it stands in all of their children: before that, the next run would take it for
   * one that has read them, and give it all of the children.
   */
  async #leave(shards: readonly string[]): Promise<void> {
    for (const shard of shards) {
      const { drivers = [], parents = [], children = [] } = this.#passed.get(shard) ?? {};
      const leaving = drivers.filter((driver) => !driver.standsIn(shard) && children.every((child) => driver.standsIn(child)));
      await Promise.all(leaving.map((driver) => driver.moveTo(shard, 'SHARD_END')));
      if (leaving.length > 0) await this.#leave(parents);
    }
  }
}

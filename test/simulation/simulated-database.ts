import { type Resume, compareResumes, formatResume } from '../../src/position.ts';
import type { Owner } from '../../src/owner.ts';
import { Epochs } from '../../src/stores/database/epochs.ts';
import { PositionBehindError } from '../../src/stores/database/position.ts';
import type { Database, Load, OpenDatabase, RejectRow } from '../../src/stores/database.ts';
import type { Checker } from './checker.ts';
import { REFUSED } from './records.ts';
import type { SimulatedProcess } from './simulated-process.ts';

interface Place {
  epoch: number;
  position: Resume | undefined;
}

/** What a planted fault takes away from a database. */
export interface DatabasePlant {
  /** It commits whoever asks. */
  readonly noEpochGuard?: boolean;
  /** It commits again what a commit that was given up has stored in the meantime. */
  readonly noPositionGuard?: boolean;
  /** Positions are durable before the rows are; a crash may come in between. */
  readonly positionsFirst?: boolean;
}

/** A database server: positions and epochs, and transactions that take place whole or not at all. */
export class SimulatedDatabase {
  readonly #checker: Checker;
  readonly #plant: DatabasePlant;
  readonly #places = new Map<string, Place>();

  constructor(checker: Checker, plant: DatabasePlant = {}) {
    this.#checker = checker;
    this.#plant = plant;
  }

  /** The database as a process has it. */
  for(process: SimulatedProcess): Database {
    return { describe: 'simulated database', open: async () => this.#open(process) };
  }

  #open(process: SimulatedProcess): OpenDatabase {
    const epochs = new Epochs('simulated database');
    const call = <T>(what: string, serve: () => T): Promise<T> =>
      process.call(what, FATES, serve, () => Object.assign(new Error('Connection terminated'), { code: 'ECONNRESET' }));

    return {
      createTable: () => call('database makes a table', () => false),
      acquire: async (owner, shard) => {
        for (;;) {
          const { epoch: seen } = await call(`${owner.sink} looks at ${shard}`, () => ({ ...this.#place(owner, shard) }));
          const taken = await call(`${owner.sink} takes ${shard} over`, () => {
            const place = this.#place(owner, shard);
            if (place.epoch !== seen) return undefined;
            place.epoch++;
            this.#checker.acquired(owner.sink, shard, process.name);
            return { ...place };
          });
          if (!taken) continue;
          epochs.set(owner, shard, taken.epoch);
          return taken.position;
        }
      },
      positions: async (owner, shards) => {
        const asked = [...shards];
        const places = await call(`${owner.sink} asks where it stands`, () =>
          asked.map((shard) => [shard, { ...this.#place(owner, shard) }] as const),
        );
        for (const [shard, { epoch }] of places) epochs.check(owner, shard, epoch);
        return new Map(places.flatMap(([shard, { position }]) => (position === undefined ? [] : [[shard, position] as const])));
      },
      commit: async (owner, load) => {
        const own = new Map([...load.positions.keys()].map((shard) => [shard, epochs.of(owner, shard)]));
        const refused: RejectRow[] = [];
        const lines = (load.rows?.lines ?? []).flatMap((line, index) => {
          const text = Buffer.from(line).toString();
          if (!text.startsWith(REFUSED)) return text;
          refused.push(load.refuse!(index, { code: '22001', reason: 'refused' }));
          return [];
        });
        const what = `${owner.sink} commits ${lines.length} rows, ${[...load.positions].map(([shard, to]) => `${shard} to ${formatResume(to)}`).join(', ')}`;
        if (this.#plant.positionsFirst)
          await call('positions first', () => this.#commit(owner, process, { positions: load.positions }, own, []));
        await call(what, () =>
          this.#commit(owner, process, { ...load, rejects: [...(load.rejects ?? []), ...refused] }, own, lines),
        );
      },
      close: async () => {},
    };
  }

  #commit(
    owner: Owner,
    process: SimulatedProcess,
    { positions, rejects = [] }: Load,
    epochs: ReadonlyMap<string, number>,
    lines: readonly string[],
  ): void {
    for (const [shard, to] of positions) {
      const { epoch, position } = this.#place(owner, shard);
      if (epoch !== epochs.get(shard)) {
        if (this.#plant.noEpochGuard) continue;
        const own = new Epochs('simulated database');
        own.set(owner, shard, epochs.get(shard)!);
        own.check(owner, shard, epoch);
      }
      if (this.#plant.positionsFirst) continue;
      const least = lines.length > 0 && !this.#plant.noPositionGuard ? 1 : 0;
      if (position !== undefined && compareResumes(to, position) < least)
        throw new PositionBehindError('simulated database', shard, formatResume(position), formatResume(to));
    }
    for (const [shard, to] of positions) this.#place(owner, shard).position = to;
    this.#checker.committed(owner.sink, process.name, { lines, rejects, positions });
  }

  #place(owner: Owner, shard: string): Place {
    const key = keyOf(owner, shard);
    let place = this.#places.get(key);
    if (!place) this.#places.set(key, (place = { epoch: 0, position: undefined }));
    return place;
  }
}

const FATES = ['lost', 'unanswered', 'late'] as const;

function keyOf({ pipeline, sink }: Owner, shard: string): string {
  return `${pipeline}/${sink}/${shard}`;
}

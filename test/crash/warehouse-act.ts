import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Position, comparePositions } from '../../src/position.ts';
import type { Postgres } from '../support/postgres.ts';
import { Act, type ActOptions, type Stage, openStage } from './act.ts';
import { type ArchiveEvidence, ArchiveReader, type ArchiveView } from './archive-evidence.ts';
import {
  type Fault,
  type Standing,
  type Stretch,
  changeFaults,
  countFaults,
  orderFaults,
  rejectFaults,
  restFaults,
  rowsOf,
  storeFaults,
} from './checker.ts';
import { type DatabaseEvidence, readChanges, readDatabase, rowTextOf, watchDatabase } from './database-evidence.ts';
import { oracleOf, placeOf } from './oracle.ts';

/** Where acts keep their objects. */
export interface ArchivePlace {
  /** For people. */
  readonly name: string;
  /** The settings of a pipeline, and a view of the same place. */
  of(act: string, folder: string): { readonly settings: Readonly<Record<string, string>>; readonly view: ArchiveView };
}

export interface WarehouseActOptions extends ActOptions {
  readonly postgres: Postgres;
  readonly archive: ArchivePlace;
  /** Whether the pipeline stores into the database only. @default false */
  readonly hasNoArchive?: boolean;
}

interface Evidence {
  readonly database: DatabaseEvidence;
  readonly archive: ArchiveEvidence;
  readonly standing: Standing;
}

/** An act of the warehouse pipeline: a database, an archive. */
export class WarehouseAct extends Act {
  readonly postgres: Postgres;
  readonly #hasArchive: boolean;
  /** The database's URL, past the weather. */
  readonly #database: string;
  readonly #reader: ArchiveReader;
  #documents: ArchiveEvidence['documents'] = new Map();

  private constructor(
    options: WarehouseActOptions,
    stage: Stage,
    stores: { readonly database: string; readonly view: ArchiveView; readonly settings: Readonly<Record<string, string>> },
  ) {
    const { rate = 60, file = 'pipelines/warehouse.ts' } = options;
    super(options, stage, { file, rate, settings: stores.settings });
    this.postgres = options.postgres;
    this.#hasArchive = options.hasNoArchive !== true;
    this.#database = stores.database;
    this.#reader = new ArchiveReader(stores.view);
  }

  static async open(options: WarehouseActOptions): Promise<WarehouseAct> {
    const { number, postgres } = options;
    const stage = await openStage(options);
    const { folder, before } = stage;
    await mkdir(join(folder, 'archive'));
    const database = await createDatabase(postgres.url, `act_${number}_${Date.now()}`);
    await watchDatabase(database);
    const { settings: archive, view } = options.archive.of(`act-${number}-${Date.now()}`, folder);
    const url = await before('postgres', database);
    const settings = {
      ...archive,
      ...(archive['S3_ENDPOINT'] !== undefined && { S3_ENDPOINT: await before('s3', archive['S3_ENDPOINT']) }),
      ...stage.settings,
      DATABASE_URL: url,
      // Every other act is one of machines whose disks do not last.
      ...(number % 2 === 0 && { STATE_FILE: url }),
      WINDOW: '1s',
      ...options.settings,
    };
    return new WarehouseAct(options, stage, { database, view, settings });
  }

  /** Resolves when an owner's next load is on its way to the database, or after a while. */
  async nextLoad(): Promise<void> {
    // The database then has it a little later.
    const isOnItsWay = this.stage.weather.inject('postgres', { kind: 'delay', on: 'COMMIT', delayMs: 5 });
    await Promise.race([isOnItsWay, sleep(2000)]);
  }

  async checkAtRest(): Promise<ReadonlyMap<string, Position>> {
    return leastOf([...(await this.#evidence()).standing.values()]);
  }

  async #evidence(): Promise<Evidence> {
    const archive = await this.#reader.read();
    const database = await readDatabase(this.#database);
    const inArchive = [...archive.documents].flatMap(([shard, { position }]) => (position ? [[shard, position] as const] : []));
    const all = [
      ['copy', database.standing.get('copy') ?? new Map()],
      ['archive', new Map(inArchive)],
    ] as const;
    const standing: Standing = new Map(this.#hasArchive ? all : [all[0]]);
    const stored = {
      copy: new Set(database.rows.map(({ eventId }) => eventId)),
      archive: new Set(archive.objects.flatMap((object) => rowsOf(object).rows.map(({ eventId }) => eventId))),
    };
    for (const fault of restFaults(this.sent, standing, stored, placesOf(database))) this.fault(fault);
    this.#checkDocuments(archive.documents);
    return { database, archive, standing };
  }

  #checkDocuments(documents: ArchiveEvidence['documents']): void {
    for (const [shard, { epoch, position }] of documents) {
      const before = this.#documents.get(shard);
      const isBack = before?.position && (!position || comparePositions(position, before.position) < 0);
      if (before && (isBack || epoch < before.epoch))
        this.fault({
          name: 'nonmonotonic checkpoint',
          where: 'archive',
          what: JSON.stringify({ shard, before, epoch, position }),
        });
    }
    this.#documents = documents;
  }

  protected async countFaultsOf(stretch: Stretch): Promise<Fault[]> {
    const places = placesOf(await readDatabase(this.#database));
    return countFaults(stretch, this.sent, (between) => {
      const { stored, rejected } = oracleOf(between, places);
      return { stored: stored.size, repeats: between.length - stored.size - rejected.size, rejected: rejected.size };
    });
  }

  protected async checkAll(): Promise<void> {
    const { sent } = this;
    const { database, archive } = await this.#evidence();
    const expected = oracleOf(sent, placesOf(database));
    const lines = archive.objects.map(rowsOf);
    const all = [
      ...storeFaults('database', database.rows, expected, rowTextOf),
      ...lines.flatMap(({ faults }) => faults),
      ...(this.#hasArchive
        ? storeFaults(
            'archive',
            lines.flatMap(({ rows }) => rows),
            expected,
          )
        : []),
      ...rejectFaults(database.rejects, expected),
      ...orderFaults(archive.objects, sent),
      ...changeFaults(await readChanges(this.#database)),
    ];
    for (const fault of all) this.fault(fault);
    const repeats = sent.filter(({ truth }) => truth === 'repeat').length;
    const total = database.rows.length + database.rejects.length + repeats;
    const sum = `${sent.length} sent, ${database.rows.length} stored + ${repeats} repeats + ${database.rejects.length} rejected`;
    if (total !== sent.length) this.fault({ name: 'counts do not add up', where: 'database', what: sum });
    this.note(sum);
  }

  /** They serve other acts too. */
  protected async closeStores(): Promise<void> {}
}

/** Up to where each shard is in all of the sinks. */
function leastOf([first, ...others]: readonly ReadonlyMap<string, Position>[]): Map<string, Position> {
  const least = new Map(first);
  for (const other of others)
    for (const [shard, position] of least) {
      const stands = other.get(shard);
      if (!stands) least.delete(shard);
      else if (comparePositions(stands, position) < 0) least.set(shard, stands);
    }
  return least;
}

function placesOf({ rejects }: DatabaseEvidence): Set<string> {
  return new Set(rejects.map(placeOf));
}

async function createDatabase(server: string, name: string): Promise<string> {
  const admin = new pg.Client(server);
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  return server.replace(/\/postgres$/, `/${name}`);
}

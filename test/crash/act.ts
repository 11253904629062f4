import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { Random } from '../../src/demo/random.ts';
import { type Position, comparePositions } from '../../src/event.ts';
import { type Kinesis, type KinesisStream, startKinesis } from '../support/kinesis.ts';
import type { Postgres } from '../support/postgres.ts';
import { type ArchiveEvidence, ArchiveReader, type ArchiveView } from './archive-evidence.ts';
import {
  type Fault,
  type Standing,
  changeFaults,
  countFaults,
  formatFault,
  orderFaults,
  rejectFaults,
  restFaults,
  rowsOf,
  storeFaults,
} from './checker.ts';
import { type DatabaseEvidence, readChanges, readDatabase, rowTextOf, watchDatabase } from './database-evidence.ts';
import { type Sent, isCovered, oracleOf, placeOf } from './oracle.ts';
import { Owner } from './owner.ts';
import { Producer } from './producer.ts';

/** Where acts keep their objects. */
export interface ArchivePlace {
  /** For people. */
  readonly name: string;
  /** The settings of a pipeline, and a view of the same place. */
  of(act: string, folder: string): { readonly settings: Readonly<Record<string, string>>; readonly view: ArchiveView };
}

export interface ActOptions {
  readonly seed: number;
  readonly number: number;
  readonly postgres: Postgres;
  readonly archive: ArchivePlace;
  /** Records a second. @default 60 */
  readonly rate?: number;
  /** The pipeline file. @default 'pipelines/warehouse.ts' */
  readonly file?: string;
}

const FOLDER_PREFIX = 'millrace-act-';
const MAX_RUNS_TO_CATCH_UP = 10;
const SHARES = { repeat: 0.05, 'broken-label': 0.03, malformed: 0.01, noise: 0.03 };

/** What an act came to. */
export interface ActResult {
  readonly faults: readonly Fault[];
  /** Everything that was done, with when. */
  readonly log: readonly string[];
  /** How often each thing was done. */
  readonly tally: ReadonlyMap<string, number>;
  readonly records: number;
  /** Kept when there are faults. */
  readonly folder: string;
}

interface Rest {
  readonly database: DatabaseEvidence;
  readonly archive: ArchiveEvidence;
  readonly standing: Standing;
}

/** A fresh stream, database and archive, on which owners of one pipeline come and go while records arrive. */
export class Act {
  readonly random: Random;
  readonly postgres: Postgres;
  readonly faults: Fault[] = [];
  readonly folder: string;
  readonly stream: KinesisStream;
  readonly #options: ActOptions;
  readonly #kinesis: Kinesis;
  readonly #producer: Producer;
  readonly #databaseUrl: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #reader: ArchiveReader;
  readonly #log: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #owners: Owner[] = [];
  readonly #startedAt = performance.now();
  #documents: ArchiveEvidence['documents'] = new Map();

  private constructor(
    options: ActOptions,
    random: Random,
    folder: string,
    kinesis: Kinesis,
    stream: KinesisStream,
    database: string,
  ) {
    const { seed, number, archive, postgres, rate = 60 } = options;
    this.#options = options;
    this.random = random;
    this.folder = folder;
    this.postgres = postgres;
    this.stream = stream;
    this.#kinesis = kinesis;
    this.#databaseUrl = database;
    const { settings, view } = archive.of(`act-${number}-${Date.now()}`, folder);
    this.#reader = new ArchiveReader(view);
    this.#settings = {
      ...settings,
      KINESIS_STREAM: stream.name,
      KINESIS_ENDPOINT: kinesis.endpoint,
      AWS_REGION: 'us-east-1',
      DATABASE_URL: database,
      STATE_FILE: join(folder, 'state'),
      WINDOW: '1s',
    };
    this.#producer = new Producer({
      client: kinesis.client,
      stream: stream.name,
      shop: { seed: seed * 1000 + number, shares: SHARES },
      rate,
    });
  }

  static async open(options: ActOptions): Promise<Act> {
    const { seed, number, postgres } = options;
    const random = new Random(seed, number, 1);
    const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
    await mkdir(join(folder, 'archive'));
    const kinesis = await startKinesis();
    const stream = await kinesis.createStream(`act-${number}`, 1 + random.below(3));
    const database = await createDatabase(postgres.url, `act_${number}_${Date.now()}`);
    await watchDatabase(database);
    return new Act(options, random, folder, kinesis, stream, database);
  }

  /** Writes down what is done, and counts it. */
  did(what: string, detail = ''): void {
    this.#tally.set(what, this.count(what) + 1);
    this.note(detail === '' ? what : `${what}: ${detail}`);
  }

  /** How often something was done. */
  count(what: string): number {
    return this.#tally.get(what) ?? 0;
  }

  note(text: string): void {
    this.#log.push(`+${((performance.now() - this.#startedAt) / 1000).toFixed(2)} s ${text}`);
  }

  fault(fault: Fault): void {
    this.note(`FAULT ${formatFault(fault)}`);
    this.faults.push(fault);
  }

  startOwner(): Owner {
    const name = `owner-${this.#owners.length + 1}`;
    const owner = new Owner(name, this.folder, this.#options.file ?? 'pipelines/warehouse.ts', this.#settings);
    this.#owners.push(owner);
    this.note(`${name} starts`);
    return owner;
  }

  /** Kills an owner; that it has ended by itself is a fault, unless another one took over. */
  async kill(owner: Owner, mayBeFenced = false): Promise<void> {
    if (await owner.kill()) this.did('SIGKILL', owner.name);
    else if (mayBeFenced) await this.isFenced(owner);
    else this.fault({ name: 'ended badly', where: owner.name, what: owner.output.slice(-500) });
  }

  /** Waits for the end of an owner that was taken over. */
  async isFenced(owner: Owner): Promise<void> {
    const code = await owner.ended();
    if (code === 1 && owner.output.includes('FencedError')) this.did('fenced', owner.name);
    else this.fault({ name: 'ended badly', where: owner.name, what: `with ${code}, taken over: ${owner.output.slice(-500)}` });
  }

  /** Stops an owner in an orderly way, and checks its sum. */
  async terminate(owner: Owner): Promise<void> {
    owner.signal('SIGTERM');
    const code = await owner.ended();
    this.did('SIGTERM', owner.name);
    if (code !== 0)
      return this.fault({ name: 'ended badly', where: owner.name, what: `with ${code}: ${owner.output.slice(-500)}` });
    const { database, standing } = await this.checkAtRest();
    const to = leastOf([...standing.values()]);
    const stretch = { owner: owner.name, summary: owner.output, from: owner.from, to };
    for (const fault of countFaults(stretch, this.#producer.sent, placesOf(database))) this.fault(fault);
  }

  /** Compares what the sinks say with what they hold. Only while nobody runs. */
  async checkAtRest(): Promise<Rest> {
    const archive = await this.#reader.read();
    const database = await readDatabase(this.#databaseUrl);
    const standing: Standing = new Map([
      ['copy', database.standing.get('copy') ?? new Map()],
      ['archive', new Map([...archive.documents].flatMap(([shard, { position }]) => (position ? [[shard, position]] : [])))],
    ]);
    const stored = {
      copy: new Set(database.rows.map(({ eventId }) => eventId)),
      archive: new Set(archive.objects.flatMap((object) => rowsOf(object).rows.map(({ eventId }) => eventId))),
    };
    for (const fault of restFaults(this.#producer.sent, standing, stored, placesOf(database))) this.fault(fault);
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

  /** Lets an owner read the rest, checks everything, and ends the servers. */
  async close(): Promise<ActResult> {
    try {
      await this.#producer.stop();
      await this.#catchUp();
      await this.#checkAll();
    } catch (error) {
      this.fault({ name: 'ended badly', where: 'the act', what: String((error as Error).stack ?? error) });
    }
    await this.abandon();
    const result = {
      faults: this.faults,
      log: this.#log,
      tally: this.#tally,
      records: this.#producer.sent.length,
      folder: this.folder,
    };
    if (this.faults.length === 0) await rm(this.folder, { recursive: true, force: true });
    else {
      const records = this.#producer.sent.map((sent) => `${placeOf(sent)} ${sent.truth} ${sent.eventId}`);
      await writeFile(join(this.folder, 'records.txt'), records.join('\n'));
      await writeFile(join(this.folder, 'act.log'), this.#log.join('\n'));
    }
    return result;
  }

  /** Ends all that was started. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#owners.filter(({ hasEnded }) => !hasEnded).map((owner) => owner.kill()));
    await this.#producer.stop().catch(() => {});
    await this.#kinesis.stop();
  }

  async #catchUp(): Promise<void> {
    for (let run = 1; ; run++) {
      const owner = this.startOwner();
      await owner.reads();
      await sleep(1500);
      await this.terminate(owner);
      const { standing } = await this.checkAtRest();
      const reached = leastOf([...standing.values()]);
      const last = new Map<string, Sent>();
      for (const sent of this.#producer.sent) last.set(sent.shard, sent);
      const behind = [...last.values()].filter((sent) => !isCovered(sent, reached.get(sent.shard)));
      if (behind.length === 0) return;
      if (run < MAX_RUNS_TO_CATCH_UP) continue;
      return this.fault({ name: 'lost', where: 'all', what: `never read: ${behind.map(placeOf).join(', ')}` });
    }
  }

  async #checkAll(): Promise<void> {
    const { sent } = this.#producer;
    const { database, archive } = await this.checkAtRest();
    const expected = oracleOf(sent, placesOf(database));
    const lines = archive.objects.map(rowsOf);
    const all = [
      ...storeFaults('database', database.rows, expected, rowTextOf),
      ...lines.flatMap(({ faults }) => faults),
      ...storeFaults(
        'archive',
        lines.flatMap(({ rows }) => rows),
        expected,
      ),
      ...rejectFaults(database.rejects, expected),
      ...orderFaults(archive.objects, sent),
      ...changeFaults(await readChanges(this.#databaseUrl)),
    ];
    for (const fault of all) this.fault(fault);
    const repeats = sent.filter(({ truth }) => truth === 'repeat').length;
    const total = database.rows.length + database.rejects.length + repeats;
    const sum = `${sent.length} sent, ${database.rows.length} stored + ${repeats} repeats + ${database.rejects.length} rejected`;
    if (total !== sent.length) this.fault({ name: 'counts do not add up', where: 'database', what: sum });
    this.note(sum);
  }
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

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
import { RoughWeather } from './rough-weather.ts';

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
  /** Only good events, each a record of its own, and no call to a server goes wrong. @default false */
  readonly isPlain?: boolean;
  /** Whether the pipeline stores into the database only. @default false */
  readonly hasNoArchive?: boolean;
  /** More settings of the pipeline. */
  readonly settings?: Readonly<Record<string, string>>;
}

const FOLDER_PREFIX = 'millrace-act-';
const MAX_RUNS_TO_CATCH_UP = 10;
/** What weather does to a run that opens its stores. */
const STARTS_BADLY = /ECONNRESET|Connection terminated|socket hang up|InternalError|SlowDown/;
const ONLY_EVENTS = { repeat: 0, 'broken-label': 0, malformed: 0, noise: 0 };
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

/** What an act is played on. */
interface Stage {
  readonly random: Random;
  readonly folder: string;
  readonly kinesis: Kinesis;
  readonly stream: KinesisStream;
  /** The database's URL, past the weather. */
  readonly database: string;
  readonly weather: RoughWeather;
  readonly settings: Readonly<Record<string, string>>;
  readonly view: ArchiveView;
}

/** A fresh stream, database and archive, on which owners of one pipeline come and go while records arrive. */
export class Act {
  readonly random: Random;
  readonly postgres: Postgres;
  readonly faults: Fault[] = [];
  readonly folder: string;
  readonly stream: KinesisStream;
  readonly #file: string;
  readonly #hasArchive: boolean;
  readonly #stage: Stage;
  readonly #producer: Producer;
  readonly #reader: ArchiveReader;
  readonly #log: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #owners: Owner[] = [];
  readonly #startedAt = performance.now();
  #documents: ArchiveEvidence['documents'] = new Map();

  private constructor(options: ActOptions, stage: Stage) {
    const { seed, number, postgres, rate = 60, isPlain = false } = options;
    this.random = stage.random;
    this.folder = stage.folder;
    this.postgres = postgres;
    this.stream = stage.stream;
    this.#file = options.file ?? 'pipelines/warehouse.ts';
    this.#hasArchive = options.hasNoArchive !== true;
    this.#stage = stage;
    this.#reader = new ArchiveReader(stage.view);
    this.#producer = new Producer({
      client: stage.kinesis.client,
      stream: stage.stream.name,
      shop: { seed: seed * 1000 + number, shares: isPlain ? ONLY_EVENTS : SHARES },
      isPlain,
      rate,
    });
  }

  static async open(options: ActOptions): Promise<Act> {
    const { seed, number, postgres, isPlain = false } = options;
    const random = new Random(seed, number, 1);
    const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
    await mkdir(join(folder, 'archive'));
    const kinesis = await startKinesis();
    const stream = await kinesis.createStream(`act-${number}`, 1 + random.below(3));
    const database = await createDatabase(postgres.url, `act_${number}_${Date.now()}`);
    await watchDatabase(database);
    const weather = new RoughWeather(seed * 1000 + number);
    const before: RoughWeather['before'] = (server, url) => (isPlain ? Promise.resolve(url) : weather.before(server, url));
    const { settings: archive, view } = options.archive.of(`act-${number}-${Date.now()}`, folder);
    const settings = {
      ...archive,
      ...(archive['S3_ENDPOINT'] !== undefined && { S3_ENDPOINT: await before('s3', archive['S3_ENDPOINT']) }),
      KINESIS_STREAM: stream.name,
      KINESIS_ENDPOINT: await before('kinesis', kinesis.endpoint),
      AWS_REGION: 'us-east-1',
      DATABASE_URL: await before('postgres', database),
      STATE_FILE: join(folder, 'state'),
      WINDOW: '1s',
      ...options.settings,
    };
    return new Act(options, { random, folder, kinesis, stream, database, weather, settings, view });
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
    // The first ones, where in the course of things they were found; all of them come at the end.
    if (this.faults.length < 3) this.note(`found: ${formatFault(fault)}`);
    this.faults.push(fault);
  }

  startOwner(): Owner {
    const name = `owner-${this.#owners.length + 1}`;
    const owner = new Owner(name, this.folder, this.#file, this.#stage.settings);
    this.#owners.push(owner);
    this.note(`${name} starts`);
    return owner;
  }

  /** Resolves when an owner's next load is on its way to the database, or after a while. */
  async nextLoad(): Promise<void> {
    await Promise.race([this.#stage.weather.nextLoad(), sleep(2000)]);
  }

  /** Kills an owner; that it has ended by itself is a fault, unless another one took over. */
  async kill(owner: Owner, mayBeFenced = false): Promise<void> {
    if (await owner.kill()) this.did('SIGKILL', owner.name);
    else if (mayBeFenced) await this.isFenced(owner);
    else await this.#endedBadly(owner);
  }

  /** Waits for the end of an owner that was taken over. */
  async isFenced(owner: Owner): Promise<void> {
    const code = await owner.ended();
    if (code === 1 && owner.output.includes('FencedError')) this.did('fenced', owner.name);
    else await this.#endedBadly(owner);
  }

  /** A store that does not answer when a run opens it ends that; whatever starts it starts it again. Anything else is a fault. */
  async #endedBadly(owner: Owner): Promise<void> {
    const code = await owner.ended();
    if (!owner.hasRead && code === 1 && STARTS_BADLY.test(owner.output)) return this.did('did not start', owner.output.trim());
    this.fault({ name: 'ended badly', where: owner.name, what: `with ${code}: ${owner.output.slice(-800)}` });
  }

  /** Stops an owner in an orderly way, and checks its sum. */
  async terminate(owner: Owner): Promise<void> {
    owner.signal('SIGTERM');
    const code = await owner.ended();
    if (code !== 0) return this.#endedBadly(owner);
    this.did('SIGTERM', owner.name);
    const { database, standing } = await this.checkAtRest();
    const to = leastOf([...standing.values()]);
    const stretch = { owner: owner.name, summary: owner.output, from: owner.from, to };
    for (const fault of countFaults(stretch, this.#producer.sent, placesOf(database))) this.fault(fault);
  }

  /** Compares what the sinks say with what they hold. Only while nobody runs. */
  async checkAtRest(): Promise<Rest> {
    const archive = await this.#reader.read();
    const database = await readDatabase(this.#stage.database);
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
    for (const fault of restFaults(this.#producer.sent, standing, stored, placesOf(database))) this.fault(fault);
    this.#checkDocuments(archive.documents);
    const reached = leastOf([...standing.values()]);
    this.#producer.covered = this.#producer.sent.filter((sent) => isCovered(sent, reached.get(sent.shard))).length;
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
    for (const [kind, count] of this.#stage.weather.injected) this.#tally.set(`weather: ${kind}`, count);
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
    await this.#stage.weather.close();
    await this.#stage.kinesis.stop();
  }

  async #catchUp(): Promise<void> {
    for (let run = 1; ; run++) {
      const owner = this.startOwner();
      await owner.reads();
      await sleep(1500 * run);
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
      ...(this.#hasArchive
        ? storeFaults(
            'archive',
            lines.flatMap(({ rows }) => rows),
            expected,
          )
        : []),
      ...rejectFaults(database.rejects, expected),
      ...orderFaults(archive.objects, sent),
      ...changeFaults(await readChanges(this.#stage.database)),
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

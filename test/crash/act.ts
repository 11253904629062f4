import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../src/demo/random.ts';
import type { Position } from '../../src/position.ts';
import { type Kinesis, type KinesisStream, startKinesis } from '../support/kinesis.ts';
import { type Fault, type Stretch, formatFault } from './checker.ts';
import { type Sent, isCovered, placeOf } from './oracle.ts';
import { Owner } from './owner.ts';
import { Producer, type ProducerOptions } from './producer.ts';
import { RoughWeather } from './rough-weather.ts';

export interface ActOptions {
  readonly seed: number;
  readonly number: number;
  /** Records a second. @default 60 */
  readonly rate?: number;
  /** The pipeline file. @default the pipeline itself */
  readonly file?: string;
  /** Only good events, each a record of its own, and no call to a server goes wrong. @default false */
  readonly isPlain?: boolean;
  /** More settings of the pipeline. */
  readonly settings?: Readonly<Record<string, string>>;
}

const FOLDER_PREFIX = 'millrace-act-';
const MAX_RUNS_TO_CATCH_UP = 10;
/** What weather does to a run that opens its stores. */
const STARTS_BADLY = /ECONNRESET|Connection terminated|socket hang up|InternalError|SlowDown|no connection|by the fault proxy/;
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

/** What every act is played on. */
export interface Stage {
  readonly random: Random;
  readonly folder: string;
  readonly kinesis: Kinesis;
  readonly stream: KinesisStream;
  readonly weather: RoughWeather;
  /** A server's URL, past the weather where there is some. */
  readonly before: RoughWeather['before'];
  /** Where the stream is. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What an act's own pipeline and its records are. */
interface Casting {
  readonly file: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly rate: number;
  readonly people?: number;
}

/** Makes a folder, a stream and a forecast for an act. */
export async function openStage({ seed, number, isPlain = false }: ActOptions): Promise<Stage> {
  const random = new Random(seed, number, 1);
  const folder = await mkdtemp(join(tmpdir(), FOLDER_PREFIX));
  const kinesis = await startKinesis();
  const stream = await kinesis.createStream(`act-${number}`, 1 + random.below(3));
  const weather = new RoughWeather(seed * 1000 + number);
  const before: Stage['before'] = (server, url) => (isPlain ? Promise.resolve(url) : weather.before(server, url));
  const settings = {
    KINESIS_STREAM: stream.name,
    KINESIS_ENDPOINT: await before('kinesis', kinesis.endpoint),
    AWS_REGION: 'us-east-1',
    STATE_FILE: join(folder, 'state'),
  };
  return { random, folder, kinesis, stream, weather, before, settings };
}

/** A fresh stream and fresh stores, on which owners of one pipeline come and go while records arrive. */
export abstract class Act {
  readonly random: Random;
  readonly faults: Fault[] = [];
  readonly folder: string;
  readonly stream: KinesisStream;
  protected readonly stage: Stage;
  readonly #cast: Casting;
  readonly #producer: Producer;
  readonly #log: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #owners: Owner[] = [];
  readonly #startedAt = performance.now();

  protected constructor({ seed, number, isPlain = false }: ActOptions, stage: Stage, cast: Casting) {
    this.random = stage.random;
    this.folder = stage.folder;
    this.stream = stage.stream;
    this.stage = stage;
    this.#cast = cast;
    const shop: ProducerOptions['shop'] = {
      seed: seed * 1000 + number,
      shares: isPlain ? ONLY_EVENTS : SHARES,
      ...(cast.people !== undefined && { people: cast.people }),
    };
    this.#producer = new Producer({ client: stage.kinesis.client, stream: stage.stream.name, shop, isPlain, rate: cast.rate });
  }

  /** Compares what the stores say with what they hold, and says up to where all of them have each shard. Only while nobody runs. */
  abstract checkAtRest(): Promise<ReadonlyMap<string, Position>>;

  /** Compares everything with the oracle, once all was read. */
  protected abstract checkAll(): Promise<void>;

  /** What is wrong with the sum that an orderly run printed. */
  protected abstract countFaultsOf(stretch: Stretch): Promise<Fault[]>;

  /** Ends the servers that are the act's own. */
  protected abstract closeStores(): Promise<void>;

  /** All records that the stream has taken. */
  protected get sent(): readonly Sent[] {
    return this.#producer.sent;
  }

  /** Resolves once `sent` has all that the stream has now. */
  protected allTold(): Promise<void> {
    return this.#producer.allTold();
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
    const owner = new Owner(name, this.folder, this.#cast.file, this.#cast.settings);
    this.#owners.push(owner);
    this.note(`${name} starts`);
    return owner;
  }

  /** An owner that has read for a while; one that the weather kept from starting is started again. */
  async reader(forUpToMs: number): Promise<Owner> {
    for (;;) {
      const owner = this.startOwner();
      await owner.reads();
      if (!owner.hasEnded || owner.hasRead) {
        await sleep(this.random.below(forUpToMs));
        return owner;
      }
      await this.#endedBadly(owner);
      if (this.faults.length > 0) return owner;
    }
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
    const to = await this.#reached();
    const stretch = { owner: owner.name, summary: owner.output, from: owner.from, to };
    for (const fault of await this.countFaultsOf(stretch)) this.fault(fault);
  }

  /** Checks at rest, and lets the shop know how far the runs are. */
  async #reached(): Promise<ReadonlyMap<string, Position>> {
    const reached = await this.checkAtRest();
    this.#producer.covered = this.sent.filter((sent) => isCovered(sent, reached.get(sent.shard))).length;
    return reached;
  }

  /** Plays scenes in an order by chance, and checks behind each; ends when a fault was found. */
  async play(deck: ((act: this) => Promise<void>)[]): Promise<ActResult> {
    while (deck.length > 0 && this.faults.length === 0) {
      const [scene] = deck.splice(this.random.below(deck.length), 1);
      this.did(scene!.name);
      try {
        await scene!(this);
        await this.#reached();
      } catch (error) {
        this.fault({ name: 'ended badly', where: scene!.name, what: String((error as Error).stack) });
      }
    }
    return this.close();
  }

  /** Lets an owner read the rest, checks everything, and ends the servers. */
  async close(): Promise<ActResult> {
    try {
      await this.#producer.stop();
      await this.#catchUp();
      await this.checkAll();
    } catch (error) {
      this.fault({ name: 'ended badly', where: 'the act', what: String((error as Error).stack ?? error) });
    }
    for (const [kind, count] of this.stage.weather.injected) this.#tally.set(`weather: ${kind}`, count);
    await this.abandon();
    const result = {
      faults: this.faults,
      log: this.#log,
      tally: this.#tally,
      records: this.sent.length,
      folder: this.folder,
    };
    if (this.faults.length === 0) await rm(this.folder, { recursive: true, force: true });
    else {
      const records = this.sent.map((sent) => `${placeOf(sent)} ${sent.truth} ${sent.eventId}`);
      await writeFile(join(this.folder, 'records.txt'), records.join('\n'));
      await writeFile(join(this.folder, 'act.log'), this.#log.join('\n'));
    }
    return result;
  }

  /** Ends all that was started. */
  async abandon(): Promise<void> {
    await Promise.allSettled(this.#owners.filter(({ hasEnded }) => !hasEnded).map((owner) => owner.kill()));
    await this.#producer.stop().catch(() => {});
    await this.stage.weather.close();
    await this.stage.kinesis.stop();
    await this.closeStores();
  }

  async #catchUp(): Promise<void> {
    for (let run = 1; ; run++) {
      const owner = this.startOwner();
      await owner.reads();
      await sleep(1500 * run);
      await this.terminate(owner);
      const reached = await this.#reached();
      const last = new Map<string, Sent>();
      for (const sent of this.sent) last.set(sent.shard, sent);
      const behind = [...last.values()].filter((sent) => !isCovered(sent, reached.get(sent.shard)));
      if (behind.length === 0) return;
      if (run < MAX_RUNS_TO_CATCH_UP) continue;
      return this.fault({ name: 'lost', where: 'all', what: `never read: ${behind.map(placeOf).join(', ')}` });
    }
  }
}

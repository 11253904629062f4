import { type MonoTypeOperatorFunction, filter } from 'rxjs';
import { shopLabels } from '../../pipelines/labels.ts';
import type { Event } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { validate } from '../../src/operators/validate.ts';
import type { Window } from '../../src/operators/window.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { type Running, startRun } from '../../src/run/run.ts';
import { archive } from '../../src/sinks/archive.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { rejectsIntoArchive } from '../../src/sinks/rejects-into-archive.ts';
import { rejectsIntoDatabase } from '../../src/sinks/rejects-into-database.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import type { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { eventId } from '../../src/snowplow/event-id.ts';
import { label } from '../../src/snowplow/label.ts';
import { kinesis } from '../../src/sources/kinesis.ts';
// In virtual time a run cannot wait for a file: what it would load is there before.
import '../../src/sources/kinesis/stream.ts';
import { Checker } from './checker.ts';
import { FILTERED, RecordMaker, UNLUCKY } from './records.ts';
import { type DatabasePlant, SimulatedDatabase } from './simulated-database.ts';
import { SimulatedIdentities } from './simulated-identities.ts';
import { type ObjectStorePlant, SimulatedObjectStore } from './simulated-object-store.ts';
import { packIn } from './simulated-packing.ts';
import { SimulatedProcess, delay } from './simulated-process.ts';
import { SimulatedStream } from './simulated-stream.ts';
import { World } from './world.ts';

/** What is broken on purpose, to see that it is found. */
export interface Plant {
  readonly database?: DatabasePlant;
  readonly objects?: ObjectStorePlant;
  /** The stream does not say which shards come before which. */
  readonly hidesParents?: boolean;
  /** Dedupe forgets at each restart. */
  readonly forgetsIdentities?: boolean;
  /** A step in front of the windows. */
  readonly step?: (process: SimulatedProcess) => MonoTypeOperatorFunction<Event<EnrichedEvent>>;
}

export interface SimulateOptions {
  readonly plant?: Plant;
  /** Keeps what happens as lines of text. */
  readonly keepsLines?: boolean;
}

export interface Outcome {
  readonly seed: number;
  /** What went wrong, in the field's words; nothing when all is well. */
  readonly faults: readonly string[];
  /** Of all that happened. */
  readonly hash: string;
  readonly lines: readonly string[];
  readonly counts: Readonly<{
    records: number;
    runs: number;
    kills: number;
    pauses: number;
    takeOvers: number;
    mishaps: number;
    events: number;
  }>;
}

/** When no more is sent and nothing goes wrong any more; from then on one run has all the time it needs. */
const CALM_AFTER_MS = 25_000;
const MAX_CALM_MS = 10 * 60_000;

/** Lives one seed's world: a stream, stores, owners that come and go, and faults; then calm, and a look at what is stored. */
export async function simulate(seed: number, { plant = {}, keepsLines = false }: SimulateOptions = {}): Promise<Outcome> {
  const simulation = new Simulation(new World(seed, keepsLines), plant);
  return simulation.live();
}

/** A run in its process. */
interface Owner {
  readonly process: SimulatedProcess;
  readonly stop: AbortController;
  readonly running: Running;
  /** By shard, how many records it has read when there were no more. */
  readonly reached: Map<string, number>;
  outcome: 'running' | 'finished' | 'failed';
  /** Another run takes its place, though it is only asleep. */
  isReplaced: boolean;
}

class Simulation {
  readonly #world: World;
  readonly #plant: Plant;
  readonly #stream: SimulatedStream;
  readonly #checker: Checker;
  readonly #database: SimulatedDatabase;
  readonly #objects: SimulatedObjectStore;
  readonly #identities = new SimulatedIdentities();
  readonly #records: RecordMaker;
  readonly #setting: Setting;
  readonly #owners: Owner[] = [];
  #isCalm = false;
  readonly #counts = { records: 0, runs: 0, kills: 0, pauses: 0, takeOvers: 0 };

  constructor(world: World, plant: Plant) {
    this.#world = world;
    this.#plant = plant;
    this.#setting = settingOf(world);
    world.faultRate = this.#setting.faultRate;
    this.#stream = new SimulatedStream(world, this.#setting.shards, plant.hidesParents);
    this.#checker = new Checker({ world, stream: this.#stream, sinks: this.#setting.sinks });
    this.#database = new SimulatedDatabase(this.#checker, plant.database);
    this.#objects = new SimulatedObjectStore(this.#checker, plant.objects);
    const { repeats, steps } = this.#setting;
    this.#records = new RecordMaker(world.random, { repeats, unlucky: steps === 'promises', filtered: steps !== 'joined' });
  }

  async live(): Promise<Outcome> {
    const world = this.#world;
    packIn(world);
    world.note(JSON.stringify(this.#setting));
    for (let slot = 0; slot < this.#setting.owners; slot++) world.after(world.between(0, 3000), () => this.#keepRunning(slot));
    this.#produce();
    for (let i = 0; i < this.#setting.mishaps; i++) world.after(world.between(500, CALM_AFTER_MS), () => this.#mishap());
    world.after(CALM_AFTER_MS, () => (this.#isCalm = true));
    await world.play(() => this.#isCalm);

    world.faultRate = 0;
    world.note('calm');
    for (const { process } of this.#owners) if (!process.isPaused && !process.isDead) process.kill();
    await this.#catchUp();
    if (world.faults.length === 0) this.#checker.finish();
    const { seed, faults, hash, events, mishaps } = world;
    const lines = [...world.lines];
    for (const { process } of this.#owners) process.kill();
    await world.settle();
    packIn(undefined);

    return { seed, faults, hash, lines, counts: { ...this.#counts, mishaps, events } };
  }

  /** Starts one run after the other until one has read and stored all; sleepers may wake meanwhile. */
  async #catchUp(): Promise<void> {
    const world = this.#world;
    const untilMs = world.nowMs + MAX_CALM_MS;
    for (const { process } of this.#owners) if (process.isPaused) world.after(world.between(0, 10_000), () => process.resume());
    for (;;) {
      const owner = this.#start();
      const hasAll = (): boolean => this.#stream.openShards.every(({ id, records }) => owner.reached.get(id) === records.length);
      await world.play(() => hasAll() || owner.outcome !== 'running' || world.nowMs > untilMs);
      owner.stop.abort('all is read');
      await world.play(() => owner.outcome !== 'running' || world.nowMs > untilMs);
      if (world.faults.length > 0 || owner.outcome === 'finished') return;
      if (world.nowMs > untilMs) return world.fault('stuck: calm, and no run comes to its end');
    }
  }

  /** Starts a run in a slot, and another whenever it has ended, until calm: then there is one alone, as two would take the shards from each other. */
  #keepRunning(slot: number): void {
    if (this.#isCalm) return;
    const owner = this.#start();
    const look = (): void => {
      const { process } = owner;
      if (owner.outcome === 'running' && !process.isDead && !owner.isReplaced) this.#world.after(500, look);
      else this.#world.after(this.#world.between(0, 4000), () => this.#keepRunning(slot));
    };
    this.#world.after(500, look);
  }

  #mishap(): void {
    const world = this.#world;
    const alive = this.#owners.filter(({ process, outcome }) => outcome === 'running' && !process.isDead && !process.isPaused);
    if (alive.length === 0) return;
    const owner = world.random.pick(alive);
    const dice = world.random.below(10);
    if (dice < 5) {
      this.#counts.kills++;
      owner.process.kill();
    } else if (dice < 8) {
      this.#counts.pauses++;
      owner.process.pause();
      world.after(world.between(100, 15_000), () => owner.process.resume());
      if (world.random.chance(0.7)) {
        this.#counts.takeOvers++;
        owner.isReplaced = true;
      }
    } else {
      owner.process.note('is to stop');
      owner.stop.abort('a signal');
    }
  }

  #produce(): void {
    const world = this.#world;
    const { random } = world;
    for (let i = 0; i < this.#setting.bursts; i++)
      world.after(world.between(0, CALM_AFTER_MS), () => {
        const shard = random.pick(this.#stream.openShards);
        for (let n = 1 + random.below(8); n > 0; n--) {
          this.#counts.records++;
          this.#checker.sent(this.#stream.put(shard, this.#records.next()));
        }
      });
    for (let i = 0; i < this.#setting.forgettings; i++)
      world.after(world.between(0, CALM_AFTER_MS), () => this.#stream.forget(({ id }) => this.#checker.hasAll(id)));
    for (let i = 0; i < this.#setting.reshardings; i++)
      world.after(world.between(0, CALM_AFTER_MS), () => {
        const open = this.#stream.openShards;
        if (open.length > 1 && random.chance(0.5)) this.#stream.merge(open[0]!, open[1]!);
        else this.#stream.split(random.pick(open));
      });
  }

  #start(): Owner {
    const world = this.#world;
    const process = new SimulatedProcess(`run-${++this.#counts.runs}`, world);
    const reached = new Map<string, number>();
    const stop = new AbortController();
    process.note('starts');
    const running = startRun(this.#pipeline(process, reached), {
      stop: stop.signal,
      scheduler: process.scheduler,
      random: () => world.between(0, 1),
      maxInFlightBytes: this.#setting.maxInFlightBytes,
      retry: { within: { seconds: 8 } },
      checkpointEvery: { seconds: 3 },
      report: (diagnostic) => process.note(diagnostic.type),
    });
    const owner: Owner = { process, stop, running, reached, outcome: 'running', isReplaced: false };
    running.finished.then(
      ({ read, stored, dropped, rejected, inFlight }) => {
        owner.outcome = 'finished';
        const sum = stored + rejected + inFlight + Object.values(dropped).reduce((a, b) => a + b, 0);
        process.note(`finished: ${read} = ${stored} + ${rejected}, ${inFlight} in flight`);
        if (read !== sum || inFlight !== 0)
          world.fault(`counts do not add up: read ${read}, accounted for ${sum}, ${inFlight} in flight`);
      },
      (error: unknown) => {
        owner.outcome = 'failed';
        if (!process.isDead) process.note(`failed: ${String(error)}`);
      },
    );
    this.#owners.push(owner);
    return owner;
  }

  #pipeline(process: SimulatedProcess, reached: Map<string, number>): Pipeline {
    const { sinks, rejects, steps, window, pollEveryMs, maxRecords } = this.#setting;
    const [database, objects] = [this.#database.for(process), this.#objects.for(process)];
    const makers: Record<string, () => Sink<Window<EnrichedEvent>>> = {
      archive: () => archive(objects, { prefix: 'events' }),
      copy: () => copyInto(database, { table: 'events' }),
    };
    const [first, ...others] = sinks.map((sink) => makers[sink]!());
    const source = kinesis({ stream: 'simulated', client: this.#stream.client(process, reached), pollEveryMs, maxRecords });
    const state = this.#identities[this.#setting.memory](process, this.#plant.forgetsIdentities);
    const onlyOnce = dedupe({ by: eventId, within: { hours: 1 }, capacity: 10_000, state });
    const windows = minuteWindow<EnrichedEvent>({ ...window, scheduler: process.scheduler });
    const begun = pipeline('simulated').from(source);
    // With nothing in between, a run takes whole deliveries into windows, and gives their memory back.
    const stage =
      steps === 'joined' && !this.#plant.step
        ? begun.pipe(stripCheckpoints(), decode(enriched), validate(label(shopLabels)), onlyOnce, windows)
        : begun
            .pipe(
              stripCheckpoints(),
              decode(enriched),
              steps === 'promises' ? this.#ask(process) : filter(() => true),
              validate(label(shopLabels)),
              filter(({ data }) => data.app_id !== FILTERED),
              onlyOnce,
              this.#plant.step?.(process) ?? filter(() => true),
            )
            .pipe(windows);
    return stage
      .to(first!, ...others)
      .rejects(rejects === 'database' ? rejectsIntoDatabase(database) : rejectsIntoArchive(objects));
  }

  /** A step with promises, some of which reject. */
  #ask(process: SimulatedProcess): MonoTypeOperatorFunction<Event<EnrichedEvent>> {
    return mapAsync(
      (event) =>
        new Promise((resolve, reject) => {
          process.after(delay(this.#world), () => (event.app_id === UNLUCKY ? reject(new Error('unlucky')) : resolve(event)));
        }),
      { concurrency: 4 },
    );
  }
}

type Setting = ReturnType<typeof settingOf>;

/** How this world is: no two are alike. */
function settingOf({ random }: World) {
  return {
    memory: random.pick(['file', 'server'] as const),
    shards: 1 + random.below(3),
    owners: random.chance(0.2) ? 2 : 1,
    sinks: random.pick([['archive', 'copy'], ['archive', 'copy'], ['copy'], ['archive']]),
    rejects: random.pick(['database', 'archive'] as const),
    repeats: random.chance(0.5),
    steps: random.pick(['plain', 'promises', 'joined'] as const),
    faultRate: random.pick([0, 0.02, 0.1]),
    mishaps: random.below(6),
    bursts: 8 + random.below(24),
    reshardings: random.chance(0.5) ? 1 + random.below(3) : 0,
    forgettings: random.below(3),
    // With less than an answer of the most that AWS may send, shards are read one at a time.
    maxInFlightBytes: random.pick([1, 11, 25, 256]) * 1024 * 1024,
    pollEveryMs: random.pick([300, 1000]),
    maxRecords: random.pick([3, 10, 1000]),
    window: {
      every: { seconds: 1 + random.below(5) },
      grace: { seconds: random.below(3) },
      maxEvents: random.pick([3, 10, 50_000]),
    },
  };
}

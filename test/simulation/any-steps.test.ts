import { setImmediate as nextTurn } from 'node:timers/promises';
import { map } from 'rxjs';
import { expect, test } from 'vitest';
import type { Random } from '../../src/demo/random.ts';
import { type Event, type Item, Reject } from '../../src/event.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { Window } from '../../src/operators/window.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { comparePositions, formatResume } from '../../src/position.ts';
import { run } from '../../src/run/run.ts';
import type { Batch } from '../../src/sinks/sink.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { SimulatedIdentities } from './simulated-identities.ts';
import { SimulatedProcess } from './simulated-process.ts';
import { type KindName, stepKinds } from './step-kinds.ts';
import { World } from './world.ts';

/** `SIMULATION_SEED=7` for one world, with all that happens in it; `SIMULATION_SEEDS=1-5000` for all of these. */
const { SIMULATION_SEED, SIMULATION_SEEDS } = process.env;
/** Without them: so many find each of the eleven faults that were planted to try it, the rarest in two worlds. */
const SEEDS = '1-150';
/** So many runs of a world may be killed or fail; the one after them has its peace. */
const MAX_BROKEN_RUNS = 8;

test(
  'whatever the steps and wherever a run is killed, each sink ends up with what the steps make of the stream, once and in order',
  { timeout: 24 * 3_600_000 },
  async () => {
    const [first = 1, last = first] = (SIMULATION_SEED ?? SIMULATION_SEEDS ?? SEEDS).split('-').map(Number);
    for (let seed = first; seed <= last; seed++) {
      const world = new AnyStepsWorld(seed);
      await world.live();
      if (SIMULATION_SEED !== undefined) process.stdout.write(`${world.story()}\n`);
      expect(world.faults, world.story()).toEqual([]);
      expect(world.stored(), world.story()).toEqual(world.wanted());
    }
  },
);

/** A stream, the steps of a pipeline, and its runs: each is killed or fails, until one comes to its end. All follows from the seed. */
class AnyStepsWorld extends World {
  readonly #setting = settingOf(this.random);
  readonly #identities = new SimulatedIdentities();
  readonly #sinks = [memorySink<Item>('one'), memorySink<Item>('two')] as const;
  readonly #rejects = memorySink<Reject>('rejects');

  constructor(seed: number) {
    super(seed, true);
  }

  /** The scripted source reads in turns of Node's own loop, so each event of the world waits for one. */
  override async settle(): Promise<void> {
    await nextTurn();
  }

  async live(): Promise<void> {
    let isDone = false;
    for (let broken = 0; !isDone && this.faults.length === 0; broken++) isDone = await this.#run(broken);
  }

  /** What each sink has, sorted, and which of them have something behind what comes after it. */
  stored(): unknown {
    const [one, two] = this.#sinks.map(({ stored }) => stored.flatMap(textsOf).toSorted());
    const outOfOrder = [...this.#sinks, this.#rejects].filter(({ stored }) => !isInOrder(stored)).map(({ name }) => name);
    return { one, two, rejects: this.#rejects.stored.flatMap(textsOf).toSorted(), outOfOrder };
  }

  /** What `stored` should be: texts on their way through one step after the other. */
  wanted(): unknown {
    const rejects: string[] = [];
    let texts = Object.values(this.#setting.script).flatMap(textsIn);
    for (const { kind } of this.#setting.steps) {
      const before = new Set<string>();
      texts = texts.flatMap((text) => {
        const given = stepKinds[kind].gives(text, before);
        before.add(text);
        if (given !== 'a reject') return given;
        rejects.push(text);
        return [];
      });
    }
    texts.sort();
    return { one: texts, two: texts, rejects: rejects.toSorted(), outOfOrder: [] };
  }

  /** How to see it again, what it is made of, and what happened. */
  story(): string {
    const { script, steps, ...rest } = this.#setting;
    return [
      `world ${this.seed}: SIMULATION_SEED=${this.seed} npx vitest run --config test/vitest.config.ts test/simulation/any-steps.test.ts`,
      `steps: ${steps.map(({ kind, size }) => `${kind} ${size}`).join(', ') || 'none'}; ${JSON.stringify(rest)}`,
      ...Object.entries(script).map(([shard, scenes]) => `${shard}: ${JSON.stringify(scenes)}`),
      ...this.lines,
    ].join('\n');
  }

  /** Runs the pipeline; true when it came to its end. */
  async #run(broken: number): Promise<boolean> {
    const process = new SimulatedProcess(`run-${broken + 1}`, this);
    for (const sink of [...this.#sinks, this.#rejects])
      this.#mayBreak(sink as MemorySink<Item>, process, broken < MAX_BROKEN_RUNS);
    let end: 'done' | 'failed' | undefined;
    run(this.#pipeline(process), {
      scheduler: process.scheduler,
      random: () => this.between(0, 1),
      maxInFlightBytes: this.#setting.maxInFlightBytes,
    }).then(
      ({ inFlight }) => {
        end = 'done';
        if (inFlight > 0) this.fault(`${inFlight} in flight at the end`);
      },
      (error: unknown) => {
        end = 'failed';
        if (!String(error).includes('on purpose') && !process.isDead) this.fault(`${process.name} ended: ${String(error)}`);
      },
    );
    await this.settle();
    await this.play(() => end !== undefined || process.isDead);
    if (end) process.note(end);
    if (end === 'done') return true;
    // What a failed run still waits for is not to happen in the next one's time.
    process.kill();
    return false;
  }

  #pipeline(process: SimulatedProcess): Pipeline {
    const { script, steps, windows } = this.#setting;
    // No run meets the shards at the same pace as the one before.
    const paced = Object.entries(script).map(
      ([shard, scenes]) => [shard, [{ pauseMs: this.random.below(9) }, ...scenes]] as const,
    );
    const texts = pipeline('any-steps')
      .from(scripted(Object.fromEntries(paced)))
      .pipe(map((event) => event.with(Buffer.from(event.data).toString())));
    const state = this.#identities.file(process);
    const stage = steps.reduce((to, { kind, size }) => stepKinds[kind].add(to, { process, size, state }), texts);
    if (!windows) return stage.to(...this.#sinks).rejects(this.#rejects);
    const { scheduler } = process;
    return stage
      .pipe(minuteWindow({ maxEvents: windows, every: { seconds: 30 }, scheduler }))
      .to(...this.#sinks)
      .rejects(this.#rejects);
  }

  /** Lets commits take their time, and has one of the first few be the last of the run: before it takes place, or right behind it. */
  #mayBreak(sink: MemorySink<Item>, process: SimulatedProcess, isToBreak: boolean): void {
    const { random } = this;
    let left = isToBreak ? 1 + random.below(6) : Infinity;
    const isBefore = random.chance(0.5);
    const isKill = random.chance(0.5);
    const end = (when: string): Promise<never> => {
      process.note(`${sink.name}: ${isKill ? 'a kill' : 'an error'} ${when} its commit`);
      if (!isKill) throw new Error('fails on purpose');
      process.kill();
      return new Promise(() => {});
    };
    sink.beforeCommit = async (batch) => {
      await new Promise<void>((resolve) => process.after(random.below(3), resolve));
      if (--left <= 0 && isBefore) await end('before');
      process.note(`${sink.name}: ${inWords(batch)}`);
    };
    sink.afterCommit = async () => {
      if (left <= 0) await end('behind');
    };
  }
}

type Scene = { readonly pauseMs: number } | readonly { readonly data: string; readonly arrivedAtMs: number }[];

/** What a world is made of. */
function settingOf(random: Random) {
  const texts: string[] = [];
  const record = () => {
    const arrivedAtMs = texts.length * 7000;
    const text = `${texts.length}`;
    // Now and then one that was there before, perhaps in the other shard.
    texts.push(texts.length > 0 && random.chance(0.3) ? random.pick(texts) : text);
    return { data: texts.at(-1)!, arrivedAtMs };
  };
  const scene = (): Scene => (random.chance(0.25) ? { pauseMs: 5000 * random.below(20) } : times(1 + random.below(8), record));
  const script: Record<string, readonly Scene[]> = {};
  for (const shard of ['s1', 's2'].slice(0, random.pick([1, 2, 2]))) script[shard] = times(1 + random.below(6), scene);
  // Several events of one record, and steps that keep some, are what goes wrong: they come more often.
  const kinds = [...(Object.keys(stepKinds) as KindName[]), 'mergeMap', 'mapAsync', 'lookup'] as const;
  const steps = times(2 + random.below(6), () => ({ kind: random.pick(kinds), size: 1 + random.below(5) }));
  return {
    script,
    // Once each: there is one memory for `dedupe`; and two of `concatMap` make one text twice of one record, which is no repeat to `dedupe`.
    steps: steps.filter(
      ({ kind }, i) => !['dedupe', 'concatMap'].includes(kind) || steps.findIndex((step) => step.kind === kind) === i,
    ),
    /** How many events a window in front of the sinks holds; they get the events themselves when it is 0. */
    windows: random.chance(0.5) ? 1 + random.below(5) : 0,
    maxInFlightBytes: random.pick([1, 10_000, 100_000]),
  };
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function textsIn(scenes: readonly Scene[]): string[] {
  return scenes.flatMap((scene) => ('pauseMs' in scene ? [] : scene.map(({ data }) => data)));
}

function textsOf(item: Item): string[] {
  if (item instanceof Window) return [...(item as Window<string>).data()];
  return [item instanceof Reject ? (item.event.data as string) : (item as Event<string>).data];
}

/** Whether nothing of a shard is stored behind what comes after it. */
function isInOrder(stored: readonly Item[]): boolean {
  const last = new Map<string, Item>();
  return stored.every((item) => {
    const before = last.get(item.shard);
    last.set(item.shard, item);
    return !before || comparePositions(before.last, item.first) <= 0;
  });
}

function inWords({ items, positions }: Batch<Item>): string {
  const what = items.map((item) => `${textsOf(item).join('+')}@${item.shard}:${item.first.sequence}`);
  const where = [...positions].map(([shard, resume]) => `${shard}:${formatResume(resume)}`);
  return `${what.join(' ') || 'nothing'}, now at ${where.join(' ')}`;
}

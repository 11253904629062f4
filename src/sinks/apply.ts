import { checkCounts } from '../check-counts.ts';
import { Event, isSameRecord, lastByShard } from '../event.ts';
import { type Resume, compareResumes } from '../position.ts';
import { thrown } from '../operators/thrown.ts';
import type { Owner } from '../owner.ts';
import { checkedSizeOf } from '../stores/commands/check-command.ts';
import type { CommandFault, CommandStore, KeptReject, OpenCommandStore } from '../stores/command-store.ts';
import type { Command } from '../stores/commands.ts';
import { CommandMerger, type Merged } from '../stores/commands/merge-commands.ts';
import { MAX_CALL_BYTES, MAX_CALL_EVENTS } from './call-limits.ts';
import { checkStore, standsIn } from './ask-store.ts';
import { wordFor } from './word-for.ts';
import { rejectRow } from './reject-row.ts';
import type { Batch, OpenSink, Refusal, Sink } from './sink.ts';

const STEP = 'apply';

/** Says what an event changes. Called once more when a call has failed, so it should follow from the event. */
export type CommandsOf<T> = (data: T, event: Event<T>) => Iterable<Command>;

export interface ApplyOptions {
  /** How many events one call takes on at most. While a call runs, the store does nothing else. @default 500 */
  readonly maxEvents?: number;
  /** The sink's name in the pipeline; part of the key of its positions. @default 'apply' */
  readonly name?: string;
}

/**
 * Changes a store by commands that follow from each event, exactly once: counters too.
 *
 * An event goes out at once when the store is idle; what comes while a call is under way goes with the next one, merged where that
 * changes nothing. Each call runs its commands and moves the positions in one atomic step. A command that the store refuses makes its
 * event a reject, its other commands and all other events stand; so does an exception of `commands`.
 *
 * @throws {RangeError} when `maxEvents` is not a whole number above zero
 */
export function apply<T>(
  store: CommandStore,
  commands: CommandsOf<T>,
  { maxEvents = MAX_CALL_EVENTS, name = 'apply' }: ApplyOptions = {},
): Sink<Event<T>> {
  checkCounts('apply', { maxEvents });
  return {
    name,
    describe: `commands to ${store.describe}`,
    check: () => checkStore(store),
    ...standsIn(store, name),
    async open({ pipeline, report }) {
      return new OpenApply(await store.open({ report }), { pipeline, sink: name }, commands, maxEvents);
    },
  };
}

/** What one call does. */
interface Call<T> {
  readonly events: readonly Event<T>[];
  readonly commands: readonly Merged[];
  /** The events of which no command could be made, by their place. */
  readonly thrown: ReadonlyMap<number, Refusal['why']>;
  readonly positions: ReadonlyMap<string, Resume>;
}

class OpenApply<T> implements OpenSink<Event<T>> {
  readonly #store: OpenCommandStore;
  readonly #owner: Owner;
  readonly #commands: CommandsOf<T>;
  readonly #maxEvents: number;
  /** What the commit at hand has had refused, by whichever try: their calls stand. */
  #refused: Refusal[] = [];
  /** The calls of which nobody knows whether they ran, in their order, each with its answer. */
  #unsure: { readonly call: Call<T>; readonly faults: Promise<readonly CommandFault[]> }[] = [];

  constructor(store: OpenCommandStore, owner: Owner, commands: CommandsOf<T>, maxEvents: number) {
    this.#store = store;
    this.#owner = owner;
    this.#commands = commands;
    this.#maxEvents = maxEvents;
  }

  acquire(shard: string): Promise<Resume | undefined> {
    return this.#store.acquire(this.#owner, shard);
  }

  async positions(shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const stands = await this.#store.positions(this.#owner, shards);
    for (; this.#unsure.length > 0; this.#unsure.shift()) {
      const { call } = this.#unsure[0]!;
      if (hasRun(call, stands)) await this.#settle(call, await this.#store.rejected(this.#owner, call.events));
    }
    return stands;
  }

  async commit(batch: Batch<Event<T>>, refused: Refusal[]): Promise<void> {
    const [first] = batch.items;
    // Types do not reach it behind an `any`, and Node runs a file that does not compile.
    if (first !== undefined && !(first instanceof Event))
      throw new TypeError(`${this.#owner.sink}: expected events, got ${wordFor(first)}: minuteWindow() does not go before it`);
    // The tries of a commit share one list, which `positions` may add to, also when nothing is left to try.
    if (refused !== this.#refused) refused.length = 0;
    this.#refused = refused;
    this.#unsure = [];
    let goesOn = false;
    try {
      for (const call of callsOf(batch, this.#commands, this.#maxEvents)) {
        // By now it was made ready, while the store was at work.
        if (this.#unsure.length === this.#store.callsAtOnce) await this.#settleFirst();
        this.#send(call, goesOn);
        goesOn = true;
      }
      while (this.#unsure.length > 0) await this.#settleFirst();
    } catch (error) {
      await Promise.allSettled(this.#unsure.map(({ faults }) => faults));
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #send(call: Call<T>, goesOn: boolean): void {
    const faults = this.#store.execute(this.#owner, {
      ...call,
      goesOn,
      rejects: rejectsOf(call, call.thrown),
      commandsOf: (i) => (call.thrown.has(i) ? [] : [...this.#commands(call.events[i]!.data, call.events[i]!)]),
      rejectOf: (i, why) => rejectRow(call.events[i]!, { step: STEP, ...why }),
    });
    // Whoever waits for the one before it hears of that first.
    faults.catch(() => {});
    this.#unsure.push({ call, faults });
  }

  async #settleFirst(): Promise<void> {
    const { call, faults } = this.#unsure[0]!;
    const reasons: (Refusal['why'] | undefined)[] = [];
    for (const { events, ...why } of await faults) for (const i of events) reasons[i] = { step: STEP, ...why };
    await this.#settle(call, reasons);
    this.#unsure.shift();
  }

  /** Gives the rejects of a call that ran their bytes, and notes them. */
  async #settle(call: Call<T>, reasons: readonly (Refusal['why'] | undefined)[]): Promise<void> {
    const all = new Map(call.thrown);
    const byStore = new Map<number, Refusal['why']>();
    for (const [i, why] of reasons.entries()) if (why && !all.has(i)) byStore.set(i, why);
    if (byStore.size > 0) await this.#store.keep(this.#owner, rejectsOf(call, byStore));
    for (const [i, why] of [...all, ...byStore]) this.#refused.push({ event: call.events[i]!, why });
  }
}

function rejectsOf({ events }: Call<unknown>, reasons: ReadonlyMap<number, Refusal['why']>): KeptReject[] {
  return [...reasons].map(([i, why]) => rejectRow(events[i]!, why));
}

/** A call is atomic: one shard tells of all. */
function hasRun({ events }: Call<unknown>, stands: ReadonlyMap<string, Resume>): boolean {
  const last = events.at(-1);
  const now = last && stands.get(last.shard);
  return now !== undefined && compareResumes(now, last!.position) >= 0;
}

/** Cuts a batch into calls, never between events of one record; positions of shards without events go with the last one. */
function* callsOf<T>(
  { items, positions }: Batch<Event<T>>,
  commands: CommandsOf<T>,
  maxEvents: number,
): Generator<Call<T>, void> {
  const merger = new CommandMerger();
  let reasons = new Map<number, Refusal['why']>();
  let from = 0;
  let sizeBytes = 0;
  for (let at = 0; at < items.length; at++) {
    const event = items[at]!;
    const isFull = at - from >= maxEvents || sizeBytes >= MAX_CALL_BYTES;
    if (isFull && !isSameRecord(items[at - 1]!, event)) {
      const events = items.slice(from, at);
      yield { events, commands: merger.take(), thrown: reasons, positions: lastByShard(events) };
      reasons = new Map();
      from = at;
      sizeBytes = 0;
    }
    try {
      const made = commands(event.data, event);
      const its = Array.isArray(made) ? (made as readonly Command[]) : [...made];
      for (const command of its) sizeBytes += checkedSizeOf(command);
      for (const command of its) merger.add(command, at - from);
    } catch (error) {
      reasons.set(at - from, thrown(STEP, error));
      sizeBytes += event.sizeBytes;
    }
  }
  yield { events: items.slice(from), commands: merger.take(), thrown: reasons, positions };
}

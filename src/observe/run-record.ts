import type { Diagnostic } from '../diagnostic.ts';
import type { RejectReason } from '../event.ts';
import type { InFlight, Ledger } from '../ledger.ts';
import { type Pipeline, sinksOf } from '../pipeline.ts';
import { Histogram } from './metrics/histogram.ts';
import type { Entry } from './log/log.ts';
import { type Totals, TotalCounts } from './total-counts.ts';

/** In seconds: from a Redis nearby to a window of a minute that is loaded into a slow database, with tries again. */
const COMMIT_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Codes of rejects may be the names of a user's own errors: so many are told apart, the rest is `other`. */
const MOST_REJECT_CODES = 1000;

/** What was heard of a shard that is read. All times are by the run's clock. */
interface ShardRecord {
  /** How far reading was behind the newest record when it was last answered. */
  behindMs?: number | undefined;
  lastReadAtMs?: number;
  lastSettledAtMs?: number | undefined;
  quiet?: { readonly forMs: number; readonly doing: string } | undefined;
  hasEnded?: boolean;
}

/** How a shard is right now. */
export interface ShardNow extends Readonly<ShardRecord> {
  /** How far reading is behind the newest record; while it waits for room, the time since it last read comes on top. */
  readonly behindMs: number | undefined;
  /** How many of its events are in flight. */
  readonly inFlight: number;
  readonly waitsForRoom: boolean;
}

export interface SinkRecord {
  events: number;
  bytes: number;
  retries: number;
  readonly commitSeconds: Histogram;
}

/** So many things that a run said are kept. */
const MOST_SAID = 12;

/** Something that a run said, and when. */
export interface Said extends Pick<Entry, 'level' | 'message'> {
  readonly atMs: number;
}

/** How far a run has come. */
export type RunStage = 'starting' | 'running' | 'going back' | 'stopping' | 'ended' | 'failed';

/** What a pipeline is made of. */
export type Declared = Omit<Pipeline, 'rejects'>;

/**
 * What a pipeline's run has told so far: what metrics and health are made of, when somebody asks. It is told nothing that the run would not
 * tell anyway; all else it looks up in the ledger then.
 */
export class RunRecord {
  readonly declared: Declared;
  readonly sinks: Map<string, SinkRecord>;
  /** By shard; `all shards` for calls that concern all of them. */
  readonly sourceRetries = new Map<string, number>();
  /** The last of what it said. */
  said: readonly Said[] = [];
  /** By step, then by code. */
  readonly rejects = new Map<string, Map<string, number>>();
  lookupRetries = 0;
  wentBack = 0;
  #stage: RunStage = 'starting';
  #ledger: () => Ledger | undefined = () => undefined;
  #rejectCodes = 0;
  readonly #shards = new Map<string, ShardRecord>();
  readonly #totals = new TotalCounts();

  constructor(declared: Declared) {
    this.declared = declared;
    // From the start, with zeros: the first failure would else be no increase of anything.
    this.sinks = new Map(sinksOf(declared).map((sink) => [sink.name, newSink()]));
  }

  get pipeline(): string {
    return this.declared.name;
  }

  /** Says where the ledger of the run at work is found. */
  follow(ledger: () => Ledger): void {
    this.#ledger = ledger;
  }

  /** Takes note of how the run has ended. */
  end(stage: 'ended' | 'failed'): void {
    this.#stage = stage;
    this.#shards.clear();
  }

  /** The ledger of the run at work; nothing between two of them. */
  get ledger(): Ledger | undefined {
    const ledger = this.#ledger();
    return ledger && !this.#totals.hasEnded(ledger) ? ledger : undefined;
  }

  get stage(): RunStage {
    // A source of one's own need not tell of its shards.
    return this.#isStarting && (this.ledger?.counts().read ?? 0) > 0 ? 'running' : this.#stage;
  }

  totals(): Totals {
    return this.#totals.with(this.#ledger());
  }

  /** The shards that are read or have something in flight, with what that is. @param nowMs by the run's clock */
  *shards(nowMs: number): Iterable<readonly [shard: string, now: ShardNow]> {
    const { ledger } = this;
    for (const [shard, record] of this.#shards) {
      const { count, waitsForRoom } = ledger?.inFlight(shard) ?? NOTHING;
      if (record.hasEnded && count === 0) this.#forget(shard);
      else yield [shard, { ...record, behindMs: behindNow(record, waitsForRoom, nowMs), inFlight: count, waitsForRoom }];
    }
  }

  /** Takes note of what the run reports. */
  report(diagnostic: Diagnostic): void {
    switch (diagnostic.type) {
      case 'shard-started':
        if (this.#isStarting) this.#shards.clear();
        this.#shards.set(diagnostic.shard, {});
        add(this.sourceRetries, diagnostic.shard, 0);
        if (this.#stage !== 'stopping') this.#stage = 'running';
        break;
      case 'shard-lag':
        this.#note(diagnostic.shard, { behindMs: diagnostic.behindMs, lastReadAtMs: diagnostic.readAtMs });
        break;
      case 'shard-health':
        // Before the first one is read: of all of them, of which nothing is known yet.
        if (this.#isStarting && !this.#shards.has(diagnostic.shard)) this.#shards.set(diagnostic.shard, {});
        this.#note(diagnostic.shard, { lastSettledAtMs: diagnostic.settledAtMs, quiet: diagnostic.quiet });
        break;
      case 'shard-ended':
        this.#note(diagnostic.shard, { hasEnded: true });
        break;
      case 'committed':
        this.#commit(diagnostic);
        break;
      case 'sink-retry':
        this.#sink(diagnostic.sink).retries++;
        break;
      case 'source-retry':
        add(this.sourceRetries, diagnostic.shard, 1);
        break;
      case 'lookup-retry':
        this.lookupRetries++;
        break;
      case 'rejected':
        this.#reject(diagnostic.why);
        break;
      case 'went-back':
        this.wentBack++;
        this.#stage = 'going back';
        this.#shards.clear();
        this.#totals.end(this.#ledger(), diagnostic.counts);
        break;
      case 'stopping':
        this.#stage = 'stopping';
        break;
    }
  }

  /** Takes note of what the run says to a person. */
  say({ level, message }: Entry, atMs: number): void {
    this.said = [...this.said, { level, message, atMs }].slice(-MOST_SAID);
  }

  get #isStarting(): boolean {
    return this.#stage === 'starting' || this.#stage === 'going back';
  }

  #note(shard: string, heard: ShardRecord): void {
    const record = this.#shards.get(shard);
    if (record) Object.assign(record, heard);
  }

  #commit({ sink: name, count, sizeBytes, ms }: Diagnostic & { readonly type: 'committed' }): void {
    // Without events it has only moved positions on.
    if (count === 0) return;
    const sink = this.#sink(name);
    sink.events += count;
    sink.bytes += sizeBytes;
    sink.commitSeconds.observe(ms / 1000);
  }

  #reject({ step, code }: RejectReason): void {
    let codes = this.rejects.get(step);
    if (!codes) this.rejects.set(step, (codes = new Map()));
    const isNew = !codes.has(code);
    add(codes, isNew && this.#rejectCodes >= MOST_REJECT_CODES ? 'other' : code, 1);
    if (isNew) this.#rejectCodes++;
  }

  #sink(name: string): SinkRecord {
    let sink = this.sinks.get(name);
    if (!sink) this.sinks.set(name, (sink = newSink()));
    return sink;
  }

  #forget(shard: string): void {
    this.#shards.delete(shard);
    this.sourceRetries.delete(shard);
  }
}

/** Who waits for room asks for nothing meanwhile: what it heard last says less with every second. */
export function behindNow(
  { behindMs, lastReadAtMs = 0 }: Pick<ShardRecord, 'behindMs' | 'lastReadAtMs'>,
  waitsForRoom: boolean,
  nowMs: number,
): number | undefined {
  return behindMs === undefined || !waitsForRoom ? behindMs : behindMs + Math.max(0, nowMs - lastReadAtMs);
}

const NOTHING: InFlight = { count: 0, sizeBytes: 0, readAtMs: [], waitsForRoom: false };

function newSink(): SinkRecord {
  return { events: 0, bytes: 0, retries: 0, commitSeconds: new Histogram(COMMIT_SECONDS) };
}

function add(counts: Map<string, number>, key: string, more: number): void {
  counts.set(key, (counts.get(key) ?? 0) + more);
}

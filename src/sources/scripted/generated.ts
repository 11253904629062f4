import { checkCounts } from '../../check-counts.ts';
import { type Beginning, type Position, isPosition } from '../../position.ts';
import type { Records } from '../../records.ts';
import type { Scene } from '../scripted.ts';
import type { PlayedShard } from './written.ts';

/** Records made on the fly, as fast as the ledger has room. */
export interface Generated {
  /** Makes a record's bytes; the same ones whenever it is asked for the same number, from 0. */
  readonly generate: (index: number) => Uint8Array;
  /** How many records in all. @default as many as are wanted until the stop */
  readonly count?: number;
  /** Record i goes to shard i modulo shards. @default 1 */
  readonly shards?: number;
  /** @default 1_000 */
  readonly recordsPerDelivery?: number;
  /** The arrival time of the first record, in milliseconds since 1970. @default 0 */
  readonly startMs?: number;
  /** How long after the record before a record arrives. @default 1 */
  readonly arrivalStepMs?: number;
}

/** @throws {RangeError} when a setting is out of its bounds */
export function generatedShards(script: Generated): ReadonlyMap<string, PlayedShard> {
  const { shards = 1, recordsPerDelivery = 1_000 } = script;
  checkCounts('scripted', { shards, recordsPerDelivery });
  return new Map(
    Array.from({ length: shards }, (_, i) => {
      const id = `shard-${i + 1}`;
      return [id, { id, parents: [], scenesBehind: (resume: Beginning) => deliveries(id, i, script, resume) }];
    }),
  );
}

function* deliveries(shard: string, shardIndex: number, script: Generated, resume: Beginning): Generator<Scene> {
  const { count = Number.POSITIVE_INFINITY, shards = 1, recordsPerDelivery = 1_000 } = script;
  const { startMs = 0, arrivalStepMs = 1 } = script;
  const first = firstIndex(resume, startMs, arrivalStepMs);
  // The shard's own records are every so many.
  let i = first + ((((shardIndex - first) % shards) + shards) % shards);
  while (i < count) {
    const records = new GeneratedRecords(shard, script, i, Math.min(recordsPerDelivery, Math.ceil((count - i) / shards)));
    i += records.count * shards;
    yield { type: 'delivery', records };
  }
}

/** Records that follow each other, of which only the bytes are kept. */
class GeneratedRecords implements Records {
  readonly shard: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly #raws: Uint8Array[] = [];
  readonly #first: number;
  readonly #step: number;
  readonly #firstArrivedAtMs: number;
  readonly #arrivalStepMs: number;

  /** @param first the first one's number among all that are generated */
  constructor(shard: string, { generate, shards = 1, startMs = 0, arrivalStepMs = 1 }: Generated, first: number, count: number) {
    this.shard = shard;
    this.count = count;
    this.#first = first;
    this.#step = shards;
    this.#firstArrivedAtMs = startMs + first * arrivalStepMs;
    this.#arrivalStepMs = shards * arrivalStepMs;
    let sizeBytes = 0;
    for (let i = 0; i < count; i++) {
      const raw = generate(first + i * shards);
      this.#raws.push(raw);
      sizeBytes += raw.length;
    }
    this.sizeBytes = sizeBytes;
  }

  sizeOf(index: number): number {
    return this.#raws[index]!.length;
  }

  rawOf(index: number): Uint8Array {
    return this.#raws[index]!;
  }

  positionOf(index: number): Position {
    return { shard: this.shard, sequence: spell(this.#first + index * this.#step + 1), subSequence: 0 };
  }

  arrivedAtMsOf(index: number): number {
    return this.#firstArrivedAtMs + index * this.#arrivalStepMs;
  }

  fateOf(): undefined {
    return undefined;
  }
}

/** The least number that lies behind where reading begins. */
function firstIndex(resume: Beginning, startMs: number, arrivalStepMs: number): number {
  if (resume === 'TRIM_HORIZON') return 0;
  // Record i has the sequence number i + 1.
  if (isPosition(resume)) return Number(resume.sequence);
  const ms = resume.getTime() - startMs;
  return ms <= 0 ? 0 : arrivalStepMs > 0 ? Math.ceil(ms / arrivalStepMs) : Number.POSITIVE_INFINITY;
}

/** The last three digits of a number, spelled once. */
const LAST_DIGITS = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));

let thousands = -1;
let spelled = '';

/** Spells numbers that follow each other closely, in half the time of `String`. */
function spell(n: number): string {
  if (n < 1000) return String(n);
  const above = Math.floor(n / 1000);
  if (above !== thousands) spelled = String((thousands = above));
  return spelled + LAST_DIGITS[n - above * 1000]!;
}

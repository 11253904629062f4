import type { Source } from '../src/index.ts';
import { AnsweredRecords } from '../src/sources/kinesis/answered-records.ts';
import { emitInTurn } from '../src/sources/delivery/emit-in-turn.ts';
import { freeing, ownMemory } from '../src/sources/text/own-memory.ts';
import { readShards } from '../src/sources/shards/read-shards.ts';
import { readingDeliveries } from '../src/sources/source.ts';

/** What GetRecords gives in a good second. */
const ANSWER_BYTES = 2 * 1024 * 1024;
const RECORDS_A_DELIVERY = 1_000;
/** The first digits of 56, as Kinesis has them. */
const SEQUENCE = '495903382714902566085596925383615710959215759891';

export interface AnswersOptions {
  /** Makes a record's bytes, which are copied. */
  readonly generate: (index: number) => Uint8Array;
  readonly count: number;
  readonly shards: number;
  /** When the first record arrived, in milliseconds since 1970; the others follow a millisecond apart. */
  readonly startMs: number;
}

/** Records as Kinesis answers them: side by side in memory of each answer's own, which is given back where the run allows that. */
export function answers({ generate, count, shards, startMs }: AnswersOptions): Source<Uint8Array> {
  return {
    name: 'answers',
    describe: `${count} records`,
    check: async () => `${count} records`,
    ...readingDeliveries((context) =>
      readShards(context, {
        list: async () => Array.from({ length: shards }, (_, i) => ({ id: `shard-${i}`, parents: [] })),
        async readShard(reading) {
          const { id } = reading.shard;
          for (let i = Number(id.slice('shard-'.length)); i < count;) {
            const memory = ownMemory(Buffer.allocUnsafeSlow(ANSWER_BYTES));
            const records = new AnsweredRecords(id, memory.buffer, freeing(memory, 1));
            for (let at = 0; i < count && records.count < RECORDS_A_DELIVERY; i += shards) {
              const made = generate(i);
              if (at + made.length > memory.length) break;
              memory.set(made, at);
              records.add(memory.subarray(at, (at += made.length)), SEQUENCE + String(i).padStart(8, '0'), startMs + i);
            }
            if (!(await emitInTurn(reading, records))) return undefined;
          }
          return [];
        },
      }),
    ),
  };
}

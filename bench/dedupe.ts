import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Subject } from 'rxjs';
import { Event, Origin } from '../src/event.ts';
import { Ledger } from '../src/ledger.ts';
import { dedupe } from '../src/operators/dedupe.ts';
import { type Identity, hash128 } from '../src/operators/identity.ts';
import { identityLog } from '../src/stores/identity-log.ts';

/**
 * `dedupe` alone, on identities of 36 bytes and Kinesis positions, in deliveries of a thousand:
 *
 *     node bench/dedupe.ts [--ids 10000000] [--state]
 *
 * First all are new, 5 % more than it may remember, so that in the end it is full; then the newest of them come again. Prints one line of
 * JSON: nanoseconds of the thread's CPU time for a new one and for a repeat, the longest that a thousand took (in ticks of up to 4 ms), the
 * bytes of its arrays an identity, and what memory the process had at most.
 */
const { values } = parseArgs({
  options: {
    ids: { type: 'string', default: '10000000' },
    state: { type: 'boolean' },
  },
});
const capacity = Number(values.ids);
const fresh = capacity * 1.05;
const again = capacity * 0.9;
const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));

const id = Buffer.from('00000000-0000-4000-8000-000000000000');
const byBytes: Identity<Uint8Array> = { name: 'bytes', hash: (data, into) => hash128(data, 0, 36, into) };
const FIRST = 49546986683135544286507457936321625675700192471156785154n;
const sequences = Array.from({ length: 1000 }, (_, i) => String(FIRST + BigInt(i) * 13407807929942597n));

const ledger = new Ledger({ report: () => {} });
const source = new Subject<Event<Uint8Array>>();
const state = values.state ? { state: identityLog(join(folder, 'dedupe.db')) } : {};
let passed = 0;
source.pipe(dedupe({ by: byBytes, within: { hours: 1 }, capacity, ...state })).subscribe({ next: () => passed++ });

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const bytesBefore = arrayBytes();
let longestMs = 0;
const startedAt = performance.now();
const [newNs, repeatNs] = [play('shardId-000000000000', 0, fresh), play('shardId-000000000001', fresh - again, fresh)];
const seconds = (performance.now() - startedAt) / 1000;
if (passed !== fresh) throw new Error(`bench: of ${fresh} new ones and ${again} repeats, ${passed} passed`);
const bytesPerId = (arrayBytes() - bytesBefore) / capacity;
source.complete();
await rm(folder, { recursive: true });
const [events, peakMiB] = [fresh + again, Math.round(process.resourceUsage().maxRSS / 1024)];
const cpuSeconds = (newNs * fresh + repeatNs * again) / 1e9;
process.stdout.write(`${JSON.stringify({ events, seconds, cpuSeconds, peakMiB, newNs, repeatNs, longestMs, bytesPerId })}\n`);

/** Sends the identities of these numbers; tells the nanoseconds each took. */
function play(shard: string, from: number, to: number): number {
  let spentMs = 0;
  for (let at = from; at < to; at += 1000) {
    const last = { shard, sequence: sequences[999]!, subSequence: 0 };
    const arrivedAtMs = at / 10_000;
    const delivery = ledger.open({ shard, count: 1000, sizeBytes: 36_000, last, readAtMs: arrivedAtMs });
    const events = sequences.map((sequence, i) => {
      const origin = new Origin(delivery, i, { position: { shard, sequence, subSequence: 0 }, arrivedAtMs, data: id });
      return new Event<Uint8Array>(id, origin);
    });
    const startMs = cpuMs();
    for (let i = 0; i < 1000; i++) {
      number(at + i);
      source.next(events[i]!);
    }
    const ms = cpuMs() - startMs;
    spentMs += ms;
    longestMs = Math.max(longestMs, ms);
    // Into a file it is done when the call returns.
    if (values.state && at % 50_000 === 0) void ledger.flushState();
    delivery.letGo();
  }
  return (spentMs * 1e6) / (to - from);
}

/** The bytes of all array buffers in use. */
function arrayBytes(): number {
  // The first one may leave arrays to a thread of its own, which the second one waits for.
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}

/** Writes a number into the identity. */
function number(value: number): void {
  let x = Math.imul(value, 0x9e3779b1);
  for (let k = 0; k < 8; k++, x >>>= 4) id[k] = 97 + (x & 15);
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

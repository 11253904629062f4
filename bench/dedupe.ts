import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Subject } from 'rxjs';
import { Event, Origin } from '../src/event.ts';
import { Ledger } from '../src/ledger.ts';
import { dedupe } from '../src/operators/dedupe.ts';
import { type Identity, hash128 } from '../src/operators/identity.ts';
import { identityLog } from '../src/stores/identity-log.ts';

/**
 * `dedupe` alone, on identities of 36 bytes and Kinesis positions, in deliveries of a thousand:
 *
 *     node bench/dedupe.ts [--events 10000000] [--capacity 10000000] [--state]
 *
 * First all are new, then all are repeats. Prints nanoseconds of CPU an event and the longest call by the thread's CPU time (in ticks of up to 4 ms).
 */
const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000000' },
    capacity: { type: 'string', default: '10000000' },
    state: { type: 'boolean' },
  },
});
const [count, capacity] = [Number(values.events), Number(values.capacity)];
const folder = await mkdtemp(join(tmpdir(), 'bench-dedupe-'));

const id = Buffer.from('00000000-0000-4000-8000-000000000000');
const byBytes: Identity<Uint8Array> = { name: 'bytes', hash: (data, into) => hash128(data, 0, 36, into) };
const FIRST = 49546986683135544286507457936321625675700192471156785154n;
const sequences = Array.from({ length: 1000 }, (_, i) => String(FIRST + BigInt(i) * 13407807929942597n));

const ledger = new Ledger({
  report: (told) => {
    if (told.type !== 'identities-forgotten') console.log(told);
  },
});
const source = new Subject<Event<Uint8Array>>();
const state = values.state ? { state: identityLog(join(folder, 'dedupe.db')) } : {};
let passed = 0;
source.pipe(dedupe({ by: byBytes, within: { hours: 1 }, capacity, ...state })).subscribe({ next: () => passed++ });

const before = process.memoryUsage();
for (const shard of ['shardId-000000000000', 'shardId-000000000001']) {
  let [spentMs, longestMs, overMs] = [0, 0, 0];
  for (let at = 0; at < count; at += 1000) {
    const last = { shard, sequence: sequences[999]!, subSequence: 0 };
    const delivery = ledger.open({ shard, count: 1000, sizeBytes: 36_000, last, readAtMs: at / 100 });
    const events = sequences.map((sequence, i) => {
      const origin = new Origin(delivery, i, { position: { shard, sequence, subSequence: 0 }, arrivedAtMs: at / 100, data: id });
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
    if (ms > 10) overMs++;
    if (values.state && at % 50_000 === 0) ledger.flushState();
    delivery.letGo();
  }
  const { rss } = process.memoryUsage();
  const perEvent = ((spentMs * 1e6) / count).toFixed(0);
  console.log(
    `${shard}: ${count} events, ${passed} passed, ${perEvent} ns each, longest call ${longestMs.toFixed(1)} ms, ${overMs} over 10 ms`,
  );
  console.log(`resident memory ${((rss - before.rss) / 1e6).toFixed(0)} MB more`);
}
source.complete();
rmSync(folder, { recursive: true });

/** Writes a number into the identity. */
function number(value: number): void {
  let x = Math.imul(value, 0x9e3779b1);
  for (let k = 0; k < 8; k++, x >>>= 4) id[k] = 97 + (x & 15);
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

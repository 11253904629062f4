import { parseArgs } from 'node:util';
import { type Observable, type OperatorFunction, asyncScheduler, lastValueFrom, tap } from 'rxjs';
import { shopLabels } from '../pipelines/labels.ts';
import { Delivery, type DeliveryOptions } from '../src/delivery.ts';
import type { Item } from '../src/event.ts';
import {
  type SourceContext,
  decode,
  dedupe,
  enriched,
  eventId,
  label,
  minuteWindow,
  scripted,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import { Ledger, Outcome } from '../src/ledger.ts';
import { begin } from '../src/run/fuse.ts';
import { recordMaker } from './records.ts';

/**
 * The core alone, in this process: records from memory through the first so many steps of the warehouse pipeline into a sink that
 * only holds, marks and releases. `npm run bench` runs it once a row:
 *
 *     node bench/core.ts [--fused off | on] [--steps 5] [--ledger on | off] [--events 1000000]
 *
 * Unfused, each step is an Observable of its own; fused, as in a run, those are joined that can be.
 * Prints one line of JSON: events, seconds, CPU seconds, peak memory.
 */
const { values } = parseArgs({
  options: {
    fused: { type: 'string', default: 'off' },
    steps: { type: 'string', default: '5' },
    ledger: { type: 'string', default: 'on' },
    events: { type: 'string', default: '1000000' },
  },
});

/** What the two modes of V8's compiler need to be done with. */
const WARM_UP = 200_000;

/** A ledger that keeps no account: what is left of the path is the work itself. */
class NoLedger extends Ledger {
  override reserve(): Promise<void> {
    return Promise.resolve();
  }
  override unreserve(): void {}
  override open(options: DeliveryOptions): Delivery {
    return new NoDelivery(this, options);
  }
}

class NoDelivery extends Delivery {
  override get isSettled(): boolean {
    return false;
  }
  override hold(): void {}
  override release(): void {}
  override letGo(): void {}
  override mark(): void {}
}

const steps: OperatorFunction<never, unknown>[] = [
  stripCheckpoints(),
  decode(enriched),
  validate(label(shopLabels)),
  dedupe({ by: eventId, within: { hours: 1 } }),
  minuteWindow(),
];
const chosen = steps.slice(0, Number(values.steps));
const total = Number(values.events);
const generate = recordMaker({ templates: 5_000, inPlace: true });

await play(WARM_UP);
const cpuBefore = process.cpuUsage();
const startedAt = performance.now();
await play(total);
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ events: total, seconds, cpuSeconds: (user + system) / 1e6, peakMiB })}\n`);

/** Plays so many records through the chosen steps, as a run does, but for its stores. */
async function play(count: number): Promise<void> {
  const ledger = values.ledger === 'on' ? new Ledger() : new NoLedger();
  ledger.onReject((reject) => {
    reject.mark(Outcome.rejected);
    reject.release();
  });
  const source = scripted({ generate, count, shards: 2, startMs: Date.UTC(2026, 10, 22, 9) });
  const context: SourceContext = {
    pipeline: 'bench',
    ledger,
    scheduler: asyncScheduler,
    report: () => {},
    start: 'TRIM_HORIZON',
    stop: new AbortController().signal,
    acquire: async (_, start) => start,
    stands: async () => undefined,
    end: async (shard) => ledger.endShard(shard),
  };
  const { stream, rest } =
    values.fused === 'on'
      ? begin({ source, operators: chosen }, context)
      : { stream: source.read(context) as Observable<unknown>, rest: chosen.map((operator) => ({ operator })) };
  await lastValueFrom(
    rest
      .reduce((items, { operator }) => items.pipe(operator as OperatorFunction<unknown, unknown>), stream)
      .pipe(
        tap((item) => {
          (item as Item).hold();
          (item as Item).mark(Outcome.stored);
          (item as Item).release();
        }),
      ),
  );
  if (values.ledger === 'on' && ledger.counts().inFlight > 0)
    throw new Error(`bench: ${ledger.counts().inFlight} records are still in flight`);
}

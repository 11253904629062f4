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
  transform,
  validate,
} from '../src/index.ts';
import { Ledger, Outcome } from '../src/ledger.ts';
import { Room } from '../src/room.ts';
import { begin } from '../src/run/fuse.ts';
import { recordMaker } from './records.ts';
import { remembered } from './remembered.ts';

/**
 * The core alone, in this process: records from memory through the first so many steps of the warehouse pipeline into a sink that
 * only holds, marks and releases. `npm run bench` runs it once a row:
 *
 *     node bench/core.ts [--fused off | on] [--steps 5] [--more 0] [--ledger on | off] [--shards 2] [--ids 0] [--events 1000000]
 *
 * Unfused, each step is an Observable of its own; fused, as in a run, those are joined that can be. `more` steps before them do nothing.
 * `ids` are remembered from the beginning, as many as `dedupe` may then.
 * Prints one line of JSON: events, seconds, CPU seconds, peak memory.
 */
const { values } = parseArgs({
  options: {
    fused: { type: 'string', default: 'off' },
    steps: { type: 'string', default: '5' },
    more: { type: 'string', default: '0' },
    ledger: { type: 'string', default: 'on' },
    shards: { type: 'string', default: '2' },
    ids: { type: 'string', default: '0' },
    events: { type: 'string', default: '1000000' },
  },
});

/** What the two modes of V8's compiler need to be done with. */
const WARM_UP = 200_000;

/** A ledger that keeps no account: what is left of the path is the work itself. */
class NoLedger extends Ledger {
  override readonly room = new NoRoom();
  override open(options: DeliveryOptions): Delivery {
    return new NoDelivery(this, options);
  }
}

class NoRoom extends Room {
  override reserve(): Promise<void> {
    return Promise.resolve();
  }
  override unreserve(): void {}
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

const startMs = Date.UTC(2026, 10, 22, 9);

const total = Number(values.events);
const makeRecord = recordMaker({ templates: 5_000, inPlace: true });
let cpuBefore = process.cpuUsage();
let startedAt = performance.now();

await play(WARM_UP, stepsOf(0));
await play(total, stepsOf(Number(values.ids)));
const seconds = (performance.now() - startedAt) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
process.stdout.write(`${JSON.stringify({ events: total, seconds, cpuSeconds: (user + system) / 1e6, peakMiB })}\n`);

/** The clock starts with the first record: what was remembered is loaded by then. */
function generate(i: number): Uint8Array {
  if (i === 0) [cpuBefore, startedAt] = [process.cpuUsage(), performance.now()];
  return makeRecord(i);
}

/** The chosen steps; `dedupe` remembers so many identities already. */
function stepsOf(ids: number): readonly OperatorFunction<never, unknown>[] {
  const before = ids === 0 ? {} : { capacity: ids, state: remembered(ids, startMs) };
  const steps: OperatorFunction<never, unknown>[] = [
    stripCheckpoints(),
    decode(enriched),
    validate(label(shopLabels)),
    dedupe({ by: eventId, within: { hours: 1 }, ...before }),
    minuteWindow(),
  ];
  return [
    ...Array.from({ length: Number(values.more) }, () => transform((data) => data)),
    ...steps.slice(0, Number(values.steps)),
  ];
}

/** Plays so many records through steps, as a run does, but for its stores. */
async function play(count: number, chosen: readonly OperatorFunction<never, unknown>[]): Promise<void> {
  const ledger = values.ledger === 'on' ? new Ledger() : new NoLedger();
  ledger.onReject((reject) => {
    reject.mark(Outcome.rejected);
    reject.release();
  });
  const source = scripted({ generate, count, shards: Number(values.shards), startMs });
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

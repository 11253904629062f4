import { Observable } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { durationMs } from '../duration.ts';
import { Event, Origin, type Reject } from '../event.ts';
import { Ledger, Outcome } from '../ledger.ts';
import { Window } from '../operators/window.ts';
import { Recorded, dataOf } from './marble-record.ts';
import { type MarbleSpec, widthOf } from './marble-spec.ts';
import { parseMarbles } from './marble-text.ts';

/** Something that came out, and at which column. */
interface Seen {
  readonly column: number;
  readonly what: { readonly item: unknown } | { readonly error: unknown } | 'complete';
}

/** What happened when a marble spec was run. */
export interface MarbleRun {
  readonly result: readonly Seen[];
  readonly rejected: readonly { readonly column: number; readonly reject: Reject }[];
  /** Items that were settled before they came out. */
  readonly settledTooEarly: number;
  readonly ledger: Ledger;
  /** The letter that the source has for the record of an event. */
  readonly letterOf: (event: Event<unknown>) => string;
}

/**
 * Runs the operator of a spec in virtual time, on real events of a real ledger, and stores at once what comes out.
 * It ends with the strings: what would happen later does not.
 */
export function runMarble<A, R>(spec: MarbleSpec<A, R>): MarbleRun {
  const tickMs = durationMs(spec.tick, { who: 'marble', name: 'tick' });
  const ledger = new Ledger();
  const scheduler = new TestScheduler(() => undefined);
  const letters = new Map<string, string>();
  const result: Seen[] = [];
  const rejected: { column: number; reject: Reject }[] = [];
  let settledTooEarly = 0;
  const column = (): number => scheduler.now() / tickMs;
  const at = (sign: number, work: () => void): unknown => scheduler.schedule(work, sign * tickMs);

  const sequences = new Map<string, number>();
  function read(shard: string, signs: readonly string[], emit: (event: Event<A>) => void): void {
    const records = signs.map((letter) => {
      if (!(letter in spec.given)) throw new RangeError(`marble: expected ${letter} of the source in given`);
      const given = spec.given[letter]!;
      const { arrived, sequence = (sequences.get(shard) ?? 0) + 1, raw } = given instanceof Recorded ? given.options : {};
      sequences.set(shard, sequence);
      const position = { shard, sequence: String(sequence), subSequence: 0 };
      letters.set(`${shard} ${sequence}`, letter);
      const data = dataOf<A>(given);
      const arrivedAtMs = arrived ? durationMs(arrived, { who: 'marble', name: 'arrived', orZero: true }) : scheduler.now();
      return { position, arrivedAtMs, data, raw: bytesOf(raw ?? data) };
    });
    const delivery = ledger.open({
      shard,
      count: records.length,
      sizeBytes: records.reduce((sum, { raw }) => sum + raw.length, 0),
      last: records.at(-1)!.position,
      readAtMs: scheduler.now(),
    });
    records.forEach(({ position, arrivedAtMs, data, raw }, index) =>
      emit(new Event(data, new Origin(delivery, index, { position, arrivedAtMs, data: raw }))),
    );
    delivery.letGo();
  }

  const lines = Object.entries(typeof spec.source === 'string' ? { 'shard-1': spec.source } : spec.source).map(
    ([shard, line]) => [shard, parseMarbles(line)] as const,
  );
  const source = new Observable<Event<A>>((subscriber) => {
    let running = lines.length;
    for (const [shard, line] of lines)
      for (const { column, signs } of line)
        at(column, () => {
          if (subscriber.closed) return;
          const values = signs.filter((sign) => sign !== '|' && sign !== '#');
          if (values.length > 0) read(shard, values, (event) => subscriber.next(event));
          if (signs.includes('#')) subscriber.error(new Error('the source failed'));
          if (signs.includes('|') && --running === 0) subscriber.complete();
        });
  });

  ledger.onReject((reject) => {
    rejected.push({ column: column(), reject });
    reject.mark(Outcome.rejected);
    reject.release();
  });
  scheduler.run(() => {
    // A timer that an operator leaves behind, one that repeats, would have virtual time go on for ever.
    scheduler.maxFrames = widthOf(spec) * tickMs;
    const subscription = spec.operator(source).subscribe({
      next(item) {
        result.push({ column: column(), what: { item } });
        if (!(item instanceof Event || item instanceof Window)) return;
        if (item.isSettled) return void settledTooEarly++;
        item.hold();
        item.mark(Outcome.stored);
        item.release();
      },
      error: (error: unknown) => result.push({ column: column(), what: { error } }),
      complete: () => result.push({ column: column(), what: 'complete' }),
    });
    for (const { column } of parseMarbles(spec.pressure ?? ''))
      at(column, () => void ledger.room.reserve(ledger.room.maxInFlightBytes));
    for (const { column } of parseMarbles(spec.shardEnd ?? '')) at(column, () => ledger.endShard(lines[0]![0]));
    for (const { column } of parseMarbles(spec.unsubscribe ?? '')) at(column, () => subscription.unsubscribe());
    at(widthOf(spec), () => subscription.unsubscribe());
  });

  const letterOf = ({ position }: Event<unknown>): string => letters.get(`${position.shard} ${position.sequence}`) ?? '?';
  return { result, rejected, settledTooEarly, ledger, letterOf };
}

function bytesOf(raw: unknown): Uint8Array {
  if (raw instanceof Uint8Array) return raw;
  if (typeof raw === 'string') return Buffer.from(raw);
  // How many bytes it has is all that matters of what JSON does not know: a bigint, or undefined.
  return Buffer.from(String(JSON.stringify(raw, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))));
}

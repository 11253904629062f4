import { crc32 } from 'node:zlib';
import { concatMap, filter, mergeMap } from 'rxjs';
import type { Event } from '../../src/event.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import type { IdentityState } from '../../src/operators/identity-state.ts';
import type { LookupSource, Read } from '../../src/operators/lookup-source.ts';
import { lookup } from '../../src/operators/lookup.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import { validate } from '../../src/operators/validate.ts';
import type { Stage } from '../../src/pipeline.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** A pipeline on its way, of events that hold a text. */
type Texts = Stage<Event<string>>;

export type KindName =
  | 'filter'
  | 'mergeMap'
  | 'concatMap'
  | 'transform'
  | 'validate'
  | 'dedupe'
  | 'mapAsync'
  | 'lookup'
  | 'minuteWindow';

interface StepSetting {
  readonly process: SimulatedProcess;
  /** How much the step does at a time: its calls, its reads, the events of its window. */
  readonly size: number;
  /** What `dedupe` remembers over a kill. */
  readonly state: IdentityState;
}

/** A step, and what has to come of it, said in another way. */
interface StepKind {
  readonly add: (to: Texts, setting: StepSetting) => Texts;
  /** What comes of a text; `before` has the texts that came to the step already. */
  readonly gives: (text: string, before: ReadonlySet<string>) => readonly string[] | 'a reject';
}

/** One text in so many, always the same ones. */
const isOneIn = (count: number, text: string): boolean => crc32(text) % count === 0;

const KEYS = 50;
const keyOf = (text: string): string => String(crc32(text) % KEYS);
const isRefused = (key: string): boolean => Number(key) % 4 === 0;

/** RxJS's steps and ours, as a pipeline may have them in any order. */
export const stepKinds: Readonly<Record<KindName, StepKind>> = {
  filter: {
    add: (to) => to.pipe(filter(({ data }) => !isOneIn(7, data))),
    gives: (text) => (isOneIn(7, text) ? [] : [text]),
  },
  /** Two events of each record. */
  mergeMap: {
    add: (to) => to.pipe(mergeMap((event) => [event.with(`${event.data}a`), event.with(`${event.data}b`)])),
    gives: (text) => [`${text}a`, `${text}b`],
  },
  /** None of some records, two of the others. */
  concatMap: {
    add: (to) => to.pipe(concatMap((event) => (isOneIn(8, event.data) ? [] : [event, event.with(`${event.data}+`)]))),
    gives: (text) => (isOneIn(8, text) ? [] : [text, `${text}+`]),
  },
  transform: {
    add: (to) =>
      to.pipe(
        transform((text) => {
          if (isOneIn(5, text)) throw new Error('odd');
          return `${text}t`;
        }),
      ),
    gives: (text) => (isOneIn(5, text) ? 'a reject' : [`${text}t`]),
  },
  validate: {
    add: (to) => to.pipe(validate((text) => (isOneIn(6, text) ? { code: 'odd', reason: 'is odd' } : undefined))),
    gives: (text) => (isOneIn(6, text) ? 'a reject' : [text]),
  },
  dedupe: {
    add: (to, { state }) => to.pipe(dedupe({ by: (text) => text, within: { hours: 24 }, capacity: 10_000, state })),
    gives: (text, before) => (before.has(text) ? [] : [text]),
  },
  /** Calls that are answered out of order, or never well. */
  mapAsync: {
    add: (to, { process, size }) =>
      to.pipe(
        mapAsync(
          (text) =>
            new Promise<string>((resolve, reject) => {
              process.after(crc32(text) % 4, () => (isOneIn(4, text) ? reject(new Error('no')) : resolve(`${text}m`)));
            }),
          { concurrency: size },
        ),
      ),
    gives: (text) => (isOneIn(4, text) ? 'a reject' : [`${text}m`]),
  },
  /** Some texts need no key, some keys are refused; every other setting remembers a few answers. */
  lookup: {
    add: (to, { process, size }) =>
      to.pipe(
        lookup({
          from: storeIn(process),
          keys: (text): readonly Read<string>[] | undefined =>
            isOneIn(3, text) ? undefined : [{ name: 'GET', key: keyOf(text), args: [], understand: String }],
          attach: (text, values) => `${text}l${values?.[0] ?? ''}`,
          ...(size % 2 === 0 && { cache: { entries: 3, for: { minutes: 1 } } }),
          maxReads: size,
          scheduler: process.scheduler,
        }),
      ),
    gives: (text) => (isOneIn(3, text) ? [`${text}l`] : isRefused(keyOf(text)) ? 'a reject' : [`${text}l${keyOf(text)}`]),
  },
  /** Windows that are taken apart again, so that there are steps behind them. */
  minuteWindow: {
    add: (to, { process: { scheduler }, size }) =>
      to.pipe(
        minuteWindow({ maxEvents: size, every: { seconds: 10 }, scheduler }),
        mergeMap(({ events }) => events),
      ),
    gives: (text) => [text],
  },
};

/** A store that answers a read with its key, sooner or later. */
function storeIn(process: SimulatedProcess): LookupSource {
  return {
    describe: 'simulated',
    openReads: () => ({
      read: (reads, done) =>
        process.after(crc32(reads[0]!.key) % 5, () =>
          done(reads.map(({ key }) => (isRefused(key) ? new Error('refused') : key))),
        ),
      close: () => {},
    }),
  };
}

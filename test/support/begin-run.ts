import { type Observable, type OperatorFunction, mergeMap } from 'rxjs';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event, Reject } from '../../src/event.ts';
import type { LookupSource } from '../../src/operators/lookup-source.ts';
import { named } from '../../src/operators/named.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type RunOptions, startRun } from '../../src/run/run.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { pushSource } from './push-source.ts';

export type Text = Event<Uint8Array>;
export const textOf = (event: Event<unknown>): string => Buffer.from(event.data as Uint8Array).toString();
export const isOne = (event: Text): boolean => textOf(event) === 'one';
export const texts = (sink: MemorySink<Text>): string[] => sink.stored.map(textOf);
export const at = (sequence: number, shard = 'shard-1') => ({ shard, sequence: String(sequence), subSequence: 0 });
export const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** Starts a pipeline on a source fed by hand, and waits until it reads. */
export async function begin({
  source = pushSource(),
  sinks = [memorySink<Text>()],
  rejects = memorySink<Reject>('rejects'),
  steps = [],
  ...options
}: {
  source?: ReturnType<typeof pushSource>;
  sinks?: MemorySink<Text>[];
  rejects?: MemorySink<Reject>;
  steps?: OperatorFunction<Text, Text>[];
} & RunOptions = {}) {
  const told: Diagnostic[] = [];
  const piped = steps.reduce((stage, step) => stage.pipe(step), pipeline('test').from(source));
  const declared = piped.to(...(sinks as [MemorySink<Text>])).rejects(rejects);
  const { ledger, finished } = startRun(declared, {
    retry: { firstDelayMs: 1 },
    report: (diagnostic) => told.push(diagnostic),
    ...options,
  });
  finished.catch(() => {});
  await Promise.race([source.started(), finished]);
  return { source, sink: sinks[0]!, sinks, rejects, ledger, finished, told };
}

export const away: LookupSource = {
  describe: 'a store',
  openReads: () => ({
    read: (_, done) => void setTimeout(() => done([], Object.assign(new Error('away'), { isTransient: true }))),
    close() {},
  }),
};

export const rejectBad = named('refuse', '', (events: Observable<Text>) =>
  events.pipe(
    mergeMap((event) => {
      if (!textOf(event).startsWith('bad')) return [event];
      event.reject({ step: 'refuse', code: 'bad', reason: 'expected good, got bad' });
      return [];
    }),
  ),
);

import { expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { SinkError } from '../../src/errors.ts';
import type { Event, Reject } from '../../src/event.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { hurried } from '../support/hurried.ts';

const textOf = (data: unknown): string => Buffer.from(data as Uint8Array).toString();
const refuseBad = transform((data: Uint8Array) => {
  if (textOf(data).startsWith('bad')) throw new Error('bad');
  return data;
});
const inMinute = (minute: number, data: string) => ({ data, arrivedAtMs: minute * 60_000 });

it('a reject that is lost once a window before it was stored is missed before the next one passes it', async () => {
  const [sink, rejects] = [memorySink<Window<Uint8Array>>(), memorySink<Reject>('rejects')];
  let losses = 0;
  sink.afterCommit = ({ items }) => {
    if (items.length === 0 || losses++ > 0) return;
    expect(rejects.stored).toHaveLength(1);
    rejects.stored.length = 0;
    rejects.positions.clear();
  };
  const told: Diagnostic[] = [];
  await run(
    pipeline('p')
      .from(scripted({ s: [[inMinute(0, 'a')], [inMinute(1, 'bad')], [inMinute(1, 'b')], { pauseMs: 20 }] }))
      .pipe(refuseBad, minuteWindow())
      .to(sink)
      .rejects(rejects),
    { report: (diagnostic) => told.push(diagnostic) },
  );
  expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(1);
  expect(rejects.stored.map(({ event }) => textOf(event.data))).toEqual(['bad']);
  expect(sink.stored.flatMap((window) => [...window.data()].map(textOf))).toEqual(['a', 'b']);
});

it('a reject that is lost with the first try of the commit that passes it is missed by the second', async () => {
  const [sink, rejects] = [memorySink<Event<Uint8Array>>(), memorySink<Reject>('rejects')];
  let losses = 0;
  sink.beforeCommit = ({ items }) => {
    if (items.length === 0 || losses++ > 0) return;
    expect(rejects.stored).toHaveLength(1);
    rejects.stored.length = 0;
    rejects.positions.clear();
    throw Object.assign(new Error('failing over'), { isTransient: true });
  };
  const told: Diagnostic[] = [];
  await run(
    pipeline('p')
      .from(scripted({ s: [['bad', 'a']] }))
      .pipe(refuseBad)
      .to(sink)
      .rejects(rejects),
    { report: (diagnostic) => told.push(diagnostic) },
  );
  expect(told.filter(({ type }) => type === 'went-back')).toHaveLength(1);
  expect(rejects.stored.map(({ event }) => textOf(event.data))).toEqual(['bad']);
  expect(sink.stored.map(({ data }) => textOf(data))).toEqual(['a']);
});

it('a run ends when the store of rejects does not answer for as long as it is tried again, with its name', async () => {
  const rejects = memorySink<Reject>('rejects');
  const silent: typeof rejects = {
    ...rejects,
    async open(context) {
      const positions = async (): Promise<never> => {
        throw Object.assign(new Error('away'), { isTransient: true });
      };
      return { ...(await rejects.open(context)), positions };
    },
  };
  const told: Diagnostic[] = [];
  const sink = memorySink<Event<Uint8Array>>('sink');
  const failing = run(
    pipeline('p')
      .from(scripted({ s: [['bad', 'a']] }))
      .pipe(refuseBad)
      .to(sink)
      .rejects(silent),
    { report: (diagnostic) => told.push(diagnostic), retry: { within: { seconds: 10 } }, scheduler: hurried(100) },
  );
  await expect(failing).rejects.toThrow(SinkError);
  await expect(failing).rejects.toThrow('rejects (rejects: in memory): away');
  expect([...new Set(told.flatMap((one) => (one.type === 'sink-retry' ? one.sink : [])))]).toEqual(['rejects']);
  expect(sink.stored).toEqual([]);
});

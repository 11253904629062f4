import { inspect, isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { durationMs } from '../duration.ts';
import { Event } from '../event.ts';
import { UNNAMED_DROP } from '../ledger.ts';
import { Window } from '../operators/window.ts';
import { dataOf } from './marble-record.ts';
import { runMarble } from './marble-run.ts';
import { type ExpectedWindow, type MarblePicture, type MarbleSpec, sourcesOf, widthOf } from './marble-spec.ts';
import { type Moment, formatMarbles, parseMarbles } from './marble-text.ts';

/** Runs a marble spec. Says how it differs from what happened, in aligned strings; nothing when it does not. */
export function checkMarble<A, R>(spec: MarbleSpec<A, R>): string | undefined {
  const run = runMarble(spec);
  const notes: string[] = [];
  const values: Readonly<Record<string, unknown>> = { ...spec.given, ...spec.emits };

  const wanted = parseMarbles(spec.result);
  const got = moments(run.result, (seen, place) => {
    if (seen.what === 'complete') return '|';
    if ('error' in seen.what) {
      if (!spec.result.includes('#')) notes.push(`# at ${clock(seen.column, spec)}: ${inspect(seen.what.error)}`);
      return '#';
    }
    const { item } = seen.what;
    const likely = wanted.find(({ column }) => column === seen.column)?.signs[place];
    const letter = [...(likely ? [likely] : []), ...Object.keys(values)].find(
      (letter) => letter in values && matches(item, values[letter], spec),
    );
    if (letter && !Number.isInteger(seen.column)) notes.push(`${letter} between two columns, at ${clock(seen.column, spec)}`);
    if (!letter) notes.push(`? at ${clock(seen.column, spec)}: ${describe(item, run.letterOf, spec)}`);
    return letter ?? '?';
  });
  const gotRejected = moments(run.rejected, ({ column, reject }) => {
    const letter = run.letterOf(reject.event);
    const why = spec.why?.[letter];
    const isAsTold = why ? isEqual(reject.why, expect.objectContaining(why)) : (spec.rejected ?? '').includes(letter);
    if (!isAsTold) notes.push(`${letter} rejected at ${clock(column, spec)}: ${inspect(reject.why)}`);
    return isAsTold ? letter : '?';
  });

  const { read, stored, dropped, rejected, inFlight } = run.ledger.counts();
  const drops = Object.fromEntries(Object.entries(dropped).filter(([, count]) => count > 0));
  if (inFlight !== (spec.inFlight ?? 0))
    notes.push(`in flight at the end: expected ${spec.inFlight ?? 0}, got ${inFlight}${inFlight > 0 ? PROMISES : ''}`);
  if (!isDeepStrictEqual(drops, spec.dropped ?? {})) {
    const hint = UNNAMED_DROP in drops ? ` (${UNNAMED_DROP}: by a step without a name)` : '';
    notes.push(`dropped: expected ${inspect(spec.dropped ?? {})}, got ${inspect(drops)}${hint}`);
  }
  const settled = stored + rejected + Object.values(drops).reduce((sum, count) => sum + count, 0);
  if (read !== settled + inFlight)
    notes.push(`counts: expected ${read} read to be settled or in flight, got ${settled} + ${inFlight}`);
  if (run.settledTooEarly > 0)
    notes.push(`${run.settledTooEarly} were settled before they came out: the operator did not hold them`);

  const wantedRejected = parseMarbles(spec.rejected ?? '');
  if (notes.length === 0 && isDeepStrictEqual(got, wanted) && isDeepStrictEqual(gotRejected, wantedRejected)) return undefined;
  const width = widthOf(spec);
  const table: [string, string][] = [...sourcesOf(spec), ['expected', spec.result], ['got', formatMarbles(got, width)]];
  if (wantedRejected.length + gotRejected.length > 0)
    table.push(['expected rejects', formatMarbles(wantedRejected, width)], ['got rejects', formatMarbles(gotRejected, width)]);
  const indent = Math.max(...table.map(([name]) => name.length)) + 2;
  return [...table.map(([name, line]) => name.padEnd(indent) + line), ...notes].map((line) => `  ${line}`).join('\n');
}

const PROMISES =
  ' (no promise is kept in virtual time: a step that waits for one is tested by run, with scripted and memorySink)';

function moments<S extends { readonly column: number }>(seen: readonly S[], sign: (seen: S, place: number) => string): Moment[] {
  const all: { column: number; signs: string[] }[] = [];
  for (const each of seen) {
    let moment = all.at(-1);
    if (moment?.column !== each.column) all.push((moment = { column: each.column, signs: [] }));
    moment.signs.push(sign(each, moment.signs.length));
  }
  return all;
}

function matches<A, R>(item: unknown, expected: unknown, spec: MarbleSpec<A, R>): boolean {
  const see = (data: unknown): unknown => (spec.compare ? spec.compare(data as never) : asText(data));
  if (item instanceof Event) return isEqual(see(item.data), asText(dataOf(expected)));
  if (!(item instanceof Window)) return isEqual(item, expected);
  if (typeof expected !== 'object' || expected === null) return false;
  const { events, start, ...bounds } = (Array.isArray(expected) ? { events: expected } : expected) as ExpectedWindow;
  const startMs = start && { startMs: durationMs(start, { who: 'marble', name: 'start', orZero: true }) };
  return (
    Array.isArray(events) &&
    isEqual(
      item.events.map(({ data }) => see(data)),
      events.map((data) => asText(dataOf(data))),
    ) &&
    isEqual(item.bounds, expect.objectContaining({ ...bounds, ...startMs }))
  );
}

function isEqual(got: unknown, expected: unknown): boolean {
  try {
    expect(got).toEqual(expected);
    return true;
  } catch {
    return false;
  }
}

function asText(data: unknown): unknown {
  return data instanceof Uint8Array ? Buffer.from(data).toString() : data;
}

function describe<A, R>(item: unknown, letterOf: (event: Event<unknown>) => string, spec: MarbleSpec<A, R>): string {
  const see = (data: unknown): unknown => (spec.compare ? spec.compare(data as never) : asText(data));
  if (item instanceof Event) return `${letterOf(item)} as ${inspect(see(item.data))}`;
  if (!(item instanceof Window)) return inspect(item);
  const { shard, startMs, part, closedBy } = item.bounds;
  return `a window of [${item.events.map(letterOf).join(' ')}] of ${shard} from ${time(startMs)}, part ${part}, closed by ${closedBy}`;
}

function clock(column: number, { tick }: MarblePicture): string {
  return time(column * durationMs(tick));
}

function time(ms: number): string {
  return new Date(ms).toISOString().slice(11, ms % 1000 === 0 ? 19 : 23);
}

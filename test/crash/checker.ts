import { type Position, comparePositions, compareResumes, isPosition, parseResume } from '../../src/position.ts';
import { type Expected, type Sent, isCovered, nameOf, placeOf } from './oracle.ts';

/** What can be wrong, in the field's words. */
type FaultName =
  | 'lost'
  | 'duplicate'
  | 'split'
  | 'phantom'
  | 'changed'
  | 'reordered'
  | 'checkpoint ahead of sink'
  | 'nonmonotonic checkpoint'
  | 'fenced write accepted'
  | 'unguarded write'
  | 'wrong key'
  | 'counts do not add up'
  | 'ended badly';

/** One thing that is wrong. */
export interface Fault {
  readonly name: FaultName;
  /** The store, or the owner. */
  readonly where: string;
  readonly what: string;
}

/** A fault as one line. */
export function formatFault({ name, where, what }: Fault): string {
  return `${name}: ${where}: ${what}`;
}

/** An event as a store has it. */
export interface Row {
  readonly eventId: string;
  /** What the store has of it: its bytes, one character each, or some columns. */
  readonly text: string;
}

/** A reject as the database has it. */
export interface FoundReject extends Position {
  readonly text: string;
}

/** An object of the archive. */
export interface FoundObject {
  readonly key: string;
  readonly shard: string;
  readonly epoch: number;
  readonly text: string;
}

/** A change to a position, in the order in which they took place. */
export interface Change {
  readonly sink: string;
  readonly shard: string;
  readonly epoch: number;
  /** As `formatResume` writes it. */
  readonly position: string | undefined;
  /** Who wrote it. */
  readonly by: string;
}

/** How far each sink says it is: by sink, then by shard. */
export type Standing = ReadonlyMap<string, ReadonlyMap<string, Position>>;

const COLUMNS = 131;

/** The lines of an object as rows of a store; what is no whole line is told as such. */
export function rowsOf(object: FoundObject): { readonly rows: Row[]; readonly faults: Fault[] } {
  const where = 'archive';
  const faults: Fault[] = [];
  const lines = object.text.split('\n');
  const rest = lines.pop()!;
  if (rest !== '') faults.push({ name: 'split', where, what: `${object.key} ends within a line: ${rest.slice(-80)}` });
  const rows = lines.flatMap((text) => {
    const columns = text.split('\t');
    if (columns.length === COLUMNS) return { eventId: columns[6]!, text };
    faults.push({ name: 'split', where, what: `a line of ${columns.length} columns in ${object.key}: ${text.slice(0, 80)}` });
    return [];
  });
  return { rows, faults };
}

/**
 * What is wrong with the events of a store when everything has been read.
 *
 * @param textOf what the store should have of a record
 */
export function storeFaults(
  where: string,
  rows: readonly Row[],
  { stored }: Expected,
  textOf = ({ text }: Sent): string => text,
): Fault[] {
  const faults: Fault[] = [];
  const seen = new Set<string>();
  for (const { eventId, text } of rows) {
    const sent = stored.get(eventId);
    if (!sent) faults.push({ name: 'phantom', where, what: eventId });
    else if (seen.has(eventId)) faults.push({ name: 'duplicate', where, what: nameOf(sent) });
    // What a line was before the log ran through it, only the shop knew.
    else if (sent.truth === 'event' && textOf(sent) !== text) faults.push({ name: 'changed', where, what: nameOf(sent) });
    seen.add(eventId);
  }
  for (const [eventId, sent] of stored) if (!seen.has(eventId)) faults.push({ name: 'lost', where, what: nameOf(sent) });
  return faults;
}

/** What is wrong with the rejects when everything has been read. */
export function rejectFaults(rejects: readonly FoundReject[], { rejected }: Expected): Fault[] {
  const where = 'rejects';
  const faults: Fault[] = [];
  const seen = new Set<string>();
  for (const reject of rejects) {
    const place = placeOf(reject);
    const sent = rejected.get(place);
    if (!sent) faults.push({ name: 'phantom', where, what: `${place}: ${reject.text.slice(0, 80)}` });
    else if (seen.has(place)) faults.push({ name: 'duplicate', where, what: nameOf(sent) });
    else if (sent.text !== reject.text) faults.push({ name: 'changed', where, what: nameOf(sent) });
    seen.add(place);
  }
  for (const [place, sent] of rejected) if (!seen.has(place)) faults.push({ name: 'lost', where, what: nameOf(sent) });
  return faults;
}

/** What the sinks say they have, and have not. Asked while nobody runs. */
export function restFaults(
  records: readonly Sent[],
  standing: Standing,
  stored: Readonly<Record<string, ReadonlySet<string>>>,
  rejects: ReadonlySet<string>,
): Fault[] {
  const faults: Fault[] = [];
  for (const [where, ids] of Object.entries(stored))
    for (const sent of records) {
      const position = standing.get(where)?.get(sent.shard);
      if (sent.truth === 'repeat' || !isCovered(sent, position) || rejects.has(placeOf(sent))) continue;
      const isEvent = sent.truth === 'event' || sent.truth === 'noise';
      if (isEvent && ids.has(sent.eventId)) continue;
      const missing = isEvent ? 'it' : 'its reject';
      faults.push({
        name: 'checkpoint ahead of sink',
        where,
        what: `at ${position!.sequence}:${position!.subSequence}, without ${missing}: ${nameOf(sent)}`,
      });
    }
  return faults;
}

/** What is wrong with the order of a shard's lines and with the epochs of its objects. */
export function orderFaults(objects: readonly FoundObject[], records: readonly Sent[]): Fault[] {
  const where = 'archive';
  const faults: Fault[] = [];
  const places = new Map<string, Sent>();
  for (const sent of records) if (sent.truth === 'event' || sent.truth === 'noise') places.set(sent.eventId, sent);
  const filled = objects.flatMap((object) => {
    const sent = rowsOf(object).rows.flatMap(({ eventId }) => places.get(eventId) ?? []);
    return sent.length === 0 ? [] : { ...object, sent };
  });
  for (const [shard, own] of Map.groupBy(filled, (object) => object.shard)) {
    let [before, epoch]: [Sent | undefined, number] = [undefined, 0];
    for (const object of own.toSorted((a, b) => comparePositions(a.sent[0]!, b.sent[0]!))) {
      if (object.epoch < epoch)
        faults.push({
          name: 'fenced write accepted',
          where,
          what: `${object.key} of epoch ${object.epoch} behind one of ${epoch}`,
        });
      epoch = object.epoch;
      for (const sent of object.sent) {
        if (sent.shard !== shard) faults.push({ name: 'reordered', where, what: `${nameOf(sent)} in ${object.key}` });
        else if (before && comparePositions(sent, before) < 0)
          faults.push({ name: 'reordered', where, what: `${nameOf(sent)} behind ${placeOf(before)} in ${object.key}` });
        before = sent;
      }
    }
  }
  return faults;
}

/** What is wrong with how positions moved. */
export function changeFaults(changes: readonly Change[]): Fault[] {
  const faults: Fault[] = [];
  for (const [key, own] of Map.groupBy(changes, ({ sink, shard }) => `${sink} of ${shard}`)) {
    let owner: string | undefined;
    let has: Change | undefined;
    for (const change of own) {
      const { epoch, position, by, sink, shard } = change;
      const [to, from] = [position, has?.position].map((text) => (text === undefined ? undefined : parseResume(shard, text)));
      if (has && epoch < has.epoch)
        faults.push({ name: 'nonmonotonic checkpoint', where: sink, what: `${key}: epoch ${has.epoch}, then ${epoch} by ${by}` });
      if (from !== undefined && (to === undefined || compareResumes(to, from) < 0))
        faults.push({
          name: 'nonmonotonic checkpoint',
          where: sink,
          what: `${key}: ${has!.position}, then ${position} by ${by}`,
        });
      if (epoch !== has?.epoch) owner = by;
      else if (by !== owner)
        faults.push({
          name: 'fenced write accepted',
          where: sink,
          what: `${key}: epoch ${epoch} is of ${owner}, and ${by} moved it to ${position}`,
        });
      has = change;
    }
  }
  return faults;
}

/** An orderly run from its beginning to its end. */
export interface Stretch {
  readonly owner: string;
  /** What it said at its end. */
  readonly summary: string;
  /** Behind which position it read each shard; nothing when it was from the shard's oldest record. */
  readonly from: ReadonlyMap<string, Position | undefined>;
  /** Up to where it read. */
  readonly to: ReadonlyMap<string, Position>;
}

/**
 * What is wrong with the sum that a run printed when it ended well.
 *
 * @param expectedOf what some of the terms should be for the records that it read
 */
export function countFaults(
  { owner, summary, from, to }: Stretch,
  records: readonly Sent[],
  expectedOf: (between: readonly Sent[]) => Readonly<Record<string, number>>,
): Fault[] {
  const fault = (what: string): Fault => ({ name: 'counts do not add up', where: owner, what: `${what}: ${summary.trim()}` });
  const [, read, right] = /^read (\d+) = (.*)$/m.exec(summary) ?? [];
  if (read === undefined || right === undefined) return [fault('no sum')];
  const terms = new Map(right.split(' + ').map((term) => [term.replace(/ \d+$/, ''), Number(/\d+$/.exec(term)?.[0])]));
  const sum = [...terms.values()].reduce((a, b) => a + b, 0);
  if (sum !== Number(read)) return [fault(`the terms make ${sum}`)];
  if (terms.has('in flight')) return [fault('something was left in flight')];
  const between = records.filter(
    (sent) => from.has(sent.shard) && !isCovered(sent, from.get(sent.shard)) && isCovered(sent, to.get(sent.shard)),
  );
  if (Number(read) !== between.length) return [fault(`${between.length} records lie between where it began and where it ended`)];
  return Object.entries(expectedOf(between)).flatMap(([term, count]) =>
    terms.get(term) === count ? [] : [fault(`expected ${term} ${count}`)],
  );
}

/** The position that a place to resume is, unless it is a time or the oldest record. The end of a shard lies behind all of its records. */
export function positionIn(shard: string, text: string | undefined): Position | undefined {
  const resume = text === undefined ? undefined : parseResume(shard, text);
  if (resume === 'SHARD_END') return { shard, sequence: '9'.repeat(60), subSequence: 0 };
  return resume !== undefined && isPosition(resume) ? resume : undefined;
}

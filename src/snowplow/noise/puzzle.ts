import { layouts } from '../fields/layouts.ts';
import type { NoiseKnowledge } from './knowledge.ts';
import { MAX_READINGS, NoiseMoves, type NoisyLine } from './moves.ts';
import { dueKey, firstPiece, isTold, joinPieces, keyOf, keysOf } from './pieces.ts';
import { Cost, type Found, type Reading, isDoubtful, listed, prune, startReading } from './reading.ts';

/** Takes what was found in a text. `from` and `to` are its place in it: the first byte, and the first after it. */
export interface NoiseOut {
  record(bytes: Buffer, from: number, to: number): void;
  reject(bytes: Buffer, from: number, to: number, code: string, reason: string): void;
}

/** A reading is believed at once when it is better than any other by this much. */
const MARGIN = 3;
/** From here on, what all likely readings agree on is given out while the rest is in doubt. */
const ENOUGH_BYTES = 65_536;
/**
 * What so many records have not cleared up, more of them will not: the best reading is believed in what it found first. Not so many lines: those of a
 * log may all be inside of one record.
 */
const MANY_RECORDS = 256;
const NEWLINE = Buffer.from('\n');
/** @internal */
export const BAD_ROW_REASON = 'the enricher refused this event';
/** @internal */
export const UNEXPLAINED_REASON = 'expected the columns of a record or a known log line';

/**
 * Puts records together again that noise was printed into, from the first doubtful line to the last.
 *
 * The enricher prints a record, and the library a log line, in two writes: the text, then the newline. Two records never mix,
 * nor do two log lines; so each text owes one newline, and of a log line's there is at most one to come. Each newline that
 * may be either's is read both ways. A reading in which columns and newlines work out costs nothing; the rest has its
 * price (see `Cost`). The cheapest reading is believed; where equally cheap ones differ, the text is a reject.
 */
export class NoisePuzzle {
  readonly #knowledge: NoiseKnowledge;
  readonly #moves: NoiseMoves;
  #readings: Reading[] = [];
  #lines: NoisyLine[] = [];
  sizeBytes = 0;

  constructor(knowledge: NoiseKnowledge) {
    this.#knowledge = knowledge;
    this.#moves = new NoiseMoves(knowledge);
  }

  /** True when there is nothing in doubt. */
  get isIdle(): boolean {
    return this.#lines.length === 0;
  }

  /** Where the text in doubt begins. */
  get from(): number {
    return this.#lines[0]!.from;
  }

  /** Takes the next line; gives out what is certain by then. */
  add(line: NoisyLine, out: NoiseOut): void {
    if (this.isIdle) this.#start();
    this.#lines.push(line);
    this.sizeBytes += line.bytes.length + 1;
    let readings = this.#moves.read(this.#readings, line);
    if (line.hasNewline) readings = readings.flatMap((reading) => this.#moves.newline(reading));
    this.#readings = prune(readings);
    if (this.#isSolved()) this.#give(out);
    else if (this.#readings.length > MAX_READINGS) {
      if (this.#readings[MAX_READINGS]!.cost < this.#readings[0]!.cost + MARGIN) this.end(out);
      else this.#readings.length = MAX_READINGS;
    }
    if (this.sizeBytes > ENOUGH_BYTES) this.#giveAgreed(out);
    if (this.#lines.length > MANY_RECORDS) this.#decide(out);
  }

  /** Gives out what is left: nothing more comes that would tell. */
  end(out: NoiseOut): void {
    if (this.isIdle) return;
    const finished = this.#readings.map((reading) => (reading.open ? this.#moves.finish(reading) : reading));
    this.#readings = prune(finished.map((reading) => ({ ...reading, keys: reading.keys.map(dueKey) })));
    this.#give(out);
  }

  #start(): void {
    const known = this.#knowledge.columns;
    this.#readings = layouts.map(({ columns }) => startReading(columns, known === 0 || known === columns ? 0 : Cost.newApp));
  }

  // The best reading is done, and so are all that come near it, and they say the same.
  #isSolved(): boolean {
    const best = this.#readings[0]!;
    return this.#readings.every(
      (reading) =>
        reading.cost >= best.cost + MARGIN ||
        (!reading.open &&
          !reading.owesNewline &&
          !isDoubtful(reading) &&
          reading.foundId === best.foundId &&
          listed(reading).every((found) => found.keys.every((id) => keyOf(reading.keys, id).isDue))),
    );
  }

  #give(out: NoiseOut): void {
    const rivals = this.#readings.filter(({ cost }) => cost === this.#readings[0]!.cost);
    const lists = rivals.map(listed);
    const agreed = agreedIn(lists);
    const isAgreed = ({ id }: Found): boolean => agreed.has(id);
    const ranges = union(lists.flat().filter((found) => !isAgreed(found)));
    const all: (Found | Range)[] = [...lists[0]!.filter(isAgreed), ...ranges];
    for (const found of all.sort((a, b) => a.to - b.to)) this.#out(found, rivals, out);
    this.#lines = [];
    this.sizeBytes = 0;
  }

  // Gives out what comes first in all readings that are still likely, and gives the others up.
  #giveAgreed(out: NoiseOut): void {
    if (this.isIdle) return;
    const best = this.#readings[0]!;
    const likely = this.#readings.filter(({ cost }) => cost <= best.cost + Cost.asText);
    const lists = likely.map((reading) => listed(reading).reverse());
    const firstEnds = firstEndsFrom(likely, lists);
    let count = 0;
    while (lists.every((list) => list[count] !== undefined && list[count]!.id === lists[0]![count]!.id)) {
      const found = lists[0]![count]!;
      if (!found.keys.every((id) => likely.every(({ keys }) => keyOf(keys, id).isDue))) break;
      count++;
    }
    // What is given out is in the order of the text: a bad row may be read before the newline of the record in front of it.
    const lastEnds = lastEndsUpTo(lists[0]!);
    while (count > 0 && lastEnds[count - 1]! > firstEnds(count)) count--;
    if (count === 0 || likely.some(isDoubtful)) return;
    const given = lists[0]!.slice(0, count).sort((a, b) => a.to - b.to);
    for (const found of given) this.#out(found, likely, out);
    this.#readings = likely.map((reading, i) => {
      let found: Found | undefined;
      let foundId = '';
      for (const one of lists[i]!.slice(count)) {
        found = { ...one, before: found };
        foundId += `|${one.id}`;
      }
      const named = new Set([
        ...lists[i]!.slice(count).flatMap((one) => one.keys),
        ...(reading.open ? keysOf(reading.open) : []),
      ]);
      const keys = reading.keys.filter((key) => !key.isDue || named.has(key.id));
      return { ...reading, found, foundId, keys };
    });
    const from = Math.min(
      given.at(-1)!.to,
      ...this.#readings.flatMap((reading) => [
        ...(reading.open ? [firstPiece(reading.open).from] : []),
        ...listed(reading).map((found) => found.from),
      ]),
    );
    while (this.#lines.length > 1 && this.#lines[1]!.from <= from) this.sizeBytes -= this.#lines.shift()!.bytes.length + 1;
  }

  // Gives up the readings that differ from the best in what comes first, so that the others agree in that; where one is as good, all of it is told by `end`.
  #decide(out: NoiseOut): void {
    const [best] = this.#readings;
    const all = listed(best!);
    if (all.length <= MANY_RECORDS) return;
    const first = all.at(-1)!;
    const isLike = (reading: Reading): boolean => listed(reading).at(-1)?.id === first.id;
    if (this.#readings.some((reading) => reading.cost === best!.cost && !isLike(reading))) return this.end(out);
    const count = this.#readings.length;
    this.#readings = this.#readings.filter(isLike);
    if (this.#readings.length < count) this.#giveAgreed(out);
  }

  // `readings` are those that are believed: what they all found, they may yet cut at different bytes.
  #out(found: Found | Range, readings: readonly Reading[], out: NoiseOut): void {
    const { from, to } = found;
    const { keys } = readings[0]!;
    const isTheSame = (id: number): boolean => readings.every((one) => keyOf(one.keys, id).met === keyOf(keys, id).met);
    if (!isFound(found) || found.isDoubted || !found.keys.every((id) => isTold(keyOf(keys, id)) && isTheSame(id)))
      out.reject(this.#raw(from, to), from, to, 'ambiguous', 'log lines can be taken out in more than one way');
    else if (found.isRecord) {
      const bytes = joinPieces(found.piece, keys);
      this.#knowledge.learn(bytes);
      out.record(bytes, from, to);
    } else if (found.id.startsWith('bad')) out.reject(found.piece.bytes, from, to, 'bad_row', BAD_ROW_REASON);
    else out.reject(this.#raw(from, to), from, to, 'unexplained', UNEXPLAINED_REASON);
  }

  // A part of the text as it came.
  #raw(from: number, to: number): Buffer {
    const parts: Buffer[] = [];
    for (const line of this.#lines) {
      const end = line.from + line.bytes.length;
      if (end < from || line.from >= to) continue;
      parts.push(line.bytes.subarray(Math.max(from - line.from, 0), Math.min(to, end) - line.from));
      if (to > end) parts.push(NEWLINE);
    }
    return Buffer.concat(parts);
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function isFound(range: Found | Range): range is Found {
  return 'id' in range;
}

// Where the first of those ends that come behind so many, or an open record does by now, in whichever reading.
function firstEndsFrom(readings: readonly Reading[], lists: readonly (readonly Found[])[]): (count: number) => number {
  const openEnds = readings.flatMap(({ open }) => (open ? [open.from + open.bytes.length] : []));
  const ends: number[] = Array.from({ length: Math.max(...lists.map(({ length }) => length)) + 1 }, () => Math.min(...openEnds));
  for (let i = ends.length - 2; i >= 0; i--)
    ends[i] = lists.reduce((least, list) => Math.min(least, list[i]?.to ?? Infinity), ends[i + 1]!);
  return (count) => ends[count]!;
}

// Up to each of them, where the last ends.
function lastEndsUpTo(ranges: readonly Range[]): number[] {
  let last = 0;
  return ranges.map(({ to }) => (last = Math.max(last, to)));
}

// The ranges, those that overlap made one.
function union(ranges: readonly Range[]): Range[] {
  const merged: Range[] = [];
  for (const { from, to } of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && from < last.to) merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else merged.push({ from, to });
  }
  return merged;
}

// What all lists have.
function agreedIn(lists: readonly (readonly Found[])[]): Set<string> {
  const counts = new Map<string, number>();
  for (const { id } of lists.flat()) counts.set(id, (counts.get(id) ?? 0) + 1);
  return new Set([...counts].flatMap(([id, count]) => (count === lists.length ? [id] : [])));
}

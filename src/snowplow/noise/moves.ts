import { lineIndex } from '../../lines/line-index.ts';
import type { Noise } from './grammar.ts';
import type { NoiseKnowledge } from './knowledge.ts';
import { type Key, type Piece, dueKey, firstPiece, joinPieces, keyOf, keysOf, slackOf } from './pieces.ts';
import { CLOSED, Cost, type Found, PATIENCE_RECORDS, type Reading, spoiltCost } from './reading.ts';

/** More ways than this are never followed. */
export const MAX_READINGS = 64;
/** Where a full pipe may cut a write, and a multiple of it where the writer itself does. */
const PAGE = 4096;
const TAB = 9;

/** A line of text with the noise that may be in it. */
export interface NoisyLine {
  /** Without its newline. */
  readonly bytes: Buffer;
  /** The same in latin1. */
  readonly text: string;
  /** Its place in the text. */
  readonly from: number;
  readonly noise: readonly Noise[];
  /** False for a last line that has no newline. */
  readonly hasNewline: boolean;
}

/** All ways to read on, from readings of the text so far: what may stand there, and what it costs. */
export class NoiseMoves {
  readonly #knowledge: NoiseKnowledge;

  constructor(knowledge: NoiseKnowledge) {
    this.#knowledge = knowledge;
  }

  /** All ways to read a line, up to its newline. */
  read(from: readonly Reading[], line: NoisyLine): Reading[] {
    let states: { reading: Reading; at: number; key?: number }[] = from.map((reading) => ({ reading, at: 0 }));
    line.noise.forEach((noise, i) => {
      const next = line.noise[i + 1]?.at ?? line.bytes.length;
      states = states.flatMap((state) => {
        const { reading, at, key } = state;
        if (noise.at < at) return [state];
        if (noise.kind === 'exception') {
          const isCut = isAtPage(reading.openBytes + noise.at - at, noise.length!);
          return [isCut ? { ...state, reading: { ...reading, leftIn: 'other' as const } } : state];
        }
        if (noise.ends.length === 0)
          return [{ ...state, reading: { ...reading, isSpoilt: true, cost: spoiltCost(reading, Cost.garbage) } }];
        const before = this.#text(reading, line, at, noise.at, key);
        const ways = this.#without(before, line, noise, next);
        if (before.open && noise.kind !== 'block') {
          const leftIn = noise.thread === '' || reading.leftIn === 'other' ? 'other' : 'log';
          ways.push({ ...state, reading: { ...reading, leftIn, cost: reading.cost + Cost.asText } });
        }
        return ways;
      });
      if (states.length > MAX_READINGS) states = states.sort((a, b) => a.reading.cost - b.reading.cost).slice(0, MAX_READINGS);
    });
    return states.map(({ reading, at, key }) => this.#text(reading, line, at, line.bytes.length, key));
  }

  // All ways to take noise out.
  #without(before: Reading, line: NoisyLine, noise: Noise, next: number): { reading: Reading; at: number; key?: number }[] {
    const { ends } = noise;
    const longest = Math.max(...ends);
    const reading = this.#noise(before, line, noise, longest);
    if (ends.length === 1) return [{ reading, at: longest }];
    // With nothing behind it, it is the whole key: unless what it seems to end with are the last bytes of a record.
    if (longest === next) {
      const isLast = before.open !== undefined && before.openTabs === before.columns - 1;
      return (isLast ? ends : [longest]).map((at) => ({ reading, at }));
    }
    // Columns do not tell: it is left open until the record of the key has come.
    const shortest = Math.min(...ends);
    const id = line.from + shortest;
    const keys = ends.map((end) => line.text.slice(noise.keyAt, end));
    const key: Key = { id, thread: noise.thread, keys, met: 0, byApp: 0, isDue: false };
    return [{ reading: { ...reading, keys: [...reading.keys, key] }, at: shortest, key: id }];
  }

  #text(reading: Reading, line: NoisyLine, start: number, end: number, key?: number): Reading {
    if (start === end) return reading;
    // A whole line stays the same object: its columns are looked for once for all readings.
    const bytes = start === 0 && end === line.bytes.length ? line.bytes : line.bytes.subarray(start, end);
    const from = line.from + start;
    lineIndex.add(bytes);
    const tabs = lineIndex.count - 1;
    let { cost, isSpoilt } = reading;
    if (!reading.open) cost += tabs === 0 ? Cost.headless : 0;
    else if (reading.isTorn) cost += tabs === 0 ? Cost.headless : 0;
    else if ((reading.openBytes + reading.openSlack) % PAGE > reading.openSlack) cost += Cost.oddCut;
    const slack = key === undefined ? 0 : slackOf(keyOf(reading.keys, key));
    const openTabs = reading.openTabs + tabs;
    if (openTabs >= reading.columns && !isSpoilt) {
      cost += Cost.overfull;
      isSpoilt = true;
    }
    return {
      ...reading,
      cost,
      open: { bytes, from, key, before: reading.open },
      openId: `${reading.openId}${from}-${from + bytes.length};`,
      openBytes: reading.openBytes + bytes.length - slack,
      openSlack: reading.openSlack + slack,
      openTabs,
      isSpoilt,
      isTorn: false,
    };
  }

  #noise(reading: Reading, line: NoisyLine, noise: Noise, end: number): Reading {
    if (noise.kind === 'block') return reading;
    let { cost, keys, found, foundId } = reading;
    if (reading.owesNewline) cost += Cost.unpaid;
    if (noise.thread !== '' && keys.length > 0) keys = keys.map((key) => (key.thread === noise.thread ? dueKey(key) : key));
    if (noise.kind === 'bad-row') {
      const [from, to] = [line.from + noise.at, line.from + end];
      const piece = { bytes: line.bytes.subarray(noise.at, end), from, key: undefined, before: undefined };
      found = { isRecord: false, isDoubted: false, piece, keys: [], from, to, id: `bad ${from}`, before: found };
      foundId += `|${found.id}`;
    }
    return { ...reading, cost, keys, found, foundId, owesNewline: true, owedFor: 0 };
  }

  /** All ways to read a newline. */
  newline(reading: Reading): Reading[] {
    const { cost, open, owesNewline } = reading;
    if (!open) {
      if (owesNewline) return [{ ...reading, owesNewline: false }];
      return [{ ...reading, cost: cost + (reading.tornFor >= 0 ? Cost.tornByLog : Cost.emptyLine) }];
    }
    const finished = this.finish(reading);
    const logs: Reading = { ...reading, owesNewline: false };
    if (reading.isSpoilt) return owesNewline ? [finished, { ...finished, owesNewline: false }] : [finished];
    if (reading.openTabs === reading.columns - 1) return owesNewline ? [finished, logs] : [finished];
    if (owesNewline) return [logs, finished, { ...finished, owesNewline: false }];
    return reading.openTabs === 0 ? [finished] : [finished, { ...reading, isTorn: true, tornFor: 0, cost: cost + Cost.torn }];
  }

  /** Ends the open record, whatever it is. */
  finish(reading: Reading): Reading {
    const piece = reading.open!;
    const of = keysOf(piece);
    const bytes = joinPieces(piece, reading.keys);
    const isWhole = !reading.isSpoilt && reading.openTabs === reading.columns - 1;
    const isRecord = isWhole && this.#knowledge.isPlausible(bytes);
    let { cost, owedFor, keys } = reading;
    if (!isRecord) cost = spoiltCost(reading, Cost.garbage);
    else {
      const begin = firstPiece(piece);
      const { apps } = this.#knowledge;
      if (begin.key !== undefined) keys = this.#noteApps(begin, keys);
      else if (apps.size > 0 && !apps.has(bytes.toString('latin1', 0, bytes.indexOf(TAB)))) cost += Cost.newApp;
      if (keys.some((key) => !key.isDue)) {
        const address = this.#knowledge.addressOf(bytes);
        keys = keys.map((key) => (key.isDue ? key : { ...key, met: key.met | bit(key.keys.indexOf(address)) }));
      }
    }
    if (reading.owesNewline && ++owedFor > PATIENCE_RECORDS) cost++;
    const tornFor = reading.tornFor < 0 ? -1 : reading.tornFor + 1;
    // A visitor's text is believed to be one only where all else is clear.
    const isClear = reading.leftIn === 'log' && !piece.before && reading.cost === Cost.asText;
    const isDoubted = reading.leftIn !== '' && !isClear;
    const id = `${isRecord ? '' : '!'}${reading.openId}${isDoubted ? '?' : ''}`;
    const found: Found = {
      isRecord,
      isDoubted,
      piece,
      keys: of,
      from: firstPiece(piece).from,
      to: piece.from + piece.bytes.length,
      id,
      before: reading.found,
    };
    return {
      ...reading,
      ...CLOSED,
      cost,
      owedFor,
      tornFor,
      keys,
      found,
      foundId: `${reading.foundId}|${id}`,
    };
  }

  // A key before a record may end where a known app id begins.
  #noteApps({ bytes, key: id }: Piece, keys: readonly Key[]): readonly Key[] {
    return keys.map((key) => {
      if (key.id !== id || key.isDue) return key;
      const tab = bytes.indexOf(TAB);
      const byApp = key.keys.reduce((bits, one, i) => {
        const start = one.length - key.keys.at(-1)!.length;
        return this.#knowledge.apps.has(bytes.toString('latin1', start, tab)) ? bits | bit(i) : bits;
      }, 0);
      return { ...key, byApp };
    });
  }
}

// Another's text begins where a write of the record ended; letters of the record may be taken for its own.
function isAtPage(start: number, length: number): boolean {
  return Math.floor((start + length - 1) / PAGE) * PAGE >= start;
}

function bit(index: number): number {
  return index < 0 ? 0 : 1 << index;
}

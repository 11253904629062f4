import type { OperatorFunction } from 'rxjs';
import { Event } from '../event.ts';
import { type LineIndex, lineIndex } from '../lines/line-index.ts';
import { CheckpointNoise, type CheckpointNoiseOptions } from '../snowplow/noise/checkpoint-noise.ts';
import { LOGGER } from '../snowplow/noise/grammar.ts';
import { type NoiseOut, UNEXPLAINED_REASON } from '../snowplow/noise/puzzle.ts';
import { type Out, eventSteps } from './event-steps.ts';
import { TextPieces } from './strip-checkpoints/text-pieces.ts';

export interface StripCheckpointsOptions extends CheckpointNoiseOptions {
  /**
   * What an event is: the `payload` of a Kinesis record, a text of its own; or a piece of the one `text` of its shard, a line
   * or a block, with its newlines as they came.
   *
   * @default 'payload'
   */
  readonly of?: 'payload' | 'text';
}

const STEP = 'stripCheckpoints';
const RETURN = 13;
const NEWLINE = 10;

/**
 * Takes out what the enricher and the Kinesis client library printed between and into its records.
 *
 *     source  -(R)-(n)-(Rn)-(x)-|     R a record, n noise, x neither
 *     result  -(R)-----(R)------|     n is dropped, x is a reject
 *
 * A record comes out byte for byte, without its newline, which may be `\r\n` at the end of a payload. A payload without noise passes as it is. A
 * payload of several records becomes as many events of one position. A payload with something that is not explained, or that the enricher
 * refused itself, is one reject.
 *
 * Of a text, a record may span events:
 *
 *     source  -(A1)-(A2 B)-(n)-(C)-|
 *     result  ------(A)(B)-----(C)-|
 *
 * Where an event is a line, that may end with `\r\n`. A record has the position of the event with its last byte, with a running number as its sub-sequence where that event has none itself; the
 * deliveries of its other events stay in flight until its own is settled. The records of one event go into one window, and are stored by one commit.
 *
 * No position says how far inside an event a text was read. Behind an event that ends inside a record, a run that resumes has lost the
 * beginning of that: what is left of it, be it a newline, is a reject (`torn`), and so is what is left where a text ends, also by a stop. After
 * a crash the first part is in the stream alone. Where events are whole lines, no record is torn.
 *
 * It keeps what may yet become part of a record (`maxPendingBytes` a shard), and holds it; completing, or the end of its shard,
 * gives it out, as records where the columns are right, else as rejects. So a step that keeps pieces, as `mapAsync` does,
 * belongs behind this one. On an error or unsubscribe it stays unsettled.
 *
 * A visitor's text that looks like noise stays when it does not match a known message to the letter. A whole log line of the
 * enricher's inside a field is told from noise only by the newline that noise has and a field has not: of a payload, and
 * where that newline may be another's, it is taken out. Where a partition key ends is told by the address of the record
 * that its thread prints next, else by a known app id; where the name of a host ends, by a line of its own before, and a known app id
 * behind it. Where none of them tells, the record is a reject.
 *
 * @throws {RangeError} when `maxPendingBytes` is not above zero.
 */
export function stripCheckpoints({ of = 'payload', ...options }: StripCheckpointsOptions = {}): OperatorFunction<
  Event<Uint8Array>,
  Event<Uint8Array>
> {
  const seed = (): CheckpointNoise => new CheckpointNoise(options);
  seed();
  return of === 'text' ? ofText(seed) : ofPayloads(seed);
}

// eslint-disable-next-line typescript/unbound-method -- works on every Uint8Array, and a Buffer made for it would cost 100 ns
const { indexOf } = Buffer.prototype;

/** No newline, no log line, no bad row, and columns of which the first and the last have nothing glued to them. */
function isClean(index: LineIndex): boolean {
  if (index.hasNewline || index.hasLogger || index.hasOddEnds || index.hasBadRow || index.count === 1) return false;
  return index.count > 2 || index.end(0) > index.start(0);
}

function ofPayloads(seed: () => CheckpointNoise): OperatorFunction<Event<Uint8Array>, Event<Uint8Array>> {
  return eventSteps<CheckpointNoise, Uint8Array, Uint8Array>({
    name: STEP,
    detail: '',
    seed,
    lines: { passes: isClean },
    step(noise, payload, _origin, out) {
      // Whoever decodes it next finds it indexed.
      lineIndex.add(payload);
      if (isClean(lineIndex)) out.emit(payload);
      else stripPayload(noise, withoutReturn(payload), out);
    },
  });
}

/** A payload goes on whole or not at all: what cannot be explained makes it one reject, with every byte that came. */
function stripPayload(noise: CheckpointNoise, payload: Uint8Array, out: Out<Uint8Array>): void {
  const record = noise.recordOf(payload);
  if (record) return out.emit(record);
  const records: Uint8Array[] = [];
  let why: { readonly code: string; readonly reason: string } | undefined;
  const found: NoiseOut = {
    record: (bytes) => records.push(bytes),
    reject(bytes, _from, _to, code, reason) {
      // One line and no noise: whoever decodes it has the better words.
      const isOneQuietLine = bytes.length >= payload.length - 1 && indexOf.call(payload, LOGGER) === -1;
      if (code === 'unexplained' && isOneQuietLine && !noise.hasGlued(bytes)) records.push(bytes);
      else why ??= { code, reason };
    },
  };
  noise.push(payload, found);
  noise.end(found);
  if (why) out.reject(why);
  else if (records.length === 0) out.drop();
  else for (const bytes of records) out.emit(bytes.length === payload.length ? payload : bytes);
}

interface ShardText {
  readonly noise: CheckpointNoise;
  readonly pieces: TextPieces;
}

type Texts = Map<string, ShardText>;

function ofText(seed: () => CheckpointNoise): OperatorFunction<Event<Uint8Array>, Event<Uint8Array>> {
  return eventSteps<Texts, Uint8Array, Uint8Array>({
    name: STEP,
    detail: 'text',
    // A line of the log may be kept for a whole quiet night, until the next line tells whose its newline is.
    keepsMs: Infinity,
    seed: () => new Map(),
    lines: {
      passes: isClean,
      takes(texts, { shard, records }, record) {
        if (record === 0 && records!.beginsText) return false;
        const line = records!.rawOf(record);
        return records!.sizeOf(record) === line.length + 1 && takesLine(texts, shard, line);
      },
    },
    step(texts, given, origin, out) {
      const { shard, raw, delivery, index } = origin;
      if (index === 0 && delivery.records?.beginsText) endText(texts, shard, out);
      if (isItsLine(given, raw)) {
        lineIndex.add(raw);
        if (isClean(lineIndex) && takesLine(texts, shard, raw)) return out.emit(raw);
      }
      const isNew = !texts.has(shard);
      if (isNew) texts.set(shard, { noise: seed(), pieces: new TextPieces(STEP) });
      const { noise, pieces } = texts.get(shard)!;
      const data = withoutReturn(given);
      pieces.add(new Event(data, origin));
      const found = foundIn(pieces, out);
      // Nobody prints a newline first: it is that of a record or of a log line, which the run before had.
      if (isNew && data[0] === NEWLINE) found.reject(Buffer.from(data.subarray(0, 1)), 0, 1, 'unexplained', UNEXPLAINED_REASON);
      noise.push(data, found);
      pieces.doneTo(noise.doneTo);
    },
    endShard: endText,
    complete(texts, out) {
      for (const text of texts.values()) giveOut(text, out);
    },
  });
}

/** Whether data is a record's bytes and the newline behind them, which its source knows of. */
function isItsLine(data: Uint8Array, raw: Uint8Array): boolean {
  return data.length === raw.length + 1 && data.byteOffset === raw.byteOffset && data.buffer === raw.buffer;
}

/** A line without the carriage return before its newline, which what a terminal prints has (`docker run -t`), and no record. */
function withoutReturn(line: Uint8Array): Uint8Array {
  if (line.at(-2) !== RETURN || line.at(-1) !== NEWLINE) return line;
  return Buffer.concat([line.subarray(0, -2), line.subarray(-1)]);
}

/** Takes an ordinary line, of a text of which nothing is kept: no piece is. */
function takesLine(texts: Texts, shard: string, line: Uint8Array): boolean {
  const text = texts.get(shard);
  if (!text?.noise.takes(line)) return false;
  text.pieces.pass(line.length + 1);
  return true;
}

/** Ends the text of a shard: what comes next is another one. */
function endText(texts: Texts, shard: string, out: Out<Uint8Array>): void {
  const text = texts.get(shard);
  if (text) giveOut(text, out);
  texts.delete(shard);
}

/** Gives out what of a shard's text can become no more than it is. */
function giveOut({ noise, pieces }: ShardText, out: Out<Uint8Array>): void {
  noise.end(foundIn(pieces, out, true));
  pieces.doneTo(Infinity);
}

function foundIn(pieces: TextPieces, out: Out<Uint8Array>, isEnd = false): NoiseOut {
  return {
    record(bytes, from, to) {
      const { data, origin } = pieces.cut(bytes, from, to);
      out.emit(data, origin);
    },
    reject(bytes, from, to, code, reason) {
      const event = pieces.cut(bytes, from, to);
      const isTorn = code === 'unexplained' && (from === 0 || (isEnd && to === pieces.length));
      event.reject({ step: STEP, ...(isTorn ? torn(from === 0) : { code, reason }) });
    },
  };
}

/** What is left of a record where a text begins or ends; its other part is elsewhere. */
function torn(isBegin: boolean): { readonly code: string; readonly reason: string } {
  const reason = isBegin
    ? 'the text begins inside a record, it seems: the run before had its first part'
    : 'the text ends inside a record, it seems: the rest of it is where the next run begins';
  return { code: 'torn', reason };
}

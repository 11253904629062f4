import { type Complaint, loadAround } from '../database/refusals.ts';
import type { RowFault } from '../database.ts';
import type { BinaryLines } from './binary.ts';
import { Copy, copyData, textLines } from './copy.ts';
import { complaintOf } from './faults.ts';

/** How many lines one COPY holds once a line was refused; COPY is near its peak at a thousand. */
const LINES_AFTER_REFUSAL = 4096;

/** One or more statements; the one that is a COPY comes with its data. */
export interface Part {
  readonly text: string;
  readonly copy?: Copy;
}

/** How a table's lines go in COPY's binary format. */
export interface BinaryFormat {
  readonly lines: BinaryLines;
  /** The COPY, and behind it what fails when the columns are not of the types that lines are written for. */
  readonly copy: string;
  /** Whether the server has refused what was written: it may be that the columns are others by now. */
  wasRefused: boolean;
}

export interface LoadLinesOptions {
  readonly lines: readonly Uint8Array[];
  /** Without it all lines go as text. */
  readonly binary?: BinaryFormat | undefined;
  /** What fails when the columns are others than they were. */
  readonly check?: string | undefined;
  /** What begins the transaction. */
  readonly begin: string;
  /** The COPY of lines as text, with what belongs to it. */
  readonly text: string;
  /** What the server says once the last statement of such a COPY is done. */
  readonly lastTag: string;
  /** The COPY of nothing. */
  readonly gate: string;
  /** Called once, in order, for each line that is refused. */
  readonly refuse: (index: number, fault: RowFault) => void;
  /** What ends the transaction once all lines are in. */
  readonly finish: () => readonly Part[];
  /** Sends one message. */
  readonly send: (parts: readonly Part[]) => Promise<void>;
}

const SAVEPOINT = 'SAVEPOINT lines';
// What is loaded so far lies behind the savepoint.
const KEEP: Part = { text: 'RELEASE SAVEPOINT lines; SAVEPOINT lines' };
const UNDO: Part = { text: 'ROLLBACK TO SAVEPOINT lines' };

/**
 * Loads lines in one transaction, around those that are refused: each line is stored, or refused, as if it had come alone and as
 * text.
 *
 * All of them go in one message, through to COMMIT, unless one is in doubt: it goes as text, and the next message takes on behind it.
 * More and more lines go with it while the next one in doubt is close. Once the server refuses a line of which nobody had a doubt, the
 * rest goes as text.
 *
 * @returns how many lines were left out
 */
export async function loadLines(options: LoadLinesOptions): Promise<number> {
  const { lines, binary, check, begin, text, lastTag, gate: gateText, refuse, finish, send } = options;
  let next: Part = { text: `${begin};\n${SAVEPOINT}` };
  let leftOut = 0;
  const asText = (from: number, to: number): Generator<Buffer> => copyData(textLines(lines, from, to));
  const attempt = async (from: number, to: number): Promise<Complaint | undefined> => {
    const copy = new Copy(asText(from, to), lastTag);
    try {
      await send([next, { text, copy }]);
      next = KEEP;
      leftOut += copy.leftOut;
      return undefined;
    } catch (error) {
      const complaint = copy.isUnderWay ? complaintOf(error) : undefined;
      if (!complaint) throw error;
      next = UNDO;
      return complaint;
    }
  };
  const around = (from: number, to: number, first: Complaint): Promise<void> =>
    loadAround({
      count: to - from,
      first,
      maxLines: LINES_AFTER_REFUSAL,
      attempt: (start, end) => attempt(from + start, from + end),
      refuse: (index, fault) => refuse(from + index, fault),
    });

  let few = 1;
  for (let from = 0; from < lines.length;) {
    // Known once all lines before are sent.
    const doubtful = (): { start: number; end: number } => {
      const start = binary?.lines.end ?? lines.length;
      const count = start - from > few ? 1 : Math.min(few * 2, LINES_AFTER_REFUSAL);
      return { start, end: Math.min(start + count, lines.length) };
    };
    const sure = new Copy(binary?.lines.messages(lines, from) ?? asText(from, lines.length), lastTag);
    const unsure = new Copy(
      lazily(() => asText(doubtful().start, doubtful().end)),
      lastTag,
    );
    const gate = new Copy(
      lazily(() => {
        if (doubtful().end < lines.length) throw new MoreLinesError();
        return [];
      }),
    );
    try {
      await send([
        next,
        { text: binary?.copy ?? text, copy: sure },
        KEEP,
        { text, copy: unsure },
        KEEP,
        { text: gateText, copy: gate },
        ...finish(),
      ]);
      return leftOut + sure.leftOut + unsure.leftOut;
    } catch (error) {
      next = UNDO;
      leftOut += sure.leftOut + unsure.leftOut;
      const { start, end } = sure.isDone ? doubtful() : { start: from, end: lines.length };
      if (!(error instanceof MoreLinesError)) {
        const complaint = sure.isUnderWay || unsure.isUnderWay ? complaintOf(error) : undefined;
        if (!complaint) throw error;
        if (!sure.isDone) {
          if (binary) binary.wasRefused = true;
          // Before a line is refused for good: it may be that the columns are others, which would cut what they are given as text.
          if (check !== undefined) await send([UNDO, { text: check }]);
        }
        if (sure.isDone && end - start === 1) refuse(start, complaint.fault);
        else await around(start, end, complaint);
      }
      few = end - start;
      from = end;
    }
  }
  await send([next, ...finish()]);
  return leftOut;
}

/** What a gate throws when it is not to let through. */
class MoreLinesError extends Error {
  override readonly name = 'MoreLinesError';
}

function* lazily<T>(make: () => Iterable<T>): Generator<T, void> {
  yield* make();
}

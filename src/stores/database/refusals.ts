import type { RowFault } from '../database.ts';

/** What a database says of lines it did not take. */
export interface Complaint {
  readonly fault: RowFault;
  /** How many of the lines are sound, by its word; missing when it does not say which line is at fault. */
  readonly soundBefore?: number;
}

export interface LoadAroundOptions {
  readonly count: number;
  /** Loads the lines [from, to), all or none; resolves with a complaint when one of them is at fault. */
  readonly attempt: (from: number, to: number) => Promise<Complaint | undefined>;
  readonly refuse: (index: number, fault: RowFault) => void;
  /** What the database said when it was given all lines at once. */
  readonly first: Complaint;
  /** The most lines an attempt is made with once one failed. */
  readonly maxLines: number;
}

/**
 * Loads lines around those that a database refuses.
 *
 * A line is refused only when the database refuses it alone: its word on which line is at fault tells where to look, and
 * no more. Attempts shrink with every refusal and grow with every success, so a bad line among thousands costs three
 * attempts, and nothing but bad lines one attempt each.
 */
export async function loadAround({ count, attempt, refuse, first, maxLines }: LoadAroundOptions): Promise<void> {
  let from = 0;
  let stride = maxLines;
  let { size, mode } = after(first, count);
  while (from < count) {
    const to = Math.min(from + size, count);
    const complaint = await attempt(from, to);
    if (!complaint) {
      from = to;
      if (mode === 'prefix') [size, mode] = [1, 'stride'];
      else if (mode === 'halving') size = Math.max(1, size >> 1);
      else size = stride = Math.min(stride * 2, maxLines);
    } else if (to - from === 1) {
      refuse(from, complaint.fault);
      from = to;
      size = stride = Math.max(1, stride >> 1);
      mode = 'stride';
    } else ({ size, mode } = after(complaint, to - from));
  }
}

type Mode = 'stride' | 'prefix' | 'halving';

function after({ soundBefore }: Complaint, count: number): { size: number; mode: Mode } {
  if (soundBefore === undefined || soundBefore >= count) return { size: Math.max(1, count >> 1), mode: 'halving' };
  return soundBefore === 0 ? { size: 1, mode: 'stride' } : { size: soundBefore, mode: 'prefix' };
}

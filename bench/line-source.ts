import { openSync, readSync } from 'node:fs';
import { scripted } from '../src/index.ts';
import type { Source } from '../src/sources/source.ts';
import type { LinesFile } from './lines.ts';

const BLOCK_BYTES = 512 * 1024;
const NEWLINE = 10;

export interface LineSourceOptions {
  /** `record`: each line is a record of its own, without its newline. `text`: the lines are pieces of one text, newlines and all. */
  readonly of: 'record' | 'text';
}

/** The lines of a file as events, read block by block when the source wants more: the scripted source in the place of a stream's. */
export function lineSource(file: LinesFile, { of }: LineSourceOptions): Source<Uint8Array> {
  const next = lineReader(file.path, of === 'text' ? 1 : 0);
  return scripted({
    generate: next,
    count: file.lines,
    recordsPerDelivery: 2000,
    startMs: Date.UTC(2026, 10, 22, 9),
  });
}

/** Gives a line a call: a view on its block, which is never written to again. `more` bytes of its newline belong to it. */
export function lineReader(path: string, more: 0 | 1): () => Uint8Array {
  const fd = openSync(path, 'r');
  let block = Buffer.alloc(0);
  let at = 0;
  return () => {
    for (;;) {
      const end = block.indexOf(NEWLINE, at);
      if (end !== -1) {
        const line = block.subarray(at, end + more);
        at = end + 1;
        return line;
      }
      const rest = block.length - at;
      const fresh = Buffer.allocUnsafeSlow(rest + BLOCK_BYTES);
      block.copy(fresh, 0, at);
      const read = readSync(fd, fresh, rest, BLOCK_BYTES, null);
      if (read === 0) throw new Error(`bench: ${path} has fewer lines than it had`);
      block = fresh.subarray(0, rest + read);
      at = 0;
    }
  };
}

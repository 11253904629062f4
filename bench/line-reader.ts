import { openSync, readSync } from 'node:fs';

const BLOCK_BYTES = 512 * 1024;
const NEWLINE = 10;

/** Gives a line of a file a call: a view on its block, without its newline, which is never written to again. */
export function lineReader(path: string): () => Uint8Array {
  const fd = openSync(path, 'r');
  let block = Buffer.alloc(0);
  let at = 0;
  return () => {
    for (;;) {
      const end = block.indexOf(NEWLINE, at);
      if (end !== -1) {
        const line = block.subarray(at, end);
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

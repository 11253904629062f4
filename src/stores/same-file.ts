import { statSync } from 'node:fs';

/** A file that a run has open is gone: what it writes there goes with it. */
export class FileGoneError extends Error {
  constructor(path: string) {
    super(
      `${path} was removed, or another file was put in its place, while this run had it open: what it would store there is nowhere. ` +
        'The next run makes the file anew, or goes on with the one that is there',
    );
    this.name = 'FileGoneError';
  }
}

/**
 * Notes which file lies at a path. Whoever has it open goes on to write to it when it is removed, and nothing else would tell.
 *
 * @returns what throws a `FileGoneError` once another one lies there, or none
 */
export function noteFile(path: string): () => void {
  const noted = statSync(path, { bigint: true });
  return () => {
    const now = statSync(path, { bigint: true, throwIfNoEntry: false });
    // By both: file systems in user space may number the same file anew, and have no times of birth then.
    const isAnother = now?.ino !== noted.ino && now?.birthtimeNs !== noted.birthtimeNs;
    if (isAnother) throw new FileGoneError(path);
  };
}

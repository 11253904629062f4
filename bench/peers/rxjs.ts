import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { bufferTime, filter, fromEvent, lastValueFrom, map, scan, takeUntil } from 'rxjs';
import { isValid, repeatFilter, withoutLog } from './string-steps.ts';

/** The work as a plain RxJS pipeline has it: lines from readline, strings, `bufferTime`. Says how many events came through. */
export function rxjs(path: string): Promise<number> {
  const lines = createInterface({ input: createReadStream(path, { highWaterMark: 512 * 1024 }) });
  return lastValueFrom(
    fromEvent(lines, 'line').pipe(
      takeUntil(fromEvent(lines, 'close')),
      map((line) => withoutLog(line as string)),
      filter((line) => line !== ''),
      map((line) => line.split('\t')),
      filter(isValid),
      filter(repeatFilter()),
      bufferTime(1000),
      scan((sum, batch) => sum + batch.length, 0),
    ),
  );
}

import { createReadStream } from 'node:fs';
import { Transform, type TransformCallback, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isValid, repeatFilter, withoutLog } from './string-steps.ts';

/** The work in streams of Node's, a string or its columns an object. Says how many events came through. */
export async function streams(path: string): Promise<number> {
  let rest = '';
  let count = 0;
  const isNew = repeatFilter();
  await pipeline(
    createReadStream(path, { highWaterMark: 512 * 1024, encoding: 'utf8' }),
    new Transform({
      decodeStrings: false,
      readableObjectMode: true,
      transform(chunk: string, _, done) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop()!;
        for (const line of lines) this.push(line);
        done();
      },
    }),
    step<string>((line, push) => {
      const clean = withoutLog(line);
      if (clean !== '') push(clean);
    }),
    step<string>((line, push) => push(line.split('\t'))),
    step<readonly string[]>((fields, push) => {
      if (isValid(fields)) push(fields);
    }),
    step<readonly string[]>((fields, push) => {
      if (isNew(fields)) push(fields);
    }),
    new Writable({
      objectMode: true,
      write(_fields, _encoding, done) {
        count++;
        done();
      },
    }),
  );
  return count;
}

function step<In>(work: (data: In, push: (data: unknown) => void) => void): Transform {
  return new Transform({
    objectMode: true,
    transform(data: In, _encoding: string, done: TransformCallback) {
      work(data, (out) => this.push(out));
      done();
    },
  });
}

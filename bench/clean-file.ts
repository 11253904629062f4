import { open } from 'node:fs/promises';
import type { EnrichedEvent, Sink, Window } from '../src/index.ts';
import { run } from '../src/index.ts';
import { textLines } from '../src/stores/postgres/copy.ts';
import type { LinesFile } from './lines.ts';
import { nullSink } from './null-sink.ts';
import { warehouseSteps } from './warehouse-steps.ts';

const NEWLINE = Buffer.from('\n');

/**
 * Writes the rows that the warehouse pipeline stores of a file of lines, a newline behind each.
 *
 * @param escaped for COPY's text format, which takes a backslash for the beginning of something
 * @returns how many
 */
export async function writeClean(path: string, input: LinesFile, escaped: boolean): Promise<number> {
  const file = await open(path, 'wx');
  let rows = 0;
  const sink: Sink<Window<EnrichedEvent>> = {
    ...nullSink('clean'),
    async open(context) {
      return {
        ...(await nullSink('clean').open(context)),
        async commit({ items }) {
          const lines = items.flatMap(({ events }) => events.map(({ data }) => data.toRow()));
          rows += lines.length;
          const written = escaped ? [...textLines(lines, 0, lines.length)] : lines;
          await file.write(Buffer.concat(written.flatMap((line) => [line, NEWLINE])));
        },
      };
    },
  };
  await run(warehouseSteps(input, { name: 'clean', of: 'line' }).to(sink).rejects(nullSink('rejects')));
  await file.close();
  return rows;
}

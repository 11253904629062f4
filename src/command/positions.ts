import { messageOf } from '../errors.ts';
import { type Pipeline, sinksOf } from '../pipeline.ts';
import { formatResume } from '../position.ts';
import type { Sink } from '../sinks/sink.ts';

type Line = readonly [shard: string, sink: string, epoch: string, position: string];

const HEAD: Line = ['SHARD', 'SINK', 'EPOCH', 'POSITION'];

/**
 * Asks every sink of a pipeline where it stands, and prints a line for each in each shard, those of one shard together. Changes nothing. A
 * sink that cannot be asked gets a line that says why, and the answer is false.
 */
export async function printPositions(pipeline: Pipeline): Promise<boolean> {
  const lines: Line[] = [];
  const unknown: string[] = [];
  for (const sink of sinksOf(pipeline)) {
    try {
      lines.push(...(await linesOf(sink, pipeline.name)));
    } catch (error) {
      unknown.push(`${sink.name}: ${messageOf(error)}\n`);
    }
  }
  lines.sort(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1));
  process.stdout.write(tableOf([HEAD, ...lines]));
  for (const text of unknown) process.stderr.write(text);
  return unknown.length === 0;
}

async function linesOf(sink: Pick<Sink<never>, 'name' | 'describe' | 'stands'>, pipeline: string): Promise<readonly Line[]> {
  if (!sink.stands) throw new Error(`${sink.describe}: does not say where it stands`);
  const standings = await sink.stands(pipeline);
  return standings.map(({ shard, epoch, resume }) => [shard, sink.name, String(epoch), resume ? formatResume(resume) : 'none']);
}

function tableOf(lines: readonly Line[]): string {
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const padded = (line: Line): string => line.map((text, column) => text.padEnd(widths[column]!)).join('  ');
  return lines.map((line) => `${padded(line).trimEnd()}\n`).join('');
}

import type { Log, LogOptions } from './log.ts';
import { Screen } from './screen.ts';

/** A log for people: messages above a live line for each run, and the counts of a run that has ended well on stdout. */
export function textLog({ output, pipelines, statuses, foot = () => [] }: LogOptions): Log {
  const width = Math.max(...pipelines.map((name) => name.length));
  const nameOf = (pipeline: string | undefined, mark: string): string =>
    pipelines.length > 1 && pipeline !== undefined ? `${pipeline}${mark}`.padEnd(width + 2) : '';
  const live = (): string[] =>
    [...statuses].flatMap(([name, status]) => {
      const margin = nameOf(name, '');
      const columns = output.isTTY ? (output.columns ?? 80) - 1 - margin.length : Number.POSITIVE_INFINITY;
      return folded(status.line(Date.now()), columns).map((line, i) => (i === 0 ? margin : ' '.repeat(margin.length)) + line);
    });
  const screen = new Screen(output, () => [...live(), ...foot()].join('\n'));
  return {
    say: ({ pipeline, message }) => screen.print(nameOf(pipeline, ': ') + message),
    ended: ({ pipeline, message }) => void process.stdout.write(`${nameOf(pipeline, ': ')}${message}\n`),
    failed: ({ pipeline, message }) => screen.print(`${pipeline} has ended: ${message}`),
    close: () => screen.close(),
  };
}

/** What is wider than the screen as several lines, each number whole: the last of them say whether all is well. */
function folded(line: string, columns: number): string[] {
  const lines: string[] = [];
  for (const part of line.split('  ')) {
    const longer = `${lines.at(-1)}  ${part}`;
    if (lines.length > 0 && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
}

import type { Log, LogOptions } from './log.ts';
import { Screen } from './screen.ts';

/** A log for people: messages above a live line for each run, and the counts of a run that has ended well on stdout. */
export function textLog({ output, pipelines, statuses, foot = () => [] }: LogOptions): Log {
  const width = Math.max(...pipelines.map((name) => name.length));
  const nameOf = (pipeline: string | undefined, mark: string): string =>
    pipelines.length > 1 && pipeline !== undefined ? `${pipeline}${mark}`.padEnd(width + 2) : '';
  const live = (): string[] => [...statuses].map(([name, status]) => nameOf(name, '') + status.line(Date.now()));
  const screen = new Screen(output, () => [...live(), ...foot()].join('\n'));
  return {
    say: ({ pipeline, message }) => screen.print(nameOf(pipeline, ': ') + message),
    ended: ({ pipeline, message }) => void process.stdout.write(`${nameOf(pipeline, ': ')}${message}\n`),
    failed: ({ pipeline, message }) => screen.print(`${pipeline} has ended: ${message}`),
    close: () => screen.close(),
  };
}

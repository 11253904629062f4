import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Bar, chart } from './chart.ts';
import type { Machine } from './machine.ts';
import type { Group, Row } from './rows.ts';
import { spread } from './spread.ts';
import { type Measured, asMarkdown, hasFigures, ratePerMs, tableOf } from './table.ts';

export interface GroupResult {
  readonly group: Group;
  readonly measured: ReadonlyMap<Row, readonly Measured[]>;
}

export interface BenchResults {
  readonly machine: Machine;
  readonly rounds: number;
  readonly results: readonly GroupResult[];
}

/** Writes `docs/benchmarks.md`, its chart, and `bench/results.json`, formatted as `npm run check` wants them. */
export async function writeReport(root: string, all: BenchResults): Promise<void> {
  const [page, json] = [join(root, 'docs', 'benchmarks.md'), join(root, 'bench', 'results.json')];
  await writeFile(page, pageOf(all));
  await writeFile(join(root, 'docs', 'benchmarks.svg'), chartOf(all.results));
  await writeFile(json, JSON.stringify(jsonOf(all)));
  await promisify(execFile)(join(root, 'node_modules', '.bin', 'oxfmt'), [page, json]);
}

/** The page: the machine, the chart, a table a group with what makes it anew. */
export function pageOf({ machine, rounds, results }: BenchResults): string {
  const { processor, cores, memoryGiB, system, load, node, packages, programs } = machine;
  const versions = Object.entries(packages).map(([name, version]) => `${name} ${version}`);
  const others = Object.entries(programs).map(([name, version]) => `${name} ${version}`);
  return `# Benchmarks

Written by \`npm run bench\`: each row is a process of its own, up to ${rounds} rounds one after the other over all rows of a group; medians, with the least and the
greatest. Trust the ratios. "times as many" and "of the CPU" compare with the old chain or what the row's group says; CPU is of all
processes of a row, its server's counts in "of the CPU". Pipelines on lines, ours and the peers', have had some 30,000 of them
before, as what runs for days has; the old chain is measured from its first.

- ${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}; load ${load} before the first row
- Node ${node}; ${versions.join(', ')}
- ${others.join('; ')}

![Events a second](benchmarks.svg)

${results.map(sectionOf).join('\n\n')}
`;
}

function sectionOf({ group, measured }: GroupResult): string {
  const counts = [...measured.values()]
    .flat()
    .filter(hasFigures)
    .map(({ events }) => events);
  const rounds = Math.max(...[...measured.values()].map(({ length }) => length));
  return `## ${group.title}

\`npm run bench -- --only ${group.name}\`, ${Math.max(0, ...counts).toLocaleString('en')} events, ${rounds} rounds

${asMarkdown(tableOf(group, measured))}`;
}

/** What a chart can show: the groups that read a file, as they are compared with the old chain. */
function chartOf(results: readonly GroupResult[]): string {
  const shown = results.filter(({ group }) => group.fileEvents !== undefined);
  return chart(
    'Events a second, in thousands',
    shown.map(({ group, measured }) => ({
      title: group.title,
      bars: group.rows.filter(({ name }) => !UNBOUNDED.has(name)).flatMap((row) => barOf(row, measured.get(row)!)),
    })),
  );
}

/** These would make all other bars too short to see. */
const UNBOUNDED = new Set(['limit: reading the file']);

function barOf({ name }: Row, all: readonly Measured[]): readonly Bar[] {
  if (!all.every(hasFigures)) return [];
  return [
    { name, kind: name.startsWith('limit') ? 'limit' : name.startsWith('old') ? 'old' : 'row', ...spread(all.map(ratePerMs)) },
  ];
}

function jsonOf({ machine, rounds, results }: BenchResults): unknown {
  return {
    machine,
    rounds,
    groups: results.map(({ group: { name, title, rows }, measured }) => ({
      name,
      title,
      rows: rows.map((row) => ({ ...row, measured: measured.get(row) })),
    })),
  };
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from './machine.ts';
import type { BenchResults, GroupResult } from './report.ts';
import { type Group, groups } from './rows.ts';
import { type Measured, hasFigures } from './table.ts';

/** What `bench/results.json` holds. */
export interface WrittenResults {
  readonly machine: Machine;
  readonly rounds: number;
  readonly groups: readonly {
    readonly name: string;
    readonly rows: readonly { readonly name: string; readonly measured: readonly Measured[] }[];
  }[];
}

/**
 * What the page tells, by the rows that there are.
 *
 * @throws {Error} when it was measured elsewhere, or has not all rows: figures of two machines are no table
 */
export async function pageResults(root: string, here: Machine): Promise<BenchResults> {
  return resultsOf(JSON.parse(await readFile(join(root, 'bench', 'results.json'), 'utf8')) as WrittenResults, here, groups);
}

export function resultsOf(written: WrittenResults, here: Machine, all: readonly Group[]): BenchResults {
  const { machine, rounds } = written;
  const [there, now] = [machine, here].map((one) => JSON.stringify({ ...one, load: 0 }));
  if (there !== now) throw new Error(`bench: expected the machine of the page, ${there}, got ${now}: measure all of it`);
  const results = all.map((group) => {
    const rows = written.groups.find(({ name }) => name === group.name)?.rows ?? [];
    const measured = group.rows.map((row) => {
      const found = rows.find(({ name }) => name === row.name);
      if (!found) throw new Error(`bench: the page has no row ${group.name}, ${row.name}: measure all of it`);
      return [row, found.measured] as const;
    });
    return { group, measured: new Map(measured) };
  });
  return { machine, rounds, results };
}

/** The groups with the rows that failed in a round; none of the others. */
export function failedOf({ results }: BenchResults): readonly Group[] {
  return results
    .map(({ group, measured }) => ({ ...group, rows: group.rows.filter((row) => !measured.get(row)!.every(hasFigures)) }))
    .filter(({ rows }) => rows.length > 0);
}

/** What is there, with some rows measured anew. */
export function withAnew(there: BenchResults, anew: readonly GroupResult[]): BenchResults {
  const rows = new Map(anew.flatMap(({ measured }) => [...measured]));
  const results = there.results.map(({ group, measured }) => ({
    group,
    measured: new Map([...measured].map(([row, before]) => [row, rows.get(row) ?? before])),
  }));
  return { ...there, results };
}

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Owner } from '../../owner.ts';
import type { Standing } from '../../position.ts';
import { checkFolder } from '../check-folder.ts';
import { type FoundColumn, checkColumns } from '../database/columns.ts';
import { standingOf } from '../database/position.ts';
import type { Table } from '../database.ts';
import { DuckdbFile } from './file.ts';
import * as sql from './sql.ts';
import type { StoreOptions } from './store.ts';

/**
 * Looks into a file for what a run needs, and makes and changes nothing. Says what is there and what a run would make.
 *
 * @throws {Error} when another process has the file, or a run would fail by what is in it
 */
export async function checkDuckdb(path: string, { schema, limits }: StoreOptions, table?: Table): Promise<string> {
  await checkFolder(dirname(path));
  const stats = await stat(path).catch(() => undefined);
  if (!stats) return 'the file is not there: a run makes it';
  if (!stats.isFile()) throw new Error(`duckdb:${path}: expected a file, got a folder`);
  await access(path, constants.W_OK).catch((cause: Error) => {
    throw new Error(`duckdb:${path}: the file may not be written to`, { cause });
  });
  return DuckdbFile.reading(path, limits, async (connection) => {
    const found: string[] = [];
    if (table) {
      const { name } = table;
      if ((await connection.run(sql.selectView(name))).length > 0)
        throw new Error(`duckdb:${path}: ${name} is a view, which takes no rows: name a table`);
      const columns = sql.asNamed(table, (await connection.run(sql.selectColumns(name))) as unknown as FoundColumn[]);
      if (columns.length > 0) checkColumns(`duckdb:${path}`, table, columns);
      found.push(columns.length > 0 ? `table ${name} is there` : `table ${name} is not there: a run makes it`);
    }
    const own = await connection.run(sql.selectColumns(`${schema}.positions`));
    found.push(`schema ${schema} ${own.length > 0 ? 'is there' : 'is not there: a run makes it'}`);
    return found.join(', ');
  });
}

/** Where an owner stands in all shards; nowhere when there is no file, or nobody has made the table. */
export async function readStandings(path: string, { schema, limits }: StoreOptions, owner: Owner): Promise<readonly Standing[]> {
  if (!(await stat(path).catch(() => undefined))) return [];
  return DuckdbFile.reading(path, limits, async (connection) => {
    const own = await connection.run(sql.selectColumns(`${schema}.positions`));
    if (own.length === 0) return [];
    return (await connection.run(`${sql.selectStandings(schema, owner)} ORDER BY shard`)).map(standingOf);
  });
}

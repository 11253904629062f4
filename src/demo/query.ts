import { DuckDBInstance } from '@duckdb/node-api';

/** Prints what a query finds in a DuckDB file that no run has open: `npm run -s query -- <sql> [file]`. */
async function query(sql: string | undefined, file = './data/demo/warehouse.duckdb'): Promise<void> {
  if (sql === undefined) throw new TypeError('expected <sql> [file], got nothing');
  const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(sql);
  console.table(reader.getRowObjectsJson());
  connection.closeSync();
  instance.closeSync();
}

try {
  await query(process.argv[2], process.argv[3]);
} catch (error) {
  const { message } = error as Error;
  const [, pid] = /Conflicting lock is held .*? \(PID (\d+)\)/.exec(message) ?? [];
  const why = pid ? `process ${pid} has the file open, and one at a time can: end that run first` : message;
  process.stderr.write(`query: ${why}\n`);
  process.exitCode = 1;
}

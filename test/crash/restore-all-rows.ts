import { restore } from '../../pipelines/restore.ts';
import { command, copyInto, databaseFrom, main } from '../../src/index.ts';

/** The restore pipeline as it is, but that it looks for no row: its positions alone keep it from loading one twice. */
const restoreAllRows = command({
  ...restore,
  pipeline(settings) {
    const { DATABASE_URL, TABLE: table } = settings;
    return { ...restore.pipeline(settings), sinks: [copyInto(databaseFrom(DATABASE_URL), { table, name: table })] };
  },
});

if (import.meta.main) await main(restoreAllRows);

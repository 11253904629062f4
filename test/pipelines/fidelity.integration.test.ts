import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restore } from '../../pipelines/restore.ts';
import { warehouse } from '../../pipelines/warehouse.ts';
import { readSettings } from '../../src/command/settings.ts';
import { run } from '../../src/run/run.ts';
import { fields } from '../../src/snowplow/fields/fields.ts';
import { layouts } from '../../src/snowplow/fields/layouts.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { type Texts, lineOf } from '../snowplow/line.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

/** Texts that whoever reads or writes them on the way may take for something else. */
const TEXTS = [
  String.raw`NULL null \N \. \ \\ \t \x41 " "" ' a'b , ; $1 %s {} {"a":1 0 -0 1e5 true KinesisStream`.split(' '),
  Array.from('\r\v\f\u0001\u001b\u007f\u0085 \u00a0\u200b\u202e\u2028\ufeff\ufffd\uffff\u{10ffff}éßΣ🛒'),
  ['', 'a\rb', '  a', 'a  ', '\ufeffa', 'e\u0301', '👨‍👩‍👧'],
  // Twelve bytes are what DuckDB keeps beside the length of a text.
  ['xxxxxxxxxxx', 'xxxxxxxxxxxx', 'xxxxxxxxxxxxx', '🛒🛒🛒', '🛒🛒🛒🛒🛒🛒'],
].flat();
const MINUTE = Date.UTC(2026, 10, 22, 9);
const texts = fields.flatMap(({ name, column }) => (column.kind === 'varchar' ? { name, length: column.length } : []));

interface Came {
  readonly texts: Texts;
  readonly line: Buffer;
  readonly columns: number;
}

/** An event of each width for each text, which stands in every field that has room for it. */
const events: readonly Came[] = layouts.flatMap(({ columns }, width) =>
  TEXTS.map((text, number): Came => {
    const event_id = `00000000-0000-4000-8000-${String(width * 1000 + number).padStart(12, '0')}`;
    // Of a label that begins as JSON and is none, `validate` makes a reject.
    const filled = texts.filter(
      ({ name, length }) => Array.from(text).length <= length && !(name === 'se_label' && text[0] === '{'),
    );
    const contexts = JSON.stringify({
      schema: 'iglu:a/b/jsonschema/1-0-0',
      data: [{ schema: 'iglu:a/c/jsonschema/1-0-0', data: text }],
    });
    const given: Texts = { ...Object.fromEntries(filled.map(({ name }) => [name, text])), event_id, contexts };
    return { texts: given, line: lineOf(given, columns), columns };
  }),
);

/** What is refused, by the table and by decode in turn, each with bytes of its own. A line of no event with a word of the log is another step's. */
const odd: readonly Buffer[] = layouts.flatMap(({ columns }, width) =>
  TEXTS.filter((text) => text !== 'KinesisStream').flatMap((text, number) => {
    const event_id = `00000000-0000-4000-9000-${String(width * 1000 + number).padStart(12, '0')}`;
    const tooLong = lineOf({ event_id, br_colordepth: `${text}${'x'.repeat(13)}` }, columns);
    return [tooLong, Buffer.concat([lineOf({ event_id, page_title: text }, columns), Buffer.of(9, 0xff)])];
  }),
);

interface Setting {
  readonly database: TestDatabase;
  readonly url: string;
  /** What makes the bytes of a text, in hexadecimal digits. */
  readonly hex: (column: string) => string;
}

function keepsAll(setUp: () => Promise<Setting>): void {
  let setting: Setting;
  let folder: string;
  const rows = async (): Promise<ReadonlyMap<unknown, unknown>> => {
    const columns = [...texts.map(({ name }) => name), 'contexts'];
    const select = columns.map((name) => `${setting.hex(`"${name}"`)} AS "${name}"`).join(', ');
    const found = await setting.database.query(`SELECT CAST(event_id AS VARCHAR) AS event_id, ${select} FROM snowplow_events`);
    return new Map(found.map(({ event_id, ...row }) => [event_id, row]));
  };
  const expected = new Map(
    events.map(({ texts: { event_id, ...given }, columns }) => {
      const { columnOf } = layouts.find((layout) => layout.columns === columns)!;
      const row = fields.flatMap(({ name, column }, field) => {
        if (column.kind !== 'varchar' && name !== 'contexts') return [];
        const text = columnOf[field]! < 0 ? '' : (given[name as keyof typeof given] ?? '');
        return [[name, text === '' ? null : Buffer.from(text).toString('hex')]];
      });
      return [event_id, Object.fromEntries(row) as unknown];
    }),
  );

  beforeAll(async () => {
    setting = await setUp();
    folder = await mkdtemp(join(tmpdir(), 'millrace-fidelity-'));
    const { settings } = readSettings(warehouse.settings, [], {
      KINESIS_STREAM: 'shop',
      DATABASE_URL: setting.url,
      ARCHIVE_URL: `file:${folder}/archive`,
      STATE_FILE: `${folder}/state`,
    });
    const lines = [...events.map(({ line }) => line), ...odd];
    const scene = lines.map((data, i) => ({ data, arrivedAtMs: MINUTE + i }));
    await run({ ...warehouse.pipeline(settings), source: scripted({ s: [scene] }) });
  }, 60_000);

  afterAll(async () => {
    await setting.database.close();
    await rm(folder, { recursive: true });
  });

  it('has in each field what came in it, and NULL where nothing did', async () => {
    expect(await rows()).toEqual(expected);
  });

  it('has in the archive, byte for byte, the lines that are events', async () => {
    const names = (await readdir(`${folder}/archive`, { recursive: true })).filter((name) => name.endsWith('.gz')).toSorted();
    const packed = await Promise.all(names.map((name) => readFile(join(folder, 'archive', name))));
    const lines = [...events.map(({ line }) => line), ...odd.filter((_, i) => i % 2 === 0)];
    const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    expect(gunzipSync(Buffer.concat(packed)).toString('latin1')).toBe(text.toString('latin1'));
  });

  it('has the bytes of what was refused, and says by whom', async () => {
    const found = await setting.database.query('SELECT step, code, raw FROM millrace.rejects ORDER BY sequence');
    expect(found).toEqual(
      odd.map((line, i) => {
        const why = i % 2 === 0 ? { step: 'copyInto', code: '22001' } : { step: 'decode', code: 'column_count' };
        return { ...why, raw: line.toString('hex') };
      }),
    );
  });

  it('has the same once it was loaded from the archive', async () => {
    await setting.database.query('DELETE FROM snowplow_events');
    const { settings } = readSettings(restore.settings, [], {
      RANGE: '2026-11-22T09',
      DATABASE_URL: setting.url,
      ARCHIVE_URL: `file:${folder}/archive`,
    });
    await run(restore.pipeline(settings));
    expect(await rows()).toEqual(expected);
  });
}

describe('Postgres, behind the warehouse', () => {
  let server: Postgres;
  beforeAll(async () => void (server = await startPostgres()), 60_000);
  afterAll(() => server.stop());
  keepsAll(async () => {
    const database = await emptyPostgres(server);
    return { database, url: database.url, hex: (column) => `encode(convert_to(${column}::text, 'UTF8'), 'hex')` };
  });
});

describe('DuckDB, behind the warehouse', () => {
  keepsAll(async () => {
    const database = await emptyDuckdb();
    return { database, url: `duckdb:${database.path}`, hex: (column) => `lower(hex(encode(CAST(${column} AS VARCHAR))))` };
  });
});

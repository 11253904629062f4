import { StepError } from '../errors.ts';
import type { Event } from '../event.ts';
import type { Window } from '../operators/window.ts';
import { enrichedColumns } from '../snowplow/columns.ts';
import { type Resume, isPosition } from '../position.ts';
import type { Column, Database } from '../stores/database.ts';
import { checkStore, standsIn } from './ask-store.ts';
import { firstItem } from './first-item.ts';
import { rejectRow } from './reject-row.ts';
import type { Sink } from './sink.ts';
import { wordFor } from './word-for.ts';

const STEP = 'copyInto';
const IN_TRANSFORM = 'To make such an event a reject, and go on, make the fields in transform, before toRow is asked for them';
const ROW = 'data with toRow(), a line of tab-separated fields, as decode(enriched) gives it';

/** What a table's row is made of. */
export interface Row {
  /**
   * The row's fields in the order of the table's columns: tab between them, empty is NULL, no newline at the end, no escapes. A field may have
   * newlines, but no tab: that begins another field, and the row is a reject (`22P04`).
   */
  toRow(): Uint8Array;
}

export interface CopyIntoOptions {
  /** `name` or `schema.name`, as the database spells it; made when it is absent. */
  readonly table: string;
  /** In the order of the rows' fields. @default the 131 columns of an enriched event */
  readonly columns?: readonly Column[];
  /**
   * Loads only what is missing: leaves out rows whose value in this column some row of the table has already, or one before them that is
   * loaded; rows that have none there are always loaded. Needs the right to read the column, and in Postgres an index on it.
   *
   * @default loads every row
   */
  readonly missingBy?: string | undefined;
  /** The sink's name in the pipeline; part of the key of its positions. @default 'copy' */
  readonly name?: string;
}

/**
 * Loads windows, as `minuteWindow` makes them, into a table: rows, refused rows and positions in one transaction, guarded by the
 * epoch. Windows of several shards share one.
 *
 * A row that the database refuses is stored as a reject with the database's words; the rest of its window loads. A row that `missingBy`
 * leaves out counts as stored: it is there. How many there were is told when the sink closes (`left-out`).
 *
 * @throws {TypeError} when the table has no name, quotes or blanks around it, or more than a schema before it; when there are no columns, or two of one name
 * @throws {RangeError} when `missingBy` is none of the columns, or one of JSON, whose values cannot be compared
 */
export function copyInto(
  database: Database,
  { table: tableName, columns = enrichedColumns, missingBy, name = 'copy' }: CopyIntoOptions,
): Sink<Window<Row>> {
  const table = { name: tableName, columns, missingBy };
  // Quotes would be a part of the name: they are what Docker's --env-file leaves around a setting.
  if (!/^(?!["'`\s])[^.]+(\.[^.]+)?(?<!["'`\s])$/.test(tableName))
    throw new TypeError(`${name}: expected a table as name or schema.name, without quotes, got ${JSON.stringify(tableName)}`);
  const twice = columns.find((column, i) => columns.findIndex((other) => other.name === column.name) < i);
  if (twice !== undefined || columns.length === 0) {
    const got = twice === undefined ? 'none' : `two that are named ${JSON.stringify(twice.name)}`;
    throw new TypeError(`${name}: expected columns, each with a name of its own, got ${got}`);
  }
  if (missingBy !== undefined && !columns.some((column) => column.name === missingBy && column.type.kind !== 'json'))
    throw new RangeError(
      `${name}: expected missingBy to be one of its columns, and not of JSON, got ${JSON.stringify(missingBy)}`,
    );
  return {
    name,
    keepsNothing: true,
    describe: `${missingBy === undefined ? '' : 'what is missing of '}${tableName} in ${database.describe}`,
    check: () => checkStore(database, table),
    ...standsIn(database, name),
    async open({ pipeline, report }) {
      const owner = { pipeline, sink: name };
      const store = await database.open({ report });
      let [committed, leftOut] = [0, 0];
      let isNew: boolean;
      try {
        isNew = await store.createTable(table);
      } catch (error) {
        await store.close();
        throw error;
      }
      const check = firstItem(name, ROW, (data) => typeof (data as Partial<Row> | null)?.toRow === 'function');
      const linesOf = linesFor(name);
      return {
        async acquire(shard) {
          const resume = await store.acquire(owner, shard);
          if (isNew && hasLoaded(resume)) {
            isNew = false;
            report({ type: 'table-anew', sink: name, table: tableName, shard, resume });
          }
          return resume;
        },
        positions: (shards) => store.positions(owner, shards),
        async commit({ items, positions }, refused) {
          refused.length = 0;
          check(items);
          const lines = linesOf(items);
          await store.commit(owner, {
            rows: { table, lines },
            refuse: (index, fault) => {
              const [event, why] = [eventAt(items, index), { step: STEP, ...fault }];
              refused.push({ event, why });
              return rejectRow(event, why);
            },
            leftOut: (count) => (leftOut += count),
            positions,
          });
          committed += lines.length - refused.length;
        },
        async close() {
          await store.close();
          if (missingBy !== undefined) report({ type: 'left-out', sink: name, stored: committed - leftOut, leftOut });
        },
      };
    },
  };
}

/** Whether a sink that stands there has had something to load. */
function hasLoaded(resume: Resume | undefined): resume is Resume {
  return resume === 'SHARD_END' || (resume !== undefined && isPosition(resume));
}

/**
 * @returns what gives the lines of all windows
 * @throws {TypeError} from that, when the first is none
 * @throws {StepError} from that, when a row has none: after it the run begins with the same row again
 */
function linesFor(who: string): (windows: readonly Window<Row>[]) => Uint8Array[] {
  let isKnown = false;
  return (windows) => {
    const lines: Uint8Array[] = [];
    try {
      // A loop: `flatMap` and `Array.from` define each element as a property.
      for (const window of windows) for (const row of window.data()) lines.push(row.toRow());
    } catch (error) {
      throw new StepError(`${who}: toRow`, eventAt(windows, lines.length).position, error, IN_TRANSFORM);
    }
    if (!isKnown && lines.length > 0 && !(lines[0] instanceof Uint8Array))
      throw new TypeError(`${who}: expected bytes of toRow(), as Buffer.from(text) makes them, got ${wordFor(lines[0])}`);
    isKnown ||= lines.length > 0;
    return lines;
  };
}

/** The event of a row, by its place among those of all windows. */
function eventAt(windows: readonly Window<Row>[], index: number): Event<Row> {
  let before = 0;
  for (const window of windows) {
    if (index < before + window.count) return window.eventAt(index - before);
    before += window.count;
  }
  throw new RangeError(`${STEP}: expected one of ${before} rows, got number ${index}`);
}

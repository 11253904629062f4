import { escapeLiteral } from 'pg';
import { asBuffer } from '../../as-buffer.ts';
import type { BlockServer, LogState, SentBlock } from '../identities/block-server.ts';
import { explainDenied } from './check.ts';
import type { PostgresConnection, Row } from './connection.ts';
import { explainCutOff } from './cut-off.ts';
import * as sql from './sql.ts';

/** What the user has to be allowed in the tables of logs. */
export const IDENTITY_NEEDS = {
  identity_logs: ['SELECT', 'INSERT', 'UPDATE'],
  identity_blocks: ['SELECT', 'INSERT', 'DELETE'],
} as const;

/** One log of what `dedupe` has seen, in two tables: where it stands, and its blocks. */
export class PostgresIdentityBlocks implements BlockServer {
  readonly #connection: PostgresConnection;
  readonly #schema: string;
  readonly #log: string;
  readonly #logs: string;
  readonly #blocks: string;
  readonly #check: () => Promise<unknown>;

  /** @param check says what the user lacks */
  constructor(connection: PostgresConnection, schema: string, log: string, check: () => Promise<unknown>) {
    this.#check = check;
    this.#connection = connection;
    this.#schema = schema;
    this.#log = log;
    this.#logs = sql.ownTable(schema, 'identity_logs');
    this.#blocks = sql.ownTable(schema, 'identity_blocks');
  }

  async stands(): Promise<LogState> {
    try {
      const [found] = await this.#connection.query('SELECT to_regclass($1) IS NOT NULL AS "isThere"', [this.#blocks]);
      if (!found!['isThere']) await this.#createTables();
      return await this.#state();
    } catch (error) {
      throw await explainDenied(error, this.#check);
    }
  }

  async takeOver(seen: number): Promise<LogState | undefined> {
    const [row] = await this.#changing(
      `INSERT INTO ${this.#logs} AS l VALUES ($1, 1, 1, 0)
ON CONFLICT (log) DO UPDATE SET epoch = l.epoch + 1 WHERE l.epoch = $2 RETURNING epoch, first_block, last_block`,
      [this.#log, seen],
    );
    return row && stateOf(row);
  }

  // In a transaction, as its user's limit on statements would cut a long log off, in each run.
  async read(first: number, last: number): Promise<readonly SentBlock[]> {
    const where = `log = ${escapeLiteral(this.#log)} AND id BETWEEN ${first} AND ${last}`;
    const select = `SELECT id, newest_ms, sights FROM ${this.#blocks} WHERE ${where} ORDER BY id`;
    const rows = await this.#connection.transaction([sql.BEGIN, select, 'COMMIT']);
    return rows.map((row) => ({ id: Number(row['id']), newestMs: row['newest_ms'] as number, bytes: row['sights'] as Buffer }));
  }

  // One statement, so one transaction and one answer; a row that somebody takes over meanwhile is waited for, and then looked at anew.
  async append(epoch: number, { id, newestMs, bytes }: SentBlock, firstId: number): Promise<LogState> {
    const [done] = await this.#changing(
      `WITH moved AS (
  UPDATE ${this.#logs} SET first_block = $3, last_block = $4 WHERE log = $1 AND epoch = $2 AND last_block = $4::bigint - 1
  RETURNING epoch, first_block, last_block),
stored AS (INSERT INTO ${this.#blocks} (log, id, newest_ms, sights) SELECT $1, $4, $5, $6 FROM moved),
forgotten AS (DELETE FROM ${this.#blocks} WHERE log = $1 AND id < $3 AND EXISTS (SELECT FROM moved))
SELECT * FROM moved`,
      [this.#log, epoch, firstId, id, newestMs, asBuffer(bytes)],
    );
    return done ? stateOf(done) : this.#state();
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** Such a statement is over at once, unless it waits for a stranger: who has cut it off then, be it the user's limit, is tried again. */
  async #changing(text: string, values: readonly unknown[]): Promise<Row[]> {
    try {
      return await this.#connection.query(text, values);
    } catch (error) {
      throw await explainDenied(await explainCutOff(error, this.#connection, undefined), this.#check);
    }
  }

  async #state(): Promise<LogState> {
    const select = `SELECT epoch, first_block, last_block FROM ${this.#logs} WHERE log = $1`;
    const [row] = await this.#connection.query(select, [this.#log]);
    return row ? stateOf(row) : { epoch: 0, first: 1, last: 0 };
  }

  // Sights are as good as random: nothing to gain by trying to compress them.
  async #createTables(): Promise<void> {
    const create = `${sql.createSchema(this.#schema)};
CREATE TABLE IF NOT EXISTS ${this.#logs} (
  log text PRIMARY KEY,
  epoch bigint NOT NULL,
  first_block bigint NOT NULL, last_block bigint NOT NULL);
CREATE TABLE IF NOT EXISTS ${this.#blocks} (
  log text, id bigint,
  newest_ms double precision NOT NULL,
  sights bytea NOT NULL,
  PRIMARY KEY (log, id));
ALTER TABLE ${this.#blocks} ALTER sights SET STORAGE EXTERNAL`;
    await this.#connection.transaction([sql.BEGIN, sql.LOCK_CATALOG, create, 'COMMIT']);
  }
}

function stateOf(row: Row): LogState {
  return { epoch: Number(row['epoch']), first: Number(row['first_block']), last: Number(row['last_block']) };
}

import { DatabaseError } from 'pg';
import { WentBackError } from '../../errors.ts';
import { type Owner, keyOf } from '../../owner.ts';
import { type Resume, type Standing, formatResume, parseResume } from '../../position.ts';
import { Epochs } from '../database/epochs.ts';
import { PositionBehindError, standingOf } from '../database/position.ts';
import type { PostgresConnection } from './connection.ts';
import * as sql from './sql.ts';

/** How often somebody else may come in between when a shard is taken over. */
const MAX_TAKE_OVERS = 30;

/** Where an owner stands in all shards; nowhere when nobody has made the table. */
export async function readStandings(connection: PostgresConnection, schema: string, owner: Owner): Promise<readonly Standing[]> {
  const table = sql.ownTable(schema, 'positions');
  const [found] = await connection.query('SELECT to_regclass($1) IS NOT NULL AS "isThere"', [table]);
  if (!found!['isThere']) return [];
  const rows = await connection.query(sql.selectStandings(schema), [owner.pipeline, owner.sink]);
  return rows.map((row) => standingOf(row));
}

/** Where owners stand in shards, and with which epoch this process took each of them over. */
export class PostgresPositions {
  readonly #describe: string;
  readonly #schema: string;
  readonly #connection: PostgresConnection;
  readonly #epochs: Epochs;
  /** Where each shard was left, as the table has it. */
  readonly #stood = new Map<string, string>();

  constructor(describe: string, schema: string, connection: PostgresConnection) {
    this.#describe = describe;
    this.#schema = schema;
    this.#connection = connection;
    this.#epochs = new Epochs(describe);
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    const where = [owner.pipeline, owner.sink, [shard]];
    for (let tries = 1; tries <= MAX_TAKE_OVERS; tries++) {
      const [seen] = await this.#connection.query(sql.selectPositions(this.#schema), where);
      const take = sql.acquire(this.#schema, owner, shard, seen && Number(seen['epoch']));
      const [row] = await this.#connection.transaction([sql.BEGIN, take, 'COMMIT']);
      if (!row) continue;
      this.#epochs.set(owner, shard, Number(row['epoch']));
      this.#stands(owner, shard, row['position']);
      return row['position'] === null ? undefined : parseResume(shard, row['position'] as string);
    }
    const error = new Error(`${this.#describe}: others took ${shard} over at the same time, ${MAX_TAKE_OVERS} times`);
    throw Object.assign(error, { isTransient: true });
  }

  async read(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const asked = [...shards];
    const rows = await this.#connection.query(sql.selectPositions(this.#schema), [owner.pipeline, owner.sink, asked]);
    const found = new Map(rows.map((row) => [row['shard'], row]));
    const positions = new Map<string, Resume>();
    for (const shard of asked) {
      const row = found.get(shard);
      this.#epochs.check(owner, shard, Number(row?.['epoch'] ?? 0));
      const position = row?.['position'];
      this.#stands(owner, shard, position);
      if (typeof position === 'string') positions.set(shard, parseResume(shard, position));
    }
    return positions;
  }

  /** The statement that moves positions, or fails. @param stores whether rows come with it */
  guard(owner: Owner, positions: ReadonlyMap<string, Resume>, stores: boolean): string {
    const moves = [...positions].map(([shard, to]) => ({
      shard,
      to,
      epoch: this.#epochs.of(owner, shard),
      stood: this.#stood.get(keyOf(owner, shard)),
    }));
    return sql.guard(this.#schema, owner, moves, stores);
  }

  /** Takes note of positions that were moved. */
  moved(owner: Owner, positions: ReadonlyMap<string, Resume>): void {
    for (const [shard, to] of positions) this.#stands(owner, shard, formatResume(to));
  }

  /** Says in our words what `guard` raised. */
  explain(error: unknown, owner: Owner, positions: ReadonlyMap<string, Resume>): unknown {
    if (!(error instanceof DatabaseError)) return error;
    const { code, detail: shard = '', hint: has = '' } = error;
    if (code === sql.POSITION_BEHIND)
      return new PositionBehindError(this.#describe, shard, has, formatResume(positions.get(shard)!));
    if (code === sql.WENT_BACK)
      return new WentBackError(this.#describe, shard, this.#stood.get(keyOf(owner, shard)) ?? 'nothing', has);
    if (code !== sql.FENCED) return error;
    try {
      this.#epochs.check(owner, shard, Number(has));
    } catch (fenced) {
      return fenced;
    }
    return error;
  }

  #stands(owner: Owner, shard: string, position: unknown): void {
    if (typeof position === 'string') this.#stood.set(keyOf(owner, shard), position);
    else this.#stood.delete(keyOf(owner, shard));
  }
}

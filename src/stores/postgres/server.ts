import type { Report } from '../../diagnostic.ts';
import type { Standing } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { OpenDatabase, Table } from '../database.ts';
import type { BlockServer } from '../identities/block-server.ts';
import type { OpenRejects } from '../reject-source.ts';
import { checkOwnTables, checkPostgres, explainDenied } from './check.ts';
import { PostgresConnection } from './connection.ts';
import { IDENTITY_NEEDS, PostgresIdentityBlocks } from './identity-blocks.ts';
import { OpenPostgres } from './open-postgres.ts';
import { readStandings } from './positions.ts';
import { PostgresRejects } from './reject-source.ts';

interface ServerOptions {
  /** As messages name it. */
  readonly describe: string;
  readonly schema: string;
  readonly timeoutMs: number;
}

/** A database of a server: makes a connection for whoever asks. */
export class PostgresServer {
  readonly #url: string;
  readonly #options: ServerOptions;

  constructor(url: string, options: ServerOptions) {
    this.#url = url;
    this.#options = options;
  }

  check(table?: Table): Promise<string> {
    const { describe, schema } = this.#options;
    return this.#asking((connection) => checkPostgres(connection, describe, schema, table));
  }

  stands(owner: Owner): Promise<readonly Standing[]> {
    return this.#asking((connection) => readStandings(connection, this.#options.schema, owner));
  }

  async open({ report }: { readonly report: Report }): Promise<OpenDatabase> {
    const { describe, schema } = this.#options;
    const check = (table?: Table): Promise<string> => this.check(table);
    const database = new OpenPostgres(describe, schema, this.#connection(), { report, check });
    try {
      await database.setUp();
    } catch (error) {
      await database.close();
      throw await explainDenied(error, check);
    }
    return database;
  }

  checkIdentities(): Promise<string> {
    return this.#asking((connection) => checkOwnTables(connection, this.#options.schema, IDENTITY_NEEDS));
  }

  async openIdentities(log: string): Promise<BlockServer> {
    return new PostgresIdentityBlocks(this.#connection(), this.#options.schema, log, () => this.checkIdentities());
  }

  openRejects(): OpenRejects {
    return new PostgresRejects(this.#connection(), this.#options.schema);
  }

  async #asking<T>(ask: (connection: PostgresConnection) => Promise<T>): Promise<T> {
    const connection = this.#connection();
    try {
      return await ask(connection);
    } finally {
      await connection.close();
    }
  }

  #connection(): PostgresConnection {
    return new PostgresConnection(this.#url, this.#options.timeoutMs);
  }
}

import type { Database, Table } from './database.ts';
import type { IdentityServer } from './identities/block-server.ts';
import type { PostgresServer } from './postgres/server.ts';
import { describeUrl } from './postgres/url.ts';
import type { RejectSource } from './reject-source.ts';

export interface PostgresOptions {
  /** Where the tables `positions` and `rejects` live. @default 'millrace' */
  readonly schema?: string;
  /** How long the server may be silent while it is to answer, in milliseconds, before it counts as gone. @default 120_000 */
  readonly timeoutMs?: number;
}

/**
 * A Postgres database, 15 or later. Each user of it has one connection, made when it is needed and again after it failed;
 * failures are thrown as pg and node have them, for the caller to tell passing ones from others.
 *
 * A load is one message to the server: BEGIN, COPY, the check of the epochs, COMMIT. Only where a row is refused, or may be, do
 * more messages come in between. COPY is in its binary format when that can write all of a table's columns.
 *
 * @throws {TypeError} when the URL is none of Postgres, or names several servers; the message does not show it
 */
export function postgres(
  url: string,
  { schema = 'millrace', timeoutMs = 120_000 }: PostgresOptions = {},
): Database & RejectSource & IdentityServer {
  const describe = describeUrl(url);
  // Who declares a database and asks nothing of it need not load its client.
  const server = async (): Promise<PostgresServer> => {
    const { PostgresServer } = await import('./postgres/server.ts');
    return new PostgresServer(url, { describe, schema, timeoutMs });
  };
  return {
    describe,
    check: async (table?: Table) => (await server()).check(table),
    stands: async (owner) => (await server()).stands(owner),
    open: async (context) => (await server()).open(context),
    openRejects: async () => (await server()).openRejects(),
    checkIdentities: async () => (await server()).checkIdentities(),
    openIdentities: async (log) => (await server()).openIdentities(log),
  };
}

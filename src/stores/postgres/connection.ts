import type { Socket } from 'node:net';
import { Client, type QueryResult } from 'pg';
import { isOutOfReach } from '../../fault.ts';
import { type Copy, CopyMessage } from './copy.ts';
import { explainReach, withKnownMode } from './reach.ts';

/** A row of a result, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** How long connecting to a server may take. */
const CONNECT_TIMEOUT_MS = 10_000;

/** SQLSTATE of what would write, where nothing can be written. */
const READ_ONLY = '25006';

/**
 * One connection, made when it is needed and made again after it failed. Holds no statement back and repeats none.
 *
 * A server that neither takes nor sends a byte for `timeoutMs` while it is to answer counts as gone (`ETIMEDOUT`): behind a
 * dead network a socket would wait for a quarter of an hour.
 */
export class PostgresConnection {
  readonly #url: string;
  readonly #timeoutMs: number;
  #connecting: Promise<Client> | undefined;
  #wasConnected = false;

  constructor(url: string, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
  }

  /** Runs one statement with values, or several without. Resolves with the rows of all of them. */
  async query(text: string, values?: readonly unknown[]): Promise<Row[]> {
    const client = await this.#connect();
    const results: QueryResult | QueryResult[] = await this.#watched(client, () => client.query(text, values as unknown[]));
    return [results].flat().flatMap(({ rows }) => rows as Row[]);
  }

  /** Runs statements, of which the first begins a transaction and the last ends it, in one message. Resolves with the rows of all of them. */
  async transaction(statements: readonly string[]): Promise<Row[]> {
    try {
      return await this.query(statements.join(';\n'));
    } catch (error) {
      await this.rollback();
      throw error;
    }
  }

  /** Sends one message that may hold several `COPY … FROM STDIN`, each fed by the next of `copies`. */
  async send(text: string, copies: readonly Copy[]): Promise<void> {
    const client = await this.#connect();
    await this.#watched(client, () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      client.query(new CopyMessage(text, copies, (error) => (error ? reject(error) : resolve())));
      return promise;
    });
  }

  /** Ends a transaction that failed, so that the next one finds the connection as new; drops the connection when that fails. */
  async rollback(): Promise<void> {
    const connecting = this.#connecting;
    if (!connecting) return;
    try {
      await this.query('ROLLBACK');
    } catch {
      await this.#drop(connecting);
    }
  }

  async close(): Promise<void> {
    if (this.#connecting) await this.#drop(this.#connecting);
  }

  #connect(): Promise<Client> {
    if (this.#connecting) return this.#connecting;
    const client = this.#client();
    const connecting = client.connect().then(
      () => {
        this.#wasConnected = true;
        return client;
      },
      (error: Error) => {
        throw explainReach(error, this.#wasConnected);
      },
    );
    const forget = (): void => {
      if (this.#connecting === connecting) this.#connecting = undefined;
    };
    // Without a listener the loss of an idle connection would end the process; the next call simply connects again.
    client.on('error', () => {
      forget();
      // Over TLS, bytes that cannot be read are an error of a stream that stays open.
      client.end().catch(() => {});
    });
    client.on('end', forget);
    connecting.catch(forget);
    return (this.#connecting = connecting);
  }

  #client(): Client {
    try {
      return new Client({
        connectionString: withKnownMode(this.#url),
        fallback_application_name: 'millrace',
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        keepAlive: true,
      });
    } catch (error) {
      throw explainReach(error as Error, this.#wasConnected);
    }
  }

  async #drop(connecting: Promise<Client>): Promise<void> {
    if (this.#connecting === connecting) this.#connecting = undefined;
    const client = await connecting.catch(() => undefined);
    await client?.end().catch(() => {});
  }

  async #watched<T>(client: Client, call: () => Promise<T>): Promise<T> {
    const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
    const lose = (): void => {
      const error = new Error(`no word from the server for ${this.#timeoutMs} ms`);
      stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
    };
    stream.setTimeout(this.#timeoutMs).once('timeout', lose);
    try {
      return await call();
    } catch (error) {
      // A primary that has become a standby may keep its connections; another one finds what has taken its place.
      if ((error as { code?: unknown }).code === READ_ONLY && this.#connecting) await this.#drop(this.#connecting);
      // Bytes of TLS that were damaged on their way: the connection is lost.
      if (isOutOfReach(error)) Object.assign(error, { isTransient: true });
      throw error;
    } finally {
      stream.setTimeout(0).off('timeout', lose);
    }
  }
}

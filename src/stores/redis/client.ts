import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { addressOf, nodeOf } from './address.ts';
import { certificateHint } from './certificate-hint.ts';
import { whyEach } from './cluster-nodes.ts';
import { endOnError } from './end-on-error.ts';
import { overhear } from './overhear.ts';

// A class of ioredis extends String, upon which V8 keeps String.prototype as a dictionary: in the whole process, each method of a text is
// then looked up by its name whenever it is called. A write to an object with that prototype ends it.
const belowString = Object.create(String.prototype) as { written: boolean };
belowString.written = true;

/** An argument as the client takes it. */
export type Sendable = string | number | Buffer;

export interface RedisClientOptions {
  /** How long the server may be silent while it is to answer, in milliseconds, before it counts as gone. */
  readonly timeoutMs: number;
}

/** How long a server may take that is loading its data before opening it is given up. */
const LOAD_WITHIN_MS = 30_000;
const LOAD_POLL_MS = 100;
const LONGEST_RECONNECT_MS = 1_000;

/**
 * A connection to a Redis server that sends nothing twice by itself and prints nothing: what was under way when it was lost fails, and
 * the run decides. It is made again by itself, also when its server has become a replica. `close` leaves nothing running.
 */
export class RedisClient {
  /** Host and port, as messages name the server. */
  readonly where: string;
  readonly #isTls: boolean;
  readonly #redis: Redis | Cluster;
  /** Says of each node that the URL of a cluster names why it cannot be talked to. */
  readonly #askEach: () => Promise<string>;
  /** It is being asked, for all whom it concerns. */
  #asking: Promise<string> | undefined;
  /** What went wrong with the connection last. */
  #lost: Error | undefined;

  /** @param url of the form `redis://…`, `rediss://…`, or `redis-cluster://…`, which may name several nodes of one cluster */
  constructor(url: string, { timeoutMs }: RedisClientOptions) {
    const { where, nodes, isCluster, isTls, account } = addressOf(url);
    this.where = where;
    this.#isTls = isTls;
    const shared = {
      connectionName: 'millrace',
      connectTimeout: timeoutMs,
      // Whoever waits for an answer when the connection is lost hears of it at once, and nothing of it is sent again.
      socketTimeout: timeoutMs,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      // It prints when INFO is not permitted; a server that is loading says so in each answer.
      enableReadyCheck: false,
      disableClientInfo: true,
    };
    const retryStrategy = (times: number): number => Math.min(times * 50, LONGEST_RECONNECT_MS);
    this.#askEach = () => whyEach(nodes, { ...shared, ...account });
    this.#redis = isCluster
      ? new Cluster([...nodes], {
          lazyConnect: true,
          redisOptions: { ...shared, ...account },
          clusterRetryStrategy: (times) => {
            // What waits until a node can be talked to would wait in silence, for as long as none can.
            (this.#redis as Cluster)['flushQueue'](new Error(NO_NODE));
            return retryStrategy(times);
          },
          enableReadyCheck: false,
          slotsRefreshTimeout: timeoutMs,
          // Of all names the client would first make addresses: one that nobody knows (any more) would be the end of all, and a certificate is
          // good for a name.
          dnsLookup: (host, done) => done(null, host),
          natMap: (key) => nodeOf(key, isTls),
          // A node that answers MOVED or ASK has done nothing, so that may be sent again, to the node it names.
          retryDelayOnFailover: 0,
        })
      : new Redis(url, {
          ...shared,
          ...(isTls && { tls: nodes[0]!.tls! }),
          lazyConnect: true,
          retryStrategy,
          // Behind a name or a proxy there may by now be another server.
          reconnectOnError: ({ message }) => /^(READONLY|MASTERDOWN)/.test(message),
        });
    // Without a listener they are printed.
    this.#redis.on('error', (error: Error) => {
      this.#lost = error;
      // The client would go on, and read and write in database 0.
      if (isOfSelect(error)) this.#redis.disconnect(true);
    });
    this.#redis.on('connect', () => (this.#lost = undefined));
    if (this.#redis instanceof Redis) {
      overhear(this.#redis, (refusal) => (this.#lost = refusal));
      endOnError(this.#redis);
    }
    // Nobody waits for an answer to ASKING, and a failure that nobody hears of ends the process. The command behind it fails likewise, or is sent back.
    this.#redis.on('+node', (node: Redis) => {
      node.asking = async () => Redis.prototype.asking.call(node).catch(() => 'OK' as const);
      const { host, port } = node.options;
      const hear = ({ message }: Error): void => void (this.#lost = new Error(`${host}:${port}: ${message}`));
      node.on('error', hear);
      node.on('connect', () => (this.#lost = undefined));
      overhear(node, hear);
      endOnError(node);
    });
  }

  get isCluster(): boolean {
    return this.#redis instanceof Cluster;
  }

  /** Connects, and waits while the server loads its data. */
  async open(): Promise<void> {
    try {
      await this.#redis.connect();
      for (let waitedMs = 0; ; waitedMs += LOAD_POLL_MS) {
        try {
          await this.#redis.call('PING');
          return;
        } catch (error) {
          if (!(error as Error).message.startsWith('LOADING') || waitedMs >= LOAD_WITHIN_MS) throw error;
          await sleep(LOAD_POLL_MS);
        }
      }
    } catch (error) {
      this.close();
      const explained = await this.#explained(error);
      if (explained instanceof LostConnectionError) explained.message += this.#openingHint(explained.message);
      throw explained;
    }
  }

  /** Sends one command. Numbers among its arguments go as text. */
  async call(name: string, args: readonly Sendable[]): Promise<unknown> {
    try {
      return await this.#redis.call(name, args as Sendable[]);
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /** The same of a command whose answer is no text: it comes as Buffers. */
  async callForBytes(name: string, args: readonly Sendable[]): Promise<unknown> {
    try {
      return await this.#redis.callBuffer(name, args as Sendable[]);
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /** Sends one command to each server that has keys: the masters of a cluster, or the only one. */
  async callEach(name: string, args: readonly Sendable[]): Promise<unknown[]> {
    const servers = this.#redis instanceof Cluster ? this.#redis.nodes('master') : [this.#redis];
    try {
      return await Promise.all(servers.map((server) => server.call(name, args as Sendable[])));
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /** Sends commands in one go; the answers in their order. Throws the first error among them. */
  async callAll(commands: readonly (readonly [name: string, ...args: Sendable[]])[]): Promise<unknown[]> {
    const answers = await Promise.allSettled(commands.map(([name, ...args]) => this.#redis.call(name, args)));
    const failed = answers.find((answer) => answer.status === 'rejected');
    if (failed) throw await this.#explained(failed.reason);
    return answers.map((answer) => (answer as PromiseFulfilledResult<unknown>).value);
  }

  /** Sends reads in one go; an answer each, in order, and an error in the place of one whose key is of another kind. */
  async readAll(reads: readonly (readonly [name: string, ...args: (string | number)[]])[]): Promise<unknown[]> {
    const answers: unknown[] = [];
    for (const [error, answer] of await this.#pipelined(reads)) {
      const explained = error && (await this.#explained(error));
      if (explained && !(explained instanceof RedisError && /^(WRONGTYPE|ERR)\b/.test(explained.reply))) throw explained;
      answers.push(explained ?? answer);
    }
    return answers;
  }

  close(): void {
    this.#redis.disconnect();
  }

  /** A pipeline goes to one node; in a cluster each read finds its own. */
  async #pipelined(
    reads: readonly (readonly [name: string, ...args: (string | number)[]])[],
  ): Promise<[Error | null, unknown][]> {
    if (!(this.#redis instanceof Cluster))
      return (await this.#redis.pipeline(reads.map((read) => ['call', ...read])).exec()) ?? [];
    const answers = await Promise.allSettled(reads.map(([name, ...args]) => this.#redis.call(name, args)));
    return answers.map((answer) => (answer.status === 'fulfilled' ? [null, answer.value] : [answer.reason as Error, undefined]));
  }

  /** What may be wrong with a URL whose server cannot be talked to at all. */
  #openingHint(message: string): string {
    const [plain, secure] = this.isCluster ? ['redis-cluster', 'rediss-cluster'] : ['redis', 'rediss'];
    if (/cluster support disabled|unknown command 'cluster'/i.test(message))
      return `. Where there is no cluster, expected ${this.#isTls ? 'rediss' : 'redis'}://…`;
    if (this.#isTls && /timeout|ETIMEDOUT|wrong version|packet length/i.test(message))
      return `. Where the server does not speak TLS, expected ${plain}://…`;
    // It may close the connection before its word for it has come.
    if (this.#isTls && /has closed it|ECONNRESET/.test(message))
      return '. Where the server asks its clients for a certificate, it has to do without: tls-auth-clients no';
    if (!this.#isTls && /has closed it|ECONNRESET|RESP type/.test(message))
      return `. Where the server speaks TLS, expected ${secure}://…`;
    return '';
  }

  /** Says of a lost connection why, and of which server; the words of a server stay as they are, behind its name. */
  async #explained(error: unknown): Promise<Error> {
    const { message } = error as Error;
    const isLost = LOST.test(message);
    const cause: Error & { code?: string } = isLost ? lossOf(error, this.#lost) : (error as Error);
    // OpenSSL's words end in a newline.
    cause.message = cause.message.trimEnd();
    const hint = HINTS.find(([pattern]) => pattern.test(cause.message))?.[1];
    if (hint) return new RedisError(`${this.where}: ${hint}: ${cause.message}${forbidden(error)}`, cause.message, { cause });
    const lacking = certificateHint(cause.message);
    // One node of a cluster may have such a certificate, or its address by now be that of another server.
    if (lacking && !this.isCluster) return new Error(`${this.where}: ${lacking}: ${cause.message}`, { cause });
    if (message.startsWith(SENT_AROUND)) return new LostConnectionError(`${this.where}: ${message}`, { cause });
    if (!isLost) return new RedisError(`${this.where}: ${message}`, message, { cause });
    const why = message === NO_NODE ? await this.#whyEach() : cause.message || String(cause.code);
    const remedy = certificateHint(why);
    return new LostConnectionError(`${this.where}: no connection: ${why}${remedy ? `; ${remedy}` : ''}`, { cause });
  }

  async #whyEach(): Promise<string> {
    this.#asking ??= this.#askEach().finally(() => (this.#asking = undefined));
    return this.#asking;
  }
}

function isOfSelect(error: Error & { readonly command?: { readonly name: string } }): boolean {
  return error.command?.name === 'select';
}

/** What a user may not do, with its keys: of those a server says less, or nothing. Our scripts say it themselves. */
function forbidden(error: unknown): string {
  const { message, command } = error as Error & {
    readonly command?: { readonly name: string; readonly args: readonly unknown[] };
  };
  // What comes to log in has the password among its arguments.
  if (!command || !message.startsWith('NOPERM') || /no right to run/.test(message) || /^(auth|hello)$/i.test(command.name))
    return '';
  const { name, args } = command;
  const keys = /^eval/i.test(name) ? args.slice(2, 2 + Math.min(Number(args[1]), MOST_KEYS)) : args.slice(0, 1);
  return ` (${[name.toUpperCase(), ...keys].join(' ')})`;
}

/** So many keys of a script are told of. */
const MOST_KEYS = 20;

/** Why a connection was lost. A cluster's client says so of the node that it asked last. */
function lossOf(error: unknown, lost: Error | undefined): Error {
  const [now, before] = [error, lost] as ({ readonly lastNodeError?: Error } | undefined)[];
  return now?.lastNodeError ?? before?.lastNodeError ?? lost ?? new Error('the server has closed it');
}

/** None of the nodes that a cluster's URL names can be talked to. */
const NO_NODE = 'None of startup nodes is available';
/** Behind it is what the last node has answered. */
const SENT_AROUND = 'Too many Cluster redirections';
const LOST =
  /^(Connection is closed|Command aborted due to connection close|Reached the max retries|Stream isn't writeable|None of startup nodes|Cluster isn't ready|Cluster is ended|Failed to refresh slots|Too many Cluster redirections)/;

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/^(NOAUTH|WRONGPASS)/, 'expected the right user and password in its URL'],
  [/^NOPERM/, 'the user of its URL may not do what is needed'],
  [/^ERR (DB index is out of range|SELECT is not allowed)/, 'expected a database that it has in its URL'],
];

/** The connection was lost; what was under way may have been done or not. */
class LostConnectionError extends Error {
  override readonly name = 'LostConnectionError';
  readonly isTransient = true;
}

/** What a server answered instead of doing it. */
export class RedisError extends Error {
  override readonly name = 'RedisError';
  /** The server's own words, its code first. */
  readonly reply: string;

  constructor(message: string, reply: string, options: ErrorOptions) {
    super(message, options);
    this.reply = reply;
  }
}

import { fileURLToPath } from 'node:url';
import type { IdentityState } from '../operators/identity-state.ts';
import { checkIdentityFile } from './identities/file.ts';
import { FileLog } from './identities/file-log.ts';
import { onServer } from './identities/on-server.ts';
import { postgres } from './postgres.ts';
import { redis } from './redis.ts';
import { noUrl, refusePath } from './refuse-path.ts';

export interface IdentityLogOptions {
  /** On a server, the log's name. Two steps of one pipeline need two. @default the pipeline's name */
  readonly name?: string;
}

/**
 * Keeps what `dedupe` has seen, 28 bytes an identity: in a file on this machine; or in a Postgres or Redis server, where a run on any other
 * machine finds it, at one more call before each commit.
 *
 * Whoever opened it last owns it, as with shards: what an earlier owner still appends, one that was only asleep, fails with `FencedError`. A
 * block is durable before a sink commits what it covers. What is damaged is an error, never an empty memory.
 *
 * The file is an embedded SQLite database. While a run has it open, and after one that was killed, what was written last lies in
 * `<file>-wal`: the two belong together. Copied or moved without it, the file is an older memory, and nothing tells so. After a run that ended by itself
 * there is only the one.
 *
 * Postgres has it in the tables `identity_logs` and `identity_blocks` of the schema `millrace`; Redis, a cluster too, in the keys `millrace:identities:{<name>}` and
 * `millrace:identities:{<name>}:blocks`. It is read as a whole when a run begins, before anything is taken over. What a server that failed over has lost of it, it
 * has lost with the positions that came after, where they are in the same server; the run goes back.
 *
 * @param url `file:./data/dedupe.db`, `file:///var/lib/dedupe.db` or a path, where folders are made as needed; `postgres://…`, `redis://…`, `redis-cluster://…`
 * @throws {TypeError} when it is a URL of another kind, or the path begins with `~/` or has quotes or blanks around it
 */
export function identityLog(url: string, { name }: IdentityLogOptions = {}): IdentityState {
  if (/^postgres(ql)?:/.test(url)) return onServer(postgres(url), name);
  if (/^rediss?(-cluster)?:/.test(url)) return onServer(redis(url), name);
  const path = pathOf(url);
  refusePath('identityLog', path);
  return { describe: `file:${path}`, check: () => checkIdentityFile(path), open: () => new FileLog(path) };
}

function pathOf(url: string): string {
  if (url.startsWith('file://')) return fileURLToPath(url);
  const [, scheme, path] = /^(?:([a-z][a-z0-9+.-]+):)?(.*)$/is.exec(url)!;
  if ((scheme === undefined || scheme === 'file') && path && !path.includes('://')) return path;
  const got = url === '' ? 'nothing' : scheme === undefined ? noUrl(url) : `${scheme}:`;
  throw new TypeError(`identityLog: expected file:<path>, a path, postgres://… or redis://…, got ${got}`);
}

import { counted } from '../../counted.ts';
import type { Diagnostic } from '../../diagnostic.ts';
import { nameAndMessage } from '../../errors.ts';
import { formatResume } from '../../position.ts';
import { lostOf } from '../../sources/shards/gap.ts';
import type { Output } from './screen.ts';
import type { Status } from './status.ts';

/** One thing that is said: to a person as a line of text, to a machine as an object. */
export interface Entry {
  readonly level: 'info' | 'warn' | 'error';
  /** A word to group by: the type of a diagnostic, or `status`, `listening`, `start-ignored`, `ended`, `failed`. */
  readonly type: string;
  /** Whose run it is about; nothing when it is about all of them. */
  readonly pipeline?: string;
  readonly message: string;
  /** What the message was made of. */
  readonly fields?: object;
}

/** Where runs say what they have to say. */
export interface Log {
  say(entry: Entry): void;
  /** Says with what counts a run has ended well. */
  ended(entry: Entry & { readonly pipeline: string }): void;
  /** Says why a run has failed. */
  failed(entry: Entry & { readonly pipeline: string }): void;
  /** Ends what is said by the clock. The last words of runs may still follow. */
  close(): void;
}

export interface LogOptions {
  readonly output: Output;
  /** The names of all pipelines. */
  readonly pipelines: readonly string[];
  /** How the runs stand that have begun, by pipeline. */
  readonly statuses: ReadonlyMap<string, Status>;
  /** Lines of one's own under those of the pipelines. */
  readonly foot?: () => readonly string[];
}

/** A diagnostic as something to say; nothing for those that only feed numbers. */
export function entryOf(pipeline: string, diagnostic: Diagnostic): Entry | undefined {
  const message = logLine(diagnostic);
  if (message === undefined) return undefined;
  const { type, ...fields } = diagnostic;
  return { level: levelOf(diagnostic), type, pipeline, message, fields };
}

function levelOf(diagnostic: Diagnostic): Entry['level'] {
  switch (diagnostic.type) {
    case 'gap':
      return diagnostic.isAccepted ? 'warn' : 'error';
    case 'spool-read':
      return diagnostic.cutBytes > 0 ? 'warn' : 'info';
    case 'source-retry':
    case 'sink-retry':
    case 'lookup-retry':
    case 'went-back':
    case 'identities-forgotten':
    case 'no-conditional-writes':
    case 'unlogged':
    case 'table-anew':
    case 'may-evict-rejects':
    case 'line-open':
    case 'shard-quiet':
      return 'warn';
    default:
      return 'info';
  }
}

/** A diagnostic as one line for a person; nothing for those that only feed numbers. */
export function logLine(diagnostic: Diagnostic): string | undefined {
  switch (diagnostic.type) {
    case 'shard-started':
      return `${diagnostic.shard}: reading on from ${formatResume(diagnostic.resume)}`;
    case 'shard-ended':
      return `${diagnostic.shard}: read to its end`;
    case 'gap':
      return `${diagnostic.shard}: a gap behind ${formatResume(diagnostic.resume)}: ${lostOf(diagnostic)} is past retention`;
    case 'source-retry':
      return triedAgain(diagnostic.shard, diagnostic);
    case 'sink-retry':
      return triedAgain(diagnostic.sink, diagnostic);
    case 'went-back': {
      const { read, stored } = diagnostic.counts;
      return `${diagnostic.error.message}; a new run begins where it stands (the one that ended had read ${read} and stored ${stored})`;
    }
    case 'lookup-retry':
      return triedAgain('lookup', diagnostic);
    case 'sink-joined':
      return `${diagnostic.sink}: new to ${diagnostic.shard}, begins at ${formatResume(diagnostic.resume)}`;
    case 'identities-forgotten':
      return `${diagnostic.step}: full, ${diagnostic.count} of the oldest of ${diagnostic.capacity} identities forgotten before their time`;
    case 'identities-loaded':
      return `${diagnostic.step}: remembers ${diagnostic.count} identities from ${diagnostic.state}, loaded in ${Math.round(diagnostic.ms)} ms`;
    case 'no-conditional-writes':
      return `${diagnostic.store}: has no conditional writes; a run that was taken over is found out by reading, not by the store`;
    case 'may-evict-rejects':
      return `${diagnostic.store}: may evict rejects before their time when it is short of memory, by its maxmemory-policy ${diagnostic.policy}`;
    case 'archive-found': {
      const { where, range, objects, shards } = diagnostic;
      return `${where}: ${counted(objects, 'object')} of ${counted(shards, 'shard')} in ${range}`;
    }
    case 'rejects-found': {
      const { where, range, records, shards } = diagnostic;
      return `${where}: ${counted(records, 'record')} of ${counted(shards, 'shard')} in ${range}`;
    }
    case 'files-found': {
      const { where, files, sizeBytes } = diagnostic;
      return `${where}: ${counted(files, 'file')} of ${counted(sizeBytes, 'byte')}`;
    }
    case 'line-open':
      return `${diagnostic.shard}: ends inside a line, whose ${counted(diagnostic.sizeBytes, 'byte')} are left to a run that finds the rest of it`;
    case 'spool-read': {
      const { shard, where, sizeBytes, cutBytes } = diagnostic;
      const cut = cutBytes > 0 ? `; ${counted(cutBytes, 'byte')} behind them were not written to their end, and are lost` : '';
      return `${shard}: ${counted(sizeBytes, 'byte')} that an earlier run had read, and may not have stored, come first from ${where}${cut}`;
    }
    case 'read-before': {
      const { shard, count, what, isAll } = diagnostic;
      return `${shard}: ${isAll ? 'nothing to do, ' : ''}${counted(count, what)} read before${isAll ? '' : ' and passed over'}; under another name of the pipeline they are read again`;
    }
    case 'no-metadata':
      return `${diagnostic.shard}: ${counted(diagnostic.objects, 'object')} without metadata, first ${diagnostic.key}: arrival is the key's minute, and lines cannot be counted`;
    case 'no-index': {
      const { store, table, column } = diagnostic;
      return `${store}: ${table} has no index that begins with ${column}, so all of it is read for each load; CREATE INDEX CONCURRENTLY ON ${table} (${column}) helps`;
    }
    case 'unlogged': {
      const { store, table } = diagnostic;
      return `${store}: ${table} is UNLOGGED, so a crash of the server empties it, and what it had is not read again; ALTER TABLE ${table} SET LOGGED keeps it`;
    }
    case 'table-anew': {
      const { sink, table, shard, resume } = diagnostic;
      return `${sink}: ${table} was not there and is made, empty; what was loaded before, up to ${formatResume(resume)} of ${shard}, is in a table of another name or gone, and a restore loads it from the archive`;
    }
    case 'left-out': {
      const { sink, stored, leftOut } = diagnostic;
      return `${sink}: ${counted(stored, 'row')} stored that were missing, ${counted(leftOut, 'row')} left out that were there`;
    }
    case 'stopping':
      return `stopping: ${diagnostic.why}`;
    case 'shard-quiet':
      return `${diagnostic.shard}: no progress for ${Math.round(diagnostic.forMs / 1000)} s, ${diagnostic.doing}`;
    case 'shard-known':
    case 'shard-lag':
    case 'shard-health':
    case 'committed':
    case 'rejected':
      return undefined;
  }
}

type Retry = Diagnostic & { readonly type: `${string}-retry` };

function triedAgain(who: string, { attempt, delayMs, error }: Retry): string {
  return `${who}: try ${attempt} failed, again in ${Math.round(delayMs)} ms: ${nameAndMessage(error)}`;
}

import { lineIndex } from '../../lines/line-index.ts';
import { layoutOf } from '../fields/layouts.ts';
import { hasNoise, hostIn, isException } from './grammar.ts';

/** App ids remembered; more than any text has. */
const MAX_APPS = 1000;
/** First lines of stack traces remembered, and how long they may be. */
const MAX_EXCEPTIONS = 100;
const MAX_EXCEPTION_LENGTH = 300;
/** Hosts remembered that were partition keys: more collectors than anybody has. */
const MAX_HOSTS = 1000;

/** What the records read so far tell about those to come: how many columns they have, and their app ids. */
export class NoiseKnowledge {
  /** The columns of the last record; 0 before the first. */
  columns = 0;
  /** In latin1. */
  readonly apps = new Set<string>();
  /** First lines of stack traces that stood by themselves, in latin1. */
  readonly exceptions = new Set<string>();
  /** Hosts that were partition keys in log lines of their own. */
  readonly hosts = new Set<string>();
  #lastApp = Buffer.alloc(0);

  forget(): void {
    this.columns = 0;
    this.apps.clear();
    this.exceptions.clear();
    this.hosts.clear();
    this.#lastApp = Buffer.alloc(0);
  }

  /** Says whether a line without marks of noise is a record, beyond doubt, and learns from it if so. */
  recognize(line: Uint8Array): boolean {
    const columns = columnsOf(line);
    return this.#isLikeTheLast(columns) ? this.#hasLastColumn(columns) : this.#isNew(columns);
  }

  /** The same of the line that is shown, when it has no newline in it, and its last column is a number or a time. */
  recognizeClean(): boolean {
    return this.#isLikeTheLast(lineIndex.count) || this.#isNew(lineIndex.count);
  }

  #isLikeTheLast(columns: number): boolean {
    return columns === this.columns && lineIndex.beginsWith(this.#lastApp);
  }

  #isNew(columns: number): boolean {
    const isRecord = this.#isPlausible(columns);
    if (isRecord) this.#learn(columns);
    return isRecord;
  }

  /** Takes in a line that is the first of a stack trace. */
  hearException(text: string): void {
    if (text.length <= MAX_EXCEPTION_LENGTH && this.exceptions.size < MAX_EXCEPTIONS) this.exceptions.add(text);
  }

  /** Takes in a line that is noise. */
  hear(text: string): void {
    if (isException(text)) this.hearException(text);
    const host = hostIn(text);
    if (host !== undefined && this.hosts.size < MAX_HOSTS) this.hosts.add(host);
  }

  /** Says whether bytes that were put together look like a record. */
  isPlausible(record: Uint8Array): boolean {
    return this.#isPlausible(columnsOf(record));
  }

  /** The visitor's address in a record, in latin1. */
  addressOf(record: Uint8Array): string {
    return this.#field(columnsOf(record) === 98 ? 12 : 13);
  }

  learn(record: Uint8Array): void {
    this.#learn(columnsOf(record));
  }

  #learn(columns: number): void {
    this.columns = columns;
    this.#lastApp = Buffer.from(lineIndex.bytes.subarray(lineIndex.start(0), lineIndex.end(0)));
    if (this.apps.size < MAX_APPS) this.apps.add(this.#lastApp.toString('latin1'));
  }

  /** Says whether a line has the columns of a record, and noise glued to the first or the last of them. */
  hasGlued(line: Uint8Array): boolean {
    const columns = columnsOf(line);
    return layoutOf(columns) !== undefined && (hasNoise(this.#field(0)) || hasNoise(this.#field(columns - 1)));
  }

  #isPlausible(columns: number): boolean {
    return layoutOf(columns) !== undefined && this.#hasLastColumn(columns) && this.#hasTime(columns) && !hasNoise(this.#field(0));
  }

  // The last column is a number (doc_height) or a time (derived_tstamp, true_tstamp) in every layout.
  #hasLastColumn(columns: number): boolean {
    const { bytes } = lineIndex;
    const end = lineIndex.end(columns - 1);
    for (let i = lineIndex.start(columns - 1); i < end; i++) {
      const byte = bytes[i]!;
      // 0 to 9 and the colon; blank, minus and dot; T and Z
      if (!((byte >= 48 && byte <= 58) || byte === 32 || byte === 45 || byte === 46 || byte === 84 || byte === 90)) return false;
    }
    return true;
  }

  // collector_tstamp is never empty
  #hasTime(columns: number): boolean {
    return /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(this.#field(columns === 98 ? 2 : 3));
  }

  #field(column: number): string {
    const start = lineIndex.start(column);
    return lineIndex.bytes.toString('latin1', start, Math.min(lineIndex.end(column), start + 300));
  }
}

/** Shows a line. Says how many columns it has; -1 when there is a newline in it. */
function columnsOf(line: Uint8Array): number {
  lineIndex.add(line);
  return lineIndex.hasNewline ? -1 : lineIndex.count;
}

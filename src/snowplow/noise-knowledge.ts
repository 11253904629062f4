import { layoutOf } from './layouts.ts';
import { TabIndex } from './tab-index.ts';

/** App ids remembered; more than any text has. */
const MAX_APPS = 1000;
/** First lines of stack traces remembered, and how long they may be. */
const MAX_EXCEPTIONS = 100;
const MAX_EXCEPTION_LENGTH = 300;
// What noise leaves behind when it is glued to an app id.
const GLUED = /(?:Exception|Error|Throwable)|: |[\][{}]/;

/** What the records read so far tell about those to come: how many columns they have, and their app ids. */
export class NoiseKnowledge {
  /** The columns of the last record; 0 before the first. */
  columns = 0;
  /** In latin1. */
  readonly apps = new Set<string>();
  /** First lines of stack traces that stood by themselves, in latin1. */
  readonly exceptions = new Set<string>();
  readonly #tabs = new TabIndex();
  #lastApp = Buffer.alloc(0);

  forget(): void {
    this.columns = 0;
    this.apps.clear();
    this.exceptions.clear();
    this.#lastApp = Buffer.alloc(0);
  }

  /** Says whether a line without marks of noise is a record, beyond doubt, and learns from it if so. */
  recognize(line: Uint8Array): boolean {
    const columns = this.#tabs.scan(line);
    const isSame = columns === this.columns && this.#hasLastApp();
    if (isSame ? !this.#hasLastColumn(columns) : !this.#isPlausible(columns)) return false;
    if (!isSame) this.#learn(columns);
    return true;
  }

  /** Takes in a line that is the first of a stack trace. */
  hearException(text: string): void {
    if (text.length <= MAX_EXCEPTION_LENGTH && this.exceptions.size < MAX_EXCEPTIONS) this.exceptions.add(text);
  }

  /** Says whether bytes that were put together look like a record. */
  isPlausible(record: Uint8Array): boolean {
    return this.#isPlausible(this.#tabs.scan(record));
  }

  learn(record: Uint8Array): void {
    this.#learn(this.#tabs.scan(record));
  }

  #learn(columns: number): void {
    this.columns = columns;
    this.#lastApp = Buffer.from(this.#tabs.bytes.subarray(0, this.#tabs.ends[0]!));
    if (this.apps.size < MAX_APPS) this.apps.add(this.#lastApp.toString('latin1'));
  }

  #isPlausible(columns: number): boolean {
    return (
      layoutOf(columns) !== undefined && this.#hasLastColumn(columns) && this.#hasTime(columns) && !GLUED.test(this.#field(0))
    );
  }

  #hasLastApp(): boolean {
    const app = this.#lastApp;
    const { bytes, ends } = this.#tabs;
    if (ends[0] !== app.length) return false;
    for (let i = 0; i < app.length; i++) if (bytes[i] !== app[i]) return false;
    return true;
  }

  // The last column is a number (doc_height) or a time (derived_tstamp, true_tstamp) in every layout.
  #hasLastColumn(columns: number): boolean {
    const { bytes, length } = this.#tabs;
    for (let i = this.#tabs.start(columns - 1); i < length; i++) {
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
    const start = this.#tabs.start(column);
    return this.#tabs.bytes.toString('latin1', start, Math.min(this.#tabs.ends[column]!, start + 300));
  }
}

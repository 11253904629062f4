/** One value to look up. Two reads of the same name, key and arguments are one. */
export interface Read<out V> {
  /** The command that reads it: `GET`. */
  readonly name: string;
  readonly key: string;
  readonly args: readonly (string | number)[];
  /** Makes of the store's answer what the pipeline works with; a key that is absent is an answer too. */
  readonly understand: (answer: unknown) => V;
}

/** Where values are looked up. A declaration: nothing is connected before `openReads`. The one there is: `redis`. */
export interface LookupSource {
  /** Its URL without secrets. */
  readonly describe: string;
  openReads(): OpenReads;
}

export interface OpenReads {
  /**
   * Asks for all of them in one go, and calls back once: with an answer each, in order, an `Error` for one that the store refused; or with
   * nothing and why the whole call failed.
   */
  read(reads: readonly Read<unknown>[], done: (answers: readonly unknown[], failure?: unknown) => void): void;
  close(): void;
}

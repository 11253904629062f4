import type { Diagnostic } from '../diagnostic.ts';
import { after } from './after.ts';

/** The shards of a run are taken over one by one; once no more has come for so long, they are counted. */
const ALL_AFTER_MS = 1000;

/**
 * Tells, once a run, how many of its shards do not begin where the run was told to: sinks know them, and they go on where they stand. Who
 * gave a start to read something again would else wait for it in vain.
 */
export class StartIgnored {
  readonly #tell: (shards: number) => void;
  #shards = 0;
  #isOver = false;
  #callOff = (): void => {};

  constructor(tell: (shards: number) => void) {
    this.#tell = tell;
  }

  /** Takes note of what the run reports. */
  report(diagnostic: Diagnostic): void {
    if (this.#isOver) return;
    // Behind that, all shards are known, and where the run was told to begin says nothing any more.
    if (diagnostic.type === 'went-back') this.close();
    if (diagnostic.type !== 'shard-known' || diagnostic.resume === 'SHARD_END') return;
    this.#shards++;
    this.#callOff();
    this.#callOff = after(ALL_AFTER_MS, () => this.close());
  }

  /** Tells what has not been told: nothing more will come. */
  close(): void {
    this.#callOff();
    if (this.#shards > 0 && !this.#isOver) this.#tell(this.#shards);
    this.#isOver = true;
  }
}

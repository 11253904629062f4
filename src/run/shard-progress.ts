import type { Diagnostic } from '../diagnostic.ts';
import { nameAndMessage } from '../errors.ts';
import { type Position, comparePositions } from '../position.ts';
import type { InFlight } from '../ledger.ts';

/** A shard that stands still. All times are by the run's clock. */
export interface Standstill {
  /** Since when nothing has moved. */
  readonly sinceMs: number;
  /** When what it waits for was last heard of. */
  readonly heardAtMs: number;
  /** What it is doing, for a person: `trying again after …`. */
  readonly doing: string;
}

/** When sinks were last heard of. */
export interface SinkSigns {
  /** They had nothing to do. */
  readonly restedAtMs: number;
  /** They stored something, or told of a try again. */
  readonly heardAtMs: number;
  /** What the last try again was for; nothing since something was stored. */
  readonly retry: string | undefined;
  /** What a `lookup` last tried again for; nothing since something was stored. */
  readonly lookup: string | undefined;
}

/** What is known of one shard's progress. */
export class ShardProgress {
  behindMs: number | undefined;
  /** When the stream last answered a read. */
  readAtMs: number | undefined;
  /** When the checkpoint was first seen where it is. */
  settledAtMs: number | undefined;
  hasEnded = false;
  readonly #startedAtMs: number;
  #checkpoint: Position | undefined;
  #retry: string | undefined;
  #waitsSinceMs: number | undefined;
  #waitedAtMs = 0;

  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  answered(behindMs: number, nowMs: number): void {
    this.behindMs = behindMs;
    this.readAtMs = nowMs;
    this.#retry = this.#waitsSinceMs = undefined;
  }

  failed({ attempt, error }: Diagnostic & { readonly type: 'source-retry' }): void {
    this.#retry = `trying again (${attempt}) after ${nameAndMessage(error)}`;
  }

  /**
   * Looks where the shard is, and says how it stands still.
   *
   * @param keepsMs how long the pipeline's steps may keep an event
   */
  look(inFlight: InFlight, checkpoint: Position | undefined, sinks: SinkSigns, keepsMs: number, nowMs: number): Standstill[] {
    if (checkpoint && (!this.#checkpoint || comparePositions(checkpoint, this.#checkpoint) !== 0)) {
      this.#checkpoint = checkpoint;
      this.settledAtMs = nowMs;
    }
    if (inFlight.waitsForRoom) {
      this.#waitsSinceMs ??= nowMs;
      this.#waitedAtMs = nowMs;
    } else this.#waitsSinceMs = undefined;
    return [this.#reading(sinks), this.#settling(inFlight, sinks, keepsMs)].filter((one) => one !== undefined);
  }

  #reading(sinks: SinkSigns): Standstill | undefined {
    if (this.hasEnded) return undefined;
    if (this.#waitsSinceMs !== undefined) {
      const sinceMs = this.#waitsSinceMs;
      const room = { retry: sinks.retry ?? sinks.lookup };
      return { sinceMs, heardAtMs: Math.max(sinceMs, sinks.heardAtMs), doing: `waiting for room${because(room)}` };
    }
    // Sources that do not tell of their reads are not watched.
    if (this.readAtMs === undefined && this.#retry === undefined) return undefined;
    const sinceMs = Math.max(this.readAtMs ?? this.#startedAtMs, this.#waitedAtMs);
    return { sinceMs, heardAtMs: sinceMs, doing: this.#retry ?? 'waiting for an answer of the stream' };
  }

  #settling({ readAtMs: [firstMs, secondMs] }: InFlight, sinks: SinkSigns, keepsMs: number): Standstill | undefined {
    if (firstMs === undefined) return undefined;
    const moved = (readMs: number): number => Math.max(readMs + keepsMs, this.settledAtMs ?? 0);
    if (sinks.retry !== undefined || sinks.restedAtMs <= firstMs + keepsMs) {
      // Sinks take things in their order: as long as they store or try again, this shard's turn will come.
      const sinceMs = moved(firstMs);
      return { sinceMs, heardAtMs: Math.max(sinceMs, sinks.heardAtMs), doing: `waiting for the sinks${because(sinks)}` };
    }
    // The sinks have had all that came to them. A step that joins pieces may keep the newest until more comes, but not what lies before.
    if (secondMs === undefined || sinks.restedAtMs <= secondMs + keepsMs) return undefined;
    const sinceMs = moved(secondMs);
    const doing = `waiting for a step of the pipeline, which holds its events${because({ retry: sinks.lookup })}`;
    return { sinceMs, heardAtMs: sinceMs, doing };
  }
}

function because({ retry }: Pick<SinkSigns, 'retry'>): string {
  return retry === undefined ? '' : `: ${retry}`;
}

import type { Delivery } from '../delivery.ts';
import { type LineIndex, MAX_LINES, lineIndex } from '../lines/line-index.ts';
import type { Chain } from './event-steps.ts';
import type { Records } from '../records.ts';
import { eventOf } from './each-event.ts';
import type { MakeData } from './minute-window/contents.ts';

/**
 * What a step does with lines that it can tell by their index alone. A line that all steps of a pipeline let pass takes a short cut: it does
 * not become an event on its way. All others, whatever is odd about them, go from step to step, in their places.
 */
export interface LineSteps<S> {
  /** Whether the line that is shown passes as it is, for certain and without a trace. @default all do */
  passes?(index: LineIndex): boolean;
  /**
   * Whether a line that passes does so in its place, where all before it has been taken: for a step that may have kept something of those. It takes
   * it then. @default it does
   */
  takes?(state: S, delivery: Delivery, record: number): boolean;
  /** Makes the data that the step gives out of what it takes; for a line that passed. @default the same */
  make?(data: never): unknown;
  /** Is shown many lines that all steps let pass, by their places in the index, before `keeps` sees the first of them: to read what that takes. */
  foresee?(state: S, index: LineIndex, places: Uint16Array): void;
  /** Sees a line that all steps let pass, by its place, in order with all others. False drops it. @default keeps all */
  keeps?(state: S, place: number, delivery: Delivery, record: number): boolean;
}

/** A step's part of the short cut: the state is the one that the step has anyway. */
export interface LineLink {
  readonly name: string;
  readonly state: unknown;
  readonly lines: LineSteps<unknown>;
}

/** Takes whole deliveries of lines through a chain of steps. */
export class ShortCut<T> {
  readonly #chain: Chain;
  readonly #checks: readonly ((index: LineIndex) => boolean)[];
  readonly #takers: readonly LineLink[];
  readonly #keepers: readonly LineLink[];
  readonly #make: MakeData<T>;
  readonly #index = lineIndex;
  /** The places of the lines that pass, among those that are indexed. */
  readonly #passing = new Uint16Array(MAX_LINES);

  constructor(chain: Chain) {
    const links = chain.lineLinks;
    this.#chain = chain;
    this.#checks = links.flatMap(({ lines }) => (lines.passes ? (index: LineIndex) => lines.passes!(index) : []));
    this.#takers = links.filter(({ lines }) => lines.takes !== undefined);
    this.#keepers = links.filter(({ lines }) => lines.keeps !== undefined);
    const makes = links.flatMap(({ lines }) => (lines.make ? (data: unknown) => lines.make!(data as never) : []));
    this.#make = (raw) => makes.reduce<unknown>((data, make) => make(data), raw) as T;
  }

  /**
   * @param isOver once it is closed, nothing more is taken
   * @param add takes a record as it is
   */
  take(
    delivery: Delivery,
    isOver: { readonly closed: boolean },
    add: (delivery: Delivery, record: number, make: MakeData<T>) => void,
  ): void {
    const records = delivery.records!;
    for (let from = 0; from < records.count;) {
      const count = this.#index.addRecords(records, from);
      const passing = this.#look(records, from, count);
      for (let place = 0, next = 0; place < count; place++) {
        if (isOver.closed) return;
        const record = from + place;
        const passes = place === passing[next];
        if (passes) next++;
        if (passes && this.#takes(place, delivery, record)) {
          if (this.#keeps(place, delivery, record)) add(delivery, record, this.#make);
        } else {
          const event = eventOf(delivery, record);
          if (event) this.#chain.take(event.data, event.origin);
        }
      }
      from += count;
    }
  }

  /** Finds which of the lines that are indexed take the short cut. */
  #look(records: Records, from: number, count: number): Uint16Array {
    let found = 0;
    for (let place = 0; place < count; place++) {
      this.#index.show(place);
      if (records.fateOf(from + place) === undefined && this.#passes()) this.#passing[found++] = place;
    }
    const passing = this.#passing.subarray(0, found);
    for (const { state, lines } of this.#keepers) lines.foresee?.(state, this.#index, passing);
    return passing;
  }

  #passes(): boolean {
    for (const passes of this.#checks) if (!passes(this.#index)) return false;
    return true;
  }

  #takes(place: number, delivery: Delivery, record: number): boolean {
    for (const { state, lines } of this.#takers) {
      this.#index.show(place);
      if (!lines.takes!(state, delivery, record)) return false;
    }
    return true;
  }

  #keeps(place: number, delivery: Delivery, record: number): boolean {
    for (const { name, state, lines } of this.#keepers) {
      if (lines.keeps!(state, place, delivery, record)) continue;
      delivery.mark(record, delivery.ledger.dropCode(name));
      return false;
    }
    return true;
  }
}

import type { Duration } from 'date-fns';

export interface RecordOptions {
  /** When the stream received it, after 0:00. @default when it is read */
  readonly arrived?: Duration;
  /** Its sequence number; two records of the same one are a record and its replay. @default the next */
  readonly sequence?: number;
  /** Its bytes at the source. @default the data, as text or JSON */
  readonly raw?: string | Uint8Array;
}

/** A value of a marble spec with more than its data. */
export class Recorded<out A> {
  readonly data: A;
  readonly options: RecordOptions;

  constructor(data: A, options: RecordOptions) {
    this.data = data;
    this.options = options;
  }
}

/**
 * Says more of a value of a marble spec than its data.
 *
 *     given: { a: home, b: record(cart, { arrived: { seconds: 50 } }) }
 */
export function record<A>(data: A, options: RecordOptions): Recorded<A> {
  return new Recorded(data, options);
}

/** The data of a value of a marble spec. */
export function dataOf<A>(given: A | Recorded<A>): A {
  return given instanceof Recorded ? given.data : given;
}

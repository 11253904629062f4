import type { Duration } from 'date-fns';
import type { OperatorFunction } from 'rxjs';
import type { Event, RejectReason } from '../event.ts';
import type { WindowBounds } from '../operators/window.ts';
import type { Recorded } from './marble-record.ts';

/** What a window of the result is expected to be; its bounds as far as they are told. */
export interface ExpectedWindow extends Partial<Pick<WindowBounds, 'shard' | 'part' | 'closedBy'>> {
  /** The data of its events, in order. */
  readonly events: readonly unknown[];
  /** When its interval begins, after 0:00. */
  readonly start?: Duration;
}

/**
 * Aligned strings and what their letters stand for: what is drawn.
 *
 *     -      a tick in which nothing happens       |   the stream completes
 *     a      a value: a delivery of one record     #   the stream fails
 *     (abc)  at one moment: a delivery of three    !   the moment of `unsubscribe`, `pressure` or `shardEnd`
 *
 * As in RxJS, a group takes as many columns as it has characters, and happens at its first.
 */
export interface MarblePicture {
  /** One column, of virtual time that begins at 0:00 (1970). */
  readonly tick: Duration;
  /** The distance of the lines behind the picture. */
  readonly ruler?: Duration;
  /** The operator as the picture names it. */
  readonly label: string;
  /** What is read: one line, or one a shard. A record arrived when it is read, unless `record` says otherwise. */
  readonly source: string | Readonly<Record<string, string>>;
  readonly result: string;
  /** The data of each letter of the source. */
  readonly given: Readonly<Record<string, unknown>>;
  /**
   * The data of each letter of the result; of a window an `ExpectedWindow`, or just the data of its events. May have vitest's
   * asymmetric matchers.
   *
   * @default given
   */
  readonly emits?: Readonly<Record<string, unknown>>;
  /** When records of the source are rejected, by their letters. @default none are */
  readonly rejected?: string;
  /** Why they are, by their letters, as far as it is told. */
  readonly why?: Readonly<Record<string, Partial<RejectReason>>>;
  /** How many records each step dropped. @default none */
  readonly dropped?: Readonly<Record<string, number>>;
  /** How many records are not settled at the end of the strings. @default 0 */
  readonly inFlight?: number;
  /** When the result is unsubscribed from: `-----!` */
  readonly unsubscribe?: string;
  /** When a source has to wait for room: `-----!` */
  readonly pressure?: string;
  /** When the shard of the first line was read to its end, and its children wait: `-----!` */
  readonly shardEnd?: string;
  /** What letters stand for, in words, under the picture. */
  readonly legend?: Readonly<Record<string, string>>;
}

/** What an operator does over time. */
export interface MarbleSpec<A, R> extends MarblePicture {
  readonly operator: OperatorFunction<Event<A>, R>;
  readonly given: Readonly<Record<string, A | Recorded<A>>>;
  /** What of an event's data is compared with `emits`. @default all of it; bytes as text */
  readonly compare?: (data: never) => unknown;
  /** Whether it is drawn, beside the spec. @default true */
  readonly picture?: boolean;
}

/** The lines of what is read, by name. */
export function sourcesOf({ source }: MarblePicture): [string, string][] {
  return Object.entries(typeof source === 'string' ? { source } : source);
}

/** How many columns a spec has: what its longest string has. */
export function widthOf(spec: MarblePicture): number {
  const { result, rejected = '', unsubscribe = '' } = spec;
  const lines = [...sourcesOf(spec).map(([, line]) => line), result, rejected, unsubscribe];
  return Math.max(...lines.map((line) => line.length));
}

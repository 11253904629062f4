import type { OperatorFunction } from 'rxjs';
import type { Event } from '../event.ts';
import type { LineIndex } from '../lines/line-index.ts';
import { StepError } from '../errors.ts';
import { eventSteps } from './event-steps.ts';

/** What the bytes of a record mean. */
export interface Format<out T> {
  /** Its name, for the graph. */
  readonly name: string;
  /** Reads one record. Bytes that it cannot read are a value, not an exception. */
  parse(bytes: Uint8Array): T | Malformed;
  /** Of a format of lines: whether one that is indexed is sound, for certain, and what `parse` makes of such a line. */
  readonly lines?: { passes(index: LineIndex): boolean; make(bytes: Uint8Array): T };
}

/** Why bytes are not of a format. */
export class Malformed {
  readonly code: string;
  readonly reason: string;
  readonly path: string | undefined;

  /**
   * @param code a short, stable word to group by
   * @param reason what was expected and what came, for a person
   * @param path where in the record; left out when it is the whole
   */
  constructor(code: string, reason: string, path?: string) {
    this.code = code;
    this.reason = reason;
    this.path = path;
  }
}

/**
 * Reads each record's bytes as a format has them.
 *
 *     source  -a-b-c-|
 *     result  -A---C-|     b is malformed: a reject
 *
 * It keeps nothing. What is malformed is a reject of the step `decode`; what the format throws ends the stream with a StepError.
 */
export function decode<T>(format: Format<T>): OperatorFunction<Event<Uint8Array>, Event<T>> {
  return eventSteps<undefined, Uint8Array, T>({
    name: 'decode',
    detail: format.name,
    seed: () => undefined,
    ...(format.lines && { lines: format.lines }),
    step(_, bytes, origin, out) {
      let data: T | Malformed;
      try {
        data = format.parse(bytes);
      } catch (error) {
        throw new StepError(
          'decode',
          origin.position,
          error,
          'To make such a record a reject, and go on, let the format return Malformed',
        );
      }
      if (data instanceof Malformed) {
        const { code, reason, path } = data;
        out.reject({ code, reason, ...(path !== undefined && { path }) });
      } else out.emit(data);
    },
  });
}

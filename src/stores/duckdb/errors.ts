import { FencedError, WentBackError } from '../../errors.ts';
import { PositionBehindError } from '../database/position.ts';

/** An error on its way from one thread to another: copied as it is, it would lose its class and its fields. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly fields: object;
  readonly cause?: PackedError;
}

/** Errors of which somebody asks whether it is one. */
const CLASSES = [FencedError, WentBackError, PositionBehindError, RangeError, TypeError];

export function packError(error: Error): PackedError {
  const { name, message, stack, cause, ...fields } = error;
  return { name, message, stack, fields, ...(cause instanceof Error && { cause: packError(cause) }) };
}

export function unpackError({ name, message, stack, fields, cause }: PackedError): Error {
  const error = new Error(message, cause && { cause: unpackError(cause) });
  const known = CLASSES.find((one) => one.name === name);
  if (known) Object.setPrototypeOf(error, known.prototype);
  if (stack !== undefined) error.stack = stack;
  return Object.assign(error, fields, error.name === name ? {} : { name });
}

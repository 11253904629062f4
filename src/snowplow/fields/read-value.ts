import { FieldError } from './field-error.ts';
import { type SelfDescribing, isSelfDescribing } from '../self-describing.ts';
import { readTimestamp } from './timestamp.ts';

/** Reads the value of a field from its bytes, which are not none. @throws {FieldError} when they hold no such value. */
type ReadValue<T> = (bytes: Buffer, start: number, end: number, field: string) => T;

/** How to read a value of each type. */
export const readValue: {
  readonly string: ReadValue<string>;
  readonly integer: ReadValue<number>;
  readonly number: ReadValue<number>;
  readonly boolean: ReadValue<boolean>;
  readonly timestamp: ReadValue<Date>;
  readonly json: ReadValue<SelfDescribing>;
} = { string, integer, number, boolean, timestamp, json };

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;

function string(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end);
}

// Of 32 bits, as the JVM that wrote it and the column that stores it have.
function integer(bytes: Buffer, start: number, end: number, field: string): number {
  const isNegative = bytes[start] === MINUS;
  const first = isNegative || bytes[start] === PLUS ? start + 1 : start;
  let value = 0;
  let isInteger = first < end;
  for (let at = first; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    value = value * 10 + digit;
    if (digit < 0 || digit > 9 || value > 2 ** 31) isInteger = false;
  }
  if (isNegative) value = -value;
  if (!isInteger || value !== (value | 0))
    throw new FieldError(field, 'invalid_integer', 'an integer of 32 bits', string(bytes, start, end));
  return value | 0;
}

function number(bytes: Buffer, start: number, end: number, field: string): number {
  const text = string(bytes, start, end);
  // `Number` alone would take blanks for 0, and hexadecimal digits.
  const value = /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (!Number.isFinite(value)) throw new FieldError(field, 'invalid_number', 'a number', text);
  return value;
}

function boolean(bytes: Buffer, start: number, end: number, field: string): boolean {
  if (end - start === 1 && bytes[start] === ZERO) return false;
  if (end - start === 1 && bytes[start] === ZERO + 1) return true;
  throw new FieldError(field, 'invalid_boolean', '0 or 1', string(bytes, start, end));
}

function timestamp(bytes: Buffer, start: number, end: number, field: string): Date {
  const ms = readTimestamp(bytes, start, end);
  if (Number.isNaN(ms))
    throw new FieldError(field, 'invalid_timestamp', 'a timestamp YYYY-MM-DD hh:mm:ss[.fraction]', string(bytes, start, end));
  return new Date(ms);
}

function json(bytes: Buffer, start: number, end: number, field: string): SelfDescribing {
  const text = string(bytes, start, end);
  const fail = (expected: string, cause?: unknown): never => {
    throw new FieldError(field, 'invalid_json', expected, text, { cause });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail('JSON', error);
  }
  if (!isSelfDescribing(value)) return fail('self-describing JSON {schema, data}');
  if (field === 'unstruct_event') {
    if (!isSelfDescribing(value.data)) fail('self-describing JSON in data');
  } else if (!Array.isArray(value.data) || !value.data.every(isSelfDescribing)) fail('an array of self-describing JSON in data');
  return value;
}

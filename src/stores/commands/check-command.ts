import type { Command } from '../commands.ts';
import { Scores } from './scores.ts';

/** Lua takes no more than 8,000 values off a table in one go. */
export const MAX_ARGUMENTS = 4_000;

/**
 * Tells about how many bytes a command sends.
 *
 * @throws {TypeError} when it has something that a store would take for text: undefined, NaN, an object
 * @throws {RangeError} when it has more arguments than a script can hand on
 */
export function checkedSizeOf({ name, key, args }: Command): number {
  if (typeof key !== 'string') throw new TypeError(`${name}: expected a key of text, got ${String(key)}`);
  if (args.length > MAX_ARGUMENTS)
    throw new RangeError(`${name} ${key}: expected at most ${MAX_ARGUMENTS} arguments, got ${args.length}`);
  let sizeBytes = name.length + key.length;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg === 'string') sizeBytes += arg.length;
    else if (arg instanceof Scores) sizeBytes += arg.sizeBytes;
    else if (Number.isFinite(arg)) sizeBytes += 8;
    else throw new TypeError(`${name} ${key}: expected text or a finite number as argument ${i + 1}, got ${String(arg)}`);
  }
  return sizeBytes + (args.length + 2) * ARGUMENT_OVERHEAD_BYTES;
}

/** What the protocol and the server's table spend on each. */
const ARGUMENT_OVERHEAD_BYTES = 16;

import { Window } from '../operators/window.ts';
import { wordFor } from './word-for.ts';

/**
 * Sees with the first item of a sink that it can be stored: types do not reach it behind an `any`, and what then fails names neither the
 * sink nor what it wants.
 *
 * @param expected what the data of an event has to be
 * @throws {TypeError} from what it gives back, when the first item is something else
 */
export function firstItem(
  who: string,
  expected: string,
  fits: (data: unknown) => boolean,
): (items: readonly Window<unknown>[]) => void {
  let isKnown = false;
  return (items) => {
    if (isKnown) return;
    for (const item of items) {
      if (!(item instanceof Window))
        throw new TypeError(`${who}: expected windows of events, as minuteWindow() makes them, got ${wordFor(item)}`);
      // One that was made of another may have nothing in it.
      if (item.count === 0) continue;
      const { value } = item.data().next();
      if (!fits(value)) throw new TypeError(`${who}: expected ${expected}, got ${wordFor(value)}`);
      isKnown = true;
      return;
    }
  };
}

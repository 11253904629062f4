import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Fifo } from '../src/fifo.ts';

it('is an array to whoever pushes, shifts and looks', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(9)), { size: '+1' }), (acts) => {
      const [fifo, array] = [new Fifo<number>(), [] as number[]];
      for (const act of acts) {
        if (act === null) expect(fifo.shift()).toBe(array.shift());
        else {
          fifo.push(act);
          array.push(act);
        }
        expect(fifo.length).toBe(array.length);
        expect(fifo.toArray()).toEqual(array);
        expect([0, 1, array.length].map((place) => fifo.at(place))).toEqual([array[0], array[1], undefined]);
        expect(fifo.find((one) => one > 7)).toBe(array.find((one) => one > 7));
      }
    }),
  );
});

/** Who comes first goes first, at one cost however many there are: an array's own `shift` moves all that are left, once they are tens of thousands. */
export class Fifo<T> {
  #all: T[] = [];
  #head = 0;

  get length(): number {
    return this.#all.length - this.#head;
  }

  /** The one at this place, from 0; nothing behind the last. */
  at(place: number): T | undefined {
    return this.#all[this.#head + place];
  }

  /** All that are left, in their order. */
  toArray(): T[] {
    return this.#all.slice(this.#head);
  }

  find(isIt: (one: T) => boolean): T | undefined {
    for (let i = this.#head; i < this.#all.length; i++) if (isIt(this.#all[i]!)) return this.#all[i];
    return undefined;
  }

  push(one: T): void {
    this.#all.push(one);
  }

  shift(): T | undefined {
    const first = this.#all[this.#head];
    if (this.length > 0) this.#head++;
    if (this.#head * 2 > this.#all.length) {
      this.#all = this.#all.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }
}

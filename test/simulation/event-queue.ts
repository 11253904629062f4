interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

/** What is to happen, by time, and by the order of adding where times are equal: a binary heap. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #added = 0;

  add(atMs: number, act: () => void): void {
    const entry = { atMs, order: this.#added++, act };
    let i = this.#heap.push(entry) - 1;
    for (; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, this.#heap[parent]!)) break;
      this.#heap[i] = this.#heap[parent]!;
      i = parent;
    }
    this.#heap[i] = entry;
  }

  take(): Entry | undefined {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

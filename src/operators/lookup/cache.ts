interface Known {
  readonly value: unknown;
  readonly untilMs: number;
}

/** So large a part of the answers is forgotten at once. */
const PART = 1 / 16;
/** How many characters what was asked for may have on average: a visitor's text may be in it. */
const ID_LENGTH = 256;

/** Remembers answers for a while, the oldest forgotten first when they, or what was asked for them, are too many. */
export class LookupCache {
  readonly #known = new Map<string, Known>();
  readonly #entries: number;
  readonly #forMs: number;
  /** How many characters all that was asked for has. */
  #length = 0;

  /** @param entries how many at most; 0 remembers nothing */
  constructor(entries: number, forMs: number) {
    this.#entries = entries;
    this.#forMs = forMs;
  }

  get(id: string, nowMs: number): { readonly value: unknown } | undefined {
    const known = this.#known.get(id);
    return known && known.untilMs > nowMs ? known : undefined;
  }

  set(id: string, value: unknown, nowMs: number): void {
    if (this.#entries === 0) return;
    // What is asked anew goes to the end of the row.
    this.#forget(id);
    this.#known.set(id, { value, untilMs: nowMs + this.#forMs });
    this.#length += id.length;
    while (this.#known.size > this.#entries || this.#length > this.#entries * ID_LENGTH) this.#forgetOldest();
  }

  #forget(id: string): void {
    if (this.#known.delete(id)) this.#length -= id.length;
  }

  /** Some in one go: a Map leaves holes where entries were, and to find its first one all of those before it are passed over. */
  #forgetOldest(): void {
    let left = Math.ceil(this.#entries * PART);
    for (const id of this.#known.keys()) {
      this.#forget(id);
      if (--left === 0) return;
    }
  }
}

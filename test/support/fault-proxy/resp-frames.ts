/** A value of the Redis protocol that came to its end: a command, or an answer. */
export interface Frame {
  /** The first text in it, in capitals: a command's name. */
  readonly name: string;
  /** Where it begins in the chunk at hand; 0 when it began before. */
  readonly start: number;
  /** Where what follows it begins. */
  readonly end: number;
}

/** How many values an aggregate has for each that its head counts. https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const AGGREGATES: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 };
const BULKS = '$!=';
/** More of a name nobody needs. */
const MAX_NAME = 32;

/** Follows one direction of a connection from value to value; keeps only the name of the one at hand. */
export class RespFrames {
  /** How many values each aggregate around the one at hand still lacks, outermost first. */
  #lacks: number[] = [];
  #head = '';
  /** What is left of a bulk and its line's end. */
  #bulkLeft = 0;
  #name: string | undefined;
  #isNaming = false;

  /** Takes a chunk in and gives each value that ends in it. */
  *read(chunk: Buffer): Generator<Frame> {
    let start = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#bulkLeft > 0) {
        const part = Math.min(this.#bulkLeft, chunk.length - at);
        if (this.#isNaming && this.#name!.length < MAX_NAME) this.#name += chunk.toString('latin1', at, at + part);
        this.#bulkLeft -= part;
        at += part;
        if (this.#bulkLeft > 0) return;
        this.#isNaming = false;
        if (!this.#end()) continue;
      } else {
        this.#head += String.fromCharCode(chunk[at++]!);
        if (!this.#head.endsWith('\r\n') || !this.#isWhole(this.#head)) continue;
      }
      yield { name: (this.#name ?? '').trim().toUpperCase(), start, end: at };
      this.#name = undefined;
      start = at;
    }
  }

  /** Takes the first line of a value; says whether the outermost value ends with it. */
  #isWhole(head: string): boolean {
    const [type, count] = [head[0]!, Number(head.slice(1))];
    this.#head = '';
    if (type in AGGREGATES && count > 0) {
      this.#lacks.push(count * AGGREGATES[type]!);
      return false;
    }
    if (BULKS.includes(type) && count >= 0) {
      this.#bulkLeft = count + 2;
      this.#isNaming = this.#name === undefined;
      this.#name ??= '';
      return false;
    }
    return this.#end();
  }

  #end(): boolean {
    while (this.#lacks.length > 0 && --this.#lacks[this.#lacks.length - 1]! === 0) this.#lacks.pop();
    return this.#lacks.length === 0;
  }
}

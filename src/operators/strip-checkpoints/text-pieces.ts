import { Event, Origin } from '../../event.ts';

/** An event's place in the text. */
interface Piece {
  readonly event: Event<Uint8Array>;
  /** The first byte behind it. */
  readonly to: number;
  isHeld: boolean;
  /** How many events were cut that end in it. */
  cuts: number;
}

/**
 * Knows which event of a shard each byte of its text came with; makes the events that are cut from the text.
 *
 * It holds each event until the text is done with up to its end; one in which nothing ended that was cut is dropped.
 */
export class TextPieces {
  readonly #step: string;
  readonly #pieces: Piece[] = [];
  #length = 0;

  /** @param step the step that drops what is left over */
  constructor(step: string) {
    this.#step = step;
  }

  /** How long the text is so far. */
  get length(): number {
    return this.#length;
  }

  /** Takes the next piece of the text. */
  add(event: Event<Uint8Array>): void {
    this.#length += event.data.length;
    this.#pieces.push({ event, to: this.#length, isHeld: false, cuts: 0 });
  }

  /** Passes over a part of the text; nothing is kept of what is before it. */
  pass(bytes: number): void {
    this.#length += bytes;
  }

  /** Makes the event of a part of the text: it has the delivery and the position of the piece with its last byte. */
  cut(bytes: Uint8Array, from: number, to: number): Event<Uint8Array> {
    const last = this.#pieces.find((piece) => piece.to >= to)!;
    const first = this.#pieces.find((piece) => piece.to > from)!;
    const { delivery, index, position, arrivedAtMs } = last.event.origin;
    if (first !== last) delivery.holdUntilSettled(first.event.delivery);
    const nth = last.cuts++;
    // Of a part of a packed record all have its position: the next numbers are those of the parts behind it.
    const own = position.subSequence === 0 ? { position: { ...position, subSequence: nth } } : { position, nth };
    return new Event(bytes, new Origin(delivery, index, { ...own, arrivedAtMs, data: bytes }));
  }

  /** Lets go of all pieces that end by there, and holds the others. */
  doneTo(end: number): void {
    const pieces = this.#pieces;
    let done = 0;
    for (; done < pieces.length && pieces[done]!.to <= end; done++) {
      const { event, isHeld, cuts } = pieces[done]!;
      if (cuts === 0) event.drop(this.#step);
      if (isHeld) event.release();
    }
    pieces.splice(0, done);
    for (let i = pieces.length - 1; i >= 0 && !pieces[i]!.isHeld; i--) {
      pieces[i]!.event.hold();
      pieces[i]!.isHeld = true;
    }
  }
}

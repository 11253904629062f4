import type { WriteStream } from 'node:tty';

/** How often the line is drawn anew on a terminal, and printed where there is none. */
const REDRAW_MS = 250;
const PRINT_MS = 10_000;

/** What a run writes to: a terminal, a file, a pipe. */
export type Output = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };

/** One live line at the foot of a terminal with messages scrolling above it; plain lines where the output is no terminal. */
export class Screen {
  readonly #output: Output;
  readonly #line: () => string;
  readonly #timer: ReturnType<typeof setInterval>;

  /** @param line what the live line says now */
  constructor(output: Output, line: () => string) {
    this.#output = output;
    this.#line = line;
    this.#timer = output.isTTY
      ? setInterval(() => this.#draw(), REDRAW_MS)
      : setInterval(() => output.write(`${line()}\n`), PRINT_MS);
  }

  /** Prints a message above the live line. */
  print(message: string): void {
    if (this.#output.isTTY) this.#output.write(`${CLEAR_LINE}${message}\n`);
    else this.#output.write(`${message}\n`);
    if (this.#output.isTTY) this.#draw();
  }

  /** Ends the live line; the output is plain again. */
  close(): void {
    clearInterval(this.#timer);
    if (this.#output.isTTY) this.#output.write(CLEAR_LINE);
  }

  #draw(): void {
    // A line that wraps could not be cleared, so it is cut at the edge.
    this.#output.write(CLEAR_LINE + this.#line().slice(0, (this.#output.columns ?? 80) - 1));
  }
}

const CLEAR_LINE = '\r\u001B[2K';

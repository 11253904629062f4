import type { WriteStream } from 'node:tty';

/** How often the line is drawn anew on a terminal, and printed where there is none. */
const REDRAW_MS = 250;
export const PRINT_MS = 10_000;

/** What a run writes to: a terminal, a file, a pipe. */
export type Output = Pick<WriteStream, 'write'> & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * A live line or several at the foot of a terminal with messages scrolling above. Where the output is no terminal, plain lines, each with the
 * time: a file or a pipe is read later.
 */
export class Screen {
  readonly #output: Output;
  readonly #line: () => string;
  readonly #timer: ReturnType<typeof setInterval>;

  /** How many lines are drawn. */
  #height = 0;
  #isClosed = false;

  /** @param line what the live line says now; several with newlines between them */
  constructor(output: Output, line: () => string) {
    this.#output = output;
    this.#line = line;
    this.#timer = output.isTTY
      ? setInterval(() => this.#draw(), REDRAW_MS)
      : setInterval(
          () =>
            line()
              .split('\n')
              .forEach((stamped) => output.write(`${now()} ${stamped}\n`)),
          PRINT_MS,
        );
  }

  /** Prints a message above the live line, or where it was. */
  print(message: string): void {
    this.#output.write(this.#output.isTTY ? `${this.#cleared()}${message}\n` : `${now()} ${message}\n`);
    if (this.#output.isTTY && !this.#isClosed) this.#draw();
  }

  /** Ends the live line; the output is plain again. */
  close(): void {
    clearInterval(this.#timer);
    this.#isClosed = true;
    if (this.#output.isTTY) this.#output.write(this.#cleared());
  }

  #draw(): void {
    const cleared = this.#cleared();
    const lines = this.#line().split('\n');
    this.#height = lines.length;
    // A line that wraps could not be cleared: it is cut at the edge, and by the terminal itself where letters are two columns wide.
    const edge = (this.#output.columns ?? 80) - 1;
    this.#output.write(`${cleared}${NO_WRAP}${lines.map((line) => line.slice(0, edge)).join('\n')}${WRAP}`);
  }

  /** What takes away that which is drawn. */
  #cleared(): string {
    const height = this.#height;
    this.#height = 0;
    if (!this.#output.isTTY) return '';
    return height > 1 ? `\u001B[${height - 1}F${CLEAR_BELOW}` : CLEAR_LINE;
  }
}

function now(): string {
  return new Date().toISOString();
}

const CLEAR_LINE = '\r\u001B[2K';
const CLEAR_BELOW = '\u001B[J';
const NO_WRAP = '\u001B[?7l';
const WRAP = '\u001B[?7h';

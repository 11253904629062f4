/** Whose positions these are: one sink of one pipeline. */
export interface Owner {
  readonly pipeline: string;
  readonly sink: string;
}

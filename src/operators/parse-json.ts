/**
 * Parses JSON. What is thrown of a text that is none has no stack trace: to make one takes longer than all the rest, and bad data becomes a
 * reject, which says what was wrong in its message.
 */
export function parseJson(text: string): unknown {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return JSON.parse(text);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** So much of what is no JSON is shown. */
const SHOWN_CHARACTERS = 60;

/** Says of a text that `parseJson` could not parse how it begins, and what was wrong. */
export function whyNoJson(text: string, error: unknown): string {
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return `expected JSON, got ${JSON.stringify(shown)}: ${String(error)}`;
}

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

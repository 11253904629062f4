/** Settles as a call does, or fails once the signal is aborted: the SDK looks at no signal while it waits for credentials. */
export async function orAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([call, aborted]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

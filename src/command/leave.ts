/** How long a run that is over waits for whoever reads its log. */
export const LAST_WORDS_WITHIN_MS = 5000;

/**
 * Ends the process once what it said has gone out: a pipe takes 64 KiB at a time, and what still waits for room in it is lost by `process.exit`, the cause
 * of a failure in the last lines among it. Who reads no more, and has not closed the pipe either, is waited for so long.
 */
export async function leave(code: number, withinMs = Number.POSITIVE_INFINITY): Promise<never> {
  if (withinMs < Number.POSITIVE_INFINITY) setTimeout(() => process.exit(code), withinMs);
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
  process.exit(code);
}

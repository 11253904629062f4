import { faultOf } from '../../fault.ts';
import { BackOff } from './back-off.ts';
import type { SourceContext } from '../source.ts';

/**
 * Does something with a store, again and again while that fails for a passing reason. Nothing when the signal ends it before it is done.
 *
 * @param shard whose it is, for diagnostics
 */
export async function patiently<T>(
  context: SourceContext,
  shard: string,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T | undefined> {
  const backOff = new BackOff(context, shard, signal);
  while (!signal.aborted) {
    try {
      const done = await act();
      return signal.aborted ? undefined : done;
    } catch (error) {
      if (faultOf(error) !== 'transient') throw error;
      await backOff.wait(error);
    }
  }
  return undefined;
}

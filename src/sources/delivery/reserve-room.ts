import type { Ledger } from '../../ledger.ts';

/** Waits for room in the ledger. Resolves with false, nothing reserved, when it is aborted before there is some. */
export function reserveRoom(ledger: Ledger, bytes: number, signal: AbortSignal, shard: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve(false);
    const giveUp = (): void => resolve(false);
    signal.addEventListener('abort', giveUp, { once: true });
    ledger.room.reserve(bytes, shard).then(() => {
      signal.removeEventListener('abort', giveUp);
      if (!signal.aborted) return resolve(true);
      // It came too late: the wait cannot be taken back from the ledger, but the bytes can.
      ledger.room.unreserve(bytes);
      resolve(false);
    }, reject);
  });
}

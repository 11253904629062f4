import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/ledger.ts';
import { reserveRoom } from '../../src/sources/reserve-room.ts';

describe('reserveRoom', () => {
  it('waits for none when it is aborted already', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    await ledger.reserve(1);
    expect(await reserveRoom(ledger, 1, AbortSignal.abort())).toBe(false);
    ledger.unreserve(1);
    expect(await reserveRoom(ledger, 1, AbortSignal.abort())).toBe(false);
    await ledger.reserve(1);
  });
});

import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/ledger.ts';
import { reserveRoom } from '../../../src/sources/delivery/reserve-room.ts';

describe('reserveRoom', () => {
  it('waits for none when it is aborted already', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    await ledger.room.reserve(1);
    expect(await reserveRoom(ledger, 1, AbortSignal.abort(), 's')).toBe(false);
    ledger.room.unreserve(1);
    expect(await reserveRoom(ledger, 1, AbortSignal.abort(), 's')).toBe(false);
    await ledger.room.reserve(1);
  });

  it('gives room back that comes when it is aborted, so that others have it', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    const end = new AbortController();
    await ledger.room.reserve(1);
    const waiting = reserveRoom(ledger, 1, end.signal, 's');
    end.abort();
    expect(await waiting).toBe(false);
    ledger.room.unreserve(1);
    await Promise.resolve();
    await ledger.room.reserve(1);
  });

  it('lets the ledger tell which shard waits', async () => {
    const ledger = new Ledger({ maxInFlightBytes: 1 });
    await ledger.room.reserve(1);
    const waiting = reserveRoom(ledger, 1, new AbortController().signal, 's');
    expect([ledger.inFlight('s').waitsForRoom, ledger.inFlight('t').waitsForRoom]).toEqual([true, false]);
    ledger.room.unreserve(1);
    expect(await waiting).toBe(true);
    expect(ledger.inFlight('s').waitsForRoom).toBe(false);
  });
});

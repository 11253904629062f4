import { describe, expect, it, onTestFinished } from 'vitest';
import { FencedError, WentBackError } from '../../src/errors.ts';
import { faultOf } from '../../src/fault.ts';
import type { OpenIdentityState, SightBlock } from '../../src/operators/identity-state.ts';
import { SIGHT_WORDS } from '../../src/operators/dedupe/sight.ts';
import type { BlockServer, IdentityServer, SentBlock } from '../../src/stores/identities/block-server.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { expectTakeOver } from '../support/second-run.ts';
import { startTcpSwitch } from '../support/tcp-switch.ts';

/** An empty server that keeps logs. */
export interface IdentityServerFixture {
  readonly url: string;
  readonly declare: (url: string) => IdentityServer;
  /** Loses, behind everybody's back, the last block of a log, as a failover does. */
  readonly loseLast: (log: string) => Promise<void>;
  /** Makes a log that has no blocks one whose last was this. */
  readonly standAt: (log: string, last: number) => Promise<void>;
  /** Removes a log's second block and leaves the others. */
  readonly loseSecond: (log: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const unlimited = { beforeMs: undefined, capacity: Infinity };

/** A block of sights that are all made of one number. */
function block(number: number, count = 1): SightBlock {
  return { sights: new Uint32Array(count * SIGHT_WORDS).fill(number), count, newestMs: number };
}

function bytesOf(number: number): Uint8Array {
  return new Uint8Array(block(number).sights.buffer);
}

/** What is kept: the number of each sight. */
function read(log: OpenIdentityState): { readonly numbers: number[]; readonly expected: number } {
  const numbers: number[] = [];
  let expected = -1;
  log.load(
    (sights) => {
      for (let at = 0; at < sights.length; at += SIGHT_WORDS) numbers.push(sights[at]!);
    },
    (count) => (expected = count),
  );
  return { numbers, expected };
}

/** What every server does that keeps what `dedupe` has seen. */
export function identitiesConformance(name: string, setUp: () => Promise<IdentityServerFixture>): void {
  describe(`${name} keeps what dedupe has seen`, () => {
    const begin = async (): Promise<IdentityServerFixture> => {
      const fixture = await setUp();
      onTestFinished(fixture.close);
      return fixture;
    };
    const open = async (url: string, log = 'shop'): Promise<OpenIdentityState & { release: () => Promise<void> }> => {
      const state = identityLog(url);
      const release = await state.prepare!(log);
      onTestFinished(release);
      const opened = state.open();
      return {
        release,
        load: (take, expect) => opened.load(take, expect),
        append: (sights, forget) => opened.append(sights, forget),
        flush: () => opened.flush!(),
        close: () => opened.close(),
      };
    };
    const write = async (url: string, ...numbers: number[]): Promise<void> => {
      const log = await open(url);
      read(log);
      for (const number of numbers) {
        log.append(block(number), unlimited);
        await log.flush!();
      }
      await log.release();
    };
    const connect = async ({ url, declare }: IdentityServerFixture): Promise<BlockServer> => {
      const server = await declare(url).openIdentities('shop');
      onTestFinished(() => server.close());
      return server;
    };

    it('gives back what was appended, in its order, with how much it is; nothing of a log of another name', async () => {
      const { url } = await begin();
      const log = await open(url);
      expect(read(log)).toEqual({ numbers: [], expected: 0 });
      expect(log.flush!()).toBeUndefined();
      log.append(block(1, 2), unlimited);
      log.append(block(2), unlimited);
      await log.flush!();
      log.append(block(0xffff_fff0, 16_384), unlimited);
      log.append(block(3), unlimited);
      await log.flush!();
      expect(log.flush!()).toBeUndefined();
      await log.release();
      const { numbers, expected } = read(await open(url));
      expect(numbers.slice(0, 4)).toEqual([1, 1, 2, 0xffff_fff0]);
      expect(numbers.slice(-2)).toEqual([0xffff_fff0, 3]);
      expect([numbers.length, expected]).toEqual([16_388, 16_388]);
      expect(read(await open(url, "it's {another} shop: 50 %"))).toEqual({ numbers: [], expected: 0 });
    });

    it('keeps the words as they were when they were appended, and sends what waits meanwhile in one go', async () => {
      const fixture = await begin();
      const log = await open(fixture.url);
      const { sights } = block(1);
      for (let number = 1; number <= 50; number++)
        log.append({ sights: sights.fill(number), count: 1, newestMs: number }, unlimited);
      await log.flush!();
      const { last } = await (await connect(fixture)).stands();
      expect(last).toBeLessThan(5);
      await log.release();
      expect(read(await open(fixture.url)).numbers).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    });

    it('reads thousands of blocks, page by page', async () => {
      const fixture = await begin();
      const server = await connect(fixture);
      const { epoch } = (await server.takeOver((await server.stands()).epoch))!;
      for (let id = 1; id <= 1200; id++) await server.append(epoch, { id, newestMs: id, bytes: bytesOf(id) }, 1);
      expect(read(await open(fixture.url)).numbers).toEqual(Array.from({ length: 1200 }, (_, i) => i + 1));
    });

    it('forgets what is too old, and what has too much behind it, two blocks at a time', async () => {
      const { url } = await begin();
      await write(url, 1, 2, 3, 4, 5);
      const log = await open(url);
      read(log);
      log.append(block(6), { beforeMs: 4, capacity: Infinity });
      await log.flush!();
      expect(read(await open(url)).numbers).toEqual([3, 4, 5, 6]);
      const next = await open(url);
      read(next);
      next.append(block(7), { beforeMs: undefined, capacity: 3 });
      await next.flush!();
      expect(read(await open(url)).numbers).toEqual([5, 6, 7]);
    });

    it('a newer owner takes it over: what an older one appends later fails, what it appended before is there', async () => {
      const { url } = await begin();
      const older = await open(url);
      read(older);
      older.append(block(1), unlimited);
      await older.flush!();
      const newer = await open(url);
      expect(read(newer).numbers).toEqual([1]);
      older.append(block(2), unlimited);
      await expect(older.flush!()).rejects.toThrow(FencedError);
      await expect(older.flush!()).rejects.toThrow('a newer run has taken the memory of dedupe over');
      newer.append(block(3), unlimited);
      await newer.flush!();
      expect(read(await open(url)).numbers).toEqual([1, 3]);
    });

    it('a call that comes late or twice changes nothing', async () => {
      const server = await connect(await begin());
      const { epoch: none } = await server.stands();
      const { epoch } = (await server.takeOver(none))!;
      expect(await server.takeOver(none)).toBeUndefined();
      const sent = (id: number): SentBlock => ({ id, newestMs: id, bytes: bytesOf(id) });
      expect(await server.append(epoch, sent(1), 1)).toEqual({ epoch, first: 1, last: 1 });
      expect(await server.append(epoch, sent(1), 1)).toEqual({ epoch, first: 1, last: 1 });
      expect(await server.append(epoch, sent(2), 2)).toEqual({ epoch, first: 2, last: 2 });
      expect(await server.append(epoch, sent(1), 1)).toEqual({ epoch, first: 2, last: 2 });
      expect(await server.append(epoch, sent(9), 1)).toEqual({ epoch, first: 2, last: 2 });
      expect((await server.read(2, 9)).map(({ id, newestMs, bytes }) => [id, newestMs, bytes[0]])).toEqual([[2, 2, 2]]);
      const { epoch: next } = (await server.takeOver(epoch))!;
      // Of an older owner, who would forget what is kept.
      expect(await server.append(epoch, sent(3), 3)).toEqual({ epoch: next, first: 2, last: 2 });
      expect((await server.read(2, 9)).map(({ id }) => id)).toEqual([2]);
    });

    it('a connection that is lost is made again, and nothing is lost or kept twice', async ({ skip }) => {
      const { url } = await begin();
      // The nodes of a cluster tell where they are.
      if (url.includes(',')) return skip();
      const way = await startTcpSwitch(Number(new URL(url).port));
      onTestFinished(() => way.close());
      const log = await open(url.replace(/:\d+(?=\/|$)/, `:${way.port}`));
      read(log);
      for (let number = 1; number <= 20; number++) {
        log.append(block(number), unlimited);
        if (number % 5 === 0) way.to(Number(new URL(url).port));
        const flushed = async (): Promise<void> => {
          try {
            await log.flush!();
          } catch (error) {
            expect(faultOf(error)).toBe('transient');
            await flushed();
          }
        };
        await flushed();
      }
      await log.release();
      expect(read(await open(url)).numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });

    it('what the server has lost is told, so that the run goes back', async () => {
      const { url, loseLast } = await begin();
      const log = await open(url);
      read(log);
      for (const number of [1, 2]) {
        log.append(block(number), unlimited);
        await log.flush!();
      }
      await loseLast('shop');
      log.append(block(3), unlimited);
      await expect(log.flush!()).rejects.toThrow(WentBackError);
      await expect(log.flush!()).rejects.toThrow('went back in time: expected block 2 of the memory of dedupe, got block 1');
      await log.release();
      expect(read(await open(url)).numbers).toEqual([1]);
    });

    it('a block that is missing is an error, not a smaller memory', async () => {
      const { url, loseSecond } = await begin();
      await write(url, 1, 2, 3);
      await loseSecond('shop');
      await expect(open(url)).rejects.toThrow(/repeats of what was seen so far pass/);
    });

    it('says to --check what a run would find or make, and takes nothing over', async () => {
      const fixture = await begin();
      const state = identityLog(fixture.url);
      expect(await state.check!()).toMatch(/answers|a run makes them/);
      await write(fixture.url, 1);
      const log = await open(fixture.url);
      expect(await state.check!()).toMatch(/answers|is there/);
      read(log);
      log.append(block(2), unlimited);
      await log.flush!();
    });

    it('is opened by a run only, and by one at a time', async () => {
      const { url } = await begin();
      const state = identityLog(url);
      expect(() => state.open()).toThrow('only a run can open it');
      const release = await state.prepare!('shop');
      await expect(state.prepare!('shop')).rejects.toThrow('a run has it already');
      await release();
      expect(() => state.open()).toThrow('only a run can open it');
      await (
        await state.prepare!('shop')
      )();
    });

    it('goes on where more blocks have been than a number of 32 bits counts', async () => {
      const fixture = await begin();
      const server = await connect(fixture);
      const { epoch } = (await server.takeOver((await server.stands()).epoch))!;
      await fixture.standAt('shop', 2 ** 31 - 2);
      for (let id = 2 ** 31 - 1; id <= 2 ** 31 + 1; id++)
        expect(await server.append(epoch, { id, newestMs: id, bytes: bytesOf(id) }, id)).toEqual({ epoch, first: id, last: id });
      expect(read(await open(fixture.url)).numbers).toEqual([2 ** 31 + 1]);
    });

    it('a run on another machine drops the repeats of what an earlier one stored, and takes over from one that still runs', async () => {
      const { url } = await begin();
      await expectTakeOver(() => identityLog(url));
    });
  });
}

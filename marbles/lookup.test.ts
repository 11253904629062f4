import { asyncScheduler } from 'rxjs';
import type { LookupSource, Read } from '../src/operators/lookup-source.ts';
import { lookup } from '../src/operators/lookup.ts';
import { marble } from '../src/testing/marble.ts';

const price = (key: string): Read<string> => ({
  name: 'GET',
  key,
  args: [],
  understand: (answer) => (answer as string | null) ?? 'none',
});

/** A store that takes so long for a call, whose calls fail as often as said, and whose answer says with which call it came. */
function prices(seconds: number, failures = 0): LookupSource {
  return {
    describe: 'prices',
    openReads() {
      let calls = 0;
      return {
        read(reads, done) {
          const call = ++calls;
          const answer = (): void =>
            call <= failures
              ? done([], Object.assign(new Error('reset'), { code: 'ECONNRESET' }))
              : done(reads.map(({ key }) => (key === 'unknown' ? null : `${key} ${call}`)));
          // A failure comes so soon that the wait after it ends on a column.
          asyncScheduler.schedule(answer, call <= failures ? 1000 - 50 * 2 ** (call - 1) : seconds * 1000);
        },
        close() {},
      };
    },
  };
}

const attach = (_: string, values: readonly [string] | undefined): string => values?.[0] ?? 'no key';
const keys = (page: string): readonly [Read<string>] | undefined => (page === 'home' ? undefined : [price(page)]);
const by1 = { tick: { seconds: 1 }, ruler: { seconds: 5 } };
const pages = { a: 'shoe', b: 'hat', c: 'bag', d: 'home', e: 'shoe', u: 'unknown' };

marble('lookup asks for the first event at once, and for those that come meanwhile in one call', {
  ...by1,
  operator: lookup({ from: prices(3), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-a-bc--|',
  result: '----A--(BC|)',
  given: pages,
  emits: { A: 'shoe 1', B: 'hat 2', C: 'bag 2' },
});

marble('lookup asks once for what events of one moment share', {
  ...by1,
  operator: lookup({ from: prices(2), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-(abe)--|',
  result: '---(ABE)|',
  given: pages,
  emits: { A: 'shoe 1', B: 'hat 1', E: 'shoe 1' },
});

marble('lookup keeps the order: what needs no key waits for those before it', {
  ...by1,
  operator: lookup({ from: prices(3), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-ad-----|',
  result: '----(AD)|',
  given: pages,
  emits: { A: 'shoe 1', D: 'no key' },
});

marble('lookup remembers answers for as long as it is told', {
  ...by1,
  operator: lookup({ from: prices(1), keys, attach, cache: { entries: 10, for: { seconds: 5 } } }),
  label: 'lookup({ …, cache: { for: { seconds: 5 } } })',
  source: '-a--a---e-|',
  result: '--A-A----E|',
  given: pages,
  emits: { A: 'shoe 1', E: 'shoe 2' },
});

marble('lookup tries again while its store is away, in order', {
  ...by1,
  operator: lookup({ from: prices(2, 2), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-a-b-----|',
  result: '-----A-B-|',
  given: pages,
  emits: { A: 'shoe 3', B: 'hat 4' },
});

marble('lookup takes the absence of a key for an answer', {
  ...by1,
  operator: lookup({ from: prices(1), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-u--|',
  result: '--U-|',
  given: pages,
  emits: { U: 'none' },
});

marble('lookup leaves what it waits for in flight when it is unsubscribed', {
  ...by1,
  operator: lookup({ from: prices(3), keys, attach }),
  label: 'lookup({ from: prices, … })',
  source: '-a-b---|',
  result: '----A--',
  unsubscribe: '-----!',
  given: pages,
  emits: { A: 'shoe 1' },
  inFlight: 1,
});

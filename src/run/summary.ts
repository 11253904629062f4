import type { Counts } from '../ledger.ts';

/** What people call the events that a step dropped, where there is a word for it. */
const WORDS: Readonly<Record<string, string>> = { dedupe: 'repeats', stripCheckpoints: 'noise', filter: 'filtered' };

/**
 * The counts as a sum that a person can check: `read 1200 = stored 1150 + repeats 30 + rejected 20`.
 * Repeats and rejects are always named, other terms only when there are some.
 */
export function summaryOf({ read, stored, dropped, rejected, inFlight }: Counts): string {
  const terms: [word: string, count: number][] = [
    ['stored', stored],
    ['repeats', dropped['dedupe'] ?? 0],
    ...Object.entries(dropped)
      .filter(([step, count]) => step !== 'dedupe' && count > 0)
      .map(([step, count]): [string, number] => [WORDS[step] ?? step, count]),
    ['rejected', rejected],
    ...(inFlight > 0 ? [['in flight', inFlight] as [string, number]] : []),
  ];
  return `read ${read} = ${terms.map(([word, count]) => `${word} ${count}`).join(' + ')}`;
}

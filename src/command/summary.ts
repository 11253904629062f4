import type { Counts } from '../ledger.ts';

/** What people call the events that a step dropped, where there is a word for it. */
const WORDS: Readonly<Record<string, string>> = { dedupe: 'repeats', stripCheckpoints: 'noise', filter: 'filtered' };

/** What is left when a run has ended well: a delivery is settled as a whole, and of these a step did not take all. */
const IN_FLIGHT_AT_END =
  'in flight: a step (take, say) ended the stream before all that was read had come to it; what is stored of that counts here, too, and the next run reads the rest';

/**
 * The counts of a run that has ended as a sum that a person can check: `read 1200 = stored 1150 + repeats 30 + rejected 20`.
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
  const sum = `read ${read} = ${terms.map(([word, count]) => `${word} ${count}`).join(' + ')}`;
  return inFlight > 0 ? `${sum}\n${IN_FLIGHT_AT_END}` : sum;
}

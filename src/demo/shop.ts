import { breakLabel } from './shop/break-label.ts';
import { type EventIds, enrichedLine } from './shop/enriched-line.ts';
import { addNoise, spoil } from './shop/mishaps.ts';
import { Random } from './random.ts';
import { Visitor } from './shop/visitor.ts';

/**
 * What a record is: a good event; the same event once more; one whose label is no JSON, or not of its schema; one with a wrong
 * number of columns; a good event with a line of the enricher's log in front, inside or behind.
 */
export type Truth = 'event' | 'repeat' | 'broken-label' | 'malformed' | 'noise';

export interface ShopRecord {
  /** Its place in the traffic: `from: number + 1` goes on behind it. */
  readonly number: number;
  /** The visitor, so that what she does keeps its order. */
  readonly partitionKey: string;
  /** Who the visitor is to a pipeline: her user_id, else her domain_userid. */
  readonly user: string;
  readonly data: Uint8Array;
  readonly truth: Truth;
  readonly eventId: string;
}

export interface ShopOptions {
  /** The same seed gives the same traffic. @default 1 */
  readonly seed?: number;
  /** The number of the first record. @default 0 */
  readonly from?: number;
  /** When the collector got the record of a number, in milliseconds since 1970. @default 50 a second from 2026-11-22 09:00 */
  readonly timeOf?: (number: number) => number;
  /** The share of the records of each kind, from 0 to 1. @default 0.02, 0.01, 0.002 and 0.01 */
  readonly shares?: Partial<Readonly<Record<Exclude<Truth, 'event'>, number>>>;
  /** How many people there are; some of them are in the shop. @default 5,000 */
  readonly people?: number;
}

/** Records of one episode: a resumed traffic makes those before its first one again, to throw them away. */
const EPISODE = 2000;
const VISITORS_AT_ONCE = 40;
/** A repeat comes this many records after its event. */
const REPEAT_AFTER = { least: 20, most: 500 } as const;

/**
 * Makes the traffic of a shop without end: enriched events of 131 columns, about 1.2 kB each, with the mishaps of real ones.
 *
 * It comes in episodes of 2,000 records, each made from the seed and its number alone, so a traffic goes on at any number as
 * if it had never stopped, and no event_id comes again but in a repeat. A repeat is the event's very bytes, or the event sent
 * again by the tracker a little later, under its event_id.
 */
export function* shop(options: ShopOptions = {}): Generator<ShopRecord, never, void> {
  const { from = 0 } = options;
  for (let episode = Math.floor(from / EPISODE); ; episode++)
    for (const record of episodeOf(episode, options)) if (record.number >= from) yield record;
}

interface Again {
  readonly dueAt: number;
  readonly record: Omit<ShopRecord, 'number'>;
}

function* episodeOf(episode: number, options: ShopOptions): Generator<ShopRecord, void, void> {
  const { seed = 1, timeOf = fiftyASecond, shares: given, people = 5000 } = options;
  const shares = { repeat: 0.02, 'broken-label': 0.01, malformed: 0.002, noise: 0.01, ...given };
  const random = new Random(seed, episode);
  const enter = (): Visitor => new Visitor(seed, random.below(people), random);
  const visitors = Array.from({ length: VISITORS_AT_ONCE }, enter);
  const end = (episode + 1) * EPISODE;
  const again: Again[] = [];
  let labelsToBreak = 0;

  for (let number = episode * EPISODE; number < end; number++) {
    if (random.chance(shares['broken-label'])) labelsToBreak++;
    const due = again.findIndex(({ dueAt }) => dueAt <= number);
    if (due >= 0) {
      yield { number, ...again.splice(due, 1)[0]!.record };
      continue;
    }

    const which = random.below(VISITORS_AT_ONCE);
    if (visitors[which]!.visit.isOver) visitors[which] = enter();
    const visitor = visitors[which]!;
    const ids: EventIds = { eventId: random.uuid(), fingerprint: random.hex8() + random.hex8() + random.hex8() + random.hex8() };
    const atMs = Math.floor(timeOf(number));
    const createdMs = atMs - 60 - random.below(900);
    const action = visitor.visit.next();
    const record = (data: Uint8Array, truth: Truth): Omit<ShopRecord, 'number'> => ({
      partitionKey: visitor.id,
      user: visitor.user,
      data,
      truth,
      eventId: ids.eventId,
    });

    const broken = labelsToBreak > 0 ? breakLabel(action.label, random) : undefined;
    if (broken !== undefined) {
      labelsToBreak--;
      const line = enrichedLine(visitor, { ...action, label: broken }, ids, atMs, createdMs);
      yield { number, ...record(Buffer.from(line), 'broken-label') };
      continue;
    }
    const data = Buffer.from(enrichedLine(visitor, action, ids, atMs, createdMs));
    const dice = random.below(1_000_000) / 1_000_000;
    if (dice < shares.malformed) yield { number, ...record(spoil(data, random), 'malformed') };
    else if (dice < shares.malformed + shares.noise) yield { number, ...record(addNoise(data, random), 'noise') };
    else {
      yield { number, ...record(data, 'event') };
      if (!random.chance(shares.repeat)) continue;
      const after = REPEAT_AFTER.least + random.below(REPEAT_AFTER.most - REPEAT_AFTER.least);
      const isSentAgain = random.chance(0.5);
      const later = isSentAgain ? Buffer.from(enrichedLine(visitor, action, ids, atMs + 2000, createdMs)) : data;
      again.push({ dueAt: number + after, record: record(later, 'repeat') });
    }
  }
}

function fiftyASecond(number: number): number {
  return Date.UTC(2026, 10, 22, 9) + number * 20;
}

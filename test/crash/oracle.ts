import type { ShopRecord } from '../../src/demo/shop.ts';

/** What has to be where in the end, for records that were sent. */
export interface Expected {
  /** event_id to the line, for events that reach the stores; a line that the enricher's log ran through is only known by its id. */
  readonly stored: ReadonlyMap<string, string | undefined>;
  /** The bytes of each record that has to be a reject, as text, in order of their bytes. */
  readonly rejected: readonly string[];
}

/**
 * Knows from how a shop's records were made what becomes of each.
 *
 * @param rejects the rejects that were found: a record that the log ran through may be among them when it could not be mended, and then must not be stored
 */
export function oracleOf(records: readonly ShopRecord[], rejects: readonly string[] = []): Expected {
  const stored = new Map<string, string | undefined>();
  const rejected: string[] = [];
  const found = new Set(rejects);
  for (const { truth, data, eventId } of records) {
    const text = Buffer.from(data).toString();
    if (truth === 'event') stored.set(eventId, text);
    else if (truth === 'noise' && !found.has(text)) stored.set(eventId, undefined);
    else if (truth !== 'repeat') rejected.push(text);
  }
  return { stored, rejected: rejected.toSorted() };
}

/** What is wrong with lines of a store, in the field's words; nothing when all is well. */
export function faultsOf(where: string, lines: readonly string[], { stored }: Expected): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const line of lines) {
    const columns = line.split('\t');
    const id = columns[6] ?? '';
    if (columns.length !== 131) faults.push(`${where}: split: a line of ${columns.length} columns: ${line.slice(0, 80)}`);
    else if (!stored.has(id)) faults.push(`${where}: phantom: ${id}`);
    else if (seen.has(id)) faults.push(`${where}: duplicate: ${id}`);
    else if ((stored.get(id) ?? line) !== line) faults.push(`${where}: changed: ${id}`);
    seen.add(id);
  }
  for (const id of stored.keys()) if (!seen.has(id)) faults.push(`${where}: lost: ${id}`);
  return faults;
}

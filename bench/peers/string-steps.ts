import { shopLabels } from '../../pipelines/labels.ts';

const [EVENT_ID, CATEGORY, ACTION, LABEL, COLUMNS] = [6, 53, 54, 55, 131];
const LOG_LINE = /\[pool-\d+-thread-\d+\] INFO \S* - Checkpointing shard shardId-\d{12}/;

/** Takes what the log printed out of a line, as one would with a regular expression. */
export function withoutLog(line: string): string {
  return line.includes('Checkpointing shard') ? line.replace(LOG_LINE, '') : line;
}

/** Says whether a line's columns are 131, and its label what the schemas want. */
export function isValid(fields: readonly string[]): boolean {
  if (fields.length !== COLUMNS) return false;
  const label = fields[LABEL]!;
  const schemas: Readonly<Record<string, (typeof shopLabels)[keyof typeof shopLabels]>> = shopLabels;
  const schema = schemas[`${fields[CATEGORY]}/${fields[ACTION]}`] ?? schemas[`${fields[CATEGORY]}/*`];
  if (!label.startsWith('{')) return label === '' || !schema;
  try {
    const value = JSON.parse(label) as { readonly schema?: string; readonly data?: unknown };
    const byName = value.schema === undefined ? undefined : schemas[/^iglu:([^/]*\/[^/]*)/.exec(value.schema)?.[1] ?? ''];
    if (byName) return byName.safeParse(value.data).success;
    return !schema || schema.safeParse(value).success;
  } catch {
    return false;
  }
}

/** Remembers each event_id that it was asked about. */
export function repeatFilter(): (fields: readonly string[]) => boolean {
  const seen = new Set<string>();
  return (fields) => {
    const id = fields[EVENT_ID]!;
    if (seen.has(id)) return false;
    seen.add(id);
    return true;
  };
}

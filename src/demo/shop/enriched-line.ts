import { pageColumns, pageContexts } from './page.ts';
import type { Action } from './visit.ts';
import type { Visitor } from './visitor.ts';

export interface EventIds {
  readonly eventId: string;
  readonly fingerprint: string;
}

const NO_COMMERCE = '\t'.repeat(17);
const NO_CURRENCY = '\t'.repeat(6);

const schemas: Readonly<Record<Action['event'], string>> = {
  page_view: 'com.snowplowanalytics.snowplow\tpage_view\tjsonschema\t1-0-0',
  page_ping: 'com.snowplowanalytics.snowplow\tpage_ping\tjsonschema\t1-0-0',
  struct: 'com.google.analytics\tevent\tjsonschema\t1-0-0',
  unstruct: 'com.snowplowanalytics.snowplow\tlink_click\tjsonschema\t1-0-1',
  transaction: 'com.snowplowanalytics.snowplow\ttransaction\tjsonschema\t1-0-0',
  transaction_item: 'com.snowplowanalytics.snowplow\ttransaction_item\tjsonschema\t1-0-0',
};

/**
 * Writes an enriched event of 131 columns.
 *
 * @param atMs when the collector got it
 * @param createdMs when the visitor did it
 */
export function enrichedLine(visitor: Visitor, action: Action, ids: EventIds, atMs: number, createdMs: number): string {
  const { device } = visitor;
  const { event, kind, label = '', property = '', value = '', unstruct = '' } = action;
  const [at, created, sent] = [timeText(atMs), timeText(createdMs), timeText(atMs - 40)];
  // Contexts come with page views alone: events are to be of about 1.2 kB.
  const [contexts, derived] = event === 'page_view' ? [pageContexts(action.page), device.derivedContexts] : ['', ''];
  const se = kind ? `${kind[0]}\t${kind[1]}\t${label}\t${property}\t${value}` : '\t\t\t\t';
  return (
    `shop\t${device.platform}\t${timeText(atMs + 900)}\t${at}\t${created}\t${event}\t${ids.eventId}\t${visitor.columns}\t` +
    `${pageColumns(action.page)}\t${contexts}\t${se}\t${unstruct}\t${action.commerce ?? NO_COMMERCE}\t${device.columns}\t` +
    `${action.currency ?? NO_CURRENCY}\t${visitor.timezone}\t\t\t\t${sent}\t\t\t${derived}\t` +
    `${visitor.sessionId}\t${timeText(createdMs + 40)}\t${schemas[event]}\t${ids.fingerprint}\t`
  );
}

// An event has five times within a few seconds, and a Date costs more than all the rest of the line.
const seconds = new Map<number, string>();

function timeText(ms: number): string {
  const second = Math.floor(ms / 1000);
  let text = seconds.get(second);
  if (text === undefined) {
    if (seconds.size > 100) seconds.clear();
    text = new Date(second * 1000).toISOString().slice(0, -4).replace('T', ' ');
    seconds.set(second, text);
  }
  return text + String(ms - second * 1000).padStart(3, '0');
}

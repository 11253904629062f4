import type { PipelineHealth, ShardHealth } from '../health.ts';
import type { RunRecord } from '../run-record.ts';
import { flow } from './flow.ts';
import { size, number, stretch } from './figures.ts';
import { type Html, html } from './html.ts';
import { shardTable } from './shard-table.ts';
import type { Throughput } from './throughput.ts';

export interface PipelineView {
  readonly record: RunRecord;
  readonly health: PipelineHealth;
  /** How fast it reads. */
  readonly read: Throughput;
  readonly nowMs: number;
}

/** One pipeline on the live page. */
export function pipelineSection({ record, health, read, nowMs }: PipelineView): Html {
  return html`<section>
    <header>
      <h1>${record.pipeline}</h1>
      <span class="stage ${health.status.split(' ').at(-1)}">${health.status}</span>${behindText(health.shards)}
      ${roomText(record)}
    </header>
    ${flow(record, read)} ${sum(record)} ${shardTable(health.shards)} ${rejectTable(record)} ${said(record, nowMs)}
  </section> `;
}

/** Of the shard that is farthest behind, so that nobody has to look for it. */
function behindText(shards: readonly ShardHealth[]): Html | undefined {
  const behind = shards.flatMap(({ behindSeconds }) => (behindSeconds === undefined ? [] : [behindSeconds]));
  if (behind.length === 0) return undefined;
  return html`<span class="faint">reads ${stretch(1000 * Math.max(...behind))} behind</span>`;
}

function roomText({ ledger }: RunRecord): Html | undefined {
  if (!ledger) return undefined;
  const { inFlightBytes, maxInFlightBytes, isFull } = ledger.room;
  const inFlight = html`<span class="faint">${size(inFlightBytes)} of ${size(maxInFlightBytes)} in flight</span>`;
  return isFull ? html`${inFlight}<span class="warn">waits for room</span>` : inFlight;
}

/** The account: what was read is all somewhere. */
function sum(record: RunRecord): Html {
  const { read, stored, dropped, rejected, abandoned, inFlight } = record.totals();
  const allDropped = Object.values(dropped).reduce((all, count) => all + count, 0);
  const parts = [
    ['stored', 'stored', stored],
    ['dropped', 'dropped', allDropped],
    ['rejected', 'rejected', rejected],
    ...(abandoned > 0 ? [['abandoned', 'read again', abandoned] as const] : []),
    ['flight', 'in flight', inFlight],
  ] as const;
  let left = 0;
  const bars = parts.map(([name, , count]) => {
    const width = read === 0 ? 0 : (1000 * count) / read;
    left += width;
    return html`<rect class="${name}" x="${left - width}" width="${width}" height="1" />`;
  });
  const texts = parts.map(([name, text, count]) => html`<span><i class="${name}"></i>${number(count)} ${text}</span>`);
  return html`<h2>${number(read)} read</h2>
    <svg class="share" viewBox="0 0 1000 1" preserveAspectRatio="none" aria-hidden="true">${bars}</svg>
    <p class="sum">${texts}</p>`;
}

/** So many kinds of rejects are told, the most frequent ones. */
const MOST_KINDS = 20;

function rejectTable({ rejects }: RunRecord): Html | undefined {
  const kinds = [...rejects].flatMap(([step, codes]) => [...codes].map(([code, count]) => ({ step, code, count })));
  if (kinds.length === 0) return undefined;
  kinds.sort((a, b) => b.count - a.count);
  const rows = kinds.slice(0, MOST_KINDS).map(
    ({ step, code, count }) =>
      html`<tr>
        <td>${step}</td>
        <td class="text">${code}</td>
        <td>${number(count)}</td>
      </tr>`,
  );
  const others =
    kinds.length > MOST_KINDS && html`<p class="faint">and ${kinds.length - MOST_KINDS} other kinds, less frequent</p>`;
  return html`<h2>Rejects</h2>
    <p class="faint">as they are made; above they count once all that was read with them is stored</p>
    <table>
      <tr>
        <th>step</th>
        <th class="text">code</th>
        <th>made</th>
      </tr>
      ${rows}
    </table>
    ${others}`;
}

function said({ said }: RunRecord, nowMs: number): Html | undefined {
  if (said.length === 0) return undefined;
  const lines = said.toReversed().map(({ atMs, level, message }) => {
    const ago = `${stretch(Math.max(0, nowMs - atMs))} ago`;
    return html`<li><span class="faint">${ago}</span><span class="${level}">${message}</span></li>`;
  });
  return html`<h2>What it last said</h2>
    <ul class="said">
      ${lines}
    </ul>`;
}

import type { ShardHealth } from '../health.ts';
import { number, stretch } from './figures.ts';
import { type Html, html } from './html.ts';

/** So many shards are told of. */
const MOST_SHARDS = 64;

/** Where each shard stands: those that make no progress first, then those farthest behind. */
export function shardTable(shards: readonly ShardHealth[]): Html | undefined {
  if (shards.length === 0) return undefined;
  const sorted = shards.toSorted((a, b) => trouble(b) - trouble(a));
  const rows = sorted.slice(0, MOST_SHARDS).map(
    ({ shard, behindSeconds, inFlight, sinceReadSeconds, sinceSettledSeconds, ...how }) =>
      html`<tr>
        <td>${shard}</td>
        <td>${time(behindSeconds)}</td>
        <td>${number(inFlight)}</td>
        <td>${time(sinceReadSeconds)}</td>
        <td>${time(sinceSettledSeconds)}</td>
        <td class="text">
          ${how.quietSeconds !== undefined && html`<span class="warn">no progress for ${time(how.quietSeconds)}: ${how.doing}</span>`}
          ${how.waitsForRoom && html`<span class="warn">waits for room</span>`}
        </td>
      </tr>`,
  );
  const others = shards.length > MOST_SHARDS && html`<p class="faint">and ${number(shards.length - MOST_SHARDS)} others</p>`;
  return html`<h2>Shards</h2>
    <table>
      <tr>
        <th>shard</th>
        <th>behind</th>
        <th>in flight</th>
        <th>last read</th>
        <th>last settled</th>
        <th></th>
      </tr>
      ${rows}
    </table>
    ${others}`;
}

function trouble({ quietSeconds, behindSeconds = 0 }: ShardHealth): number {
  return quietSeconds === undefined ? behindSeconds : Number.MAX_SAFE_INTEGER + quietSeconds;
}

function time(seconds: number | undefined): string {
  return seconds === undefined ? '–' : stretch(seconds * 1000);
}

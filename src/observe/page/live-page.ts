import { createHash } from 'node:crypto';
import { type Health, healthOf } from '../health.ts';
import type { RunRecord } from '../run-record.ts';
import { size, stretch } from './figures.ts';
import { Html, html } from './html.ts';
import { pipelineSection } from './pipeline-section.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';
import { Throughput } from './throughput.ts';

/** What a browser is told with the page: nothing is loaded, and nothing runs but what the page was made with. */
export const LIVE_PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "connect-src 'self'",
    'img-src data:',
    `style-src '${digest(STYLE)}'`,
    `script-src '${digest(SCRIPT)}'`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
} as const;

/**
 * How some runs are, for a person with a browser: each pipeline as it is declared, with what goes through it, where each shard stands, what
 * was rejected, and what it last said. The page is whole as it is sent, and asks for itself anew each second.
 */
export class LivePage {
  readonly #records: readonly { readonly record: RunRecord; readonly read: Throughput }[];

  constructor(records: readonly RunRecord[]) {
    this.#records = records.map((record) => ({ record, read: new Throughput() }));
  }

  /** @param nowMs by the clock of the runs */
  text(nowMs: number): string {
    const records = this.#records.map(({ record }) => record);
    const health = healthOf(records, nowMs);
    const sections = this.#records.map(({ record, read }, i) => {
      read.note(nowMs, record.totals().read);
      return pipelineSection({ record, health: health.pipelines[i]!, read, nowMs });
    });
    return html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <link rel="icon" href="data:," />
          <title>${titleOf(health)}</title>
          ${new Html(`<style>${STYLE}</style>`)}
        </head>
        <body>
          <main>
            ${sections}
            <footer>
              ${processText()} · <a href="/metrics">metrics</a> · <a href="/health">health</a> · <a href="/ready">ready</a>
            </footer>
          </main>
          <p id="gone" hidden>It answers no more: what you see is how it was last.</p>
          ${new Html(`<script>${SCRIPT}</script>`)}
        </body>
      </html> `.text;
  }
}

function titleOf({ pipelines }: Health): string {
  return pipelines.map(({ name, status }) => `${name}: ${status}`).join(', ');
}

function processText(): string {
  const { user, system } = process.cpuUsage();
  const upMs = performance.now();
  const cpu = Math.round((100 * (user + system)) / 1000 / upMs);
  return `up for ${stretch(upMs)} · ${size(process.memoryUsage.rss())} of memory · ${cpu} % of a core`;
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

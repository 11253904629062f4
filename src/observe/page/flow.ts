import { counted } from '../../counted.ts';
import { UNNAMED_DROP } from '../../ledger.ts';
import { stepOf } from '../../operators/named.ts';
import type { RunRecord, SinkRecord } from '../run-record.ts';
import { size, number, perSecond, stretch } from './figures.ts';
import { type Html, html } from './html.ts';
import type { Throughput } from './throughput.ts';

/** The pipeline as it is declared, from the source to the sinks, with what each of them did. */
export function flow(record: RunRecord, read: Throughput): Html {
  const { source, operators, sinks, rejectsSink } = record.declared;
  const rate = read.perSecond;
  // One without a name is called as in errors; what all of those dropped is counted under one.
  const steps = operators.map((operator, i) => {
    const step = stepOf(operator);
    return step ? { ...step, title: step.name } : { name: UNNAMED_DROP, title: `step ${i + 1}`, detail: 'an operator of RxJS' };
  });
  const boxes = steps.map(({ name, title, detail }, i) => {
    // Steps of one name are counted together: the last of them tells.
    const isLast = !steps.slice(i + 1).some((step) => step.name === name);
    return html`<li>
      <div class="box">
        <h3>${title}</h3>
        <p class="detail">${detail}</p>
        ${isLast && outcomes(record, name)}
      </div>
    </li>`;
  });
  const ends = [
    ...sinks.map((sink) => end(record, sink, 'end')),
    ...(rejectsSink ? [end(record, rejectsSink, 'end rejects')] : []),
  ];
  return html`<ol class="flow">
    <li>
      <div class="box end">
        <h3>${source.name}</h3>
        <p class="detail">${source.describe}</p>
        <p class="figure">${rate === undefined ? '' : perSecond(rate)}</p>
        ${pace(read)}
      </div>
    </li>
    ${boxes}
    <li>${ends}</li>
  </ol>`;
}

function outcomes(record: RunRecord, name: string): Html | undefined {
  const dropped = record.totals().dropped[name] ?? 0;
  const texts = [...(dropped > 0 ? [`${number(dropped)} dropped`] : []), ...rejectedBy(record, name)];
  return texts.length > 0 ? html`<p class="figure">${texts.join(', ')}</p>` : undefined;
}

function rejectedBy({ rejects }: RunRecord, step: string): string[] {
  const count = [...(rejects.get(step)?.values() ?? [])].reduce((sum, one) => sum + one, 0);
  return count > 0 ? [`${number(count)} rejected`] : [];
}

function end(record: RunRecord, { name, describe }: { readonly name: string; readonly describe: string }, kind: string): Html {
  const sink = record.sinks.get(name)!;
  const texts = [counted(sink.events, 'event'), size(sink.bytes), ...rejectedBy(record, name)].join(', ');
  return html`<div class="box ${kind}">
    <h3>${name}</h3>
    <p class="detail">${describe}</p>
    <p class="figure">${texts}</p>
    ${commits(sink)}${retries(sink)}
  </div>`;
}

function commits({ commitSeconds }: SinkRecord): Html | undefined {
  const half = commitSeconds.quantile(0.5);
  const most = commitSeconds.quantile(0.99);
  if (half === undefined || most === undefined) return undefined;
  const text = half === most ? `commits ${within(half)}` : `commits: half ${within(half)}, 99 % ${within(most)}`;
  return html`<p class="detail">${text}</p>`;
}

/** A histogram knows a value by the bounds that it lies between. */
function within(seconds: number): string {
  return seconds === Number.POSITIVE_INFINITY ? 'longer than a minute' : `within ${stretch(seconds * 1000)}`;
}

function retries({ retries: count }: SinkRecord): Html | undefined {
  return count > 0 ? html`<p class="warn">${number(count)} ${count === 1 ? 'call' : 'calls'} tried again</p>` : undefined;
}

/** How fast it read in the last two minutes, as a picture. */
function pace(read: Throughput): Html | undefined {
  const rates = read.rates();
  if (rates.length < 2) return undefined;
  const most = Math.max(1, ...rates.map((rate) => rate.perSecond));
  const x = (agoMs: number): string => (120 - agoMs / 1000).toFixed(1);
  const points = rates.map((rate) => `${x(rate.agoMs)},${(38 - (36 * rate.perSecond) / most).toFixed(1)}`);
  const path = `M${x(rates[0]!.agoMs)},40L${points.join('L')}L120,40Z`;
  return html`<svg
    class="pace"
    viewBox="0 0 120 40"
    preserveAspectRatio="none"
    role="img"
    aria-label="read a second, the last two minutes; at most ${perSecond(most)}"
  >
    <path d="${path}" />
  </svg>`;
}

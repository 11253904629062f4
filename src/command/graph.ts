import type { OperatorFunction } from 'rxjs';
import { stepOf } from '../operators/named.ts';
import type { Pipeline } from '../pipeline.ts';

/** Draws a pipeline as a Mermaid flow chart. https://mermaid.js.org/syntax/flowchart.html */
export function graphOf({ source, operators, sinks, rejectsSink }: Pipeline): string {
  const lines = ['flowchart LR', `  source([${quoted(source.describe)}])`];
  let last = 'source';
  operators.forEach((operator, i) => {
    const id = `step${i + 1}`;
    lines.push(`  ${last} --> ${id}[${quoted(labelOf(operator))}]`);
    last = id;
  });
  sinks.forEach((sink, i) => lines.push(`  ${last} --> sink${i + 1}[(${quoted(sink.describe)})]`));
  // Every step may reject; one arrow from the whole chain says so.
  if (rejectsSink) lines.push(`  ${last} -.->|rejects| rejects[(${quoted(rejectsSink.describe)})]`);
  return `${lines.join('\n')}\n`;
}

function labelOf(operator: OperatorFunction<never, unknown>): string {
  const step = stepOf(operator);
  if (!step) return 'an operator of RxJS';
  return step.detail ? `${step.name}<br>${step.detail}` : step.name;
}

/** Mermaid has no escapes in a quoted label, but entities. */
function quoted(text: string): string {
  return `"${text.replaceAll('"', '#quot;')}"`;
}

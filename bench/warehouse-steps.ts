import { shopLabels } from '../pipelines/labels.ts';
import {
  type EnrichedEvent,
  type Stage,
  type Window,
  decode,
  dedupe,
  enriched,
  eventId,
  identityLog,
  label,
  lines,
  minuteWindow,
  pipeline,
  stripCheckpoints,
  validate,
} from '../src/index.ts';
import type { LinesFile } from './lines.ts';

export interface WarehouseStepsOptions {
  /** The pipeline's. */
  readonly name: string;
  /** What a line of the file is. */
  readonly of: 'line' | 'text';
  /** Where dedupe keeps its state. @default nowhere */
  readonly stateFile?: string | undefined;
}

/** The steps of pipelines/warehouse.ts on a file of lines. */
export function warehouseSteps(input: LinesFile, { name, of, stateFile }: WarehouseStepsOptions): Stage<Window<EnrichedEvent>> {
  const state = stateFile === undefined ? {} : { state: identityLog(stateFile) };
  return pipeline(name)
    .from(lines({ files: input.path, of, maxLines: 2000 }))
    .pipe(
      stripCheckpoints({ of: of === 'text' ? 'text' : 'payload' }),
      decode(enriched),
      validate(label(shopLabels)),
      dedupe({ by: eventId, within: { hours: 1 }, ...state }),
      minuteWindow(),
    );
}

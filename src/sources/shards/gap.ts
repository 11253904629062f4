import { inWords } from '../../duration.ts';
import { type Resume, formatResume } from '../../position.ts';
import type { SourceContext } from '../source.ts';

/** Records that a shard may have had behind where the sinks stand, and that its stream no longer keeps. */
export interface Gap {
  readonly shard: string;
  /** Where the least of the sinks stands. */
  readonly resume: Resume;
  /** Until when everything that arrived is known to have been read, in milliseconds since 1970. @default unknown */
  readonly fromMs?: number | undefined;
  /** From when on everything that arrived is kept. @default unknown */
  readonly untilMs?: number | undefined;
}

/** A stream no longer keeps what may have come behind where the pipeline stands. */
export class GapError extends Error {
  override readonly name = 'GapError';
  readonly gap: Gap;

  constructor(gap: Gap) {
    super(
      `${gap.shard}: the pipeline stands at ${formatResume(gap.resume)}, and ${lostOf(gap)} is past the retention of the stream. ` +
        'To go on without it, run once with --accept-gap',
    );
    this.gap = gap;
  }
}

/**
 * Tells of a gap, and goes on only when the run was told to.
 *
 * @throws {GapError} when it was not
 */
export function passGap({ report, acceptGap }: Pick<SourceContext, 'report' | 'acceptGap'>, gap: Gap): void {
  report({ type: 'gap', ...gap, isAccepted: acceptGap === true });
  if (!acceptGap) throw new GapError(gap);
}

/** Says what may be lost, and how long that is at most. */
export function lostOf({ fromMs, untilMs }: Pick<Gap, 'fromMs' | 'untilMs'>): string {
  const [from, until] = [fromMs, untilMs].map((ms) => (ms === undefined ? undefined : new Date(ms).toISOString()));
  if (from === undefined) return until === undefined ? 'what came behind it' : `what came behind it until ${until}`;
  if (until === undefined) return `what came since ${from}`;
  return `what came from ${from} to ${until} (at most ${inWords(untilMs! - fromMs!)})`;
}

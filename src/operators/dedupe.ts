import type { Duration } from 'date-fns';
import type { MonoTypeOperatorFunction } from 'rxjs';
import { durationMs, inWords } from '../duration.ts';
import type { Event } from '../event.ts';
import { DedupeMemory } from './dedupe/memory.ts';
import type { IdentityState } from './identity-state.ts';
import { IdentityTable } from './dedupe/identity-table.ts';
import type { Identity } from './identity.ts';
import { eventSteps } from './event-steps.ts';
import { textIdentity } from './dedupe/text-identity.ts';

export interface DedupeOptions<T> {
  /**
   * What makes two events the same one: an identity, or simply its text. An event with neither (`undefined` or an empty
   * text) always passes.
   */
  readonly by: Identity<T> | ((data: T) => string | undefined);
  /** Two events of one identity are one event when they arrived less than this apart; up to ten years. */
  readonly within: Duration;
  /**
   * How many identities are remembered at most; 34 bytes each, up to twice that while their memory grows. Beyond 40,000 they lie in parts, and each
   * forgets its own oldest: the first one goes when about 98 % are there.
   *
   * @default 10_000_000
   */
  readonly capacity?: number;
  /**
   * Where the identities are kept over a restart: `identityLog('file:./data/dedupe.db')`, or on a server, `identityLog('postgres://…')`.
   *
   * @default in memory only: a repeat of an event that was stored by an earlier run passes
   */
  readonly state?: IdentityState;
}

const STEP = 'dedupe';
/** Ten years: far enough from the 17 up to which the memory can tell times apart. */
const MAX_WITHIN_DAYS = 3650;

/**
 * Lets the first event of each identity through and drops the others.
 *
 *     source  -a-b-a-c-|
 *     result  -a-b---c-|
 *
 * What counts is how far apart they arrived, whichever came first, so a late event is compared with those of its own time. Of
 * the same record, read again after a restart, it is no repeat: an event passes again at the position at which it passed
 * before, and its repeats are dropped again, in whatever order the shards are read. With `state` this holds over restarts; it
 * is durable before a sink commits a position that covers it. Events made of one record share its position, and do not repeat each other.
 *
 * Where an earlier run was killed, or a sink was added, one sink may stand behind another. An event that only some of them get, and that is not
 * remembered, is then no reason to drop a repeat which others would get: without a `state` they could get neither. So a repeat may pass, and nothing is
 * lost. Such events are remembered apart, for each set of sinks up to `capacity` of them.
 *
 * It holds no event. An identity is forgotten once every shard that is to be read, with all it has in flight, is `within` past it; or before
 * that, as one of the oldest of too many, told as `identities-forgotten`. So nothing is forgotten while a shard cannot be read. A state is loaded
 * before the source takes anything over, once that has asked for its shards, in about a quarter of a second for each million (and the time it takes a server to send them, 28 bytes each); told as
 * `identities-loaded`.
 * What `by` throws ends the stream with a StepError; a state that cannot be read or written is an error of the stream, too.
 *
 * @throws {RangeError} when `within` or `capacity` is out of its bounds
 */
export function dedupe<T>({ by, within, capacity = 10_000_000, state }: DedupeOptions<T>): MonoTypeOperatorFunction<Event<T>> {
  const identity = typeof by === 'function' ? textIdentity(by) : by;
  const withinMs = durationMs(within, { who: STEP, name: 'within' });
  if (withinMs > MAX_WITHIN_DAYS * 86_400_000)
    throw new RangeError(`${STEP}: expected within of at most ${MAX_WITHIN_DAYS} days, got ${JSON.stringify(within)}`);
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > IdentityTable.maxCapacity)
    throw new RangeError(`${STEP}: expected a capacity from 1 to ${IdentityTable.maxCapacity}, got ${capacity}`);
  const detail = [`by ${identity.name}`, `within ${inWords(within)}`, ...(state ? [state.describe] : [])].join(', ');
  return eventSteps<DedupeMemory<T>, T, T>({
    name: STEP,
    detail,
    owns: state?.describe,
    check: state && (async () => (await state.check?.()) ?? 'not checked, as the state has no check'),
    prepare: state?.prepare && ((pipeline) => state.prepare!(pipeline)),
    seed: () => new DedupeMemory({ step: STEP, identity, withinMs, capacity, state }),
    ...(identity.hashLine && {
      lines: {
        foresee: (memory, index, places) => memory.foresee(index, places),
        keeps: (memory, place, delivery, record) => !memory.isRepeatLine(place, delivery, record),
      },
    }),
    step(memory, data, origin, out) {
      if (memory.isRepeat(data, origin)) out.drop();
      else out.emit(data);
    },
    complete: (memory) => memory.write(),
    close: (memory) => memory.close(),
  });
}

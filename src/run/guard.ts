import { Observable, type OperatorFunction, catchError, isObservable, tap } from 'rxjs';
import { ReadTwiceError, SettledTooEarlyError, StepError } from '../errors.ts';
import { Event, type Item, type Origin, isItem } from '../event.ts';
import { stepOf } from '../operators/named.ts';
import { Window } from '../operators/window.ts';
import type { Pipeline } from '../pipeline.ts';
import { formatResume } from '../position.ts';
import { wordFor } from '../sinks/word-for.ts';
import type { SourceContext } from '../sources/source.ts';
import { begin } from './fuse.ts';

type AnyOperator = OperatorFunction<unknown, unknown>;

/** `mapAsync` takes events. */
const WITH_WINDOWS =
  'What takes time with a window is for a sink of your own, which holds it, or for a step before minuteWindow, such as mapAsync';

/**
 * Reads a pipeline through its steps, with a watch around each that is not ours: nobody vouches that it holds what it keeps.
 *
 * @param fail ends the run past the steps, which may answer an error of the stream by reading on
 * @param ended is told when the source has ended
 */
export function guarded(
  pipeline: Pipeline,
  context: SourceContext,
  fail: (error: unknown) => void,
  ended: () => void,
): Observable<unknown> {
  const { operators } = pipeline;
  const begun = begin(pipeline, context);
  let behind = begun.count;
  let call: Call | undefined;
  return begun.rest.reduce(
    (stream, { operator, count }) => {
      behind += count;
      const last = behind - 1;
      const step = operator as AnyOperator;
      if (stepOf(operators[last]!)) {
        call = undefined;
        return step(stream);
      }
      const came = call ? stream : noted(stream, (call = { item: undefined }));
      return watched(step, whichStep(operators, last), takesEvents(operators[last + 1]), call, fail)(came);
    },
    once(begun.stream, fail, ended),
  );
}

/** What is read a second time, in the same run, would meet what is in flight of the first. */
function once<T>(stream: Observable<T>, fail: (error: unknown) => void, ended: () => void): Observable<T> {
  let isRead = false;
  return new Observable((subscriber) => {
    if (isRead) return fail(new ReadTwiceError());
    isRead = true;
    subscriber.add(ended);
    return stream.subscribe(subscriber);
  });
}

/** The call in which an event, or a window, is at steps of RxJS that stand side by side; nothing outside of any. */
interface Call {
  item: unknown;
}

function noted(stream: Observable<unknown>, call: Call): Observable<unknown> {
  return new Observable((subscriber) =>
    stream.subscribe({
      next(item) {
        const outer = call.item;
        call.item = item;
        subscriber.next(item);
        call.item = outer;
      },
      error: (error) => subscriber.error(error),
      complete: () => subscriber.complete(),
    }),
  );
}

/**
 * Sees whether a step passes on what it did not hold, or has passed on, or no event, and tells on which event it threw.
 *
 * @param isBeforeEvents whether the next step is one of events for certain: between others anything may pass
 * @param call in which an item is at it, and at its neighbours
 * @param fail ends the run, though a `catchError` further on answers the error
 */
function watched(
  step: AnyOperator,
  name: string,
  isBeforeEvents: boolean,
  call: Readonly<Call>,
  fail: (error: unknown) => void,
): AnyOperator {
  const end = (error: Error): never => {
    fail(error);
    throw error;
  };
  return (source) => {
    let latest: unknown;
    /** What came from before it: a step of its own may throw anything, also nothing. */
    let before: { readonly error: unknown } | undefined;
    /** Of the last event that was passed on in the call in which it came, or its window, and which of them that was. */
    let passed: Origin | undefined;
    let passedOf: unknown;
    const looked = source.pipe(tap({ next: (item) => (latest = item), error: (error) => (before = { error }) }));
    const stream: unknown = step(looked);
    if (!isObservable(stream))
      throw new TypeError(
        `${name}: expected an operator to make a stream of a stream, got ${wordFor(stream)}; one is called, as in minuteWindow()`,
      );
    return stream.pipe(
      catchError((error: unknown) => {
        if (before && error === before.error) throw error;
        throw new StepError(name, isItem(latest) ? latest.last : undefined, error);
      }),
      tap((item) => {
        if (isBeforeEvents && !(item instanceof Event)) end(noEvent(name, item));
        if (isItem(item) && item.isSettled)
          end(new SettledTooEarlyError(name, item.first, item instanceof Window ? WITH_WINDOWS : undefined));
        if (!(item instanceof Event)) return;
        const { origin } = item;
        const its = call.item;
        const isAgain = passed?.isSameRecord(origin) ?? false;
        const isInCall =
          its instanceof Event ? its.origin.isSameRecord(origin) : its instanceof Window && (!isAgain || its === passedOf);
        if (isInCall) {
          passed = origin;
          passedOf = its;
        } else if (isAgain) end(passedAgain(name, item));
      }),
    );
  };
}

function takesEvents(operator: Pipeline['operators'][number] | undefined): boolean {
  return (operator && stepOf(operator)?.takesEvents) ?? false;
}

/** The compiler says so, too, but Node runs a file that does not compile. */
function noEvent(step: string, came: unknown): TypeError {
  const instead =
    came instanceof Window
      ? 'Put steps for events before minuteWindow, or mergeMap((window) => window.events) between them'
      : 'Instead of map((event) => event.data.x) write map((event) => event.with(event.data.x)), or transform((data) => data.x)';
  return new TypeError(`${step}: expected it to pass on events, got ${wordFor(came)}. ${instead}`);
}

/** Sinks may have stored the event by then, and stand behind it: no position says that more will come of it. */
function passedAgain(step: string, { first }: Item): Error {
  return new Error(
    `${step} passed on the event at ${formatResume(first)} of ${first.shard} once more, after the call in which it came: it would be stored twice ` +
      `(or, where it is another one that was made of the same record, be lost by a kill in between). ` +
      `combineLatestWith does so whenever the other stream has something new; withLatestFrom does not`,
  );
}

/** Names a step as a person finds it in the pipeline file: plain RxJS operators have no names of their own. */
function whichStep(operators: Pipeline['operators'], i: number): string {
  const before = operators[i - 1] && stepOf(operators[i - 1]!)?.name;
  const after = operators[i + 1] && stepOf(operators[i + 1]!)?.name;
  const where = [before && `after ${before}`, after && `before ${after}`].filter(Boolean).join(', ');
  return `step ${i + 1} of ${operators.length}${where && ` (${where})`}`;
}

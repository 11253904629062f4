import type { OperatorFunction } from 'rxjs';
import type { Event, Item, Reject } from './event.ts';
import { stepOf } from './operators/named.ts';
import type { Sink } from './sinks/sink.ts';
import { wordFor } from './sinks/word-for.ts';
import type { Source } from './sources/source.ts';

/** A whole pipeline, declared. Nothing of it runs: it can be checked, drawn and tested without any of its stores. */
export interface Pipeline {
  readonly name: string;
  readonly source: Source<unknown>;
  readonly operators: readonly OperatorFunction<never, unknown>[];
  readonly sinks: readonly Sink<never>[];
  readonly rejectsSink: Sink<Reject> | undefined;
  /** The same pipeline with a place for its rejects. Without one, the first reject stops the run. */
  rejects(sink: Sink<Reject>): Pipeline;
}

/** All sinks of a pipeline, that of its rejects the last. */
export function sinksOf({ sinks, rejectsSink }: Pick<Pipeline, 'sinks' | 'rejectsSink'>): readonly Sink<never>[] {
  return rejectsSink ? [...sinks, rejectsSink] : sinks;
}

/** A pipeline on its way to be declared; `Out` is what its last operator emits. */
export interface Stage<Out> {
  /** Adds operators, up to ten in a call; of more, the eleventh begins a further call: `.pipe(…).pipe(…)`. */
  pipe<A>(a: OperatorFunction<Out, A>): Stage<A>;
  pipe<A, B>(a: OperatorFunction<Out, A>, b: OperatorFunction<A, B>): Stage<B>;
  pipe<A, B, C>(a: OperatorFunction<Out, A>, b: OperatorFunction<A, B>, c: OperatorFunction<B, C>): Stage<C>;
  pipe<A, B, C, D>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
  ): Stage<D>;
  pipe<A, B, C, D, E>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
  ): Stage<E>;
  pipe<A, B, C, D, E, F>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
    f: OperatorFunction<E, F>,
  ): Stage<F>;
  pipe<A, B, C, D, E, F, G>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
    f: OperatorFunction<E, F>,
    g: OperatorFunction<F, G>,
  ): Stage<G>;
  pipe<A, B, C, D, E, F, G, H>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
    f: OperatorFunction<E, F>,
    g: OperatorFunction<F, G>,
    h: OperatorFunction<G, H>,
  ): Stage<H>;
  pipe<A, B, C, D, E, F, G, H, I>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
    f: OperatorFunction<E, F>,
    g: OperatorFunction<F, G>,
    h: OperatorFunction<G, H>,
    i: OperatorFunction<H, I>,
  ): Stage<I>;
  pipe<A, B, C, D, E, F, G, H, I, J>(
    a: OperatorFunction<Out, A>,
    b: OperatorFunction<A, B>,
    c: OperatorFunction<B, C>,
    d: OperatorFunction<C, D>,
    e: OperatorFunction<D, E>,
    f: OperatorFunction<E, F>,
    g: OperatorFunction<F, G>,
    h: OperatorFunction<G, H>,
    i: OperatorFunction<H, I>,
    j: OperatorFunction<I, J>,
  ): Stage<J>;
  /**
   * Ends the declaration. Every sink gets every item.
   *
   * @throws {TypeError} when there is no sink, when two have the same name, when two steps keep their state in one place, or when one that takes
   * events stands right behind windows
   */
  to(...sinks: [Out] extends [Item] ? readonly [Sink<Out>, ...Sink<Out>[]] : readonly [NoItem]): Pipeline;
}

/** What the compiler says at `to` when the last operator emits something that no sink takes: bare data, most often. */
export type NoItem =
  'to: the last step emits no events. Instead of map((event) => event.data.x) write map((event) => event.with(event.data.x)), or transform((data) => data.x)';

/**
 * Declares a pipeline: where events come from, what happens to them, where they go.
 *
 *     pipeline('warehouse').from(kinesis({ stream })).pipe(decode(enriched), minuteWindow()).to(copyInto(database, { table }))
 *
 * @param name part of the key of every position that the pipeline stores: another name begins anew
 * @throws {TypeError} when the name is not made of lower-case letters, digits, `-` and `_`
 */
export function pipeline(name: string): { from<T>(source: Source<T>): Stage<Event<T>> } {
  if (!/^[a-z][a-z0-9_-]*$/.test(name)) {
    throw new TypeError(
      `pipeline: expected a name of lower-case letters, digits, - and _, beginning with a letter; got ${JSON.stringify(name)}`,
    );
  }
  return { from: (source) => stage(name, source, []) };
}

function stage<Out>(name: string, source: Source<unknown>, operators: readonly OperatorFunction<never, unknown>[]): Stage<Out> {
  return {
    pipe: (...more: OperatorFunction<never, unknown>[]) => stage<never>(name, source, [...operators, ...more]),
    to: (...sinks: readonly Sink<never>[]) => declared({ name, source, operators, sinks, rejectsSink: undefined }),
  } as Stage<Out>;
}

function declared(parts: Omit<Pipeline, 'rejects'>): Pipeline {
  const { name, sinks } = parts;
  if (sinks.length === 0) throw new TypeError(`pipeline ${name}: expected at least one sink, got none`);
  for (const sink of sinksOf(parts) as readonly Partial<Sink<never>>[])
    if (typeof sink?.open !== 'function')
      throw new TypeError(`pipeline ${name}: expected sinks, one behind the other, got ${wordFor(sink)}`);
  const names = sinksOf(parts).map((sink) => sink.name);
  const twice = names.find((sink, i) => names.indexOf(sink) < i);
  if (twice !== undefined) {
    throw new TypeError(
      `pipeline ${name}: two sinks are named ${twice}, and positions are kept by name; give one another { name }`,
    );
  }
  checkSteps(parts);
  return { ...parts, rejects: (sink) => declared({ ...parts, rejectsSink: sink }) };
}

function checkSteps({ name, operators }: Omit<Pipeline, 'rejects'>): void {
  const none = operators.findIndex((operator) => typeof operator !== 'function');
  // The compiler says so, too, but Node runs a file that does not compile.
  if (none >= 0)
    throw new TypeError(
      `pipeline ${name}: expected an operator for step ${none + 1} of ${operators.length}, got ${String(operators[none])}; in the place of one that is left out, identity of RxJS`,
    );
  const steps = operators.map(stepOf);
  const owned = steps.flatMap((step) => step?.owns ?? []);
  const twice = owned.find((what, i) => owned.indexOf(what) < i);
  if (twice !== undefined)
    throw new TypeError(
      `pipeline ${name}: two steps keep their state in ${twice}, and would take it from each other; give each its own`,
    );
  for (const [i, step] of steps.entries()) {
    const next = steps[i + 1];
    if (step?.givesWindows && next?.takesEvents)
      throw new TypeError(
        `pipeline ${name}: ${next.name} takes events, and ${step.name} before it gives windows of them; put it before ${step.name}, or ` +
          'mergeMap((window) => window.events) between them',
      );
  }
}

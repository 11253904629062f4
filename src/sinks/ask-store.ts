import type { Owner } from '../owner.ts';
import type { Standing } from '../position.ts';
import type { Sink } from './sink.ts';

/** What a sink asks of its store for `--check`; a store of somebody's own need not answer. */
export async function checkStore<T>(store: { check?(table?: T): Promise<string> }, table?: T): Promise<string> {
  return (await store.check?.(table)) ?? 'not checked, as the store has no check';
}

/** What a sink of this name says of where it stands; nothing where its store does not say that. */
export function standsIn(
  store: { stands?(owner: Owner): Promise<readonly Standing[]> },
  sink: string,
): Pick<Sink<never>, 'stands'> {
  return store.stands ? { stands: (pipeline) => store.stands!({ pipeline, sink }) } : {};
}

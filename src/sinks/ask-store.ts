import type { Owner } from '../owner.ts';
import type { Standing } from '../position.ts';

/** What a sink asks of its store for `--check`; a store of somebody's own need not answer. */
export async function checkStore<T>(store: { check?(table?: T): Promise<string> }, table?: T): Promise<string> {
  return (await store.check?.(table)) ?? 'not checked, as the store has no check';
}

/** What a sink asks of its store for `--positions`. */
export async function standsIn(
  store: { readonly describe: string; stands?(owner: Owner): Promise<readonly Standing[]> },
  owner: Owner,
): Promise<readonly Standing[]> {
  if (!store.stands) throw new Error(`${store.describe}: does not say where a sink stands`);
  return store.stands(owner);
}

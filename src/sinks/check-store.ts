/** What a sink asks of its store for `--check`; a store of somebody's own need not answer. */
export async function checkStore<T>(store: { check?(table?: T): Promise<string> }, table?: T): Promise<string> {
  return (await store.check?.(table)) ?? 'not checked, as the store has no check';
}

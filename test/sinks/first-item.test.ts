import { describe, expect, test } from 'vitest';
import type { Item } from '../../src/event.ts';
import { Window } from '../../src/operators/window.ts';
import { apply } from '../../src/sinks/apply.ts';
import { archive } from '../../src/sinks/archive.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import type { Database } from '../../src/stores/database.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { deliver } from '../../src/testing/deliver.ts';

const never = (): never => expect.fail('reached the store');
const acquire = async (): Promise<undefined> => undefined;
const close = async (): Promise<void> => {};
const database: Database = {
  describe: 'a database',
  open: async () => ({ createTable: async () => false, acquire, positions: never, commit: never, close }),
};
const store: ObjectStore = {
  describe: 'a store',
  open: async () => ({ head: never, get: never, put: never, list: never, close }),
};
const bounds = { shard: 's', startMs: 0, endMs: 60_000, part: 0, closedBy: 'complete' } as const;
const event = (data: unknown) => deliver([{ shard: 's', raw: 'x' }]).events[0]!.with(data);

/** What a sink says of items that its types do not allow. */
async function saidOf(sink: Sink<never>, item: unknown): Promise<string> {
  const open = await sink.open({ pipeline: 'test', report: () => {} });
  const commit = async (): Promise<void> => open.commit({ items: [item as never], positions: new Map() }, []);
  const error = await commit().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TypeError);
  return (error as Error).message;
}

describe('a sink that is given what it cannot store says what it expected, and what came', () => {
  const copy: Sink<never> = copyInto(database, { table: 'events' });
  const objects: Sink<never> = archive(store, { prefix: 'events' });
  const rows = 'copy: expected data with toRow(), a line of tab-separated fields, as decode(enriched) gives it, got ';
  const lines = 'archive: expected data that are bytes, or have them as bytes, as decode(enriched) gives it, got ';

  test.each<[string, unknown, string]>([
    ['an object', { id: 1, name: 'x' }, 'an object with id, name'],
    ['a text', 'secret', 'a string'],
    ['nothing', undefined, 'undefined'],
    ['a list', [1, 2], 'Array'],
  ])('a window of %s', async (_, data, came) => {
    const window = (): Window<unknown> => new Window(bounds, [event(data)]);
    expect(await saidOf(copy, window())).toBe(rows + came);
    expect(await saidOf(objects, window())).toBe(lines + came);
  });

  test('windows of which the first has nothing in it', async () => {
    const window = new Window(bounds, [event(1)]);
    const items = [window.with(() => []), window] as never[];
    const open = await copy.open({ pipeline: 'test', report: () => {} });
    await expect(open.commit({ items, positions: new Map() }, [])).rejects.toThrow(`${rows}a number`);
  });

  test('bytes, where rows are wanted', async () => {
    expect(await saidOf(copy, new Window(bounds, [event(Buffer.from('x'))]))).toBe(`${rows}bytes`);
  });

  test('an event, where windows are wanted', async () => {
    const item: Item = event({ id: 1 });
    const came = 'expected windows of events, as minuteWindow() makes them, got an event of an object with id';
    expect(await saidOf(copy, item)).toBe(`copy: ${came}`);
    expect(await saidOf(objects, item)).toBe(`archive: ${came}`);
  });

  test('a window, where events are wanted', async () => {
    const commands = {
      describe: 'a store',
      open: async () => ({ callsAtOnce: 1, acquire, positions: never, execute: never, rejected: never, keep: never, close }),
    };
    expect(await saidOf(apply(commands, never), new Window(bounds, [event({ id: 1 })]))).toMatch(
      /^apply: expected events, got Window.*: minuteWindow\(\) does not go before it$/,
    );
  });
});

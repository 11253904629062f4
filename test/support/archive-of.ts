import { Event, Origin } from '../../src/event.ts';
import { Window } from '../../src/operators/window.ts';
import { type ArchiveOptions, archive } from '../../src/sinks/archive.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { Ledger } from '../../src/ledger.ts';

/** A window of one shard, as a test writes it down. */
export interface WrittenWindow {
  readonly shard?: string;
  readonly startMs: number;
  /** @default 60_000 */
  readonly everyMs?: number;
  /** The position of its first line, `<sequence>` or `<sequence>:<sub-sequence>`; those behind have the next sequence numbers. */
  readonly first: number | string;
  readonly lines: readonly string[];
}

/** Stores windows as the archive of a pipeline does, each in a commit of its own. */
export async function storeWindows(
  store: ObjectStore,
  windows: readonly WrittenWindow[],
  options: Partial<ArchiveOptions> = {},
): Promise<void> {
  const sink = await archive<Uint8Array>(store, { prefix: 'events', ...options }).open({
    pipeline: 'warehouse',
    report: () => {},
  });
  try {
    for (const shard of new Set(windows.map((window) => window.shard ?? 's'))) await sink.acquire(shard);
    for (const written of windows) {
      const window = windowOf(written);
      await sink.commit({ items: [window], positions: new Map([[window.shard, window.last]]) }, []);
    }
  } finally {
    await sink.close();
  }
}

function windowOf({ shard = 's', startMs, everyMs = 60_000, first, lines }: WrittenWindow): Window<Uint8Array> {
  const [sequence, subSequence = 0] = String(first).split(':').map(Number) as [number, number?];
  const records = lines.map((line, i) => ({
    position: { shard, sequence: String(sequence + i), subSequence: i === 0 ? subSequence : 0 },
    arrivedAtMs: startMs,
    data: Buffer.from(line),
  }));
  const delivery = new Ledger().open({
    shard,
    count: records.length,
    sizeBytes: 0,
    last: records.at(-1)!.position,
    readAtMs: startMs,
  });
  const events = records.map((record, i) => new Event(record.data, new Origin(delivery, i, record)));
  return new Window({ shard, startMs, endMs: startMs + everyMs, part: 0, closedBy: 'later-event' }, events);
}

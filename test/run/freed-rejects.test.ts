import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Item } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type Running, startRun } from '../../src/run/run.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { lines } from '../../src/sources/lines.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { lineOf } from '../snowplow/line.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-freed-'));
});
afterEach(() => rm(folder, { recursive: true }));

const sink = (name: string, keepsNothing: boolean): Sink<Item> => ({ ...memorySink<Item>(name), keepsNothing });

describe.each([false, true])('rejects that are the last of a delivery whose memory is given back: %s,', (frees) => {
  const begun = async (
    files: Readonly<Record<string, string>>,
    maxInFlightBytes = 2 ** 28,
  ): Promise<{ readonly running: Running; readonly told: readonly Diagnostic[] }> => {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const told: Diagnostic[] = [];
    const running = startRun(
      pipeline('rejects')
        .from(lines({ files: join(folder, '*.log'), of: 'text' }))
        .pipe(stripCheckpoints({ of: 'text' }), decode(enriched), minuteWindow({ every: { hours: 1 } }))
        .to(sink('rows', frees))
        .rejects(sink('rejects', frees)),
      { maxInFlightBytes, report: (one) => told.push(one) },
    );
    return { running, told };
  };

  it('leave nothing at the sinks, and count with their bytes', async () => {
    const { running, told } = await begun({ 'a.log': 'nothing\n' });
    expect(await running.finished).toMatchObject({ read: 1, rejected: 1 });
    expect(running.ledger.room.hasSomeAtSinks).toBe(false);
    const committed = told.find((one) => one.type === 'committed' && one.sink === 'rejects');
    expect(committed).toMatchObject({ count: 1, sizeBytes: 'nothing'.length });
  });

  it('do not keep windows from being closed for who waits for room', async () => {
    const lot = `${lineOf({}).toString()}\n`.repeat(4000);
    const { running } = await begun({ 'a.log': 'nothing\n', 'b.log': lot }, 1_000_000);
    expect(await running.finished).toMatchObject({ stored: 4000, rejected: 1 });
  });
});

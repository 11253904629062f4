import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import { pipeline } from '../../src/pipeline.ts';
import type { Resume } from '../../src/position.ts';
import { attend } from '../../src/command/attend.ts';
import { run } from '../../src/run/run.ts';
import { StartIgnored } from '../../src/command/start-ignored.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

const at = (sequence: number, shard = 's'): Resume => ({ shard, sequence: String(sequence), subSequence: 0 });
const known = (resume: Resume): Diagnostic => ({ type: 'shard-known', shard: 's', resume });
const wentBack: Diagnostic = {
  type: 'went-back',
  error: new Error('forgot'),
  counts: { read: 0, stored: 0, dropped: {}, rejected: 0, inFlight: 0 },
};

describe('a start that is ignored', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function watched() {
    const told: number[] = [];
    return { told, ignored: new StartIgnored((shards) => told.push(shards)) };
  }

  it('is told of once, for all shards that were taken over by then', () => {
    const { told, ignored } = watched();
    for (let i = 0; i < 5; i++) {
      ignored.report(known(at(i)));
      vi.advanceTimersByTime(900);
    }
    expect(told).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(told).toEqual([5]);
    ignored.report(known(at(9)));
    vi.advanceTimersByTime(60_000);
    ignored.close();
    expect(told).toEqual([5]);
  });

  it('is told of at the end of a run that was shorter', () => {
    const { told, ignored } = watched();
    ignored.report(known(at(1)));
    ignored.close();
    expect(told).toEqual([1]);
  });

  it('is none where a shard has nothing more to read, and none after a store went back', () => {
    const { told, ignored } = watched();
    ignored.report(known('SHARD_END'));
    ignored.report(wentBack);
    ignored.report(known(at(1)));
    vi.advanceTimersByTime(60_000);
    ignored.close();
    expect(told).toEqual([]);
  });
});

describe('a run', () => {
  it('tells which shards sinks know, so that they do not begin where it was told to', async () => {
    const sink = memorySink<Event<Uint8Array>>();
    sink.positions.set('known', at(1, 'known'));
    const told: Diagnostic[] = [];
    const declared = pipeline('p')
      .from(scripted({ known: [['a', 'b']], new: [['c']] }))
      .to(sink);
    const report = (diagnostic: Diagnostic): void => void (diagnostic.type === 'shard-known' && told.push(diagnostic));
    await run(declared, { start: new Date(0), report });
    expect(told).toEqual([{ type: 'shard-known', shard: 'known', resume: at(1, 'known') }]);
    told.length = 0;
    await run(declared, { report });
    expect(told.map((one) => one.type === 'shard-known' && one.resume)).toEqual(['SHARD_END', 'SHARD_END']);
  });

  it('says nothing of a shard that begins where it was told to, though a sink knows it', async () => {
    const [old, added] = [memorySink<Event<Uint8Array>>('old'), memorySink<Event<Uint8Array>>('added')];
    old.positions.set('s', at(1));
    const told: string[] = [];
    const declared = pipeline('p')
      .from(scripted({ s: [['a', 'b']] }))
      .to(old, added);
    await run(declared, { start: 'TRIM_HORIZON', report: ({ type }) => told.push(type) });
    expect(told).toContain('sink-joined');
    expect(told).not.toContain('shard-known');
    expect(added.stored).toHaveLength(2);
  });

  it('says it to a person who gave a start, and to nobody else', async () => {
    const textOf = async (options: { start?: 'LATEST' }): Promise<string> => {
      const sink = memorySink<Event<Uint8Array>>();
      for (const shard of ['a', 'b']) sink.positions.set(shard, at(1, shard));
      const written: string[] = [];
      const declared = pipeline('p')
        .from(scripted({ a: [['one', 'two']], b: [['one']], c: [['one']] }))
        .to(sink);
      await attend(declared, { output: { write: (text) => written.push(String(text)) > 0 }, ...options });
      return written.join('');
    };
    const said = await textOf({ start: 'LATEST' });
    expect(said.match(/--from .*/g)).toEqual(['--from is for shards that no sink knows; 2 shards go on where they stand']);
    expect(await textOf({})).not.toContain('--from');
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import type { Event } from '../../src/event.ts';
import type { Resume } from '../../src/position.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type RunOptions, run } from '../../src/run/run.ts';
import { copyInto } from '../../src/sinks/copy-into.ts';
import { GapError } from '../../src/sources/shards/gap.ts';
import { readShards } from '../../src/sources/shards/read-shards.ts';
import { type Script, scripted } from '../../src/sources/scripted.ts';
import { readingDeliveries } from '../../src/sources/source.ts';
import type { Database } from '../../src/stores/database.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';

type Text = Event<Uint8Array>;
const texts = (sink: MemorySink<Text>): string[] => sink.stored.map(({ data }) => Buffer.from(data).toString());
const at = (sequence: number, shard: string): Resume => ({ shard, sequence: String(sequence), subSequence: 0 });

const split = {
  parent: [['p1', 'p2'], ['p3']],
  left: { parents: ['parent'], scenes: [['l']] },
  right: { parents: ['parent'], scenes: [['r']] },
} satisfies Script;

/** Runs a script to its end, and says which shards were begun, and where. */
async function play(script: Script, sinks: readonly MemorySink<Text>[], options: RunOptions = {}) {
  const began = new Map<string, Resume>();
  const report = (told: Diagnostic): void => void (told.type === 'shard-started' && began.set(told.shard, told.resume));
  const declared = pipeline('ends')
    .from(scripted(script))
    .to(...(sinks as [MemorySink<Text>]));
  const counts = await run(declared, { ...options, report });
  return { began, counts };
}

describe('a shard that was read to its end', () => {
  it('is written down as ended in every sink, and not read again', async () => {
    const sinks = [memorySink<Text>('a'), memorySink<Text>('b')];
    await play(split, sinks);
    for (const sink of sinks)
      expect(Object.fromEntries(sink.positions)).toEqual({ parent: 'SHARD_END', left: 'SHARD_END', right: 'SHARD_END' });
    const { began, counts } = await play(split, sinks);
    expect([...began]).toEqual([]);
    expect(counts.read).toBe(0);
    for (const sink of sinks) expect(texts(sink).toSorted()).toEqual(['l', 'p1', 'p2', 'p3', 'r']);
  });

  it('is written down before its children begin, and only when all of it is durable in every sink', async () => {
    const [fast, slow] = [memorySink<Text>('fast'), memorySink<Text>('slow')];
    let tries = 0;
    for (const sink of [fast, slow])
      sink.beforeCommit = async ({ items, positions }) => {
        if (sink === slow && items.some(({ shard }) => shard === 'parent'))
          await new Promise((resolve) => setTimeout(resolve, 20));
        // Between two tries it is the turn of whoever takes a child over.
        if (sink === slow && positions.get('parent') === 'SHARD_END' && tries++ === 0)
          throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        if (positions.get('parent') === 'SHARD_END')
          for (const one of [fast, slow]) expect(texts(one)).toEqual(['p1', 'p2', 'p3']);
        if (positions.has('left')) for (const one of [fast, slow]) expect(one.positions.get('parent')).toBe('SHARD_END');
      };
    // Positions move on all the while.
    const { counts } = await play(split, [fast, slow], { checkpointEvery: { seconds: 0.001 } });
    expect(counts).toMatchObject({ read: 5, stored: 5 });
  });

  it('is read again for a sink that has not all of it, and only for that one', async () => {
    const [ahead, behind] = [memorySink<Text>('ahead'), memorySink<Text>('behind')];
    ahead.positions.set('parent', 'SHARD_END');
    behind.positions.set('parent', at(2, 'parent'));
    const { began } = await play(split, [ahead, behind]);
    expect(began.get('parent')).toEqual(at(2, 'parent'));
    expect(texts(ahead).toSorted()).toEqual(['l', 'r']);
    expect(texts(behind).toSorted()).toEqual(['l', 'p3', 'r']);
  });

  it('has its children read from their oldest record, also when the run is to begin at the end of the stream', async () => {
    const sink = memorySink<Text>();
    sink.positions.set('parent', 'SHARD_END');
    const { began } = await play(split, [sink], { start: 'LATEST' });
    expect([...began]).toEqual([
      ['left', 'TRIM_HORIZON'],
      ['right', 'TRIM_HORIZON'],
    ]);
    expect(texts(sink).toSorted()).toEqual(['l', 'r']);
  });

  it('has them read so when the stream no longer keeps it, too', async () => {
    const { left } = split;
    const [knows, knowsNot] = [memorySink<Text>('knows'), memorySink<Text>('knows not')];
    knows.positions.set('parent', 'SHARD_END');
    expect((await play({ left }, [knows], { start: 'LATEST' })).began.get('left')).toBe('TRIM_HORIZON');
    const merged = { parents: ['unheard of', 'parent'], scenes: [['m']] };
    expect((await play({ merged }, [knows], { start: 'LATEST' })).began.get('merged')).toBe('TRIM_HORIZON');
    // Of a parent that no sink knows nothing follows.
    const start = new Date(1);
    expect((await play({ left }, [knowsNot], { start })).began.get('left')).toEqual(start);
    expect(knowsNot.positions.has('parent')).toBe(false);
  });

  it('has a sink that is new, in a run that is to begin at the end, go on in them where the others stand', async () => {
    const script: Script = { ...split, left: { parents: ['parent'], scenes: [['l1', 'l2'], ['l3']] } };
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('parent', 'SHARD_END').set('left', at(2, 'left')).set('right', 'SHARD_END');
    await play(script, [old, added], { start: 'LATEST' });
    expect([old, added].map(texts)).toEqual([['l3'], ['l3']]);
    expect(Object.fromEntries(added.positions)).toEqual(Object.fromEntries(old.positions));
    // Also where the run before was killed in between.
    const again = memorySink<Text>('again');
    again.positions.set('left', at(2, 'left'));
    await play(script, [old, again], { start: 'LATEST' });
    expect(texts(again)).toEqual(['l3']);
  });

  it.each(['left', 'inner', 'outer'])('has it do so also after a run that ended before it had taken over %s', async (missing) => {
    const script: Script = {
      ...split,
      inner: { parents: ['left'], scenes: [['i1'], ['i2']] },
      outer: { parents: ['left'], scenes: [['o1'], ['o2']] },
    };
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    for (const ended of ['parent', 'left', 'right']) old.positions.set(ended, 'SHARD_END');
    for (const shard of ['inner', 'outer']) old.positions.set(shard, at(1, shard));
    // It takes shards over before the other one does.
    const open = old.open.bind(old);
    old.open = async (context) => {
      const opened = await open(context);
      const acquire = async (shard: string) => {
        if (shard !== missing) return opened.acquire(shard);
        // Positions move on meanwhile.
        await sleep(20);
        throw new Error('killed');
      };
      return { ...opened, acquire };
    };
    const options: RunOptions = { start: 'LATEST', checkpointEvery: { seconds: 0.001 } };
    await expect(play(script, [old, added], options)).rejects.toThrow('killed');
    old.open = open;
    await play(script, [old, added], options);
    expect(texts(added).filter((text) => /[lri]$|1/.test(text))).toEqual([]);
    expect(Object.fromEntries(added.positions)).toEqual(Object.fromEntries(old.positions));
  });

  it('has it get all of one that came of a merge, of which it has read the other parent', async () => {
    const script: Script = {
      parent: [['p1']],
      other: [['o1'], ['o2']],
      merged: { parents: ['parent', 'other'], scenes: [['m1'], ['m2']] },
    };
    const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
    old.positions.set('parent', 'SHARD_END').set('other', 'SHARD_END').set('merged', at(1, 'merged'));
    added.positions.set('other', at(1, 'other'));
    await play(script, [old, added], { start: 'LATEST' });
    expect(texts(added)).toEqual(['o2', 'm1', 'm2']);
  });

  it('has it get all of them where another one is to get that, or where it can have everything', async () => {
    const [old, late, added] = [memorySink<Text>('old'), memorySink<Text>('late'), memorySink<Text>('added')];
    old.positions.set('parent', 'SHARD_END').set('left', 'SHARD_END').set('right', 'SHARD_END');
    late.positions.set('parent', 'SHARD_END');
    await play(split, [old, late, added], { start: 'LATEST' });
    expect([old, late, added].map((sink) => texts(sink).toSorted())).toEqual([[], ['l', 'r'], ['l', 'r']]);
    const everything = memorySink<Text>('everything');
    await play(split, [old, everything]);
    expect(texts(everything).toSorted()).toEqual(['l', 'p1', 'p2', 'p3', 'r']);
  });

  it('leaves them where they stand, whatever became of it', async () => {
    const sink = memorySink<Text>();
    const script: Script = { left: { parents: ['parent'], scenes: [['l1', 'l2']] } };
    sink.positions.set('left', at(1, 'left'));
    expect((await play(script, [sink])).began.get('left')).toEqual(at(1, 'left'));
    expect(texts(sink)).toEqual(['l2']);
  });

  it('ends the run when it has vanished before that, unless the gap is accepted', async () => {
    const { left } = split;
    for (const stood of [at(2, 'parent'), new Date(1), 'TRIM_HORIZON'] as const) {
      const sink = memorySink<Text>();
      sink.positions.set('parent', stood);
      await expect(play({ left }, [sink], { start: 'LATEST' })).rejects.toThrow(/^parent: the pipeline stands at .*--accept-gap/);
      await expect(play({ left }, [sink], { start: 'LATEST' })).rejects.toBeInstanceOf(GapError);
      expect(sink.positions.has('left')).toBe(false);

      const { began } = await play({ left }, [sink], { start: 'LATEST', acceptGap: true });
      expect(began.get('left')).toEqual(stood instanceof Date ? stood : 'TRIM_HORIZON');
      // Its child has a place now, so nobody asks for it any more.
      await play({ left }, [sink], { start: 'LATEST' });
    }
  });

  it('ends the run also where it has vanished for one sink only, which was away while another went on in its children', async () => {
    const { left } = split;
    const [stayed, wasAway, added] = [memorySink<Text>('stayed'), memorySink<Text>('was away'), memorySink<Text>('added')];
    stayed.positions.set('parent', 'SHARD_END').set('left', at(1, 'left'));
    wasAway.positions.set('parent', at(2, 'parent'));
    await expect(play({ left }, [stayed, wasAway, added])).rejects.toThrow(/^parent: the pipeline stands at 2:0, .*--accept-gap/);

    const { began } = await play({ left }, [stayed, wasAway, added], { acceptGap: true });
    expect(began.get('left')).toBe('TRIM_HORIZON');
    expect([stayed, wasAway, added].map(texts)).toEqual([[], ['l'], ['l']]);
    // What the one that was away has missed is no gap of another one that is new.
    await play({ left }, [stayed, wasAway, memorySink<Text>('another')]);
  });

  it('ends the run also where its children have vanished after it, of which no sink ever knew', async () => {
    const { left } = split;
    for (const stood of [at(2, 'grandparent'), 'SHARD_END'] as const) {
      const [stayed, wasAway, added] = [memorySink<Text>('stayed'), memorySink<Text>('was away'), memorySink<Text>('added')];
      stayed.positions.set('grandparent', 'SHARD_END').set('parent', 'SHARD_END').set('left', at(1, 'left'));
      wasAway.positions.set('grandparent', stood);
      for (const sinks of [[wasAway], [stayed, wasAway, added]]) {
        const finished = play({ left }, sinks, { start: 'LATEST' });
        await expect(finished).rejects.toThrow(/^parent: the pipeline stands at TRIM_HORIZON, .*--accept-gap/);
      }
      const { began } = await play({ left }, [stayed, wasAway, added], { start: 'LATEST', acceptGap: true });
      expect(began.get('left')).toBe('TRIM_HORIZON');
      expect(texts(wasAway)).toEqual(['l']);
      await play({ left }, [stayed, wasAway, added], { start: 'LATEST' });
    }
  });

  it('has no vanished sibling in what came of a merge, where that has another parent that is still there', async () => {
    const sink = memorySink<Text>();
    sink.positions.set('grandparent', 'SHARD_END');
    const script: Script = { other: [['o']], merged: { parents: ['parent', 'other'], scenes: [['m']] } };
    await play(script, [sink]);
    expect(texts(sink)).toEqual(['o', 'm']);
  });

  it('has no children that have vanished where all that is known is still there, as when a first run was killed as it began', async () => {
    const [killed, silent] = [memorySink<Text>('killed'), memorySink<Text>('silent')];
    killed.positions.set('left', at(1, 'left'));
    silent.positions.set('grandparent', 'SHARD_END');
    // A sink that does not say where it stands is taken at its word for nothing; others are asked once, however many shards there are.
    delete (silent as { stands?: unknown }).stands;
    let asked = 0;
    const { positions } = killed;
    killed.stands = async () => {
      asked++;
      return [...positions].map(([shard, resume]) => ({ shard, epoch: 1, resume }));
    };
    const { right } = split;
    const { began } = await play({ left: split.left, right, other: right }, [killed, silent]);
    expect(began.get('right')).toBe('TRIM_HORIZON');
    expect(asked).toBe(1);
  });

  it('may have children whose parents are no longer kept where a store of one’s own does not say where its sinks stand', async () => {
    const store: Database = {
      describe: 'a database',
      open: async () => ({
        createTable: async () => false,
        acquire: async () => undefined,
        positions: async () => new Map(),
        commit: async () => {},
        close: async () => {},
      }),
    };
    const declared = pipeline('ends')
      .from(scripted({ left: split.left }))
      .pipe(
        transform((data) => ({ toRow: () => data })),
        minuteWindow(),
      )
      .to(copyInto(store, { table: 'rows' }));
    expect(await run(declared)).toMatchObject({ stored: 1 });
  });

  it('keeps the time from which it was read when nothing came since, as its children begin there too', async () => {
    const sink = memorySink<Text>();
    const start = new Date(1_000);
    const left = { parents: ['parent'], scenes: [['l', { data: 'l2', arrivedAtMs: 2_000 }]] };
    const old = { parent: [['p']], left } satisfies Script;
    await play({ parent: old.parent }, [sink], { start });
    expect(sink.positions.get('parent')).toEqual(start);
    // Also after the end of a run between parent and child, and without the parent.
    for (const script of [{ left }, old]) {
      const again = memorySink<Text>();
      again.positions.set('parent', start);
      expect((await play(script, [again], { start: 'LATEST', acceptGap: true })).began.get('left')).toEqual(start);
      expect(texts(again)).toEqual(['l2']);
      // Of what has come since, all is read.
      expect(again.positions.get('left')).toBe('SHARD_END');
    }
  });

  it('has all of its children go to who has read it, though another one began at a time since, while that was away', async () => {
    const time = new Date(1_000);
    for (const stood of ['SHARD_END', at(1, 'parent')] as const) {
      const [wasAway, since] = [memorySink<Text>('was away'), memorySink<Text>('since')];
      wasAway.positions.set('parent', stood);
      since.positions.set('parent', time).set('left', time);
      const script = {
        parent: [['p']],
        left: { parents: ['parent'], scenes: [['l1'], [{ data: 'l2', arrivedAtMs: 2_000 }]] },
      } satisfies Script;
      await play(script, [wasAway, since], { start: 'LATEST' });
      expect(texts(wasAway)).toEqual(['l1', 'l2']);
    }
  });

  it('has its children go, from the time on at which it began, to one that was away since before the others began', async () => {
    const [wasAway, since] = [memorySink<Text>('was away'), memorySink<Text>('since')];
    const script = {
      parent: [[{ data: 'p', arrivedAtMs: 2_000 }]],
      left: { parents: ['parent'], scenes: [[{ data: 'l1', arrivedAtMs: 3_000 }], [{ data: 'l2', arrivedAtMs: 5_000 }]] },
    } satisfies Script;
    wasAway.positions.set('parent', new Date(1_000));
    since.positions.set('parent', new Date(4_000)).set('left', at(2, 'left'));
    const again = memorySink<Text>('again');
    again.positions.set('parent', new Date(1_000));
    await play(script, [again, since], { start: 'LATEST' });
    expect(texts(again)).toEqual(['p', 'l1', 'l2']);
    since.positions.set('parent', new Date(4_000)).set('left', at(2, 'left'));
    // Of a parent that is no longer kept, as well.
    await play({ left: script.left }, [wasAway, since], { start: 'LATEST', acceptGap: true });
    expect(texts(wasAway)).toEqual(['l1', 'l2']);
    // One that is new began nowhere before them.
    const added = memorySink<Text>('added');
    since.positions.set('parent', new Date(4_000)).set('left', at(2, 'left'));
    await play(script, [since, added], { start: 'LATEST' });
    expect(texts(added)).toEqual([]);
  });

  it('ends the run when it is open, as of a stream that was made again, also where another sink is to have it from its beginning', async () => {
    const source = readingDeliveries((context) =>
      readShards(context, {
        list: async () => [{ id: 'shard', parents: [], isOpen: true }],
        readShard: () => expect.unreachable(),
      }),
    );
    const [kept, empty] = [memorySink<Text>('kept'), memorySink<Text>('empty')];
    kept.positions.set('shard', 'SHARD_END');
    const declared = pipeline('ends').from({ name: 'again', describe: 'again', check: async () => '', ...source });
    await expect(run(declared.to(kept, empty))).rejects.toThrow(/shard was read to its end, and is open: .*made again/);
  });

  it('has its children read that came since it was listed as open', async () => {
    const shard = { id: 'shard', parents: [] };
    const lists = [[{ ...shard, isOpen: true }], [shard, { id: 'child', parents: ['shard'] }]];
    const read: string[] = [];
    const source = readingDeliveries((context) =>
      readShards(context, {
        list: async () => lists.shift() ?? expect.unreachable(),
        readShard: async (reading) => (read.push(reading.shard.id), []),
        areAllKnown: true,
      }),
    );
    const sink = memorySink<Text>();
    sink.positions.set('shard', 'SHARD_END');
    await run(
      pipeline('ends')
        .from({ name: 'grows', describe: 'grows', check: async () => '', ...source })
        .to(sink),
    );
    expect(read).toEqual(['child']);
  });

  it('is written down by the drain, when the run is stopped while its last minute is open', async () => {
    const sink = memorySink<Window<Uint8Array>>();
    const stop = new AbortController();
    const gate = Promise.withResolvers<void>();
    sink.beforeCommit = ({ items }) => (items.length > 0 ? gate.promise : undefined);
    const finished = run(pipeline('ends').from(scripted(split)).pipe(minuteWindow()).to(sink), {
      stop: stop.signal,
      report: ({ type }) => {
        if (type !== 'shard-ended') return;
        stop.abort('enough');
        gate.resolve();
      },
    });
    expect(await finished).toMatchObject({ read: 3, stored: 3 });
    expect(sink.positions.get('parent')).toBe('SHARD_END');
  });
});

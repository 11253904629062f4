import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import type { EnrichedEvent } from '../../src/snowplow/enriched-event.ts';
import { eventId } from '../../src/snowplow/event-id.ts';
import { type Script, scripted } from '../../src/sources/scripted.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { lineOf } from '../snowplow/line.ts';

type Text = Event<Uint8Array>;
const text = (data: Uint8Array): string => Buffer.from(data).toString();
const texts = (sink: MemorySink<Text>): string[] => sink.stored.map(({ data }) => text(data));
const at = (shard: string, sequence: number) => ({ shard, sequence: String(sequence), subSequence: 0 });

/** Sinks, and the place of rejects, as runs before have left them. */
function sinksAt(...places: readonly Readonly<Record<string, number>>[]): MemorySink<Text>[] {
  return places.map((place, i) => {
    const sink = memorySink<Text>(`sink-${i + 1}`);
    for (const [shard, sequence] of Object.entries(place)) sink.positions.set(shard, at(shard, sequence));
    return sink;
  });
}

const once = dedupe({ by: text, within: { hours: 1 } });

/** The first shard of it is read before the second. */
const repeat = { a: [['x']], b: [{ pauseMs: 10 }, ['x']] } satisfies Script;

describe('sinks that stand at different places', () => {
  it('each have an event, though one has passed a repeat of it that is now read first, and dedupe has forgotten both', async () => {
    // The run before had read b first, and was killed when one of them had all of a, without the repeat.
    const [behind, ahead] = sinksAt({}, { a: 1 });
    await run(pipeline('test').from(scripted(repeat)).pipe(once).to(behind!, ahead!));
    expect(texts(ahead!)).toEqual(['x']);
    expect(texts(behind!)).toContain('x');
  });

  it('each have it where whole lines go into windows, too', async () => {
    const line = lineOf({ event_id: '00000000-0000-4000-8000-000000000001' });
    const script = { a: [[line]], b: [{ pauseMs: 10 }, [line]] } satisfies Script;
    const [behind, ahead] = [memorySink<Window<EnrichedEvent>>('behind'), memorySink<Window<EnrichedEvent>>('ahead')];
    ahead.positions.set('a', at('a', 1));
    const steps = [decode(enriched), dedupe({ by: eventId, within: { hours: 1 } }), minuteWindow<EnrichedEvent>()] as const;
    await run(
      pipeline('test')
        .from(scripted(script))
        .pipe(...steps)
        .to(behind, ahead),
    );
    expect(ahead.stored.map(({ shard }) => shard)).toEqual(['b']);
    expect(behind.stored.map(({ shard }) => shard)).toEqual(['a', 'b']);
  });

  it('get no repeats among what only one that was added gets, but for those of what another may have passed by', async () => {
    const script = { a: [['x', 'x', 'y']], b: [{ pauseMs: 10 }, ['x', 'z', 'z', 'y', 'y']] } satisfies Script;
    const [old, added] = sinksAt({ a: 3, b: 3 }, {});
    await run(pipeline('test').from(scripted(script)).pipe(once).to(old!, added!));
    expect(texts(old!)).toEqual(['y']);
    expect(texts(added!)).toEqual(['x', 'y', 'z', 'y']);
  });

  it('get what is new only once one that was added has come to where they stand', async () => {
    const script = { a: [['x'], { pauseMs: 10 }, ['y'], ['z']] } satisfies Script;
    const [old, added] = sinksAt({ a: 2 }, {});
    const before: string[][] = [];
    old!.beforeCommit = ({ items }) => void (items.length > 0 && before.push(texts(added!)));
    await run(pipeline('test').from(scripted(script)).to(old!, added!));
    expect(texts(old!)).toEqual(['z']);
    expect(before).toEqual([['x', 'y']]);
  });

  it('have its reject, though their place has passed that of a repeat', async () => {
    const rejects = memorySink<Reject>('rejects');
    rejects.positions.set('a', at('a', 1));
    const refuse = transform((): Uint8Array => {
      throw new Error('odd');
    });
    const [sink] = sinksAt({});
    await run(pipeline('test').from(scripted(repeat)).pipe(once, refuse).to(sink!).rejects(rejects));
    expect(rejects.stored.map(({ shard }) => shard)).toEqual(['b']);
  });

  it('store no reject again that they have, be their store slow to say where it stands', async () => {
    const rejects = memorySink<Reject>('rejects');
    rejects.positions.set('a', at('a', 1));
    const slow: typeof rejects = {
      ...rejects,
      async open(context) {
        const opened = await rejects.open(context);
        const acquire = async (shard: string) => {
          await sleep(20);
          return opened.acquire(shard);
        };
        return { ...opened, acquire };
      },
    };
    const refuse = transform((): Uint8Array => {
      throw new Error('odd');
    });
    const script = scripted({ a: [['x', 'y']] });
    await run(pipeline('test').from(script).pipe(refuse).to(sinksAt({})[0]!).rejects(slow));
    expect(rejects.stored.map(({ first }) => first.sequence)).toEqual(['2']);
  });
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { type Script, scripted } from '../../src/sources/scripted.ts';
import { type MemorySink, memorySink } from '../../src/testing/memory-sink.ts';
import { killedAfter } from '../support/killed-after.ts';

type Text = Event<Uint8Array>;
const texts = (sink: MemorySink<Text>): string[] => sink.stored.map(({ data }) => Buffer.from(data).toString()).toSorted();

/** Splits and merges of shards, each by the numbers of those that it is made of; how far the sink that is there has come in each shard. */
const history = fc.record({
  reshardings: fc.array(fc.record({ isSplit: fc.boolean(), which: fc.nat(9), other: fc.nat(9) }), { maxLength: 6 }),
  places: fc.array(fc.constantFrom('all', 'all', 'one', 'nothing'), { minLength: 20, maxLength: 20 }),
  /** After how many calls of its sinks each run but the last is killed. */
  kills: fc.array(fc.nat(25), { maxLength: 4 }),
});

const RECORDS = 2;

/** The parents of each shard, those of a generation before those of the next. */
function familyOf(reshardings: readonly { isSplit: boolean; which: number; other: number }[]): Map<string, string[]> {
  const parents = new Map<string, string[]>([
    ['s0', []],
    ['s1', []],
  ]);
  const open = [...parents.keys()];
  const make = (its: string[]): void => void (open.push(`s${parents.size}`), parents.set(`s${parents.size}`, its));
  for (const { isSplit, which, other } of reshardings) {
    const [first] = open.splice(which % open.length, 1) as [string];
    const second = isSplit ? undefined : open.splice(other % Math.max(open.length, 1), 1)[0];
    make(second === undefined ? [first] : [first, second]);
    if (isSplit) make([first]);
  }
  return parents;
}

it('a sink that is new, in a run from LATEST, gets what the other one has yet to get, over splits, merges and kills', async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ reshardings, places, kills }) => {
      const family = familyOf(reshardings);
      const script: Script = Object.fromEntries(
        [...family]
          .map(
            ([id, parents]) => [id, { parents, scenes: Array.from({ length: RECORDS }, (_, i) => [`${id}:${i + 1}`]) }] as const,
          )
          // In whichever order they are listed.
          .toSorted(([a], [b]) => places[Number(a.slice(1))]!.localeCompare(places[Number(b.slice(1))]!)),
      );
      const [old, added] = [memorySink<Text>('old'), memorySink<Text>('added')];
      const rest: string[] = [];
      for (const [i, [shard, parents]] of [...family].entries()) {
        const isReached = parents.every((parent) => old.positions.get(parent) === 'SHARD_END');
        // Of a shard that nobody knows a run from LATEST reads nothing that has come before.
        const place = isReached ? (parents.length === 0 && places[i] === 'nothing' ? 'one' : places[i]) : 'nothing';
        if (place === 'all') old.positions.set(shard, 'SHARD_END');
        if (place === 'one') old.positions.set(shard, { shard, sequence: '1', subSequence: 0 });
        const done = { all: RECORDS, one: 1, nothing: 0 }[place!];
        for (let n = done + 1; n <= RECORDS; n++) rest.push(`${shard}:${n}`);
      }
      for (const calls of [...kills, Infinity]) {
        const left = { calls };
        const sinks = [killedAfter(old, left), killedAfter(added, left)] as const;
        const finished = run(
          pipeline('added')
            .from(scripted(script))
            .to(...sinks),
          {
            start: 'LATEST',
            checkpointEvery: { seconds: 0.001 },
          },
        );
        if (
          await finished.then(
            () => true,
            (error: Error) => !error.message.includes('killed') && Promise.reject(error),
          )
        )
          break;
      }
      expect(texts(old)).toEqual(rest.toSorted());
      expect(texts(added)).toEqual(rest.toSorted());
      expect(Object.fromEntries(added.positions)).toEqual(Object.fromEntries(old.positions));
    }),
    { numRuns: 60 },
  );
});

import { describe, expect, it } from 'vitest';
import { CheckpointNoise } from '../../../src/snowplow/noise/checkpoint-noise.ts';
import { type NoiseOptions, type Printed, printNoisily } from '../../support/noise.ts';

interface Restored {
  records: string[];
  rejects: { code: string; text: string }[];
}

function restore(text: Buffer, chunkBytes = 65_536): Restored {
  const restored: Restored = { records: [], rejects: [] };
  const noise = new CheckpointNoise();
  const out = {
    record: (bytes: Buffer) => void restored.records.push(bytes.toString('latin1')),
    reject: (bytes: Buffer, _from: number, _to: number, code: string) =>
      void restored.rejects.push({ code, text: bytes.toString('latin1') }),
  };
  for (let at = 0; at < text.length; at += chunkBytes) noise.push(text.subarray(at, at + chunkBytes), out);
  noise.end(out);
  return restored;
}

const eventId = (record: string): string => record.split('\t', 7)[6]!;

/** Tells what became of what was printed; each record is told from all others by its event_id. */
function account({ records, badRows }: Printed, restored: Restored) {
  const printed = new Map(records.map((record) => [eventId(record.toString('latin1')), record.toString('latin1')]));
  expect(printed.size).toBe(records.length);
  const wrong = restored.records.filter((record) => printed.get(eventId(record)) !== record).length;
  const inOrder = restored.records.map(eventId);
  const rejected = restored.rejects
    .filter(({ code }) => code !== 'bad_row')
    .map(({ text }) => text)
    .join('\n');
  const found = new Set(inOrder);
  const missing = [...printed.keys()].filter((id) => !found.has(id));
  return {
    restored: found.size,
    twice: inOrder.length - found.size,
    wrong,
    lost: missing.filter((id) => !rejected.includes(id)).length,
    outOfOrder: inOrder.join() === [...printed.keys()].filter((id) => found.has(id)).join() ? 0 : 1,
    badRowsLost: badRows.filter((row) => !restored.rejects.some(({ text }) => text.includes(row.toString('latin1')))).length,
  };
}

const flawless = { twice: 0, wrong: 0, lost: 0, outOfOrder: 0, badRowsLost: 0 };

// A switching of 0.1 damages two to three times as many records as the real thing at its busiest did.
const shapes: [NoiseOptions, least: number][] = [
  [{ enricher: '0.1.0', shards: 1, records: 5000, sizeBytes: 800 }, 1],
  [{ enricher: '0.1.0', shards: 4, records: 5000, sizeBytes: 800 }, 1],
  [{ enricher: '0.1.0', shards: 1, records: 1000, sizeBytes: 26_000 }, 1],
  [{ enricher: '0.1.0', shards: 4, records: 2000, sizeBytes: 26_000 }, 1],
  [{ enricher: '0.2.0', shards: 1, records: 5000, sizeBytes: 800 }, 0.999],
  [{ enricher: '0.2.0', shards: 1, records: 2000, sizeBytes: 26_000 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 5000, sizeBytes: 800, switching: 0.1 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 5000, sizeBytes: 800 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 5000, sizeBytes: 800, columns: 125 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 5000, sizeBytes: 800, columns: 131 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 2000, sizeBytes: 26_000, switching: 0.1 }, 0.999],
  [{ enricher: '0.2.0', shards: 4, records: 2000, sizeBytes: 26_000, perMille: 0 }, 0.999],
  // Nearly every record is damaged, and the log tells nothing of what was refused.
  [{ enricher: '0.2.0', shards: 4, records: 2000, sizeBytes: 26_000 }, 0.99],
];

describe('checkpoint noise, as it was printed', () => {
  for (const [options, least] of shapes) {
    const { enricher, shards, sizeBytes, columns = enricher === '0.1.0' ? 98 : 108, switching = 1, perMille = 5 } = options;
    const shape = `${enricher}, ${shards} shards, ${columns} columns, ${sizeBytes} bytes, switching ${switching}, ${perMille} ‰ trouble`;
    it(`restores ${least * 100} % byte for byte, rejects the rest, loses none, makes up none: ${shape}`, () => {
      const printed = printNoisily(options);
      const result = account(printed, restore(printed.text));
      expect(result).toMatchObject(flawless);
      expect(result.restored).toBeGreaterThanOrEqual(least * printed.records.length);
    }, 60_000);
  }

  // Where the name of a host ends, an address does not tell.
  for (const [switching, sizeBytes, least] of [
    [0.1, 800, 0.999],
    [1, 800, 0.997],
    [0.1, 26_000, 0.99],
    [1, 26_000, 0.8],
  ] as const)
    it(`restores ${least * 100} %, makes up none, loses none, with hosts as partition keys: ${sizeBytes} bytes, switching ${switching}`, () => {
      const records = sizeBytes > 1000 ? 500 : 5000;
      const printed = printNoisily({ enricher: '0.2.0', shards: 4, records, sizeBytes, switching, keys: 'hosts' });
      const result = account(printed, restore(printed.text));
      expect(result).toMatchObject(flawless);
      expect(result.restored).toBeGreaterThanOrEqual(least * records);
    }, 60_000);

  it('gives out records and rejects in the order of the text, however long it is in doubt', () => {
    const options = { enricher: '0.2.0', shards: 5, records: 120, sizeBytes: 9000, columns: 125, perMille: 150 } as const;
    for (const seed of [337_350_178, 2, 3, 4]) {
      const { text } = printNoisily({ ...options, seed });
      const ends: number[] = [];
      const noise = new CheckpointNoise();
      const note = (_: Buffer, _from: number, to: number): void => void ends.push(to);
      noise.push(text, { record: note, reject: note });
      noise.end({ record: note, reject: note });
      expect(ends, `seed ${seed}`).toEqual([...ends].sort((a, b) => a - b));
    }
  });

  it('makes up none and loses none whatever the seed, with hosts as partition keys', () => {
    for (let seed = 2; seed < 32; seed++) {
      const options = { seed, enricher: '0.2.0', shards: 4, records: 100, sizeBytes: 5000, keys: 'hosts' } as const;
      const printed = printNoisily(options);
      expect(account(printed, restore(printed.text)), `seed ${seed}`).toMatchObject(flawless);
    }
  }, 60_000);

  it('makes up none and loses none whatever the seed', () => {
    for (let seed = 2; seed < 22; seed++) {
      const printed = printNoisily({ seed, enricher: '0.2.0', shards: 4, records: 100, sizeBytes: 14_000, perMille: 30 });
      expect(account(printed, restore(printed.text)), `seed ${seed}`).toMatchObject(flawless);
    }
  }, 60_000);
});

describe('printNoisily', () => {
  it('prints the same for the same seed', () => {
    const options: NoiseOptions = { seed: 7, enricher: '0.2.0', shards: 4, records: 50, sizeBytes: 10_000 };
    expect(printNoisily(options).text.equals(printNoisily(options).text)).toBe(true);
    expect(printNoisily({ ...options, seed: 8 }).text.equals(printNoisily(options).text)).toBe(false);
  });

  it('prints nothing but what it tells of, newlines aside', () => {
    const printed = printNoisily({ enricher: '0.1.0', shards: 4, records: 200, sizeBytes: 800 });
    const lines = printed.text.toString('latin1').split('\n').slice(0, -1);
    expect(lines).toHaveLength(printed.records.length + printed.noise);
    expect(printed.damaged).toBe(0);
  });

  it('damages records of 0.2.0 in every way: glued to a log line, cut at 8,192 and at 4,096 bytes, parted from their newline', () => {
    const { text, records, damaged } = printNoisily({ enricher: '0.2.0', shards: 4, records: 300, sizeBytes: 26_000 });
    expect(damaged).toBeGreaterThan(records.length / 2);
    const all = text.toString('latin1');
    expect(all).toMatch(/\t\d*\[pool-1-thread-\d\] INFO/);
    expect(all).toMatch(/shardId-\d{12}(?:shop|24shop)/);
    expect(all).toContain('\n\n');
    const cuts = new Set(
      records.flatMap((record) => {
        const whole = record.toString('latin1');
        return [4096, 8192, 16_384].filter((at) => !all.includes(whole.slice(at - 40, at + 40)));
      }),
    );
    expect([...cuts].sort((a, b) => a - b)).toEqual([4096, 8192, 16_384]);
  });
});

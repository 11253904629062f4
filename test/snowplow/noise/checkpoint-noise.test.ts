import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shop } from '../../../src/demo/shop.ts';
import { CheckpointNoise, type CheckpointNoiseOptions } from '../../../src/snowplow/noise/checkpoint-noise.ts';
import { printNoisily } from '../../support/noise.ts';
import { type Texts, lineOf } from '../line.ts';

interface Found {
  records: string[];
  rejects: { code: string; text: string }[];
  /** From and to of all, in the order in which they came. */
  places: [number, number][];
}

function read(text: string | Buffer, cuts: readonly number[] = [], options?: CheckpointNoiseOptions): Found {
  const bytes = Buffer.from(text);
  const found: Found = { records: [], rejects: [], places: [] };
  const noise = new CheckpointNoise(options);
  const out = {
    record(record: Buffer, from: number, to: number) {
      found.records.push(record.toString());
      found.places.push([from, to]);
    },
    reject(reject: Buffer, from: number, to: number, code: string) {
      found.rejects.push({ code, text: reject.toString('latin1') });
      found.places.push([from, to]);
    },
  };
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let start = 0;
  for (const end of ends) {
    noise.push(bytes.subarray(start, end), out);
    start = end;
  }
  noise.end(out);
  return found;
}

const record = (title: string, texts: Texts = {}): string =>
  lineOf({ app_id: 'shop', platform: 'web', page_title: title, doc_height: '415', ...texts }, 108).toString();
const log = (message: string, thread = 'pool-1-thread-1', level = 'INFO'): string =>
  `[${thread}] ${level} com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - ${message}`;
const checkpointing = 'Checkpointing shard shardId-000000000000';
const sequence = `Sequence number: 49${'0123456789'.repeat(6).slice(0, 54)}`;
const [a, b, c] = [record('Größe'), record('[Sale] pool-1-thread-1'), record('ショッピング')] as const;

/** A record of three writes, cut where they end. */
const long = record('long', { contexts: `[${'1234567,"é",'.repeat(1400)}{}]` });
const [long1, long2, long3] = [0, 8192, 16_384].map((at) =>
  Buffer.from(long)
    .toString('latin1')
    .slice(at, at + 8192),
) as [string, string, string];
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('checkpoint noise', () => {
  it('gives out records without their newlines, byte for byte', () => {
    expect(read(`${a}\n${b}\n${c}\n`)).toMatchObject({ records: [a, b, c], rejects: [] });
    expect(read(`${a}\n${b}`).records).toEqual([a, b]);
    expect(read('')).toMatchObject({ records: [], rejects: [] });
  });

  it('says where each stood', () => {
    const text = `${log(checkpointing)}\n${a}\nwhat?\n${b}\n`;
    const bytes = Buffer.from(text);
    expect(read(text).places.map(([from, to]) => bytes.subarray(from, to).toString())).toEqual([a, 'what?', b]);
  });

  it('knows records of 98, 108, 125 and 131 columns', () => {
    for (const columns of [98, 108, 125, 131]) {
      const line = lineOf({ app_id: 'shop' }, columns).toString();
      expect(read(`${line}${log(checkpointing)}\n\n`).records).toEqual([line]);
    }
  });

  it('leaves out what 0.1.0 printed, in bare lines', () => {
    const noise = [
      'Using workerId: ip-10-0-0-1.ec2.internal:ed8233db-3a74-4b8b-a10f-a16d2fe0189f',
      'Running: SnowplowKinesisEnrich-SnowplowRaw.',
      'Processing raw input stream: SnowplowRaw',
      'Initializing record processor for shard: shardId-000000000000',
      'Processing 12 records from shardId-000000000000',
      sequence,
      'Partition key: 10.0.2.x',
      'Partition key: ip-10-0-0-1.ec2.internal',
      checkpointing,
      'Shutting down record processor for shard: shardId-000000000000',
      'Transient issue when checkpointing - attempt 1 of 10',
      '(Checkpoint failed after 10 attempts.,com.amazonaws.ThrottlingException: Rate exceeded (400))',
      'Caught shutdown exception, skipping checkpoint.',
      'java.lang.NullPointerException',
      '\tat java.lang.Thread.run(Thread.java:745)',
      '\t... 12 more',
      'Caused by: java.io.IOException: no',
    ];
    for (const line of noise) expect(read(`${a}\n${line}\n${b}\n`), line).toMatchObject({ records: [a, b], rejects: [] });
    for (const line of noise.slice(0, 11))
      expect(read(`${a}\n${log(line)}\n${b}\n`), line).toMatchObject({ records: [a, b], rejects: [] });
  });

  it('takes log lines off the end and the beginning of a record, their newlines elsewhere', () => {
    for (const message of [checkpointing, sequence, 'Processing 3 records from shardId-000000000002']) {
      const line = log(message);
      for (const text of [
        `${a}${line}\n\n${b}\n`,
        `${line}${a}\n\n${b}\n`,
        `${a}${line}\n${b}\n\n`,
        `${line}${a}\n${b}\n\n${c}\n`.replace(`${c}\n`, ''),
        `${a}\n${line}${b}\n\n`,
        `${a}${line}\n\n${line}${b}\n\n`,
      ])
        expect(read(text), JSON.stringify(text)).toMatchObject({ records: [a, b], rejects: [] });
    }
  });

  it('takes log lines out of a record, also out of the middle of a character, and joins the pieces', () => {
    const line = log(checkpointing);
    for (const text of [
      long1 + line + long2 + long3 + '\n\n',
      `${long1}${line}\n${long2}${long3}\n`,
      `${long1}${line}${long2}\n${log(sequence, 'pool-1-thread-2')}${long3}\n\n`,
      `${line}${long1}\n${long2}${line}\n${long3}\n`,
    ])
      expect(read(latin1(text))).toMatchObject({ records: [long], rejects: [] });
  });

  it('never joins past the columns of a record', () => {
    for (const part of [a.slice(0, a.indexOf('\t', 60)), a.slice(0, a.lastIndexOf('\t')), a.slice(0, 3)]) {
      const found = read(`${part}\n${b}\n${c}\n`);
      expect(found.records).toEqual([b, c]);
      expect(found.rejects).toEqual([{ code: 'unexplained', text: latin1Of(part) }]);
    }
  });

  it('joins a record that was torn over lines', () => {
    const at = a.indexOf('\t\t\t') + 1;
    expect(read(`${b}\n${a.slice(0, at)}\n${a.slice(at)}\n${c}\n`)).toMatchObject({ records: [b, a, c], rejects: [] });
  });

  it('tells the digits of a partition key from those of a record by the address of the record that follows', () => {
    const key = log('Partition key: 10.0.0.12', 'pool-1-thread-2');
    const own = record('own', { user_ipaddress: '10.0.0.12' });
    const next = log(checkpointing, 'pool-1-thread-2');
    const [digits1, digits2] = [record('long', { contexts: `[${'1'.repeat(20_000)}]` }).slice(0, 8192), '1'];
    const whole = record('long', { contexts: `[${'1'.repeat(20_000)}]` });
    const text = `${digits1}${key}${whole.slice(8192)}\n${own}\n\n${next}\n`;
    expect(whole.slice(8192).startsWith(digits2)).toBe(true);
    expect(read(text)).toMatchObject({ records: [whole, own], rejects: [] });
    // Without it nobody can tell 10.0.0.12|111 from 10.0.0.121|11, and so nobody does.
    const untold = read(`${digits1}${key}${whole.slice(8192)}\n\n${next}\n${a}\n`);
    expect(untold.records).toEqual([a]);
    expect(untold.rejects.map(({ code }) => code)).toEqual(['ambiguous']);
  });

  it("takes no byte of a record for the end of a host's name", () => {
    const key = log('Partition key: ip-10-0-0-1.ec2.internal', 'pool-1-thread-2');
    for (const text of [':[1]', 'w3[new]', '[new]', 'shop']) {
      const whole = record('x', { contexts: 'y'.repeat(9000) });
      const start = whole.slice(0, whole.indexOf('y') + 100).padEnd(8192, 'y');
      const end = text + whole.slice(whole.lastIndexOf('y') + 1);
      const found = read(`${a}\n${start}${key}${end}\n\n${b}\n`);
      expect(found.records, text).toEqual([a, b]);
      expect(found.rejects.map((reject) => reject.text).join('\n'), text).toContain(end);
    }
    // But the next log line does tell, unless the last bytes of a record may stand before it.
    expect(read(`${a}\n${key}${log(checkpointing, 'pool-1-thread-3')}\n\n${b}\n`)).toMatchObject({
      records: [a, b],
      rejects: [],
    });
    const last = record('x', { contexts: 'y', doc_height: '' });
    const cut = last.replace('y', 'y'.repeat(8192 - last.length + 1));
    expect(cut).toHaveLength(8192);
    expect(read(`${a}\n${cut}${key}768\n\n${b}\n`)).toMatchObject({ records: [a, b], rejects: [{ code: 'ambiguous' }] });
  });

  it('tells a host name as partition key from the record behind it when it heard that name before, and knows the app id', () => {
    const key = log('Partition key: ip-10-0-0-1.ec2.internal');
    expect(read(`${a}\n${key}\n${key}${b}\n\n`)).toMatchObject({ records: [a, b], rejects: [] });
    for (const app of ['24shop', 'my-shop', 'workshop']) {
      const other = record('x', { app_id: app });
      expect(read(`${a}\n${key}\n${key}${other}\n\n${b}\n`), app).toMatchObject({ records: [a, b], rejects: [{}] });
      expect(read(`${other}\n${a}\n${key}\n${key}${other}\n\n`), app).toMatchObject({ records: [other, a, other], rejects: [] });
    }
    for (const text of [`${a}\n${key}${b}\n\n`, `${key}\n${key}${b}\n\n${a}\n`])
      expect(read(text)).toMatchObject({ records: [a], rejects: [{ code: 'unexplained' }] });
  });

  it('believes an address before a known app id, which may be the end of another one', () => {
    const [key, next] = ['Partition key: 10.0.0.224', checkpointing].map((message) => log(message, 'pool-1-thread-2'));
    const known = record('known', { app_id: '24shop' });
    const own = record('own', { user_ipaddress: '10.0.0.224' });
    expect(read(`${known}\n${key}${a}\n\n${own}\n${next}\n`)).toMatchObject({ records: [known, a, own], rejects: [] });
    // Where no address tells, the app id does.
    expect(read(`${known}\n${a}\n${key}${b}\n\n${next}\n`)).toMatchObject({
      records: [known, a],
      rejects: [{ code: 'ambiguous' }],
    });
    expect(read(`${a}\n${key}${b}\n\n${next}\n`)).toMatchObject({ records: [a, b], rejects: [] });
  });

  it('leaves out blocks of java.util.logging, also between a record and its newline, and inside', () => {
    const block =
      'Nov 26, 2014 5:38:00 PM com.amazonaws.services.kinesis.clientlibrary.lib.worker.Worker run\nINFO: Sleeping ...\n';
    expect(read(`${block}${a}\n${block}${block}${b}\n`)).toMatchObject({ records: [a, b], rejects: [] });
    expect(read(`${a}${block}\n${b}${block}${block}\n`)).toMatchObject({ records: [a, b], rejects: [] });
    expect(read(latin1(`${long1}${block}${long2}${block}${long3}\n`))).toMatchObject({ records: [long], rejects: [] });
    const severe =
      block.replace('INFO: Sleeping', 'SEVERE: no') +
      'com.amazonaws.AmazonServiceException: no\n\tat java.lang.Thread.run(Thread.java:745)\n';
    expect(read(latin1(`${long1}${severe}${long2}${long3}\n`))).toMatchObject({ records: [long], rejects: [] });
    expect(read(`${a}\n${block.split('\n')[0]!}\n${b}\n`).records).toEqual([a, b]);
  });

  it('takes out the frames of a stack trace, and what it has seen of exceptions before', () => {
    const exception = 'com.amazonaws.ThrottlingException: Rate exceeded [400]';
    const frame = '\tat java.lang.Thread.run(Thread.java:745)';
    expect(read(`${a}\n${exception}\n${b}${frame}\n\n`)).toMatchObject({ records: [a, b], rejects: [] });
    expect(read(`${exception}\n${exception}${a}\n\n${b}${exception}\n\n`)).toMatchObject({ records: [a, b], rejects: [] });
    // Where an unknown one ends, nobody can tell.
    expect(read(`${b}\n${exception}${a}\n\n`)).toMatchObject({ records: [b], rejects: [{ code: 'ambiguous' }] });
    expect(read(latin1(`${long1}${exception}${long2}${long3}\n\n`)).records).toEqual([]);
  });

  it('rejects bad rows with their bytes, wherever they stand', () => {
    const bad = '{"line":"CwBkAAAACTEyNy4wLjAuMQ==","errors":["Field [ti_pr]: no \\"number\\"","x"]}';
    const rejects = [{ code: 'bad_row', text: bad }];
    expect(read(`${a}\n${bad}\n${b}\n`)).toMatchObject({ records: [a, b], rejects });
    expect(read(`${a}${bad}\n\n${b}\n`)).toMatchObject({ records: [a, b], rejects });
    expect(read(latin1(`${long1}${bad}${long2}\n${long3}\n`))).toMatchObject({ records: [long], rejects });
  });

  it('rejects what it cannot explain, and goes on', () => {
    const unknown = log('A message that nobody knows');
    for (const text of ['what?', unknown, `${a}\t`, a.slice(0, a.lastIndexOf('\t'))])
      expect(read(`${b}\n${text}\n${c}\n`), text).toMatchObject({
        records: [b, c],
        rejects: [{ code: 'unexplained', text: latin1Of(text) }],
      });
    // Glued to a record, it has no end that could be told.
    const glued = read(`${b}\n${a}${unknown}\n\n${c}\n`);
    expect(glued.records).toEqual([b, c]);
    expect(glued.rejects[0]!.text).toContain(latin1Of(a));
  });

  it("leaves a visitor's text alone that looks like noise in part", () => {
    const titles = [
      checkpointing,
      '[pool-1-thread-1] INFO',
      'java.lang.NullPointerException: x',
      log('Hello').replace('com.', 'org.'),
      '{"line":"no"}',
    ];
    for (const title of titles) expect(read(`${a}\n${record(title)}\n${b}\n`).records, title).toEqual([a, record(title), b]);
  });

  // Each took minutes, in which nothing else went on.
  it("reads a visitor's long text in no time, whatever it looks like", () => {
    const times = (text: string): string => text.repeat(Math.ceil(300_000 / text.length));
    for (const word of ['a', 'a.', 'a.B', 'a.B9.']) {
      const odd = record(`KinesisS Error ${times(word)}`);
      expect(read(`${a}\n${odd}\n${b}\n`).records.includes(odd), word).toBe(true);
    }
    for (const noise of [
      log(checkpointing),
      log('Partition key: 10.10.10.100'),
      log('Hello'),
      '{"line":"","errors":["x"]}',
      'a.BError ',
    ]) {
      const odd = record(times(noise));
      expect(read(`${a}\n${odd}\n${b}\n`), noise).toMatchObject({ records: [a, b], rejects: [{ text: latin1Of(odd) }] });
    }
  }, 10_000);

  it('takes any app id that has no noise in it, in texts with and without noise', () => {
    for (const app_id of ['ErrorTracker', 'shop: de', 'shop [test]', '{shop}', 'KinesisShop', 'java.util.List', '']) {
      const own = record('x', { app_id });
      expect(read(`${own}\n${own}\n`), app_id).toMatchObject({ records: [own, own], rejects: [] });
      expect(read(`${own}${log(checkpointing)}\n\n${log(checkpointing)}${own}\n\n`), app_id).toMatchObject({
        records: [own, own],
      });
    }
    for (const noise of ['com.amazonaws.ThrottlingException: no', '[main] INFO org.example.Other - no', '{"line":"AA']) {
      const own = record('x', { app_id: `${noise}shop` });
      expect(read(`${own}\n${a}\n`), noise).toMatchObject({ records: [a], rejects: [{}] });
    }
  });

  it('leaves a whole log line in a field alone, once it is clear that no newline belongs to it', () => {
    const odd = record(log(checkpointing));
    const rest = Array.from({ length: 20 }, () => b);
    expect(read([a, odd, ...rest, ''].join('\n'))).toMatchObject({ records: [a, odd, ...rest], rejects: [] });
  });

  it('keeps no more than its limit: longer lines are rejects', () => {
    const options = { maxPendingBytes: 2000 };
    const found = read(`${a}\n${'x'.repeat(5000)}\n${b}\n`, [a.length + 100, a.length + 3000], options);
    expect(found.records).toEqual([a, b]);
    expect(found.rejects.map(({ code, text }) => [code, text.length])).toEqual([
      ['overlong', 2000],
      ['overlong', 2000],
      ['overlong', 1000],
    ]);
    // Doubts that last too long, too.
    const torn = a.slice(0, a.indexOf('\t', 100));
    const doubts = `${torn}${log(checkpointing)}\n`.repeat(50);
    expect(
      read(`${doubts}${b}\n`, [], options)
        .rejects.map(({ text }) => text)
        .join('').length,
    ).toBeGreaterThan(torn.length * 50);
    expect(() => new CheckpointNoise({ maxPendingBytes: 0 })).toThrow('CheckpointNoise: expected maxPendingBytes above 0, got 0');
  });

  it.each([1, 3, 8])('does not keep what comes behind a doubt that nothing clears up, of seed %i', (seed) => {
    const noise = new CheckpointNoise();
    const out = { record: () => {}, reject: () => {} };
    const shares = { repeat: 0, malformed: 0.02, noise: 0.02, 'broken-label': 0 };
    let [at, kept] = [0, 0];
    for (const { data } of shop({ seed, timeOf: (number) => Date.UTC(2026, 10, 22, 9) + number * 5, shares }).take(1000)) {
      noise.push(data, out);
      noise.push(Buffer.from('\n'), out);
      at += data.length + 1;
      kept = Math.max(kept, at - noise.doneTo);
    }
    expect(at).toBeGreaterThan(1_100_000);
    expect(kept).toBeLessThan(400_000);
  });

  it('restores a record in the middle of which more lines of the log were printed than a doubt may have records', () => {
    const trace = [
      log('Checkpoint failed after 10 attempts.', 'pool-1-thread-3', 'ERROR'),
      'com.amazonaws.services.kinesis.clientlibrary.exceptions.ThrottlingException: Rate exceeded [400]',
      ...Array.from(
        { length: 600 },
        (_, i) => `\tat com.amazonaws.services.kinesis.leases.impl.LeaseManager.renew(LeaseManager.java:${i})`,
      ),
    ];
    const text = `${b}\n${long1}${trace.join('\n')}\n${long2}${long3}\n`;
    expect(read(latin1(text))).toMatchObject({ records: [b, long], rejects: [] });
  });

  it('forgets a text when it ends', () => {
    const noise = new CheckpointNoise();
    const records: string[] = [];
    const out = { record: (bytes: Buffer) => void records.push(bytes.toString()), reject: () => void records.push('reject') };
    for (const text of [`${a}${log(checkpointing)}`, `${b}\n`]) {
      noise.push(Buffer.from(text), out);
      noise.end(out);
      expect(noise.doneTo).toBe(0);
    }
    expect(records).toEqual([a, b]);
  });

  it('finds the same however the text is cut into chunks', () => {
    const texts = [
      printNoisily({ seed: 3, enricher: '0.1.0', shards: 2, records: 30, sizeBytes: 800, perMille: 100 }).text,
      printNoisily({ seed: 4, enricher: '0.2.0', shards: 4, records: 40, sizeBytes: 800, perMille: 100 }).text,
      printNoisily({ seed: 5, enricher: '0.2.0', shards: 4, records: 12, sizeBytes: 14_000, perMille: 100 }).text,
    ];
    const options = [{}, { maxPendingBytes: 9000 }, { maxPendingBytes: 1000 }];
    const whole = texts.map((text) => options.map((option) => read(text, [], option)));
    fc.assert(
      fc.property(fc.nat(texts.length - 1), fc.nat(2), fc.array(fc.nat(), { maxLength: 60 }), (which, option, cuts) => {
        expect(read(texts[which]!, cuts, options[option])).toEqual(whole[which]![option]);
      }),
      { numRuns: 60 },
    );
    const bytewise = Array.from({ length: texts[1]!.length }, (_, i) => i);
    expect(read(texts[1]!, bytewise)).toEqual(whole[1]![0]);
  }, 60_000);

  it('takes any bytes without failing, and loses none of a line that is no noise', () => {
    const parts = fc.constantFrom(
      a,
      b,
      log(checkpointing),
      log('Partition key: 10.0.0.1'),
      '\n',
      '\n',
      '\t',
      'x',
      '{"line":"',
      '[',
      long1.slice(0, 4096),
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 30 }), (pieces) => {
        const { records, rejects } = read(pieces.join(''));
        const all = [...records.map(latin1Of), ...rejects.map(({ text }) => text)].join('\n');
        const count = (text: string): number => text.split('Größe').length - 1;
        expect(count(latin1(all).toString())).toBeGreaterThanOrEqual(count(pieces.join('')));
      }),
      { numRuns: 300 },
    );
  }, 60_000);
});

function latin1Of(text: string): string {
  return Buffer.from(text).toString('latin1');
}

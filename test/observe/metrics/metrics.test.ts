import { describe, expect, it } from 'vitest';
import { healthOf, isReady } from '../../../src/observe/health.ts';
import { Histogram } from '../../../src/observe/metrics/histogram.ts';
import { METRICS } from '../../../src/observe/metrics/metric-list.ts';
import { metricsText } from '../../../src/observe/metrics/metrics.ts';
import { RunRecord } from '../../../src/observe/run-record.ts';
import { Outcome } from '../../../src/ledger.ts';
import { type Metric, prometheusText } from '../../../src/observe/metrics/prometheus.ts';
import { Status } from '../../../src/observe/log/status.ts';
import { deliver } from '../../../src/testing/deliver.ts';
import { memorySink } from '../../../src/testing/memory-sink.ts';
import { parsePrometheus } from '../../support/prometheus.ts';
import { runRecord } from '../../support/run-record.ts';

const gauge = (samples: Metric['samples'], help = 'How it is.'): Metric => ({
  name: 'it',
  type: 'gauge',
  labels: [],
  help,
  samples,
});
const why = (step: string, code: string) => ({ step, code, reason: 'wrong' });
const position = { shard: 'a', sequence: '1', subSequence: 0 };

/** A record of a run with a ledger of its own, and what its series are worth. */
function recorded(...sinks: string[]) {
  const { record, ledger, beginAnew } = runRecord(sinks);
  return {
    record,
    ledger,
    beginAnew,
    values: (): Record<string, number> => {
      const series = [...parsePrometheus(metricsText([record], 0)).values()].flatMap((metric) => [...metric.series]);
      return Object.fromEntries(series.map(([key, { value }]) => [key, value]));
    },
  };
}

describe('the Prometheus text format', () => {
  it('has a HELP and a TYPE line before the values of each metric', () => {
    const samples = [
      { labels: {}, value: 1.5 },
      { labels: { a: 'x', b: 'y' }, value: 1e21 },
    ];
    expect(prometheusText([gauge(samples)])).toBe('# HELP it How it is.\n# TYPE it gauge\nit 1.5\nit{a="x",b="y"} 1e+21\n');
  });

  it('escapes what labels and help may not hold', () => {
    const nasty = 'a"b\\c\nd}, {e\\n';
    const text = prometheusText([gauge([{ labels: { label: nasty }, value: 1 }], 'one\\two\nthree "four"')]);
    expect(text.split('\n')).toHaveLength(4);
    expect(text).toContain('it{label="a\\"b\\\\c\\nd}, {e\\\\n"} 1\n');
    const { help, series } = parsePrometheus(text).get('it')!;
    expect(help).toBe('one\\two\nthree "four"');
    expect([...series.values()]).toEqual([{ name: 'it', labels: { label: nasty }, value: 1 }]);
  });

  it('says nothing of a metric without a value', () => {
    expect(prometheusText([gauge([])])).toBe('');
  });

  it('counts values into buckets that hold those below', () => {
    const histogram = new Histogram([0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value);
    const samples = histogram.samples({ sink: 's' });
    const text = prometheusText([{ name: 'it_seconds', type: 'histogram', labels: ['sink'], help: 'How long.', samples }]);
    expect(text.split('\n').slice(2)).toEqual([
      'it_seconds_bucket{sink="s",le="0.1"} 2',
      'it_seconds_bucket{sink="s",le="1"} 3',
      'it_seconds_bucket{sink="s",le="+Inf"} 4',
      'it_seconds_sum{sink="s"} 7.65',
      'it_seconds_count{sink="s"} 4',
      '',
    ]);
    expect(parsePrometheus(text).size).toBe(1);
    expect([0.01, 0.5, 0.51, 0.75, 0.76, 1].map((share) => histogram.quantile(share))).toEqual([
      0.1,
      0.1,
      1,
      1,
      Infinity,
      Infinity,
    ]);
    expect(new Histogram([1]).quantile(0.5)).toBeUndefined();
  });
});

describe('metrics', () => {
  it('are those of the list, with its types and labels, in base units', () => {
    const { record, values } = recorded('memory');
    record.report({ type: 'shard-started', shard: 'a', resume: 'TRIM_HORIZON' });
    record.report({ type: 'shard-lag', shard: 'a', behindMs: 1500, readAtMs: 2500 });
    record.report({ type: 'rejected', position, why: why('decode', 'c') });
    const health = { behindMs: 1500, readAtMs: 2500, inFlight: 0, sizeBytes: 0, waitsForRoom: false, quiet: undefined };
    record.report({ type: 'shard-health', shard: 'a', settledAtMs: 2000, ...health });
    const metrics = parsePrometheus(metricsText([record], 3000));
    expect([...metrics.keys()]).toEqual(Object.keys(METRICS));
    for (const [name, { type, labels }] of Object.entries(METRICS)) {
      const read = metrics.get(name)!;
      expect(read.type, name).toBe(type);
      for (const series of read.series.values())
        expect(
          Object.keys(series.labels).filter((label) => label !== 'le'),
          name,
        ).toEqual(labels);
    }
    expect(values()).toMatchObject({
      'millrace_shard_behind_seconds{pipeline="p",shard="a"}': 1.5,
      'millrace_shard_last_read_timestamp_seconds{pipeline="p",shard="a"}': 2.5,
      'millrace_shard_last_settled_timestamp_seconds{pipeline="p",shard="a"}': 2,
    });
  });

  it('tell how full the room is, and for how long a shard waits for it', () => {
    const { record, values, ledger } = recorded('memory');
    const [p, a] = ['{pipeline="p"}', '{pipeline="p",shard="a"}'];
    record.report({ type: 'shard-started', shard: 'a', resume: 'TRIM_HORIZON' });
    expect(values()).toMatchObject({
      [`millrace_source_retries_total${a}`]: 0,
      [`millrace_shard_quiet_seconds${a}`]: 0,
      [`millrace_in_flight_bytes${p}`]: 0,
      [`millrace_in_flight_limit_bytes${p}`]: ledger.room.maxInFlightBytes,
      [`millrace_waiting_for_room${p}`]: 0,
    });
    deliver([{ shard: 'a', raw: 'one' }], ledger);
    void ledger.room.reserve(ledger.room.maxInFlightBytes, 'a');
    const quiet = { forMs: 150_000, doing: 'waiting for room' };
    const health = { behindMs: 0, readAtMs: 0, settledAtMs: 0, inFlight: 1, sizeBytes: 3, waitsForRoom: true, quiet };
    record.report({ type: 'shard-health', shard: 'a', ...health });
    expect(ledger.room.inFlightBytes).toBeGreaterThan(0);
    expect(values()).toMatchObject({
      [`millrace_shard_quiet_seconds${a}`]: 150,
      [`millrace_in_flight_bytes${p}`]: ledger.room.inFlightBytes,
      [`millrace_waiting_for_room${p}`]: 1,
    });
    expect(healthOf([record], 0).pipelines[0]!.shards).toMatchObject([{ inFlight: 1, waitsForRoom: true }]);
    const { user, system } = process.cpuUsage();
    expect(values()['process_cpu_seconds_total']).toBeCloseTo((user + system) / 1e6, 0);
  });

  it('begin at zero for every sink, the one of the rejects too, and count what each of them does', () => {
    const { record, values } = recorded('one', 'other');
    const withRejects = new RunRecord({ ...record.declared, rejectsSink: memorySink('rejects') });
    expect(metricsText([withRejects], 0)).toContain('millrace_sink_events_total{pipeline="p",sink="rejects"} 0\n');
    const [one, other] = ['{pipeline="p",sink="one"}', '{pipeline="p",sink="other"}'];
    expect(values()).toMatchObject({
      [`millrace_sink_retries_total${other}`]: 0,
      [`millrace_sink_commit_seconds_count${other}`]: 0,
    });
    record.report({ type: 'committed', sink: 'one', count: 3, sizeBytes: 30, ms: 250, positions: new Map() });
    // It has only moved positions on.
    record.report({ type: 'committed', sink: 'one', count: 0, sizeBytes: 0, ms: 250, positions: new Map() });
    record.report({ type: 'sink-retry', sink: 'one', attempt: 1, delayMs: 1, error: 'x' });
    record.report({ type: 'source-retry', shard: 'all shards', attempt: 1, delayMs: 1, error: 'x' });
    record.report({ type: 'lookup-retry', attempt: 1, delayMs: 1, error: 'x' });
    expect(values()).toMatchObject({
      [`millrace_sink_events_total${one}`]: 3,
      [`millrace_sink_bytes_total${one}`]: 30,
      [`millrace_sink_commit_seconds_count${one}`]: 1,
      [`millrace_sink_commit_seconds_sum${one}`]: 0.25,
      [`millrace_sink_retries_total${one}`]: 1,
      [`millrace_sink_events_total${other}`]: 0,
      'millrace_source_retries_total{pipeline="p",shard="all shards"}': 1,
      'millrace_lookup_retries_total{pipeline="p"}': 1,
    });
  });

  it('add up, and never go down, when a run goes back with a store', () => {
    const { record, values, ledger, beginAnew } = recorded('memory');
    const sums = (): Record<string, number> => {
      const now = values();
      const of = (name: string): number => now[`millrace_events_${name}{pipeline="p"}`]!;
      const steps = Object.entries(now).filter(([name]) => name.startsWith('millrace_events_dropped_total'));
      const dropped = steps.reduce((sum, [, count]) => sum + count, 0);
      const [read, abandoned, inFlight] = [of('read_total'), of('abandoned_total'), of('in_flight')];
      expect(read).toBe(of('stored_total') + dropped + of('rejected_total') + abandoned + inFlight);
      return { read, dropped, abandoned, inFlight };
    };
    const { events, delivery } = deliver(['a repeat', 'filtered'], ledger);
    events[0]!.drop('dedupe');
    delivery.letGo();
    const kept = deliver([{ sequence: 3, raw: 'kept' }], ledger);
    expect(sums()).toEqual({ read: 3, dropped: 2, abandoned: 0, inFlight: 1 });
    record.report({ type: 'went-back', error: new Error('forgot'), counts: ledger.counts() });
    // The run that begins anew waits a moment; what is left of the old one counts no more.
    expect(sums()).toEqual({ read: 3, dropped: 2, abandoned: 1, inFlight: 0 });
    kept.delivery.letGo();
    expect(sums()).toEqual({ read: 3, dropped: 2, abandoned: 1, inFlight: 0 });
    beginAnew();
    expect(sums()).toEqual({ read: 3, dropped: 2, abandoned: 1, inFlight: 0 });
    expect(values()['millrace_went_back_total{pipeline="p"}']).toBe(1);
    for (let run = 1; run <= 2; run++) {
      const again = deliver(['a repeat', 'rejected', 'stored', 'stored, too'], record.ledger);
      again.events[0]!.drop('dedupe');
      again.events[1]!.mark(Outcome.rejected);
      for (const event of again.events.slice(2)) event.mark(Outcome.stored);
      again.delivery.letGo();
      deliver([{ sequence: 5, raw: 'kept' }], record.ledger);
      expect(sums()).toEqual({ read: 3 + 5 * run, dropped: 2 + run, abandoned: run, inFlight: 1 });
      expect(values()).toMatchObject({
        'millrace_events_dropped_total{pipeline="p",step="dedupe"}': 1 + run,
        'millrace_events_rejected_total{pipeline="p"}': run,
        'millrace_events_stored_total{pipeline="p"}': 2 * run,
      });
      record.report({ type: 'went-back', error: new Error('forgot'), counts: record.ledger!.counts() });
      expect(record.ledger).toBeUndefined();
      beginAnew();
    }
  });

  it('forget a shard once it was read to its end and all of it is settled', () => {
    const { record, values, ledger } = recorded('memory');
    record.report({ type: 'shard-started', shard: 'shard-1', resume: 'TRIM_HORIZON' });
    record.report({ type: 'source-retry', shard: 'shard-1', attempt: 1, delayMs: 1, error: 'x' });
    const { delivery } = deliver(['one'], ledger);
    record.report({ type: 'shard-ended', shard: 'shard-1' });
    expect(values()['millrace_shard_events_in_flight{pipeline="p",shard="shard-1"}']).toBe(1);
    delivery.letGo();
    expect(Object.keys(values()).filter((name) => name.includes('shard-1'))).toEqual([]);
  });

  it('tell codes of rejects apart, up to a limit', () => {
    const { record, values } = recorded('memory');
    for (let i = 0; i < 50; i++) record.report({ type: 'rejected', position, why: why('step', 'code 0') });
    for (let i = 0; i < 1010; i++) record.report({ type: 'rejected', position, why: why('step', `code ${i}`) });
    record.report({ type: 'rejected', position, why: why('step', 'code 3') });
    const rejects = Object.entries(values()).filter(([name]) => name.startsWith('millrace_rejects_total'));
    expect(rejects).toHaveLength(1001);
    expect(Object.fromEntries(rejects)).toMatchObject({
      'millrace_rejects_total{pipeline="p",step="step",code="code 0"}': 51,
      'millrace_rejects_total{pipeline="p",step="step",code="code 3"}': 2,
      'millrace_rejects_total{pipeline="p",step="step",code="other"}': 10,
    });
  });
});

describe('health', () => {
  const looked = { type: 'shard-health', shard: 's', behindMs: 0, readAtMs: 0, settledAtMs: 4000 } as const;
  const still = { inFlight: 0, sizeBytes: 0, waitsForRoom: false } as const;

  it('goes by the worst of the runs', () => {
    const [a, b] = [recorded('memory').record, recorded('memory').record];
    const told = (): unknown[] => {
      const health = healthOf([a, b], 10_000);
      return [health.status, ...health.pipelines.map(({ status }) => status), isReady(health)];
    };
    expect(told()).toEqual(['ok', 'starting', 'starting', false]);
    for (const record of [a, b]) record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    expect(told()).toEqual(['ok', 'running', 'running', true]);
    b.report({ ...looked, ...still, quiet: { forMs: 150_000, doing: 'waiting for the sinks' } });
    expect(told()).toEqual(['quiet', 'running', 'quiet', false]);
    b.report({ ...looked, ...still, quiet: undefined });
    expect(told()).toEqual(['ok', 'running', 'running', true]);
    a.end('ended');
    expect(told()).toEqual(['ok', 'ended', 'running', true]);
    b.report({ type: 'stopping', why: 'enough' });
    expect(told()).toEqual(['ok', 'ended', 'stopping', false]);
    b.end('ended');
    expect(told()).toEqual(['ended', 'ended', 'ended', false]);
    b.end('failed');
    expect(told()).toEqual(['failed', 'ended', 'failed', false]);
  });

  it('goes by a run that has failed before one whose shard is quiet, and takes none for quiet that stops', () => {
    const [a, b] = [recorded('memory').record, recorded('memory').record];
    for (const record of [a, b]) record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    a.report({ ...looked, ...still, quiet: { forMs: 150_000, doing: 'waiting for the sinks' } });
    b.end('failed');
    expect(healthOf([a, b], 0).status).toBe('failed');
    a.report({ type: 'stopping', why: 'enough' });
    expect(healthOf([a], 0)).toMatchObject({ status: 'ok', pipelines: [{ status: 'stopping' }] });
    // One whose turn came at that moment.
    a.report({ type: 'shard-started', shard: 't', resume: 'TRIM_HORIZON' });
    expect(a.stage).toBe('stopping');
    a.end('ended');
    expect(healthOf([a], 0).pipelines[0]!.shards).toEqual([]);
  });

  it('knows no shard of a run that went back, nor one that was not begun', () => {
    const { record, ledger, beginAnew } = recorded('memory');
    record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    record.report({ type: 'went-back', error: new Error('forgot'), counts: ledger.counts() });
    record.report({ type: 'shard-lag', shard: 's', behindMs: 0, readAtMs: 0 });
    expect([...record.shards(0)]).toEqual([]);
    beginAnew();
    expect(record.stage).toBe('going back');
    deliver(['one'], record.ledger);
    expect(record.stage).toBe('running');
  });

  it('says that a stream does not tell its shards, until one is read', () => {
    const { record } = recorded('memory');
    const quiet = { forMs: 150_000, doing: 'trying again' };
    record.report({ ...looked, ...still, shard: 'all shards', quiet });
    const health = healthOf([record], 0);
    expect(health).toMatchObject({ status: 'quiet', pipelines: [{ status: 'quiet', shards: [{ shard: 'all shards' }] }] });
    expect(isReady(health)).toBe(false);
    record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    expect(healthOf([record], 0)).toMatchObject({ status: 'ok', pipelines: [{ status: 'running', shards: [{ shard: 's' }] }] });
    record.report({ ...looked, ...still, shard: 'another', quiet });
    expect(healthOf([record], 0)).toMatchObject({ status: 'ok', pipelines: [{ shards: [{ shard: 's' }] }] });
  });

  it('says of a shard what it is doing, and how long ago it moved', () => {
    const { record } = recorded('memory');
    record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    record.report({ type: 'shard-lag', shard: 's', behindMs: 700, readAtMs: 9000 });
    record.report({ ...looked, ...still, quiet: { forMs: 150_000, doing: 'waiting for the sinks' } });
    expect(healthOf([record], 10_000).pipelines[0]!.shards).toEqual([
      {
        shard: 's',
        status: 'quiet',
        inFlight: 0,
        waitsForRoom: false,
        behindSeconds: 0.7,
        sinceReadSeconds: 1,
        sinceSettledSeconds: 6,
        quietSeconds: 150,
        doing: 'waiting for the sinks',
      },
    ]);
  });

  it('says of a shard that waits for room how far it has come to be behind, and not how far it was when it last read', () => {
    const { record, ledger } = recorded('memory');
    record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    record.report({ type: 'shard-lag', shard: 's', behindMs: 700, readAtMs: 9000 });
    const status = new Status(() => ledger);
    status.report({ type: 'shard-lag', shard: 's', behindMs: 700, readAtMs: 9000 });
    const behind = (nowMs: number): unknown[] => {
      const [shard] = healthOf([record], nowMs).pipelines[0]!.shards;
      const metric = parsePrometheus(metricsText([record], nowMs)).get('millrace_shard_behind_seconds')!;
      return [shard!.behindSeconds, [...metric.series.values()][0]!.value, status.numbers(nowMs).behindMs / 1000];
    };
    expect(behind(69_000)).toEqual([0.7, 0.7, 0.7]);
    void ledger.room.reserve(2 * ledger.room.maxInFlightBytes, 's');
    deliver(['one'], ledger);
    void ledger.room.reserve(ledger.room.maxInFlightBytes, 's');
    expect(behind(69_000)).toEqual([60.7, 60.7, 60.7]);
  });

  it('takes a run for begun when its source tells of no shards, and for not ready while it goes back', () => {
    const { record, ledger, beginAnew } = recorded('memory');
    deliver(['one'], ledger);
    expect(record.stage).toBe('running');
    record.report({ type: 'went-back', error: new Error('forgot'), counts: ledger.counts() });
    expect([record.stage, isReady(healthOf([record], 0))]).toEqual(['going back', false]);
    beginAnew();
    record.report({ type: 'shard-started', shard: 's', resume: 'TRIM_HORIZON' });
    expect([record.stage, isReady(healthOf([record], 0))]).toEqual(['running', true]);
  });
});

import { readFileSync } from 'node:fs';
import { METRICS, type MetricName } from './metric-list.ts';
import { type Labels, type Sample, prometheusText } from './prometheus.ts';
import type { RunRecord } from '../run-record.ts';

/**
 * All metrics of some runs and of this process, as Prometheus reads them.
 *
 * @param nowMs by the clock of the runs
 * @param aheadMs how much the clock of the runs is ahead of the system's, which was set back since: by that one Prometheus tells how long ago something was
 */
export function metricsText(records: readonly RunRecord[], nowMs: number, aheadMs = 0): string {
  const samples = new Map<MetricName, Sample[]>();
  const putAll = (name: MetricName, more: readonly Sample[]): void => {
    const its = samples.get(name);
    if (its) its.push(...more);
    else samples.set(name, [...more]);
  };
  const put: Put = (name, labels, value) => {
    if (value !== undefined) putAll(name, [{ labels, value }]);
  };
  put('millrace_info', { version: version(), node: process.versions.node }, 1);
  for (const record of records) {
    putCounts(record, put);
    putShards(record, put, { nowMs, aheadMs });
    putSinks(record, put, putAll);
  }
  const { user, system } = process.cpuUsage();
  put('process_cpu_seconds_total', {}, (user + system) / 1e6);
  put('process_resident_memory_bytes', {}, process.memoryUsage.rss());
  put('process_start_time_seconds', {}, performance.timeOrigin / 1000);
  const names = Object.keys(METRICS) as MetricName[];
  return prometheusText(names.map((name) => ({ name, ...METRICS[name], samples: samples.get(name) ?? [] })));
}

/** Gives a metric a value, unless there is none. */
type Put = (name: MetricName, labels: Labels, value: number | undefined) => void;

function putCounts(record: RunRecord, put: Put): void {
  const { pipeline, stage, ledger } = record;
  const of = { pipeline };
  // One look, so that the counts add up.
  const { read, stored, dropped, rejected, abandoned, inFlight } = record.totals();
  put('millrace_up', of, stage === 'ended' || stage === 'failed' ? 0 : 1);
  put('millrace_events_read_total', of, read);
  put('millrace_events_stored_total', of, stored);
  for (const [step, count] of Object.entries(dropped)) put('millrace_events_dropped_total', { pipeline, step }, count);
  put('millrace_events_rejected_total', of, rejected);
  put('millrace_events_abandoned_total', of, abandoned);
  put('millrace_events_in_flight', of, inFlight);
  put('millrace_in_flight_bytes', of, ledger?.room.inFlightBytes ?? 0);
  put('millrace_in_flight_limit_bytes', of, ledger?.room.maxInFlightBytes);
  put('millrace_waiting_for_room', of, Number(ledger?.room.isFull ?? false));
  for (const [step, codes] of record.rejects)
    for (const [code, count] of codes) put('millrace_rejects_total', { pipeline, step, code }, count);
  put('millrace_lookup_retries_total', of, record.lookupRetries);
  put('millrace_went_back_total', of, record.wentBack);
}

function putShards(record: RunRecord, put: Put, { nowMs, aheadMs }: { readonly nowMs: number; readonly aheadMs: number }): void {
  const { pipeline } = record;
  const at = (ms: number | undefined): number | undefined => seconds(ms === undefined ? undefined : ms - aheadMs);
  for (const [shard, { behindMs, lastReadAtMs, lastSettledAtMs, quiet, inFlight }] of record.shards(nowMs)) {
    const of = { pipeline, shard };
    put('millrace_shard_behind_seconds', of, seconds(behindMs));
    put('millrace_shard_events_in_flight', of, inFlight);
    put('millrace_shard_last_read_timestamp_seconds', of, at(lastReadAtMs));
    put('millrace_shard_last_settled_timestamp_seconds', of, at(lastSettledAtMs));
    put('millrace_shard_quiet_seconds', of, seconds(quiet?.forMs ?? 0));
  }
  for (const [shard, count] of record.sourceRetries) put('millrace_source_retries_total', { pipeline, shard }, count);
}

function putSinks(
  { pipeline, sinks }: RunRecord,
  put: Put,
  putAll: (name: MetricName, samples: readonly Sample[]) => void,
): void {
  for (const [sink, { events, bytes, retries, commitSeconds }] of sinks) {
    const of = { pipeline, sink };
    put('millrace_sink_events_total', of, events);
    put('millrace_sink_bytes_total', of, bytes);
    putAll('millrace_sink_commit_seconds', commitSeconds.samples(of));
    put('millrace_sink_retries_total', of, retries);
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

let known: string | undefined;

/** Of this package: its package.json lies beside the folder of the sources, and beside that of what is built from them. */
function version(): string {
  known ??= (JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string }).version;
  return known;
}

import type { MetricDefinition } from './prometheus.ts';

/** Every metric that `GET /metrics` tells, in its order: the table in docs/metrics.md is this list. */
export const METRICS = {
  millrace_info: { type: 'gauge', labels: ['version', 'node'], help: 'Which millrace and which Node this is; always 1.' },
  millrace_up: { type: 'gauge', labels: ['pipeline'], help: '1 while the run is at work, 0 once it has ended.' },

  millrace_events_read_total: {
    type: 'counter',
    labels: ['pipeline'],
    help: 'Events read: at every moment the sum of those stored, dropped, rejected, abandoned and in flight.',
  },
  millrace_events_stored_total: { type: 'counter', labels: ['pipeline'], help: 'Events that every sink has stored.' },
  millrace_events_dropped_total: {
    type: 'counter',
    labels: ['pipeline', 'step'],
    help: 'Events that a step dropped on purpose; filter for steps without a name.',
  },
  millrace_events_rejected_total: { type: 'counter', labels: ['pipeline'], help: 'Events of which the reject is stored.' },
  millrace_events_abandoned_total: {
    type: 'counter',
    labels: ['pipeline'],
    help: 'Events in flight when the run went back with a store; they are read again.',
  },
  millrace_events_in_flight: {
    type: 'gauge',
    labels: ['pipeline'],
    help: 'Events that are read and not yet stored, dropped or rejected.',
  },
  millrace_in_flight_bytes: { type: 'gauge', labels: ['pipeline'], help: 'What those take in memory, reckoned.' },
  millrace_in_flight_limit_bytes: {
    type: 'gauge',
    labels: ['pipeline'],
    help: 'The most that they may take (--max-in-flight).',
  },
  millrace_waiting_for_room: {
    type: 'gauge',
    labels: ['pipeline'],
    help: '1 while the source waits because of that limit, else 0.',
  },
  millrace_rejects_total: {
    type: 'counter',
    labels: ['pipeline', 'step', 'code'],
    help: 'Rejects by who refused what and why, counted as they are made; an event that two sinks refuse counts twice.',
  },

  millrace_shard_behind_seconds: {
    type: 'gauge',
    labels: ['pipeline', 'shard'],
    help: 'How far reading is behind the newest record of the shard; while it waits for room, the time since it last read comes on top.',
  },
  millrace_shard_events_in_flight: { type: 'gauge', labels: ['pipeline', 'shard'], help: 'Events of the shard in flight.' },
  millrace_shard_last_read_timestamp_seconds: {
    type: 'gauge',
    labels: ['pipeline', 'shard'],
    help: 'When the stream last answered a read of the shard, also with nothing.',
  },
  millrace_shard_last_settled_timestamp_seconds: {
    type: 'gauge',
    labels: ['pipeline', 'shard'],
    help: 'When more of the shard was last settled, by a look every 10 seconds.',
  },
  millrace_shard_quiet_seconds: {
    type: 'gauge',
    labels: ['pipeline', 'shard'],
    help: 'For how long the shard has made no progress, from a quarter of --stalled-after on; 0 before.',
  },
  millrace_source_retries_total: {
    type: 'counter',
    labels: ['pipeline', 'shard'],
    help: 'Calls to the stream that failed and were made again.',
  },

  millrace_sink_events_total: {
    type: 'counter',
    labels: ['pipeline', 'sink'],
    help: 'Events that the sink has stored or refused; of the sink of rejects, those.',
  },
  millrace_sink_bytes_total: { type: 'counter', labels: ['pipeline', 'sink'], help: 'What those had at the source.' },
  millrace_sink_commit_seconds: {
    type: 'histogram',
    labels: ['pipeline', 'sink'],
    help: 'How long commits took that had events in them, with all tries.',
  },
  millrace_sink_retries_total: {
    type: 'counter',
    labels: ['pipeline', 'sink'],
    help: 'Calls to the store of the sink that failed and were made again.',
  },
  millrace_lookup_retries_total: {
    type: 'counter',
    labels: ['pipeline'],
    help: 'Calls of lookup that failed and were made again.',
  },
  millrace_went_back_total: {
    type: 'counter',
    labels: ['pipeline'],
    help: 'How often the run went back with a store that had lost what it had acknowledged.',
  },

  process_cpu_seconds_total: { type: 'counter', labels: [], help: 'CPU time of the process.' },
  process_resident_memory_bytes: { type: 'gauge', labels: [], help: 'Memory of the process.' },
  process_start_time_seconds: { type: 'gauge', labels: [], help: 'When the process began.' },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;

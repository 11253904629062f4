// The ground
export type { Diagnostic, Report } from './diagnostic.ts';
export {
  FencedError,
  OrderBrokenError,
  OvertakenError,
  ReadTwiceError,
  SettledTooEarlyError,
  SinkError,
  StepError,
  WentBackError,
} from './errors.ts';
export { comparePositions, compareResumes, formatResume, isPosition, parseResume } from './position.ts';
export type { Beginning, Position, Resume, Standing } from './position.ts';
export { Event, Origin, Reject } from './event.ts';
export type { Item, RejectReason } from './event.ts';
export { Delivery } from './delivery.ts';
export type { DeliveryOptions } from './delivery.ts';
export { Ledger } from './ledger.ts';
export type { Counts, LedgerOptions } from './ledger.ts';
export type { Owner } from './owner.ts';
export type { Records, SourceRecord } from './records.ts';

// Pipelines
export { pipeline } from './pipeline.ts';
export type { Pipeline, Stage } from './pipeline.ts';
export { DrainDeadlineError } from './run/deadline.ts';
export { run, startRun } from './run/run.ts';
export type { RunOptions, Running } from './run/run.ts';
export type { RetryOptions } from './run/retry.ts';
export { StalledError } from './run/shard-watch.ts';
export { attend } from './command/attend.ts';
export type { AttendOptions } from './command/attend.ts';
export { command, main } from './command/main.ts';
export type { Command } from './command/main.ts';
export { duration, start } from './command/settings.ts';
export {
  archiveUrl,
  databaseUrl,
  endpoint,
  kinesisMode,
  pattern,
  pipelineName,
  redisUrl,
  streamName,
  timeRange,
} from './command/setting-types.ts';

// Sources
export { archived } from './sources/archived.ts';
export type { ArchivedOptions } from './sources/archived.ts';
export { lines } from './sources/lines.ts';
export type { FilesOptions, InputOptions, LinesOptions } from './sources/lines.ts';
export { rejected } from './sources/rejected.ts';
export type { RejectedOptions } from './sources/rejected.ts';
export type { TimeRange } from './sources/time-range.ts';
export { GapError } from './sources/shards/gap.ts';
export type { Gap } from './sources/shards/gap.ts';
export { kinesis } from './sources/kinesis.ts';
export type { KinesisMode, KinesisOptions } from './sources/kinesis.ts';
export { scripted } from './sources/scripted.ts';
export { readShards } from './sources/shards/read-shards.ts';
export type { ShardReaders, ShardReading } from './sources/shards/read-shards.ts';
export { reserveRoom } from './sources/delivery/reserve-room.ts';
export type { Shard } from './sources/shards/shard-set.ts';
export { readingDeliveries } from './sources/source.ts';
export type { Source, SourceContext, Start } from './sources/source.ts';

// Operators
export { decay } from './decay.ts';
export type { DecayOptions } from './decay.ts';
export { Malformed, decode } from './operators/decode.ts';
export type { Format } from './operators/decode.ts';
export { dedupe } from './operators/dedupe.ts';
export type { DedupeOptions } from './operators/dedupe.ts';
export { hash128 } from './operators/identity.ts';
export type { ForgetLimits, IdentityState, OpenIdentityState, SightBlock } from './operators/identity-state.ts';
export type { Identity } from './operators/identity.ts';
export { json } from './operators/json.ts';
export { lookup } from './operators/lookup.ts';
export type { LookupOptions } from './operators/lookup.ts';
export type { LookupSource, OpenReads, Read } from './operators/lookup-source.ts';
export { mapAccum } from './operators/map-accum.ts';
export type { Steps } from './operators/map-accum.ts';
export { mapAsync } from './operators/map-async.ts';
export { minuteWindow } from './operators/minute-window.ts';
export type { MinuteWindowOptions } from './operators/minute-window.ts';
export { named } from './operators/named.ts';
export { stripCheckpoints } from './operators/strip-checkpoints.ts';
export { transform } from './operators/transform.ts';
export { validate } from './operators/validate.ts';
export type { Check, Issue } from './operators/validate.ts';
export { Window } from './operators/window.ts';
export type { WindowBounds } from './operators/window.ts';

// Snowplow
export { enrichedColumns, textColumns } from './snowplow/columns.ts';
export { EnrichedEvent } from './snowplow/enriched-event.ts';
export { enrichedAt } from './snowplow/enriched-at.ts';
export { enriched } from './snowplow/enriched.ts';
export { eventId, eventIdAndFingerprint } from './snowplow/event-id.ts';
export { label } from './snowplow/label.ts';
export type { LabelOptions, LabelSchemas } from './snowplow/label.ts';
export { isProductAction, productAction } from './snowplow/product-action.ts';
export type { ProductAction, ProductActionOptions } from './snowplow/product-action.ts';

// Sinks
export { apply } from './sinks/apply.ts';
export type { ApplyOptions, CommandsOf } from './sinks/apply.ts';
export { archive } from './sinks/archive.ts';
export type { ArchiveOptions, Line } from './sinks/archive.ts';
export { copyInto } from './sinks/copy-into.ts';
export type { CopyIntoOptions, Row } from './sinks/copy-into.ts';
export { rejectsIntoArchive } from './sinks/rejects-into-archive.ts';
export { rejectsIntoRedis } from './sinks/rejects-into-redis.ts';
export type { RejectsIntoRedisOptions } from './sinks/rejects-into-redis.ts';
export { rejectsIntoDatabase } from './sinks/rejects-into-database.ts';
export type { Batch, OpenSink, Refusal, Sink, SinkContext } from './sinks/sink.ts';

// Stores
export type {
  Batch as CommandBatch,
  CommandFault,
  CommandStore,
  KeptReject,
  OpenCommandStore,
  Place,
} from './stores/command-store.ts';
export * as commands from './stores/commands.ts';
export * as reads from './stores/reads.ts';
export { PositionBehindError } from './stores/database/position.ts';
export { databaseFrom } from './stores/database-url.ts';
export type { Column, ColumnType, Database, Load, OpenDatabase, RejectRow, RowFault, Table } from './stores/database.ts';
export { directory } from './stores/directory.ts';
export { duckdb } from './stores/duckdb.ts';
export type { Merged } from './stores/commands/merge-commands.ts';
export type { BlockServer, IdentityServer, LogState, SentBlock } from './stores/identities/block-server.ts';
export { type IdentityLogOptions, identityLog } from './stores/identity-log.ts';
export { objectStoreFrom } from './stores/object-store-url.ts';
export { PreconditionFailedError } from './stores/object-store.ts';
export type { ObjectHead, ObjectStore, OpenObjectStore, PutCondition, PutOptions } from './stores/object-store.ts';
export { postgres } from './stores/postgres.ts';
export { redis } from './stores/redis.ts';
export type { OpenRejects, RejectSource, RejectsOf } from './stores/reject-source.ts';
export type { RedisOptions } from './stores/redis.ts';
export { s3 } from './stores/s3.ts';

export { deliver } from './deliver.ts';
export type { Sample } from './deliver.ts';
export { record } from './marble-record.ts';
export type { MarbleSpec } from './marble-spec.ts';
export { marble } from './marble.ts';
export { memorySink } from './memory-sink.ts';
export type { MemorySink } from './memory-sink.ts';
export { sinkConformance } from './sink-conformance.ts';
export type { SinkFixture } from './sink-conformance.ts';

export { sinkConformance } from '../../src/testing/sink-conformance.ts';
export type { SinkFixture } from '../../src/testing/sink-conformance.ts';

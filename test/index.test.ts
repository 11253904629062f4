import { describe, expect, it } from 'vitest';
import * as millrace from '../src/index.ts';
import * as testing from '../src/testing/index.ts';

describe('public names', () => {
  it('of millrace', () => {
    expect(Object.keys(millrace).toSorted().join(' ')).toMatchInlineSnapshot(
      `"Delivery DrainDeadlineError EnrichedEvent Event FencedError GapError Ledger Malformed OrderBrokenError Origin OvertakenError PositionBehindError PreconditionFailedError ReadTwiceError Reject SettledTooEarlyError SinkError StalledError StepError WentBackError Window apply archive archiveUrl archived attend command commands comparePositions compareResumes copyInto databaseFrom databaseUrl decay decode dedupe directory duckdb duration endpoint enriched enrichedAt enrichedColumns eventId eventIdAndFingerprint formatResume hash128 identityLog isPosition isProductAction json kinesis kinesisMode label lines lookup main mapAccum mapAsync minuteWindow named objectStoreFrom parseResume pattern pipeline pipelineName postgres productAction readShards readingDeliveries reads redis redisUrl rejected rejectsIntoArchive rejectsIntoDatabase rejectsIntoRedis reserveRoom run s3 scripted start startRun streamName stripCheckpoints textColumns timeRange transform validate"`,
    );
  });

  it('of millrace/testing', () => {
    expect(Object.keys(testing).toSorted().join(' ')).toMatchInlineSnapshot(`"deliver marble memorySink record sinkConformance"`);
  });
});

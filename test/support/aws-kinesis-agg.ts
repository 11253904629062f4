import aggregation from 'aws-kinesis-agg';

interface Aggregator {
  addUserRecord(record: { readonly partitionKey: string; readonly explicitHashKey?: string; readonly data: Buffer }): void;
  build(): { readonly data: Buffer };
}

// Its types are for a version of the AWS SDK that is not here, and leave this class out.
const { RecordAggregator } = aggregation as unknown as {
  readonly RecordAggregator: new () => Aggregator;
};

/** Makes one record of many, by the encoder that AWS publishes for Node. */
export function aggregateByAws(records: readonly Parameters<Aggregator['addUserRecord']>[0][]): Buffer {
  const aggregator = new RecordAggregator();
  for (const record of records) aggregator.addUserRecord(record);
  return aggregator.build().data;
}

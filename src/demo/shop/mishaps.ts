import type { Random } from '../random.ts';

/** Gives a record another number of columns: too few, one too many, or a part of it only. */
export function spoil(data: Buffer, random: Random): Buffer {
  const dice = random.below(3);
  if (dice === 0) return data.subarray(0, data.lastIndexOf('\t'));
  if (dice === 1) return Buffer.concat([data, Buffer.from('\t')]);
  return data.subarray(0, data.indexOf('\t', random.below(Math.floor(data.length / 2))));
}

/** Prints a line of the enricher's log into a record: in front, inside or behind, with or without its newline. */
export function addNoise(data: Buffer, random: Random): Buffer {
  const thread = `pool-${1 + random.below(2)}-thread-${1 + random.below(8)}`;
  const line = `[${thread}] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - `;
  const message = `Checkpointing shard shardId-00000000000${random.below(4)}`;
  const noise = Buffer.from(line + message + (random.chance(0.5) ? '\n' : ''));
  const at = random.pick([0, random.below(data.length), data.length]);
  return Buffer.concat([data.subarray(0, at), noise, data.subarray(at)]);
}

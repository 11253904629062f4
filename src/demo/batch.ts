/** Makes a batch of Snowplow's, not compressed yet: its version, that of its payloads, then each payload behind its length. */
export function batchOf(payloads: readonly Uint8Array[], versions: readonly [number, number] = [1, 1]): Buffer {
  return Buffer.concat([
    Buffer.from(versions),
    ...payloads.flatMap((payload) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(payload.length);
      return [length, payload];
    }),
  ]);
}

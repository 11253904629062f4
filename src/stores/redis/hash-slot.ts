/** How many slots a Redis Cluster has. https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#key-distribution-model */
const SLOTS = 16_384;

/** CRC16 of XMODEM, a step a byte. */
const STEPS = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** The slot of a key: of what is in its first braces, when there is something in them, otherwise of all of it. */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) crc = ((crc << 8) & 0xffff) ^ STEPS[(crc >> 8) ^ byte]!;
  return crc % SLOTS;
}

let tags: string[] | undefined;

/** For each slot a short text whose slot it is: in braces it brings a key there. */
export function slotTags(): readonly string[] {
  if (tags) return tags;
  const found: string[] = Array.from({ length: SLOTS });
  for (let n = 0, missing = SLOTS; missing > 0; n++) {
    const slot = slotOf(String(n));
    if (found[slot] !== undefined) continue;
    found[slot] = String(n);
    missing--;
  }
  return (tags = found);
}

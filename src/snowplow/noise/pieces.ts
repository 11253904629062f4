/** A part of a record as it stands in the text. */
export interface Piece {
  readonly bytes: Buffer;
  readonly from: number;
  /** The key before it, when that may have some of its bytes. */
  readonly key: number | undefined;
  readonly before: Piece | undefined;
}

/** A partition key that ends somewhere in the digits of the piece behind it. */
export interface Key {
  /** Where that piece begins in the text. */
  readonly id: number;
  readonly thread: string;
  /** What it may be, longest first. */
  readonly keys: readonly string[];
  /** Those that are the address of a record printed since, one bit each: each thread prints the record right after its key. */
  readonly met: number;
  /** Those behind which a known app id begins, one bit each: believed where no address tells, as it may be the end of another one. */
  readonly byApp: number;
  /** True once its thread went on to something else. */
  readonly isDue: boolean;
}

/** Puts a record's pieces together; where a key has not been decided, it has as many bytes as it may. */
export function joinPieces(open: Piece, keys: readonly Key[]): Buffer {
  if (!open.before && open.key === undefined) return open.bytes;
  const parts: Buffer[] = [];
  for (let piece: Piece | undefined = open; piece; piece = piece.before) {
    const key = piece.key === undefined ? undefined : keyOf(keys, piece.key);
    const chosen = key && isTold(key) ? 31 - Math.clz32(key.met) : 0;
    parts.push(key ? piece.bytes.subarray(key.keys[chosen]!.length - key.keys.at(-1)!.length) : piece.bytes);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts.reverse());
}

/** The piece with which a record begins. */
export function firstPiece(piece: Piece): Piece {
  let first = piece;
  while (first.before) first = first.before;
  return first;
}

/** The keys that may have bytes of a record. */
export function keysOf(open: Piece): number[] {
  const ids: number[] = [];
  for (let piece: Piece | undefined = open; piece; piece = piece.before) if (piece.key !== undefined) ids.push(piece.key);
  return ids;
}

/** The key of an id; all that pieces name are known. */
export function keyOf(keys: readonly Key[], id: number): Key {
  return keys.find((key) => key.id === id)!;
}

/** How many bytes of the piece behind it a key may have. */
export function slackOf({ keys }: Key): number {
  return keys[0]!.length - keys.at(-1)!.length;
}

/** A key of which no more will be told. */
export function dueKey(key: Key): Key {
  return { ...key, met: key.met || key.byApp, isDue: true };
}

/** Says whether there is no choice left where a key ends. */
export function isTold({ met }: Key): boolean {
  return met !== 0 && (met & (met - 1)) === 0;
}

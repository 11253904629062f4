/** What readers made for themselves, so that nobody but who is given records has a view of it. */
const owned = new WeakSet<ArrayBufferLike>();

/** Notes that memory was made by the caller and is nobody else's: whoever makes records of it may free it. Where it is a part of some more, notes nothing. */
export function ownMemory<T extends Uint8Array>(bytes: T): T {
  if (bytes.byteLength === bytes.buffer.byteLength) owned.add(bytes.buffer);
  return bytes;
}

/**
 * Makes what gives memory back, once it was called as often as `users` says and where that was made by a reader of ours. What is a view of it has nothing in it
 * from then on, and to make another one throws.
 *
 * V8 collects garbage for every 64 MB of such memory: where all of that waits for it, that is a fifth of a run's CPU time, and its size on top.
 */
export function freeing({ buffer }: Uint8Array, users: number): () => void {
  if (!owned.has(buffer)) return () => {};
  return () => {
    if (--users === 0) (buffer as ArrayBuffer).transfer(0);
  };
}

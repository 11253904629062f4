/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;

/** Whether SQLite failed as somebody else has its file locked. */
export function isLocked(error: unknown): boolean {
  // The low byte is the kind, the others its details.
  return (((error as { readonly errcode?: number }).errcode ?? 0) & 0xff) === SQLITE_BUSY;
}

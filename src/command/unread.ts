/**
 * Lets the process go on when nobody reads any more what it says, or the disk of its log is full. At Ctrl-C the `tee` behind a run ends, too, and
 * `--check | grep -q wrong` has read enough by the first line: no reason to end, least of all in the middle of a drain. It stays for good: what the
 * last words meet is told later.
 */
export function bearUnread(): void {
  for (const stream of [process.stdout, process.stderr]) if (!stream.listeners('error').includes(bear)) stream.on('error', bear);
}

function bear(): void {}

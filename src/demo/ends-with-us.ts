import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Has a process end together with this one, however that ends: also by a SIGKILL, of which it cannot tell anybody.
 *
 * @param signal what the process is sent then
 * @returns sends it now
 */
export function endsWithUs(child: ChildProcess, signal: 'TERM' | 'QUIT' | 'KILL' = 'TERM'): () => void {
  // Our end of the pipe closes when we are gone. A session of its own: Ctrl-C on a terminal is for us.
  const watch = spawn('sh', ['-c', 'read -r _; kill -s "$1" "$2"', 'sh', signal, String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  child.once('exit', () => watch.kill());
  watch.unref();
  (watch.stdin as Socket).unref();
  return () => void watch.stdin.end();
}

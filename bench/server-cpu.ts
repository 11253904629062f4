import { readFileSync, readdirSync } from 'node:fs';

/** Of /proc's times: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the kernel tells programs 100 on every machine. */
const TICKS_A_SECOND = 100;
/** Behind the name, which may hold anything: the parent, and four times, of the process and of its children that have ended. */
const [PARENT, USER, CHILDREN_SYSTEM] = [1, 11, 14];

/** CPU seconds of a process and of all that come from it, those that have ended too; nothing where there is no /proc. */
export function treeCpuSeconds(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  // Of one that ends between two files that are read, neither its own nor its parent's may tell.
  for (let before = treeOf(pid); ;) {
    const tree = treeOf(pid);
    if (tree.pids.join() === before.pids.join()) return tree.ticks / TICKS_A_SECOND;
    before = tree;
  }
}

function treeOf(pid: number): { readonly pids: readonly number[]; readonly ticks: number } {
  const stats = new Map(readdirSync('/proc').flatMap((name) => statOf(Number(name))));
  const pids = stats.has(pid) ? [pid] : [];
  for (const one of pids) for (const [child, stat] of stats) if (stat[PARENT] === one) pids.push(child);
  const times = pids.flatMap((one) => stats.get(one)!.slice(USER, CHILDREN_SYSTEM + 1));
  return { pids, ticks: times.reduce((sum, ticks) => sum + ticks, 0) };
}

function statOf(pid: number): (readonly [number, readonly number[]])[] {
  if (Number.isNaN(pid)) return [];
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return [
      [
        pid,
        text
          .slice(text.lastIndexOf(')') + 2)
          .split(' ')
          .map(Number),
      ],
    ];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

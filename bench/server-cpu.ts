import { readFileSync, readdirSync } from 'node:fs';

/** Of /proc's times: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; the kernel tells programs 100 on every machine. */
const TICKS_A_SECOND = 100;
/** Behind the name, which may hold anything: the parent, and four times, of the process and of its children that have ended. */
const [PARENT, USER, CHILDREN_SYSTEM] = [1, 11, 14];

/** CPU seconds of a process and of all that come from it, those that have ended too; nothing where there is no /proc. */
export function treeCpuSeconds(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const stats = new Map(readdirSync('/proc').flatMap((name) => statOf(Number(name))));
  const cpuOf = (one: number): number => {
    const own = stats.get(one)?.slice(USER, CHILDREN_SYSTEM + 1) ?? [];
    const children = [...stats].filter(([, stat]) => stat[PARENT] === one).map(([child]) => cpuOf(child));
    return [...own, ...children].reduce((sum, ticks) => sum + ticks, 0);
  };
  return cpuOf(pid) / TICKS_A_SECOND;
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

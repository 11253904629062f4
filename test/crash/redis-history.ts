import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { type Change, type Fault, changeFaults } from './checker.ts';
import { VISITOR_PREFIXES } from './visitor-evidence.ts';

type Written = readonly string[];

/**
 * What is wrong with the order in which a server was written to, by its append-only file: a position or an epoch that went back, or a
 * visitor's key that changed in another step than the position. What a server took and lost in a failover, the one in its place never saw.
 */
export async function historyFaults(redis: Redis): Promise<Fault[]> {
  const changes: Change[] = [];
  const faults: Fault[] = [];
  for (const step of stepsIn(await commandsOf(redis))) {
    const moved = step.flatMap(changeOf);
    changes.push(...moved);
    if (moved.some(({ sink }) => sink === 'apply')) continue;
    const unguarded = step.filter(([, key]) => VISITOR_PREFIXES.some((prefix) => key?.startsWith(`${prefix}:`)));
    if (unguarded.length > 0)
      faults.push({
        name: 'unguarded write',
        where: 'redis',
        what: unguarded.map((one) => one.slice(0, 2).join(' ')).join(', '),
      });
  }
  return [...faults, ...changeFaults(changes)];
}

/** What took place at once: a transaction, which a script is too when it writes more than once, or a single command. */
function* stepsIn(commands: Iterable<Written>): Generator<readonly Written[], void> {
  let open: Written[] | undefined;
  for (const written of commands) {
    const [name] = written;
    if (name === 'MULTI') open = [];
    else if (name === 'EXEC') {
      yield open ?? [];
      open = undefined;
    } else if (open) open.push(written);
    else yield [written];
  }
}

function changeOf([name, key = '', shard = '', field = '']: Written): Change[] {
  const [, sink] = /^millrace:positions:[^:]+:(.+)$/.exec(key) ?? [];
  if (name?.toUpperCase() !== 'HSET' || sink === undefined) return [];
  const [epoch = '', position = ''] = field.split(' ');
  // An epoch is of one owner: it was counted up when that took over.
  return [{ sink, shard, epoch: Number(epoch), position: position || undefined, by: `the owner of epoch ${epoch}` }];
}

async function commandsOf(redis: Redis): Promise<Written[]> {
  const of = async (setting: string): Promise<string> => ((await redis.call('CONFIG', 'GET', setting)) as string[])[1]!;
  const folder = join(await of('dir'), await of('appenddirname'));
  const manifest = await readFile(join(folder, `${await of('appendfilename')}.manifest`), 'utf8');
  const files = [...manifest.matchAll(/^file (\S+) seq \d+ type i$/gm)].map(([, file]) => join(folder, file!));
  return (await Promise.all(files.map((file) => readFile(file)))).flatMap((bytes) => [...commandsIn(bytes)]);
}

/** The commands of an append-only file, but for one at its end that is not whole. */
function* commandsIn(bytes: Buffer): Generator<Written, void> {
  let at = 0;
  const number = (): number => {
    const end = bytes.indexOf('\r\n', at);
    const read = end < 0 ? Number.NaN : Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return read;
  };
  while (at < bytes.length) {
    const written: string[] = [];
    for (let left = number(); left > 0; left--) {
      const length = number();
      if (Number.isNaN(length) || at + length + 2 > bytes.length) return;
      written.push(bytes.toString('utf8', at, at + length));
      at += length + 2;
    }
    if (written.length === 0) return;
    yield written;
  }
}

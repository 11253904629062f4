import { connect } from 'node:net';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { weights } from '../pipelines/realtime.ts';
import type { commands } from '../src/index.ts';
import { startRedis } from '../test/support/redis.ts';
import { here } from './here.ts';
import { type Took, measured, need } from './programs.ts';
import { redisCpuSeconds } from './redis-cpu.ts';
import { changesOf, differences, expectedOf } from './visits-oracle.ts';
import { fillLookups, visits } from './visits.ts';

/**
 * How fast a redis-server takes the commands of the realtime pipeline when nobody reads lines, looks anything up or keeps a position:
 *
 *     node bench/redis-limit.ts [--by bare | redis-benchmark] [--events 200000]
 *
 * The commands are those that the old script sends, in that order, made beforehand. `bare` writes their bytes to a socket, those of 1,000 changes ahead of
 * the answers, and checks each key afterwards; `redis-benchmark` sends as many of each kind, one kind after the other, to the keys of 4,000
 * visitors. Prints one line of JSON.
 */
const { values } = parseArgs({
  options: { by: { type: 'string', default: 'bare' }, events: { type: 'string', default: '200000' } },
});
const AHEAD = 1_000;

if (values.by === 'redis-benchmark') need('redis-benchmark', 'python3');
const lines = visits(Number(values.events));
const server = await startRedis({ settings: { appendonly: 'no' } });
try {
  await fillLookups(server.client);
  const changes: string[][][] = [];
  const bought = new Map<string, Set<string>>();
  for await (const change of changesOf(lines, weights, server.client)) changes.push(plainly(change, bought));
  const before = await redisCpuSeconds(server.client);
  const took = values.by === 'bare' ? await bare(changes) : await benchmark(changes);
  const serverTook = (await redisCpuSeconds(server.client)) - before;
  if (values.by === 'bare') {
    const differing = await differences(server.client, await expectedOf(lines, weights, server.client));
    if (Object.keys(differing).length > 0) throw new Error(`bench: keys are not as they should be: ${JSON.stringify(differing)}`);
  }
  process.stdout.write(`${JSON.stringify({ events: lines.length, ...took, serverCpuSeconds: serverTook })}\n`);
} finally {
  await server.stop();
}

/** What one of ours is in Redis's own commands. */
function plainly({ name, key, args }: commands.Command, bought: Map<string, Set<string>>): string[][] {
  const texts = args.map((arg) => (typeof arg === 'object' ? '' : String(arg)));
  const [keep, expiryMs, third] = texts as [string, string, string];
  const expire = ['PEXPIRE', key, expiryMs];
  switch (name) {
    case 'rank': {
      const { members, by } = args[3] as commands.Scores;
      const without = bought.get(third);
      const added = members.flatMap((member, i) => (without?.has(member) ? [] : [['ZINCRBY', key, String(by[i]), member]]));
      return [...added, ['ZREMRANGEBYRANK', key, '0', String(-Number(keep) - 1)], expire];
    }
    case 'recent':
      return [['LREM', key, '0', third], ['LPUSH', key, third], ['LTRIM', key, '0', String(Number(keep) - 1)], expire];
    case 'SADD':
      bought.set(key, (bought.get(key) ?? new Set()).add(texts[0]!));
  }
  return [[name, key, ...texts]];
}

async function bare(changes: readonly string[][][]): Promise<Took> {
  const blocks: Buffer[] = [];
  for (let at = 0; at < changes.length; at += AHEAD)
    blocks.push(Buffer.from([...changes.slice(at, at + AHEAD).flat(), ['ECHO', 'END']].map(asSent).join('')));
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  const took = await here(async () => {
    for (const block of blocks) {
      socket.write(block);
      for (let tail = ''; !tail.endsWith('END\r\n');) {
        const [data] = (await once(socket, 'data')) as [Buffer];
        tail = (tail + data.toString('latin1', Math.max(0, data.length - 5))).slice(-5);
        if (data.includes('-ERR') || data.includes('-WRONGTYPE')) throw new Error('bench: a command was refused');
      }
    }
  });
  socket.destroy();
  return took;
}

function asSent(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`;
}

/** Each kind with as many arguments as it has, the last ones of random members. */
async function benchmark(changes: readonly string[][][]): Promise<Took> {
  const counts = new Map<string, number>();
  const examples = new Map<string, string[]>();
  for (const command of changes.flat()) {
    const kind = `${command[0]} ${command[1]!.split(':')[0]}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    examples.set(kind, command);
  }
  const all: Took[] = [];
  for (const [kind, count] of counts) {
    const [name, key, ...args] = examples.get(kind)!;
    const random = args.map((arg) => (/^[A-Z]{2}-\d{4}$/.test(arg) ? 'KI-__rand_int__' : arg));
    const to = `${key!.split(':')[0]}:{__rand_int__}`;
    const flags = ['-p', String(server.port), '-c', '1', '-P', String(AHEAD), '-r', '4000', '-n', String(count), '-q'];
    all.push(await measured(['redis-benchmark', ...flags, name!, to, ...random]));
  }
  const sum = (of: (one: Took) => number): number => all.reduce((total, one) => total + of(one), 0);
  return {
    seconds: sum(({ seconds }) => seconds),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    peakMiB: Math.max(...all.map(({ peakMiB }) => peakMiB)),
  };
}

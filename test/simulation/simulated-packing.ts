import type { World } from './world.ts';

let world: World | undefined;

/** Says in which world is packed from now on; in none, when it has come to its end. */
export function packIn(next: World | undefined): void {
  world = next;
}

/**
 * Stands in for `src/sinks/pack-lines.ts`: its threads would finish when they like. Takes the lines as it does, keeps them as they are, behind
 * the stamp, and takes a while that the world decides.
 */
export async function packLines(
  lines: Iterable<Uint8Array>,
  { stamp }: { readonly stamp: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Buffer.from(`${stamp}\n${Array.from(lines, (line) => `${Buffer.from(line).toString()}\n`).join('')}`);
  const { promise, resolve } = Promise.withResolvers<void>();
  world?.after(world.between(0, 20), resolve);
  await promise;
  return packed;
}

import type { RejectReason } from '../../event.ts';
import { type Position, type Resume, comparePositions, formatResume, isPosition, parseResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import { BatchScript } from './batch-script.ts';
import type { Batch, CommandFault, KeptReject, OpenCommandStore, Place } from '../command-store.ts';
import type { Command } from '../commands.ts';
import { slotOf, slotTags } from './hash-slot.ts';
import { CommandMerger, type Merged } from '../commands/merge-commands.ts';
import { OpenRedis, type OpenRedisOptions, faultOf } from './open-redis.ts';
import type { RedisClient, Sendable } from './client.ts';
import { clusterKeys } from './keys.ts';
import { SLOT_BATCH } from './script.ts';

/**
 * A store at work on a cluster. A script can touch one slot only, so each slot has positions of its own: of a batch that was brought to
 * some slots when the run was killed, the next run brings each slot what it lacks. An older run that goes on for a moment does no harm by
 * that: whoever comes first brings a slot an event, and nobody brings it again. Shards' positions are moved, and epochs checked, in the end.
 */
export class OpenCluster implements OpenCommandStore {
  /** Each is a call of many nodes already. */
  readonly callsAtOnce = 1;
  readonly #client: RedisClient;
  readonly #own: OpenRedis;
  readonly #script: BatchScript;

  constructor(client: RedisClient, { keepRejectsMs }: Pick<OpenRedisOptions, 'keepRejectsMs'>) {
    this.#client = client;
    this.#own = new OpenRedis(client, clusterKeys, { keepRejectsMs });
    this.#script = new BatchScript(client, SLOT_BATCH);
  }

  acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    return this.#own.acquire(owner, shard);
  }

  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    return this.#own.positions(owner, shards);
  }

  rejected(owner: Owner, events: readonly Place[]): Promise<readonly (RejectReason | undefined)[]> {
    return this.#own.rejected(owner, events);
  }

  keep(owner: Owner, rejects: readonly KeptReject[]): Promise<void> {
    return this.#own.keep(owner, rejects);
  }

  async execute(owner: Owner, batch: Batch): Promise<readonly CommandFault[]> {
    const { events, commands, rejects = [], positions, rejectOf } = batch;
    // A run that was replaced learns so before it does anything, where it can.
    await this.#own.positions(owner, positions.keys());
    const bySlot = new Map<number, Merged[]>();
    const faults: CommandFault[] = [];
    for (const merged of commands) {
      const slot = slotOfAll(merged.command);
      const its = slot === undefined ? undefined : bySlot.get(slot);
      if (slot === undefined) faults.push(faultOf(merged, crossing(merged.command)));
      else if (its) its.push(merged);
      else bySlot.set(slot, [merged]);
    }
    const slots = [...bySlot.keys()];
    const stands = (shard: string): Resume | undefined => this.#own.stands(owner, shard);
    const calls = await Promise.allSettled(slots.map((slot) => this.#bring(owner, slot, batch, bySlot.get(slot)!, stands)));
    const fields: Fields[] = [];
    for (const [i, call] of calls.entries()) {
      if (call.status === 'rejected') throw call.reason;
      faults.push(...call.value);
      const its = call.value.flatMap((fault) => fault.events.map((event) => fieldOf(events[event]!)));
      if (its.length > 0) fields.push(['HDEL', keyOf(owner, slots[i]!), ...its]);
    }
    const refused = faults.flatMap(({ events: its, ...why }) => its.flatMap((i) => rejectOf?.(i, why) ?? []));
    await this.#own.execute(owner, { events, commands: [], rejects: [...rejects, ...refused], positions });
    // Kept now, with the positions past it. A kill before this leaves a field behind, which nobody asks for again.
    if (fields.length > 0) await this.#client.callAll(fields);
    return faults;
  }

  close(): Promise<void> {
    return this.#own.close();
  }

  /** Brings a slot its commands; when it has some already, what it had refused of them, and the commands of the events behind. */
  async #bring(
    owner: Owner,
    slot: number,
    batch: Batch,
    commands: readonly Merged[],
    stands: (shard: string) => Resume | undefined,
  ): Promise<CommandFault[]> {
    const key = keyOf(owner, slot);
    const numbers = [...new Set(commands.flatMap(({ events }) => events))].sort((a, b) => a - b);
    const last = new Map<string, Position>(numbers.map((i) => [batch.events[i]!.position.shard, batch.events[i]!.position]));
    const [keys, args] = this.#callOf(key, batch.events, commands, last, stands);
    const answer = (await this.#script.run(keys, args, (writer) => {
      for (const { command } of commands) {
        this.#script.know(command);
        writer.addCommand(command.name, command.key, command.args);
      }
    })) as [refused: (number | string)[]] | [-1, ...has: string[]];
    if (answer[0] !== -1) {
      const [refused] = answer;
      const faults: CommandFault[] = [];
      for (let i = 0; i < refused.length; i += 2) faults.push(faultOf(commands[Number(refused[i])]!, String(refused[i + 1])));
      return faults;
    }
    const has = new Map(
      [...last.keys()].map((shard, i) => [shard, answer[i + 1] ? parseResume(shard, String(answer[i + 1])) : undefined]),
    );
    const isThere = (i: number): boolean => {
      const { position } = batch.events[i]!;
      const stored = has.get(position.shard);
      return stored !== undefined && isPosition(stored) && comparePositions(position, stored) <= 0;
    };
    const faults = await this.#refused(key, batch.events, numbers.filter(isThere));
    const merger = new CommandMerger();
    for (const i of numbers)
      if (!isThere(i)) for (const command of batch.commandsOf?.(i) ?? []) if (slotOfAll(command) === slot) merger.add(command, i);
    const rest = merger.take();
    if (rest.length > 0)
      faults.push(...(await this.#bring(owner, slot, batch, rest, (shard) => has.get(shard) ?? stands(shard))));
    return faults;
  }

  #callOf(
    key: string,
    events: Batch['events'],
    commands: readonly Merged[],
    last: ReadonlyMap<string, Position>,
    stands: (shard: string) => Resume | undefined,
  ): [keys: string[], args: Sendable[]] {
    const keys = new Set<string>([key]);
    let about = '';
    for (const { command, events: numbers } of commands) {
      for (const one of keysOf(command)) keys.add(one);
      about += `${numbers.map((i) => `${formatResume(events[i]!.position)} ${events[i]!.position.shard}`).join('\t')}\n`;
    }
    const moves: string[] = [];
    for (const [shard, position] of last) {
      const from = stands(shard);
      moves.push(shard, from && isPosition(from) ? formatResume(from) : '', formatResume(position));
    }
    return [[...keys], [last.size, ...moves, about]];
  }

  /** What the slot had refused of events that it has. */
  async #refused(key: string, events: Batch['events'], numbers: readonly number[]): Promise<CommandFault[]> {
    if (numbers.length === 0) return [];
    const fields = numbers.map((i) => fieldOf(events[i]!));
    const found = (await this.#client.call('HMGET', [key, ...fields])) as (string | null)[];
    return found.flatMap((text, i) => {
      if (text === null) return [];
      // A key may have line breaks, the script lets none into a reason.
      const at = text.lastIndexOf('\n');
      const command: Command = { name: '', key: text.slice(0, at), args: [] };
      return [faultOf({ command, events: [numbers[i]!] }, text.slice(at + 1))];
    });
  }
}

/** Asks a slot to forget what it had refused of events. */
type Fields = readonly ['HDEL', key: string, ...fields: string[]];

/** The hash of a slot. */
function keyOf({ pipeline, sink }: Owner, slot: number): string {
  return `millrace:slot:{${slotTags()[slot]!}}:${pipeline}:${sink}`;
}

/** The field in it that says why a command of an event was refused. */
function fieldOf({ position }: Place): string {
  return `refused:${position.shard}:${formatResume(position)}`;
}

/** The slot of all keys of a command; nothing when they lie in several. */
function slotOfAll(command: Command): number | undefined {
  const [slot, ...others] = keysOf(command).map(slotOf);
  return others.every((other) => other === slot) ? slot : undefined;
}

/** What a server says of keys in several slots, and what to do: no slot gets such a command. */
function crossing(command: Command): string {
  return `CROSSSLOT expected all keys of one command in one slot, got ${keysOf(command).join(', ')}; give them one tag in braces`;
}

/** All keys that a command is known to touch. */
function keysOf(command: Command): string[] {
  const { key, reads, args } = command;
  const more = 'script' in command ? args.slice(1, 1 + Number(args[0])).map(String) : [];
  return [key, ...(reads === undefined ? [] : [reads]), ...more];
}

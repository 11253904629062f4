import { type Position, type Resume, compareResumes, formatResume, parseResume } from '../../src/position.ts';
import type { RejectLine } from '../../src/sinks/rejects-into-archive.ts';
import type { RejectRow } from '../../src/stores/database.ts';
import { idOf } from './records.ts';
import type { Sent, SimulatedStream } from './simulated-stream.ts';
import type { World } from './world.ts';

/** What one sink has, and where it says it stands. */
interface Shelf {
  /** By line, in how many places it is: rows of the table, or objects. */
  readonly counts: Map<string, number>;
  readonly positions: Map<string, Resume>;
  /** By shard, the record that was stored last. */
  readonly latest: Map<string, Sent>;
}

/** What a transaction has stored. */
interface Committed {
  readonly lines: readonly string[];
  readonly rejects: readonly RejectRow[];
  readonly positions: ReadonlyMap<string, Resume>;
}

export interface CheckerOptions {
  readonly world: World;
  readonly stream: SimulatedStream;
  /** The sinks of events. */
  readonly sinks: readonly string[];
}

/** What steps of the pipeline reject. */
const REJECTED = ['malformed', 'broken-label', 'unlucky'];

/** Knows every record, looks at every change of a store at the moment it takes place, and names what must never be. */
export class Checker {
  readonly #world: World;
  readonly #stream: SimulatedStream;
  readonly #sinks: readonly string[];
  readonly #shelves = new Map<string, Shelf>();
  readonly #sent = new Map<string, Sent>();
  /** By event id, all the records that have it. */
  readonly #ids = new Map<string, Sent[]>();
  readonly #owners = new Map<string, string>();
  /** By the record's place, where its reject is: in the table by its step, or in which objects. */
  readonly #rejects = new Map<string, string[]>();
  readonly #objects = new Map<string, readonly string[]>();
  readonly #documents = new Map<string, { readonly run: string; readonly epoch: number }>();

  constructor({ world, stream, sinks }: CheckerOptions) {
    this.#world = world;
    this.#stream = stream;
    this.#sinks = sinks;
  }

  sent(record: Sent): void {
    for (const line of record.lines) {
      this.#sent.set(line, record);
      const id = idOf(line);
      const same = this.#ids.get(id);
      if (same) same.push(record);
      else this.#ids.set(id, [record]);
    }
  }

  acquired(sink: string, shard: string, by: string): void {
    this.#owners.set(`${sink} ${shard}`, by);
  }

  /** A transaction of a database took place. */
  committed(sink: string, by: string, { lines, rejects, positions }: Committed): void {
    for (const shard of positions.keys()) {
      const owner = this.#owners.get(`${sink} ${shard}`);
      if (owner !== by) this.#world.fault(`fenced write accepted: ${sink} of ${by} in ${shard}, which is of ${owner}`);
    }
    for (const line of lines) this.#store(sink, line);
    for (const reject of rejects) this.#reject(reject.position, reject.why.step, `row of ${reject.why.step}`);
    for (const [shard, to] of positions) this.#moved(sink, shard, to);
  }

  /** A put took place. */
  put(by: string, key: string, body: string): void {
    if (key.startsWith('_millrace/')) return this.#document(by, key, body);
    const lines = body.split('\n').slice(1, -1);
    if (!body.endsWith('\n')) this.#world.fault(`split: ${key} ends within a line`);
    const before = this.#objects.get(key) ?? [];
    this.#objects.set(key, lines);
    if (key.startsWith('rejects/')) {
      for (const line of before) {
        const places = this.#rejects.get(placeOf(JSON.parse(line) as RejectLine))!;
        places.splice(places.indexOf(key), 1);
      }
      for (const line of lines) {
        const reject = JSON.parse(line) as RejectLine;
        this.#reject(reject, reject.step, key);
      }
      return;
    }
    const { counts } = this.#shelf('archive');
    for (const line of before) counts.set(line, counts.get(line)! - 1);
    let latest: Sent | undefined;
    for (const line of lines) {
      const sent = this.#known('archive', line);
      if (!sent) return;
      this.#followsParents('archive', sent);
      if (latest && Number(sent.sequence) < Number(latest.sequence))
        this.#world.fault(`reordered: ${nameOf(sent)} behind ${nameOf(latest)} in ${key}`);
      latest = sent;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
    // What lies behind the position is still to be written; what lies before it is written once and for all.
    for (const line of new Set([...before, ...lines])) {
      const sent = this.#sent.get(line)!;
      if (!isCovered(sent, this.#shelf('archive').positions.get(sent.shard))) continue;
      const count = counts.get(line)!;
      if (count !== 1) this.#world.fault(`${count === 0 ? 'lost' : 'duplicate'}: ${nameOf(sent)} by a put of ${by} to ${key}`);
    }
  }

  /** Tells whether every sink stands at the end of a shard. */
  hasAll(shard: string): boolean {
    return this.#sinks.every((sink) => this.#shelf(sink).positions.get(shard) === 'SHARD_END');
  }

  /** Looks at what there is when everything was read and stored. */
  finish(): void {
    for (const sink of this.#sinks) {
      const { counts, positions } = this.#shelf(sink);
      for (const [id, records] of this.#ids) {
        const isWanted = !(sink === 'copy' && records[0]!.kind === 'refused');
        const lines = records.flatMap(({ lines: own }) => own.filter((line) => idOf(line) === id));
        const count = lines.reduce((sum, line) => sum + (counts.get(line) ?? 0), 0);
        if (isWanted && count === 0) this.#world.fault(`lost: ${nameOf(records[0]!)} in ${sink}`);
        if (count > 1) this.#world.fault(`duplicate: ${nameOf(records[0]!)} in ${sink}`);
      }
      for (const { id, records } of this.#stream.shards.values()) {
        const last = records.at(-1);
        if (last && !isCovered(last, positions.get(id)))
          this.#world.fault(
            `checkpoint left behind: ${sink} in ${id} at ${String(positions.get(id) && formatResume(positions.get(id)!))}`,
          );
      }
    }
    for (const { records } of this.#stream.shards.values())
      for (const sent of records) {
        const places = this.#rejects.get(placeOf(sent)) ?? [];
        if (this.#isRejected(sent) && places.length === 0) this.#world.fault(`lost: the reject of ${nameOf(sent)}`);
        if (places.length > 1) this.#world.fault(`duplicate: the reject of ${nameOf(sent)} in ${places.join(', ')}`);
      }
  }

  #isRejected({ kind }: Sent): boolean {
    return REJECTED.includes(kind) || (kind === 'refused' && this.#sinks.includes('copy'));
  }

  /** A key's records go on in the children of its shard: they must not be stored before those of the parents. */
  #followsParents(sink: string, sent: Sent): void {
    for (const parent of this.#stream.shards.get(sent.shard)!.parents) {
      const last = this.#stream.shards.get(parent)!.records.at(-1);
      if (last && !isCovered(last, this.#shelf(sink).positions.get(parent)))
        this.#world.fault(`reordered: ${nameOf(sent)} in ${sink} before all of its parent ${parent}`);
    }
  }

  #store(sink: string, line: string): void {
    const sent = this.#known(sink, line);
    if (!sent) return;
    const { counts, latest } = this.#shelf(sink);
    const id = idOf(line);
    if (this.#ids.get(id)!.some((same) => same.lines.some((one) => idOf(one) === id && (counts.get(one) ?? 0) > 0)))
      this.#world.fault(`duplicate: ${nameOf(sent)} in ${sink}`);
    this.#followsParents(sink, sent);
    const before = latest.get(sent.shard);
    if (before && before.index > sent.index) this.#world.fault(`reordered: ${nameOf(sent)} behind ${nameOf(before)} in ${sink}`);
    latest.set(sent.shard, sent);
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }

  #known(sink: string, line: string): Sent | undefined {
    const sent = this.#sent.get(line);
    if (!sent) {
      const what = this.#ids.has(idOf(line) ?? '') ? 'changed' : line.split('\t').length === 131 ? 'phantom' : 'split';
      this.#world.fault(`${what}: ${JSON.stringify(line.slice(0, 90))} in ${sink}`);
    } else if (sent.kind === 'filtered' || REJECTED.includes(sent.kind)) this.#world.fault(`phantom: ${nameOf(sent)} in ${sink}`);
    return sent;
  }

  #reject(position: Pick<Position, 'shard' | 'sequence'>, step: string, where: string): void {
    const sent = this.#stream.shards.get(position.shard)?.records.find(({ sequence }) => sequence === position.sequence);
    if (!sent || !this.#isRejected(sent)) return this.#world.fault(`phantom: a reject of ${step} at ${placeOf(position)}`);
    const places = this.#rejects.get(placeOf(sent)) ?? [];
    if (!places.includes(where)) places.push(where);
    this.#rejects.set(placeOf(sent), places);
  }

  #document(by: string, key: string, body: string): void {
    const [sink, shard] = key.replace('.json', '').split('/').slice(2) as [string, string];
    const { run, epoch, position } = JSON.parse(body) as { run: string; epoch: number; position?: string };
    const before = this.#documents.get(key);
    if (before && (epoch < before.epoch || (epoch === before.epoch && run !== before.run)))
      this.#world.fault(`fenced write accepted: ${sink} of ${by} in ${shard}, of epoch ${epoch} after ${before.epoch}`);
    this.#documents.set(key, { run, epoch });
    if (position !== undefined) this.#moved(sink, shard, parseResume(shard, position));
  }

  #moved(sink: string, shard: string, to: Resume): void {
    const { positions, counts } = this.#shelf(sink);
    const from = positions.get(shard);
    if (from !== undefined && compareResumes(to, from) < 0)
      this.#world.fault(`nonmonotonic checkpoint: ${sink} in ${shard} from ${formatResume(from)} to ${formatResume(to)}`);
    positions.set(shard, to);
    if (!this.#sinks.includes(sink)) return;
    const records = this.#stream.shards.get(shard)!.records;
    // Positions move in steps: what lies before the last one was looked at then.
    for (let i = records.length - 1; i >= 0 && !isCovered(records[i]!, from); i--) {
      const sent = records[i]!;
      if (!isCovered(sent, to)) continue;
      const problem = this.#isMissing(sink, sent, counts);
      if (problem) this.#world.fault(`checkpoint ahead of sink: ${sink} at ${formatResume(to)}, ${problem} ${nameOf(sent)}`);
    }
  }

  #isMissing(sink: string, sent: Sent, counts: ReadonlyMap<string, number>): string | undefined {
    const isInTable = sent.kind === 'refused' && sink === 'copy';
    if (REJECTED.includes(sent.kind) || isInTable)
      return this.#rejects.get(placeOf(sent))?.length ? undefined : 'without the reject of';
    for (const line of sent.lines) {
      const count = counts.get(line) ?? 0;
      if (count > 1) return 'with more than one of';
      // Of an event that was sent more than once, any of its records may be the one that is stored, perhaps later.
      if (count === 0 && this.#ids.get(idOf(line))!.length === 1) return 'without';
    }
    return undefined;
  }

  #shelf(sink: string): Shelf {
    let shelf = this.#shelves.get(sink);
    if (!shelf) this.#shelves.set(sink, (shelf = { counts: new Map(), positions: new Map(), latest: new Map() }));
    return shelf;
  }
}

function isCovered({ shard, sequence }: Sent, position: Resume | undefined): boolean {
  return position !== undefined && compareResumes({ shard, sequence, subSequence: 0 }, position) <= 0;
}

function placeOf({ shard, sequence }: Pick<Position, 'shard' | 'sequence'>): string {
  return `${shard} ${sequence}`;
}

function nameOf({ kind, shard, sequence }: Sent): string {
  return `the ${kind} at ${shard} ${sequence}`;
}

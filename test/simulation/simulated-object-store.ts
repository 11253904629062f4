import { hash } from 'node:crypto';
import { type ObjectHead, type ObjectStore, type PutOptions, PreconditionFailedError } from '../../src/stores/object-store.ts';
import type { Checker } from './checker.ts';
import type { SimulatedProcess } from './simulated-process.ts';

interface StoredObject extends ObjectHead {
  readonly body: Uint8Array;
}

/** What a planted fault takes away from an object store. */
export interface ObjectStorePlant {
  /** It stores whatever the condition says. */
  readonly noConditions?: boolean;
  /** Makes another key of an object's. */
  readonly keyOf?: (key: string, process: SimulatedProcess) => string;
}

/** A server of objects, with conditional writes: each put takes place whole, at one moment, or not at all. */
export class SimulatedObjectStore {
  readonly #checker: Checker;
  readonly #plant: ObjectStorePlant;
  readonly #objects = new Map<string, StoredObject>();

  constructor(checker: Checker, plant: ObjectStorePlant = {}) {
    this.#checker = checker;
    this.#plant = plant;
  }

  /** The store as a process has it. */
  for(process: SimulatedProcess): ObjectStore {
    const call = <T>(what: string, serve: () => T): Promise<T> =>
      process.call(what, FATES, serve, () => Object.assign(new Error('SlowDown'), { $metadata: { httpStatusCode: 503 } }));
    const keyOf = (key: string): string => (key.startsWith('_millrace/') ? key : (this.#plant.keyOf?.(key, process) ?? key));
    return {
      describe: 'simulated objects',
      open: async () => ({
        head: (key) => call(`head ${keyOf(key)}`, () => this.#objects.get(keyOf(key))),
        get: (key) => call(`get ${key}`, () => this.#objects.get(key)),
        put: (key, body, options = {}) => call(`put ${keyOf(key)}`, () => this.#put(process, keyOf(key), body, options)),
        async *list() {},
        close: async () => {},
      }),
    };
  }

  #put(process: SimulatedProcess, key: string, body: Uint8Array, { condition, metadata = {} }: PutOptions): string {
    const there = this.#objects.get(key);
    const isMet = condition === undefined || (condition === 'absent' ? !there : there?.etag === condition.etag);
    if (!isMet && !this.#plant.noConditions) throw new PreconditionFailedError('simulated objects', key);
    // As S3 has it: equal bytes, equal etags.
    const etag = hash('md5', body);
    this.#objects.set(key, { etag, body, metadata, sizeBytes: body.length });
    this.#checker.put(process.name, key, Buffer.from(body).toString());
    return etag;
  }
}

const FATES = ['lost', 'unanswered', 'late', 'repeated'] as const;

import type { Delivery } from '../../delivery.ts';
import type { Origin } from '../../event.ts';
import type { Position } from '../../position.ts';
import type { Gathered, ListedPart, RecordsPart, WindowPart } from '../window.ts';

/** Makes what an event holds of its record's bytes. */
export type MakeData<out T> = (raw: Uint8Array) => T;

/** What an open window has so far: events with their data, and records as they are, of which only the numbers are kept. */
export class WindowContents<T> implements Gathered<T> {
  readonly parts: WindowPart<T>[] = [];
  readonly deliveries: Delivery[] = [];
  count = 0;
  sizeBytes = 0;
  lastDelivery: Delivery | undefined;
  /** Of the last event, when that was none of a record as it is. */
  #lastOrigin: Origin | undefined;
  /** What the last event went into: one of both. */
  #listed: { origins: Origin[]; data: T[] } | undefined;
  #records: { -readonly [key in keyof RecordsPart<T>]: RecordsPart<T>[key] } | undefined;
  /** The numbers of one delivery's records, the last one of which there are any: one array for all parts of it. */
  #numbers = new Uint32Array();
  #numbersOf: Delivery | undefined;
  #used = 0;

  /** Where its first event lies; nothing when there is none. */
  get first(): Position | undefined {
    const part = this.parts[0];
    if (!part) return undefined;
    return 'origins' in part ? part.origins[0] : part.delivery.records!.positionOf(part.numbers[part.from]!);
  }

  /** Whether the last event was made of this same record. */
  endsWith(origin: Origin): boolean {
    return this.#lastOrigin?.isSameRecord(origin) ?? false;
  }

  /** @throws {Error} when the event's delivery is settled already */
  add(data: T, origin: Origin): void {
    this.#count(origin.delivery, origin.sizeBytes);
    if (!this.#listed) {
      this.parts.push((this.#listed = { origins: [], data: [] }) satisfies ListedPart<T>);
      this.#records = undefined;
    }
    this.#listed.origins.push(origin);
    this.#listed.data.push(data);
    this.#lastOrigin = origin;
  }

  /** Takes a record as it is, by its number in its delivery. */
  addRecord(delivery: Delivery, index: number, make: MakeData<T>): void {
    if (delivery !== this.#numbersOf) {
      this.#numbers = new Uint32Array(delivery.count - index);
      this.#numbersOf = delivery;
      this.#used = 0;
      this.#records = undefined;
    }
    this.#count(delivery, delivery.records!.sizeOf(index));
    if (!this.#records) {
      const [from, numbers] = [this.#used, this.#numbers];
      this.parts.push((this.#records = { delivery, numbers, from, to: from, make }));
      this.#listed = undefined;
      this.#lastOrigin = undefined;
    }
    this.#numbers[this.#used++] = index;
    this.#records.to = this.#used;
  }

  /** Holds each delivery once. */
  #count(delivery: Delivery, sizeBytes: number): void {
    if (delivery !== this.lastDelivery) {
      delivery.hold();
      this.deliveries.push(delivery);
      this.lastDelivery = delivery;
    }
    this.count++;
    this.sizeBytes += sizeBytes;
  }
}

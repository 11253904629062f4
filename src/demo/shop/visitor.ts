import { type Device, devices } from './devices.ts';
import { places } from './places.ts';
import { Random } from '../random.ts';
import { Visit } from './visit.ts';

/** A visitor of the shop, the same person with the same device each time she comes, and her present visit. */
export class Visitor {
  /** Her domain_userid: all that she does goes to one shard, in order. */
  readonly id: string;
  /** Who she is to a pipeline: her user_id where she has one, else her domain_userid. */
  readonly user: string;
  readonly device: Device;
  readonly visit: Visit;
  /** The columns from txn_id to ip_netspeed (7 to 28). */
  readonly columns: string;
  readonly sessionId: string;
  readonly timezone: string;

  /**
   * @param number who she is
   * @param random what she does this time
   */
  constructor(seed: number, number: number, random: Random) {
    const self = new Random(seed, number, 1);
    this.id = self.uuid();
    this.device = self.pick(devices);
    const place = self.pick(places);
    const address = `${place.network}.${self.below(256)}`;
    const user = self.chance(0.4) ? `customer-${10_000 + number}` : '';
    this.user = user || this.id;
    const [fingerprint, network] = [self.word() >>> 0, self.uuid()];
    const session = 1 + random.below(30);
    this.columns =
      `\tshop\tjs-3.24.0\tssc-3.2.1-kinesis\tsnowplow-enrich-kinesis-4.2.0\t${user}\t${address}\t${fingerprint}\t` +
      `${this.id}\t${session}\t${network}\t${place.columns}`;
    this.timezone = place.timezone;
    this.sessionId = random.uuid();
    this.visit = new Visit(random, place.address);
  }
}

import type { RedisClient } from '../stores/redis/client.ts';
import { catalogue } from './shop/catalogue.ts';

const LOOK_EVERY_MS = 1000;
/** A visitor who did nothing for so long has left. */
const GONE_AFTER_MS = 5000;
/** Products of each kind that are told. */
const PRODUCTS = 5;
const NAME_WIDTH = 16;

/** Follows one visitor through the shop, as its pages would see her, and the next one when she has left. */
export class Follower {
  readonly #redis: RedisClient;
  readonly #timer: ReturnType<typeof setInterval>;
  #user: string | undefined;
  #lastSeenMs = 0;
  #lines: readonly string[] = [];

  /** @param redis where the realtime pipeline keeps what it knows of her */
  constructor(redis: RedisClient) {
    this.#redis = redis;
    this.#timer = setInterval(() => void this.#look(), LOOK_EVERY_MS);
  }

  /** Takes note of what somebody did. */
  saw(user: string): void {
    if (Date.now() - this.#lastSeenMs > GONE_AFTER_MS) this.#user = user;
    if (user === this.#user) this.#lastSeenMs = Date.now();
  }

  /** What she viewed, newest first, and what is recommended to her, best first. */
  lines(): readonly string[] {
    return this.#lines;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#user === undefined) return;
    const user = this.#user;
    try {
      const [viewed, recommended] = (await this.#redis.callAll([
        ['LRANGE', `viewed:{${user}}`, 0, PRODUCTS - 1],
        ['ZREVRANGE', `recommended:{${user}}`, 0, PRODUCTS - 1],
      ])) as [string[], string[]];
      this.#lines = [
        `${nameOf(user).padEnd(NAME_WIDTH)}viewed       ${namesOf(viewed)}`,
        `${''.padEnd(NAME_WIDTH)}recommended  ${namesOf(recommended)}`,
      ];
    } catch {
      // The pipeline says what is wrong with the server.
    }
  }
}

/** Of a domain_userid its beginning. */
function nameOf(user: string): string {
  return user.length < NAME_WIDTH ? user : user.slice(0, 8);
}

const names = new Map(catalogue.map(({ sku, name }) => [sku, name]));

function namesOf(skus: readonly string[]): string {
  return skus.length === 0 ? 'nothing yet' : skus.map((sku) => names.get(sku) ?? sku).join(' · ');
}

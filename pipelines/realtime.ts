import { filter } from 'rxjs';
import { z } from 'zod';
import {
  apply,
  command,
  decode,
  dedupe,
  endpoint,
  enriched,
  eventId,
  identityLog,
  isProductAction,
  kinesis,
  kinesisMode,
  lookup,
  main,
  pattern,
  pipeline,
  productAction,
  reads,
  redis,
  redisUrl,
  rejectsIntoRedis,
  streamName,
  stripCheckpoints,
  transform,
} from '../src/index.ts';
import { visitorChanges } from './visitor-keys.ts';

/** How much each action says about the visitor's interest in the product. */
export const weights = { page_view: 1, 'product/view': 2, 'cart/add': 5, 'cart/remove': -3, transaction_item: 20 };

export const realtime = command({
  summary: 'Keeps in Redis what each visitor viewed last, what she likes, and what to recommend her.',
  settings: {
    KINESIS_STREAM: streamName.describe('the stream of enriched events'),
    KINESIS_ENDPOINT: endpoint.optional().describe('a Kinesis API server other than AWS'),
    KINESIS_MODE: kinesisMode.default('polling').describe('polling, or fan-out: records come sooner, at a price'),
    AWS_REGION: z.string().optional().describe('the region of the stream; otherwise as the AWS SDK finds it'),
    REDIS_URL: redisUrl.default('redis://127.0.0.1:6379').describe('redis://user:password@host:port/database'),
    PRODUCT_PAGE: pattern.prefault('^/p/([a-z]{2}-[0-9]{4})$').describe("the path of a product's page, its sku as a group"),
    STATE_FILE: z.string().default('./data/realtime.state').describe('the event ids of the last hour: a file or a server’s URL'),
  },
  pipeline(settings) {
    const { KINESIS_STREAM: stream, KINESIS_MODE: mode, AWS_REGION: region } = settings;
    const store = redis(settings.REDIS_URL, { rememberScores: 1_000_000, keepRejects: { days: 90 } });

    return pipeline('realtime')
      .from(kinesis({ stream, mode, region, endpoint: settings.KINESIS_ENDPOINT }))
      .pipe(
        stripCheckpoints(),
        decode(enriched),
        dedupe({ by: eventId, within: { hours: 1 }, state: identityLog(settings.STATE_FILE) }),
        transform(productAction({ weights, page: settings.PRODUCT_PAGE, skuOf: (text) => text.toUpperCase() })),
        filter(isProductAction),
        lookup({
          from: store,
          keys: ({ sku }) => [reads.highest(`similar:${sku}`, 20), reads.get(`brand:${sku}`)],
          attach: (action, [similar, brand]) => ({ ...action, similar, brand: action.brand ?? brand }),
          cache: { entries: 100_000, for: { minutes: 10 } },
        }),
      )
      .to(apply(store, visitorChanges))
      .rejects(rejectsIntoRedis(store));
  },
});

if (import.meta.main) await main(realtime);

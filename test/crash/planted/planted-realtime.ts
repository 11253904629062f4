import { filter } from 'rxjs';
import {
  apply,
  command,
  decode,
  enriched,
  isProductAction,
  kinesis,
  lookup,
  main,
  pipeline,
  productAction,
  reads,
  redis,
  rejectsIntoRedis,
  transform,
} from '../../../src/index.ts';
import type { CommandStore } from '../../../src/index.ts';
import { realtime, weights } from '../../../pipelines/realtime.ts';
import { visitorChanges } from '../../../pipelines/visitor-keys.ts';

type OpenCommandStore = Awaited<ReturnType<CommandStore['open']>>;

/** Runs the realtime pipeline with a store that does something wrong, so that the checker can show that it finds it. */
export async function runPlantedRealtime(plant: (right: OpenCommandStore) => Partial<OpenCommandStore>): Promise<void> {
  const planted = command({
    summary: 'The realtime pipeline with a fault planted.',
    settings: realtime.settings,
    pipeline(settings) {
      const { KINESIS_STREAM: stream, KINESIS_ENDPOINT: endpoint, AWS_REGION: region } = settings;
      const store = redis(settings.REDIS_URL);
      const wrong: CommandStore = {
        describe: store.describe,
        async open(context) {
          const right = await store.open(context);
          return {
            callsAtOnce: 1,
            acquire: (owner, shard) => right.acquire(owner, shard),
            positions: (owner, shards) => right.positions(owner, shards),
            execute: (owner, batch) => right.execute(owner, batch),
            rejected: (owner, events) => right.rejected(owner, events),
            keep: (owner, rejects) => right.keep(owner, rejects),
            close: () => right.close(),
            ...plant(right),
          };
        },
      };
      return pipeline('realtime')
        .from(kinesis({ stream, region, endpoint }))
        .pipe(
          decode(enriched),
          transform(productAction({ weights, page: settings.PRODUCT_PAGE, skuOf: (text) => text.toUpperCase() })),
          filter(isProductAction),
          lookup({
            from: store,
            keys: ({ sku }) => [reads.highest(`similar:${sku}`, 20), reads.get(`brand:${sku}`)],
            attach: (action, [similar, brand]) => ({ ...action, similar, brand: action.brand ?? brand }),
          }),
        )
        .to(apply(wrong, visitorChanges))
        .rejects(rejectsIntoRedis(store));
    },
  });
  await main(planted);
}

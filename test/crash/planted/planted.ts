import type { OperatorFunction } from 'rxjs';
import {
  type Event,
  type ObjectStore,
  type Window,
  archive,
  command,
  copyInto,
  databaseFrom,
  decode,
  enriched,
  kinesis,
  label,
  main,
  minuteWindow,
  objectStoreFrom,
  pipeline,
  rejectsIntoDatabase,
  validate,
} from '../../../src/index.ts';
import type { EnrichedEvent } from '../../../src/index.ts';
import type { Database } from '../../../src/index.ts';
import { warehouse } from '../../../pipelines/warehouse.ts';
import { shopLabels } from '../../../pipelines/labels.ts';

/** What takes the place of something right; all of them leave the rest of the pipeline as it is. */
export interface Plant {
  readonly hasNoArchive?: boolean;
  readonly database?: (database: Database, url: string) => Database;
  readonly store?: (store: ObjectStore) => ObjectStore;
  readonly window?: OperatorFunction<Event<EnrichedEvent>, Window<EnrichedEvent>>;
}

/** Runs the warehouse with a fault in it, so that the checker can show that it finds it. */
export async function runPlanted(plant: Plant): Promise<void> {
  const planted = command({
    summary: 'The warehouse with a fault planted.',
    settings: warehouse.settings,
    pipeline(settings) {
      const { DATABASE_URL: url, KINESIS_STREAM: stream, KINESIS_ENDPOINT: endpoint, AWS_REGION: region } = settings;
      const database = databaseFrom(url);
      const events = pipeline('warehouse')
        .from(kinesis({ stream, region, endpoint }))
        .pipe(decode(enriched), validate(label(shopLabels)), plant.window ?? minuteWindow({ every: settings.WINDOW }));
      const copy = copyInto(plant.database?.(database, url) ?? database, { table: settings.TABLE });
      const rejects = rejectsIntoDatabase(database);
      if (plant.hasNoArchive) return events.to(copy).rejects(rejects);
      const store = objectStoreFrom(settings.ARCHIVE_URL);
      return events.to(archive(plant.store?.(store) ?? store, { prefix: 'snowplow' }), copy).rejects(rejects);
    },
  });
  await main(planted);
}

/** Tells who drives the fault that its moment has come. */
export function sayPlanted(): void {
  process.stderr.write('planted fault\n');
}

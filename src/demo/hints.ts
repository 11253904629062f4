import { join } from 'node:path';

/** Says how to look at what the demo has stored. */
export function hints(directory: string, database: string, usual: string): string {
  const query = (sql: string): string => `  npm run -s query -- "${sql}"${directory === usual ? '' : ` ${database}`}`;
  return [
    '',
    'What the visitors looked at most:',
    query(
      "select se_property, count(*) as views from snowplow_events where se_action = 'view' group by all order by 2 desc limit 5",
    ),
    'What was refused, and why:',
    query('select step, code, path, count(*) as events from millrace.rejects group by all'),
    'The same minutes in the archive:',
    `  find ${join(directory, 'archive')} -name '*.gz' | sort | tail -5`,
    '',
  ].join('\n');
}

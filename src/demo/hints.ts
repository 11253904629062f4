import { join } from 'node:path';

/** Says how to look at what the demo has stored. */
export function hints(directory: string, database: string, usual: string): string {
  const query = (sql: string): string => `  npm run -s query -- "${sql}"${directory === usual ? '' : ` ${quoted(database)}`}`;
  return [
    '',
    'What the visitors looked at most:',
    query(
      "select se_property, count(*) as views from snowplow_events where se_action = 'view' group by all order by 2 desc limit 5",
    ),
    'What was refused, and why:',
    query('select step, code, path, count(*) as events from millrace.rejects group by all'),
    'The same minutes in the archive:',
    `  find ${quoted(join(directory, 'archive'))} -name '*.gz' | sort | tail -5`,
    '',
  ].join('\n');
}

/** Says what helps in any case. A crash of the machine leaves a stream that is older than what was stored of it, or none. */
export function beginAnew(directory: string): string {
  return `If that comes again, rm -r ${quoted(directory)} lets the shop begin anew: where the machine went down, its stream is older than what is stored.\n`;
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

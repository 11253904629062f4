import { parseArgs } from 'node:util';
import { here } from './here.ts';
import { linesFile, warmUpLines } from './lines.ts';
import { rxjs } from './peers/rxjs.ts';
import { streams } from './peers/streams.ts';

/**
 * What one would write without millrace, on a file of lines, as far as a sink that stores nothing; no account is kept of what was read:
 *
 *     node bench/peers.ts [--by rxjs | streams] [--events 500000] [--file path]
 *
 * Both take out log lines, check columns and labels, and let each event_id through once. A record that a log line cut in two is lost.
 * Prints one line of JSON: events, bytes, seconds, CPU seconds, peak memory, events that came through. It has had the first lines before.
 */
const { values } = parseArgs({
  options: { by: { type: 'string', default: 'rxjs' }, events: { type: 'string', default: '500000' }, file: { type: 'string' } },
});

const events = Number(values.events);
const input = await linesFile(values.file, events);
const play = values.by === 'streams' ? streams : rxjs;
const warmUp = await warmUpLines(input);
await play(warmUp.path);
await warmUp.remove();
let kept = 0;
const took = await here(async () => {
  kept = await play(input.path);
});
if (kept > events || kept < 0.95 * events) throw new Error(`bench: of ${events} events ${kept} came through`);
process.stdout.write(`${JSON.stringify({ events, bytes: input.bytes, ...took, kept })}\n`);
await input.remove();

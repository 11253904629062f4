import { inspect, parseArgs } from 'node:util';
import type { Duration } from 'date-fns';
import { z } from 'zod';
import { counted } from '../counted.ts';
import type { ListenAddress } from '../observe/metrics/metrics-server.ts';
import type { Start } from '../sources/source.ts';

/** Settings by the names they have in the environment: `KINESIS_STREAM` there is `--kinesis-stream` on the command line. */
export type SettingsShape = Readonly<Record<string, z.ZodType>>;

/** What every pipeline file understands beside its own settings. */
const COMMON = {
  from: {
    argument: '<start>',
    help: 'where to begin in shards no sink knows: TRIM_HORIZON, LATEST or an ISO time, in UTC unless it says otherwise (TRIM_HORIZON)',
  },
  for: { argument: '<duration>', help: 'stop after so long: 500ms, 40s, 10m, 2h' },
  'accept-gap': { help: 'go on where the stream no longer keeps what may have come behind where the run stands' },
  'drain-within': { argument: '<duration>', help: 'how long a stop may take before it is an error (30s)' },
  'stalled-after': { argument: '<duration>', help: 'how long a shard may make no progress before it ends the run (10m)' },
  'metrics-port': {
    argument: '<[host:]port>',
    help: 'a live page, /metrics (Prometheus), /health and /ready there; without a host, on all addresses of the machine (off)',
  },
  log: { argument: '<form>', help: 'text for people, or json: an object a line on stderr (text)' },
  'max-in-flight': { argument: '<MiB>', help: 'the most that may be in memory at a time (256)' },
  check: { help: 'check settings, types, the stream and every store, without changing anything; then end' },
  positions: { help: 'print where each sink stands in each shard, by the word of its store; then end' },
  graph: { help: 'print the pipeline as a Mermaid chart; then end' },
  help: { help: 'print this; then end' },
} as const;

/** The flags that ask about a pipeline instead of running it. */
const QUESTIONS = ['check', 'positions', 'graph'] as const;
export type Question = (typeof QUESTIONS)[number];

/** Text to where a run begins; a time without a zone is in UTC, as all others here are, whatever the zone of the machine. */
export const start = z.string().transform((text, context): Start => {
  if (text === 'TRIM_HORIZON' || text === 'LATEST') return text;
  const [day] = /^\d{4}-\d\d-\d\d(?=T|$)/.exec(text) ?? [];
  const isOfNoZone = /T[\d:.]+$/.test(text);
  const time = new Date(day !== undefined && isDay(day) ? `${text}${isOfNoZone ? 'Z' : ''}` : Number.NaN);
  if (!Number.isNaN(time.getTime())) return time;
  return refuse(context, 'TRIM_HORIZON, LATEST or an ISO time such as 2026-11-22T09:00:00Z', text);
});

/** The 31st of November is the 1st of December to a date: what came that day would be passed over. */
function isDay(text: string): boolean {
  const day = new Date(text);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

/** Text to a length of time: `500ms`, `40s`, `10m`, `2h`. */
export const duration = z.string().transform((text, context): Duration => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  if (number === undefined || Number(number) === 0) return refuse(context, 'a duration such as 500ms, 40s, 10m or 2h', text);
  const value = Number(number);
  if (unit === 'ms') return { seconds: value / 1000 };
  return unit === 's' ? { seconds: value } : unit === 'm' ? { minutes: value } : { hours: value };
});

/** Text to where to listen: `9464`, `127.0.0.1:9464`, `[::1]:9464`. */
const listenAddress = z.string().transform((text, context): ListenAddress => {
  const [, bracketed, plain, port] = /^(?:(?:\[([\da-f:.]+)\]|([\w.-]+)):)?(\d{1,5})$/i.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535) return refuse(context, 'a port such as 9464 or 127.0.0.1:9464', text);
  const host = bracketed ?? plain;
  return { port: Number(port), ...(host !== undefined && { host }) };
});

const common = z.object({
  from: start.optional(),
  for: duration.optional(),
  'accept-gap': z.boolean().optional(),
  'drain-within': duration.optional(),
  'stalled-after': duration.optional(),
  'metrics-port': listenAddress.optional(),
  log: z.enum(['text', 'json'], 'expected text or json').optional(),
  'max-in-flight': z.coerce.number('expected a number of MiB above 0').positive('expected a number of MiB above 0').optional(),
  check: z.boolean().default(false),
  positions: z.boolean().default(false),
  graph: z.boolean().default(false),
  help: z.boolean().default(false),
});

export type CommonSettings = z.infer<typeof common>;

/** The name of a setting whose flag means something else in every pipeline file; nothing when all are free. */
export function takenName(shape: SettingsShape): string | undefined {
  return Object.keys(shape).find((name) => Object.hasOwn(COMMON, flagOf(name)));
}

/** All that is wrong with the settings, one line each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** Adds a problem to a zod check in our form, without showing secrets that a URL may hold. */
function refuse(context: { addIssue(issue: string): void }, expected: string, came: string): never {
  context.addIssue(`expected ${expected}, got ${JSON.stringify(withoutSecrets(came))}`);
  return z.NEVER;
}

/** A text without the user and password, and without the query, of a URL in it, be it written wrong. */
export function withoutSecrets(text: string): string {
  return text
    .replace(/^([^@]*?[a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1***@')
    .replace(/(:\/\/[^/?:@]*):(?!\d+(?:[/?,\s"']|$))[^/?]*/, '$1:***')
    .replace(/\?.*$/s, '?***');
}

/**
 * Reads settings from flags and the environment, flags first, and checks all of them before anything starts.
 *
 * @throws {SettingsError} naming every missing, wrong or unknown setting, with what was expected
 */
export function readSettings<S extends SettingsShape>(
  shape: S,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  without: readonly Question[] = [],
): { settings: z.infer<z.ZodObject<S>>; common: CommonSettings } {
  const problems: string[] = [];
  const flags = parseFlags(shape, args, problems, without);
  const own: Record<string, string> = {};
  for (const name of Object.keys(shape)) {
    const flag = flags[flagOf(name)];
    // An empty variable is one that is not set.
    const value = typeof flag === 'string' ? flag : environment[name] || undefined;
    if (value !== undefined) own[name] = value;
  }
  const settings = safely(shape, own);
  const shared = common.safeParse(
    Object.fromEntries(Object.keys(COMMON).flatMap((name) => (name in flags ? [[name, flags[name]]] : []))),
  );
  if ('thrown' in settings) problems.push(...settings.thrown);
  else
    for (const issue of settings.error?.issues ?? []) problems.push(`${nameOf(String(issue.path[0]))}: ${messageOf(issue, own)}`);
  for (const issue of shared.error?.issues ?? []) problems.push(`--${String(issue.path[0])}: ${messageOf(issue, flags)}`);
  if (flags['help'] === true)
    return { settings: undefined as never, common: { help: true, check: false, positions: false, graph: false } };
  // The answer to one, with a code of 0, would be taken for that to the other.
  const asked = QUESTIONS.filter((name) => flags[name] === true).map((name) => `--${name}`);
  if (asked.length > 1) problems.push(`expected one question at a time, got ${asked.join(' and ')}`);
  if (problems.length > 0) throw new SettingsError(`${problems.join('\n')}\n(--help lists all settings)`);
  return { settings: (settings as { readonly data: z.infer<z.ZodObject<S>> }).data, common: shared.data! };
}

/** What the types make of the texts; or what those say that threw, as `JSON.parse` does in a `transform`. */
function safely(
  shape: SettingsShape,
  own: Readonly<Record<string, string>>,
): z.ZodSafeParseResult<unknown> | { readonly thrown: string[] } {
  try {
    return z.object(shape).safeParse(own);
  } catch {
    const thrown: string[] = [];
    for (const [name, type] of Object.entries(shape)) {
      try {
        type.safeParse(own[name]);
      } catch (error) {
        const words = SECRET.test(name) ? 'expected another value' : String(error); // what could not be read, JSON.parse quotes
        thrown.push(`${nameOf(name)}: ${words}${gotOf(name, own[name])}`);
      }
    }
    return { thrown };
  }
}

/** The text of `--help`: every setting with its flag, its default and what it means. */
export function helpOf(file: string, summary: string, shape: SettingsShape, without: readonly Question[] = []): string {
  const rows = Object.entries(shape).map(([name, type]) => {
    const hasDefault = type instanceof z.ZodDefault || type instanceof z.ZodPrefault;
    const fallback = hasDefault ? ` (${shown(type.def.defaultValue)})` : type.safeParse(undefined).success ? '' : ' (required)';
    return [`${name}, --${flagOf(name)}`, `${descriptionOf(type)}${fallback}`] as const;
  });
  const shared = commonFlags(without).map(
    ([name, entry]) => [`--${name}${'argument' in entry ? ` ${entry.argument}` : ''}`, entry.help] as const,
  );
  const width = Math.max(...[...rows, ...shared].map(([left]) => left.length)) + 2;
  const table = (lines: readonly (readonly [string, string])[]): string =>
    lines.map(([l, r]) => `  ${l.padEnd(width)}${r}`).join('\n');
  return `${summary}\n\nnode ${file} [flags]\n\nSettings, from the environment or as flags (flags win):\n${table(rows)}\n\nFlags:\n${table(shared)}\n`;
}

/** A default as text, as a setting comes; of one that is none, as `duration.default({ minutes: 1 })`, what it is. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value, { breakLength: Infinity });
}

/** What `describe` said, also before what it was wrapped in: zod keeps it with the type that it was said of. */
function descriptionOf(type: z.ZodType): string {
  if (type.description !== undefined) return type.description;
  const isWrapped = type instanceof z.ZodOptional || type instanceof z.ZodDefault || type instanceof z.ZodPrefault;
  return isWrapped ? descriptionOf(type.unwrap() as z.ZodType) : '';
}

function commonFlags(without: readonly string[]): [name: string, entry: { argument?: string; help: string }][] {
  return Object.entries(COMMON).filter(([name]) => !without.includes(name));
}

function parseFlags(
  shape: SettingsShape,
  args: readonly string[],
  problems: string[],
  without: readonly Question[],
): Record<string, unknown> {
  const options: Record<string, { type: 'string' | 'boolean' }> = {};
  for (const name of Object.keys(shape)) options[flagOf(name)] = { type: 'string' };
  for (const [name, entry] of commonFlags(without)) options[name] = { type: 'argument' in entry ? 'string' : 'boolean' };
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const message = withoutSecrets((error as Error).message.split(/\. |\.?\n/)[0]!);
    // Mostly of a pattern without quotes, of which the shell has made several names.
    problems.push(
      message.replace(/^Unexpected argument .*/s, '$&: a value stands behind its flag, and a pattern such as *.log in quotes'),
    );
    const { values } = parseArgs({ args: [...args], options, strict: false });
    // Of a flag without its value that has been said.
    return Object.fromEntries(
      Object.entries(values).filter(([name, value]) => typeof value === (options[name]?.type ?? 'boolean')),
    );
  }
}

function messageOf(issue: z.core.$ZodIssue, values: Readonly<Record<string, unknown>>): string {
  const name = String(issue.path[0]);
  const value = values[name];
  if (value === undefined) return 'expected a value, got none';
  return issue.code === 'custom' ? issue.message : `${issue.message}${gotOf(name, value)}`;
}

/** Names of settings whose values are not for a log. */
const SECRET = /(password|passphrase|secret|token|key|credentials?)$/i;

function gotOf(name: string, value: unknown): string {
  if (typeof value !== 'string') return `, got ${JSON.stringify(value)}`;
  return SECRET.test(name)
    ? `, got ${counted(value.length, 'character')} (not shown)`
    : `, got ${JSON.stringify(withoutSecrets(value))}`;
}

function flagOf(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

function nameOf(name: string): string {
  return `${name} (--${flagOf(name)})`;
}

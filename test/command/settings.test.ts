import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { pipeline } from '../../src/pipeline.ts';
import { command } from '../../src/command/main.ts';
import { archiveUrl, databaseUrl, pattern, redisUrl, streamName } from '../../src/command/setting-types.ts';
import { identityLog } from '../../src/stores/identity-log.ts';
import { SettingsError, duration, helpOf, readSettings, start, withoutSecrets } from '../../src/command/settings.ts';

const shape = {
  KINESIS_STREAM: z.string().describe('the stream to read'),
  KINESIS_ENDPOINT: z.url({ error: 'expected a URL' }).optional().describe('its endpoint'),
  TABLE: z.string().default('events').describe('the table'),
  WINDOW: duration.prefault('1m').describe('its length'),
};

function problemsOf(args: string[], environment: NodeJS.ProcessEnv = {}): string {
  try {
    readSettings(shape, args, environment);
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    return (error as Error).message;
  }
  throw new Error('expected settings to be refused');
}

describe('settings', () => {
  it('come from the environment, with defaults', () => {
    const { settings, common } = readSettings(shape, [], { KINESIS_STREAM: 'shop' });
    expect(settings).toEqual({ KINESIS_STREAM: 'shop', TABLE: 'events', WINDOW: { minutes: 1 } });
    expect(common).toEqual({ check: false, positions: false, graph: false, help: false });
  });

  it('come from flags first', () => {
    const { settings } = readSettings(shape, ['--kinesis-stream', 'other', '--table=t'], { KINESIS_STREAM: 'shop' });
    expect(settings).toEqual({ KINESIS_STREAM: 'other', TABLE: 't', WINDOW: { minutes: 1 } });
  });

  it('take a gap only when told to', () => {
    const { common } = readSettings(shape, ['--accept-gap'], { KINESIS_STREAM: 'shop' });
    expect(common['accept-gap']).toBe(true);
  });

  it('ask one question at a time, as one answer would pass for the other', () => {
    expect(problemsOf(['--check', '--graph'], { KINESIS_STREAM: 'shop' })).toBe(
      'expected one question at a time, got --check and --graph\n(--help lists all settings)',
    );
    expect(problemsOf(['--positions', '--check'])).toContain('got --check and --positions');
  });

  it('say of a word that belongs to no flag where a value stands, and how the shell leaves a pattern alone', () => {
    expect(problemsOf(['--table', 'a.log', 'b.log'], { KINESIS_STREAM: 'shop' })).toContain(
      "Unexpected argument 'b.log': a value stands behind its flag, and a pattern such as *.log in quotes",
    );
  });

  it('say how long a shard may make no progress', () => {
    const { common } = readSettings(shape, ['--stalled-after', '3m'], { KINESIS_STREAM: 'shop' });
    expect(common['stalled-after']).toEqual({ minutes: 3 });
    expect(problemsOf(['--stalled-after', 'never'])).toContain('--stalled-after: expected a duration such as 500ms');
  });

  it('say whether the log is for people or machines', () => {
    expect(readSettings(shape, ['--log', 'json'], { KINESIS_STREAM: 'shop' }).common.log).toBe('json');
    expect(problemsOf(['--log', 'xml'])).toContain('--log: expected text or json');
  });

  it('say where to tell metrics', () => {
    const metricsPort = (text: string): unknown =>
      readSettings(shape, ['--metrics-port', text], { KINESIS_STREAM: 'shop' }).common['metrics-port'];
    expect(metricsPort('9464')).toEqual({ port: 9464 });
    expect(metricsPort('127.0.0.1:0')).toEqual({ host: '127.0.0.1', port: 0 });
    expect(metricsPort('[::1]:9464')).toEqual({ host: '::1', port: 9464 });
    for (const wrong of ['65536', 'localhost', '::1:9464', 'tcp://10.0.0.1:9464', ''])
      expect(problemsOf([`--metrics-port=${wrong}`])).toContain('--metrics-port: expected a port such as 9464 or 127.0.0.1:9464');
  });

  it('take an empty variable for one that is not set', () => {
    expect(problemsOf([], { KINESIS_STREAM: '' })).toContain('KINESIS_STREAM (--kinesis-stream): expected a value, got none');
  });

  it('say of a value that begins with a dash what is wrong, and no more', () => {
    const problems = problemsOf(['--for', '-5s'], { KINESIS_STREAM: 'x' }).split('\n');
    expect(problems).toContain("Option '--for' argument is ambiguous");
    expect(problems).toContain('--for: expected a duration such as 500ms, 40s, 10m or 2h, got "-5s"');
  });

  it('say of a flag without its value that it has none, and no more', () => {
    expect(problemsOf(['--for'], { KINESIS_STREAM: 'x' }).split('\n')).toEqual([
      "Option '--for <value>' argument missing",
      '(--help lists all settings)',
    ]);
  });

  it('name everything that is missing, wrong or unknown in one message', () => {
    const problems = problemsOf(['--for', 'soon', '--from', 'yesterday', '--tabel', 'x'], { KINESIS_ENDPOINT: 'not a url' });
    expect(problems).toContain("Unknown option '--tabel'");
    expect(problems).toContain('KINESIS_STREAM (--kinesis-stream): expected a value, got none');
    expect(problems).toContain('KINESIS_ENDPOINT (--kinesis-endpoint): expected a URL, got "not a url"');
    expect(problems).toContain('--for: expected a duration such as 500ms, 40s, 10m or 2h, got "soon"');
    expect(problems).toContain(
      '--from: expected TRIM_HORIZON, LATEST or an ISO time such as 2026-11-22T09:00:00Z, got "yesterday"',
    );
  });

  it('say what came, whichever setting it is', () => {
    expect(problemsOf(['--max-in-flight', 'lots'])).toContain('--max-in-flight: expected a number of MiB above 0, got "lots"');
    expect(problemsOf(['--max-in-flight', '0'])).toContain('--max-in-flight: expected a number of MiB above 0, got "0"');
    for (const [type, came, shown] of [
      [redisUrl, 'redis//me:se/cret@cache:6379', '***@cache:6379'],
      [redisUrl, 'redis://me:secret/0', 'redis://me:***/0'],
      [databaseUrl, 'postgresql://me:secret', 'postgresql://me:***'],
      [archiveUrl, 's3://me:secret@Bucket', 's3://…@Bucket'],
    ] as const) {
      const said = type.safeParse(came).error!.issues[0]!.message;
      expect(said).toMatch(/expected .*, got /);
      expect(said).toContain(shown);
      expect(said).not.toContain('cret');
    }
  });

  it('refuse a home folder that only a shell knows', () => {
    for (const [type, url] of [
      [databaseUrl, 'duckdb:~/shop.duckdb'],
      [archiveUrl, 'file:~/archive'],
      [archiveUrl, 'file:~'],
    ] as const)
      expect(type.safeParse(url).error!.issues[0]!.message).toMatch(
        /expected a path without ~, .*: write \$HOME instead, got "(duckdb|file):~/,
      );
    expect(() => identityLog('~/shop.state')).toThrow('identityLog: expected a path without ~');
    expect(archiveUrl.parse('file:./~/x~')).toBe('file:./~/x~');
  });

  it('refuse what a shell would have taken from around a value, and nobody else has', () => {
    for (const [type, value, message] of [
      [databaseUrl, '"postgres://me:secret@db/shop"', /got one with quotes around it/],
      [databaseUrl, ' postgres://me:secret@db/shop', /got one with blanks around it/],
      [databaseUrl, 'duckdb:./shop.duckdb\r', /^duckdb: expected a path without blanks around it, got "\.\/shop.duckdb\\r"/],
      [archiveUrl, "'file:./archive'", /got one with quotes around it/],
      [archiveUrl, 'file:/archive\r', /^directory: expected a path without blanks around it/],
      [archiveUrl, 's3://shop-events/good ', /^s3: expected a URL like/],
      [databaseUrl, 'postgres://me:secret@db/shop ', /^postgres: expected postgres:.* without blanks around it/],
      [redisUrl, 'redis://me:secret@cache:6379\r', /^redis: expected a URL like/],
    ] as const) {
      const said = type.safeParse(value).error!.issues[0]!.message;
      expect(said).toMatch(message);
      expect(said).not.toContain('secret');
    }
    for (const path of [
      '"/data/shop.state"',
      "'/data/shop.state' ",
      '/data/shop.state\r',
      '"/data"/shop.state',
      '/data\r/shop.state',
    ])
      expect(() => identityLog(path)).toThrow(/^identityLog: expected a path without (quotes|blanks) around it, got /);
    expect(archiveUrl.parse('file:./the "archive" of it')).toBe('file:./the "archive" of it');
    expect(archiveUrl.parse('s3://shop-events/')).toBe('s3://shop-events/');
  });

  it.each<[z.ZodType, string]>([
    [
      z.string().min(20),
      'API_TOKEN (--api-token): Too small: expected string to have >=20 characters, got 7 characters (not shown)',
    ],
    [
      z.string().transform((text) => JSON.parse(text) as unknown),
      'API_TOKEN (--api-token): expected another value, got 7 characters (not shown)',
    ],
  ])('never show what a setting has that is named as a secret is', (type, problem) => {
    expect(() => readSettings({ API_TOKEN: type }, ['--api-token', 'hunter2'], {})).toThrow(
      new SettingsError(`${problem}\n(--help lists all settings)`),
    );
  });

  it('are wrong, and no fault of the program, where their type throws', () => {
    const hosts = z.string().transform((text) => JSON.parse(text) as unknown);
    expect(() =>
      readSettings({ HOSTS: hosts, MODE: z.enum(['fast', 'slow']) }, ['--hosts', 'a,b', '--mode', 'fast'], {}),
    ).toThrow(/^HOSTS \(--hosts\): SyntaxError: .* is not valid JSON, got "a,b"\n\(--help/);
    expect(readSettings({ HOSTS: hosts }, ['--hosts', '["a"]'], {}).settings).toEqual({ HOSTS: ['a'] });
  });

  it('never show a secret in a message', () => {
    const problems = problemsOf(['--from', 'postgres://shop:secret@db/x?password=secret'], {
      KINESIS_ENDPOINT: 'x://shop:secret@y z?password=secret',
    });
    expect(problems).not.toContain('secret');
  });

  it('are not declared under a Node that does not tell a pipeline file to run', () => {
    const versions = vi.spyOn(process, 'versions', 'get');
    try {
      for (const node of ['24.2.0', '24.10.1', '26.0.0']) {
        versions.mockReturnValue({ ...process.versions, node });
        command({ summary: '', settings: {}, pipeline: () => pipeline('p') as never });
      }
      versions.mockReturnValue({ ...process.versions, node: '24.1.0' });
      expect(() => command({ summary: '', settings: {}, pipeline: () => pipeline('p') as never })).toThrow(
        'expected Node 24.2.0 or newer, got 24.1.0',
      );
    } finally {
      versions.mockRestore();
    }
  });

  it('have flags of their own', () => {
    const declare = (name: string) =>
      command({ summary: '', settings: { [name]: z.string() }, pipeline: () => pipeline('p') as never });
    expect(declare('FROM_SHOP').settings).toHaveProperty('FROM_SHOP');
    for (const name of ['FROM', 'LOG', 'METRICS_PORT'])
      expect(() => declare(name)).toThrow(`command: expected settings with flags of their own, got ${name}, whose flag every`);
  });

  it('print help without being complete', () => {
    expect(readSettings(shape, ['--help'], {}).common.help).toBe(true);
    const help = helpOf('pipelines/shop.ts', 'Counts the shop.', shape);
    expect(help).toMatch(/KINESIS_STREAM, --kinesis-stream +the stream to read \(required\)/);
    expect(help).toMatch(/TABLE, --table +the table \(events\)/);
    expect(help).toMatch(/WINDOW, --window +its length \(1m\)/);
    expect(help).toMatch(/--from <start> /);
    const odd = helpOf('shop.ts', '', {
      WINDOW: duration.default({ minutes: 1 }).describe('its length'),
      SHARDS: z
        .string()
        .optional()
        .transform((text) => text?.split(','))
        .describe('some'),
    });
    expect(odd).toMatch(/WINDOW, --window +its length \({ minutes: 1 }\)\n +SHARDS, --shards +some\n/);
    const other = helpOf('shop.ts', '', { RATE: z.coerce.number().describe('records a second').default(5) });
    expect(other).toMatch(/RATE, --rate +records a second \(5\)/);
  });

  it('understand durations', () => {
    expect(['500ms', '40s', '10m', '2h', '1.5s'].map((text) => duration.parse(text))).toEqual([
      { seconds: 0.5 },
      { seconds: 40 },
      { minutes: 10 },
      { hours: 2 },
      { seconds: 1.5 },
    ]);
    for (const wrong of ['', '0s', '-1s', '10', '10 d', '1e3s']) expect(duration.safeParse(wrong).success, wrong).toBe(false);
  });

  it('understand where to begin', () => {
    expect(start.parse('LATEST')).toBe('LATEST');
    expect(start.parse('2026-11-22T09:00:00Z')).toEqual(new Date(Date.UTC(2026, 10, 22, 9)));
    expect(start.parse('2028-02-29')).toEqual(new Date(Date.UTC(2028, 1, 29)));
    for (const wrong of ['latest', '12', '2026-13-01', '2026-11-31', '2026-02-29T09:00:00Z'])
      expect(start.safeParse(wrong).success, wrong).toBe(false);
  });

  it('understand a time without a zone as one in UTC, wherever the machine is', () => {
    vi.stubEnv('TZ', 'America/New_York');
    expect(new Date(2026, 10, 22).getUTCHours()).toBe(5);
    for (const text of ['2026-11-22T09:00', '2026-11-22T09:00:00.000', '2026-11-22T10:00+01:00', '2026-11-22T04:00:00-05:00'])
      expect(start.parse(text), text).toEqual(new Date(Date.UTC(2026, 10, 22, 9)));
    expect(start.parse('2026-11-22')).toEqual(new Date(Date.UTC(2026, 10, 22)));
    vi.unstubAllEnvs();
  });

  it('understand the name of a stream, or its ARN', () => {
    const arn = 'arn:aws:kinesis:eu-west-1:123456789012:stream/shop';
    for (const name of ['shop-1_a.b', arn, arn.replace('aws:', 'aws-us-gov:')]) expect(streamName.parse(name)).toBe(name);
    for (const wrong of ['', 'a/b', 'a b', 'arn:aws:s3:::shop', `${arn}/consumer/x:1`, 'x'.repeat(129)])
      expect(() => streamName.parse(wrong), wrong).toThrow('expected a stream name of letters');
  });

  it('understand patterns with a group', () => {
    expect(pattern.parse('^/p/(.*)$').exec('/p/x')?.[1]).toBe('x');
    for (const wrong of ['^/p/(', '^/p/.*$', '^/p/(?:x)$', '']) expect(pattern.safeParse(wrong).success, wrong).toBe(false);
  });

  it('take the user, the password and the query out of a URL', () => {
    expect(withoutSecrets('postgres://me:pw@db:5432/shop?sslkey=pw')).toBe('postgres://***@db:5432/shop?***');
    expect(withoutSecrets('plain text')).toBe('plain text');
  });
});

/** Something that the enricher printed and that may stand inside a record's text. */
export interface Noise {
  /** Where it begins in the text. */
  readonly at: number;
  /** Where it may end; more than one when its last word runs into the text that follows. */
  readonly ends: readonly number[];
  /**
   * `log`: a line whose newline may stand elsewhere; `block`: lines that were written in one go, newlines and all;
   * `bad-row`: an event that the enricher refused; `unknown`: the head of a log line with a message that nobody knows;
   * `exception`: the name of one in the midst of text, which may be a visitor's as well.
   */
  readonly kind: 'log' | 'block' | 'bad-row' | 'unknown' | 'exception';
  /** The thread that printed it; empty when it does not say. */
  readonly thread: string;
  /** How long an exception's name is. */
  readonly length?: number;
  /** Where a partition key begins, when it ends in one. */
  readonly keyAt?: number;
}

/** What every log line of the enricher has in it, in its logger's name: a cheap first test, the cheaper for its rare first letter. */
export const LOGGER = Buffer.from('KinesisS');
/** What an exception's name ends with. */
export const THROWN_WORDS = ['Exception', 'Error', 'Throwable'];
export const THROWN = THROWN_WORDS.map((word) => Buffer.from(word));
/** What every bad row begins with: a cheap first test. */
export const BAD_ROW = Buffer.from('{"line":"');

const shard = String.raw`shardId-\d{12}`;
const uuid = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
const errors = [
  String.raw`Transient issue when checkpointing - attempt \d+ of 10`,
  String.raw`Checkpoint failed after \d+ attempts\.`,
  String.raw`Caught shutdown exception, skipping checkpoint\.`,
  String.raw`Cannot save checkpoint to the DynamoDB table used by the Amazon Kinesis Client Library\.`,
  String.raw`Caught throwable while processing record \{SequenceNumber: [^{}\t\n]*\}`,
].join('|');

// All that KinesisSource says (scala-kinesis-enrich 0.1.0 to 0.7.0). Each says itself where it ends, but for two that are
// printed at start-up alone, and for the partition key.
const ended = [
  String.raw`Using workerId: [\w.-]+:${uuid}`,
  `Initializing record processor for shard: ${shard}`,
  String.raw`Processing \d+ records from ${shard}`,
  String.raw`Sequence number: \d{56}`,
  `Checkpointing shard ${shard}`,
  `Shutting down record processor for shard: ${shard}`,
  errors,
].join('|');
const message = [ended, String.raw`Running: [\w.-]+\.$`, String.raw`Processing raw input stream: [\w.-]+$`].join('|');
const thread = String.raw`main|pool-\d+-thread-\d+|LeaseCoordinator-\d+|RecordProcessor-\d{4}`;
// slf4j-simple 1.7.5 as it comes: thread, level, logger, no time.
const head = String.raw`\[(?<thread>${thread})\] (?:TRACE|DEBUG|INFO|WARN|ERROR) com\.snowplowanalytics\.snowplow\.enrich\.[\w.$]*\bKinesisS[\w$]+ - `;
// Bounded, as it is looked for from each letter on: of a visitor's long word all the rest would be read each time.
const throwable = String.raw`(?:[a-z][\w$]{0,50}\.){1,15}[A-Z][\w$]{0,100}(?:Exception|Error|Throwable)`;
// A piece of a record without a tab is longer than that: 4,096 bytes.
const exception = String.raw`(?:Caused by: )?${throwable}(?:: [^\t\n]{0,1000})?$`;
const frame = String.raw`\tat [\w.$<>]+\((?:[\w$]+\.(?:java|scala):\d+|[\w$]+\.(?:java|scala)|Native Method|Unknown Source)\)|\t\.\.\. \d+ more`;
const badRow = String.raw`\{"line":"[\w+/=-]*","errors":\[(?:"(?:[^"\\\t\n]|\\.)*",?)*\](?:,"failure_tstamp":"[^"\t\n]*")?\}`;
const marked = `${head}(?:(?<message>${message})|(?<key>Partition key: ))?|(?<badRow>${badRow})|${frame}`;
// An exception's first line tells where it begins only at a line's start, or behind a last column, which is a number or a time.
const anywhere = new RegExp(`${marked}|(?:^|(?<=\\t[\\d :.-]{0,40}))${exception}|(?<thrown>${throwable})`, 'g');
// Any letter may begin an exception's name, so looking for one costs ten times what the rest does.
const anywhereButThrown = new RegExp(marked, 'g');

const headHere = new RegExp(head.replace('?<thread>', '?:'), 'y');
const keyWord = /[\w.:%-]{1,253}/y;
/** What a last column may end with. */
const lastBytes = /[\d:.TZ-]*$/;
const keyUuid = new RegExp(uuid, 'y');
const keyAddress = /(?:\d{1,3}|x)(?:\.(?:\d{1,3}|x)){2}\.(?:x|(?<last>\d{1,3}))/y;

/** More than are printed into one line: each may be noise or a visitor's text, and the ways to read them all take time that nobody has. */
const MAX_NOISE = 50;

/** What was read before and tells where open ends are. */
export interface Heard {
  readonly apps: ReadonlySet<string>;
  /** First lines of stack traces. */
  readonly exceptions: ReadonlySet<string>;
  /** Hosts that were partition keys. */
  readonly hosts: ReadonlySet<string>;
}

/** Finds all that may be noise in a text of one line, in order; of more than `MAX_NOISE` the rest is `unknown`. Exceptions' names do not count. */
export function findNoise(text: string, heard: Heard): Noise[] {
  const found: Noise[] = [];
  let count = 0;
  const thrownHere = THROWN_WORDS.some((word) => text.includes(word));
  for (const match of text.matchAll(thrownHere ? anywhere : anywhereButThrown)) {
    const { thread = '', message: said, key, badRow: refused, thrown } = match.groups!;
    const at = match.index;
    const end = at + match[0].length;
    if (thrown === undefined && ++count > MAX_NOISE) return [...found, { at, ends: [], kind: 'unknown', thread }];
    if (key !== undefined) {
      const ends = keyEnds(text, end, heard);
      found.push(ends.length > 0 ? { at, ends, kind: 'log', thread, keyAt: end } : { at, ends, kind: 'unknown', thread });
    } else if (thrown !== undefined) {
      const known = knownAt(text, at, end, heard.exceptions);
      found.push(known ? { ...known, kind: 'log', thread } : { at, ends: [], kind: 'exception', thread, length: end - at });
    } else if (thread !== '' && said === undefined) found.push({ at, ends: [], kind: 'unknown', thread });
    else found.push({ at, ends: [end], kind: refused === undefined ? 'log' : 'bad-row', thread });
  }
  return found;
}

// The name that was found may have a record's letters before it.
function knownAt(
  text: string,
  at: number,
  end: number,
  exceptions: ReadonlySet<string>,
): { at: number; ends: number[] } | undefined {
  let longest: { at: number; ends: number[] } | undefined;
  for (const exception of exceptions) {
    const start = text.indexOf(exception, at);
    if (start === -1 || start >= end) continue;
    if (!longest || start + exception.length > longest.ends[0]!) longest = { at: start, ends: [start + exception.length] };
  }
  return longest;
}

// A key is an address, a UUID or a host's name, and no mark stands behind it.
function keyEnds(text: string, at: number, { apps, hosts }: Heard): number[] {
  keyUuid.lastIndex = keyAddress.lastIndex = keyWord.lastIndex = at;
  if (keyUuid.test(text)) return [keyUuid.lastIndex];
  const address = keyAddress.exec(text);
  if (address) {
    const { last } = address.groups!;
    const end = at + address[0].length;
    if (last === undefined) return [end];
    const start = end - last.length;
    const octets = [last, last.slice(0, 2), last.slice(0, 1)].filter(
      (octet, i, all) => all.indexOf(octet) === i && Number(octet) <= 255 && (octet.length === 1 || !octet.startsWith('0')),
    );
    return octets.map((octet) => start + octet.length);
  }
  const word = keyWord.exec(text)?.[0];
  if (word === undefined) return [];
  const end = at + word.length;
  headHere.lastIndex = end;
  if (end === text.length || headHere.test(text)) {
    // Nothing follows, but the last bytes of a record may stand before it.
    const count = Math.min(lastBytes.exec(word)![0].length, word.length - 1);
    return Array.from({ length: count + 1 }, (_, i) => end - i);
  }
  // An app id alone does not tell: it may be the end of another one.
  const known = [...hosts].filter((host) => text.startsWith(host, at) && hasAppAt(text, at + host.length, apps));
  return known.map((host) => at + host.length).sort((a, b) => b - a);
}

function hasAppAt(text: string, at: number, apps: ReadonlySet<string>): boolean {
  const tab = text.indexOf('\t', at);
  return tab > at && apps.has(text.slice(at, tab));
}

const hostLine = new RegExp(String.raw`^(?:${head})?Partition key: ([\w.:%-]{1,253})$`);

/** The host's name that a line tells as a partition key, and nothing else. */
export function hostIn(text: string): string | undefined {
  const word = hostLine.exec(text)?.at(-1);
  if (word === undefined) return undefined;
  keyUuid.lastIndex = keyAddress.lastIndex = 0;
  return keyUuid.test(word) || keyAddress.test(word) ? undefined : word;
}

const endedLogLine = new RegExp(`^${head}(?:${ended})`);

/** How long the log line is with which a text begins, when its message says itself where it ends; else 0. */
export function logLineLength(text: string): number {
  return endedLogLine.exec(text)?.[0].length ?? 0;
}

const wholeLine = new RegExp(
  String.raw`^(?:(?:${head})?(?:${message}|Partition key: [\w.:%-]{1,253})|\((?:${errors}),.*\)|${frame}|${exception})$`,
);

/** Says whether a line is noise and nothing else: bare as 0.1.0 printed it, or with thread, level and logger. */
export function isNoiseLine(text: string): boolean {
  return wholeLine.test(text);
}

const blockHead = String.raw`(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{1,2}, \d{4},? \d{1,2}:\d\d:\d\d [AP]M com\.amazonaws\.[\w.$]+ [\w$<>]+`;
const blockHeadAtEnd = new RegExp(`${blockHead}$`);

/** Where the first line of a block of java.util.logging begins, at the end of a line; -1 when there is none. */
export function blockAt(text: string): number {
  return text.includes('com.amazonaws.') ? text.search(blockHeadAtEnd) : -1;
}

/** Says whether a line is the second line of such a block. */
export function isBlockMessage(text: string): boolean {
  return /^(?:SEVERE|WARNING|INFO): /.test(text);
}

const blockTrace = new RegExp(`^(?:${frame}|${exception})$`);

/** Says whether a line belongs to the stack trace in such a block. */
export function isBlockTrace(text: string): boolean {
  return blockTrace.test(text);
}

/** Says whether a line is the first of a stack trace. */
export function isException(text: string): boolean {
  return exceptionLine.test(text);
}

const exceptionLine = new RegExp(`^${exception}`);

const anyNoise = new RegExp(String.raw`${throwable}|\[[^\t\]]*\] (?:TRACE|DEBUG|INFO|WARN|ERROR) |\{"line":"|${blockHead}`);

/** Says whether there is in a column what noise begins with, be it of a logger that nobody knows. */
export function hasNoise(column: string): boolean {
  return anyNoise.test(column);
}

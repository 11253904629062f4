/** One series of a metric, as it was read. */
interface ReadSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric as it was read. */
export interface ReadMetric {
  readonly type: string;
  readonly help: string;
  /** By name and labels as they stand there: `name{a="1"}`. */
  readonly series: ReadonlyMap<string, ReadSeries>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^[{,]([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"/;

/**
 * Reads the Prometheus text format 0.0.4, and takes no more of it than a scraper must: HELP, TYPE and values of one metric in a row, each metric
 * and each series once, escapes as the format has them, histograms that add up.
 *
 * @throws {Error} naming the line
 */
export function parsePrometheus(text: string): Map<string, ReadMetric> {
  if (!text.endsWith('\n')) refuse(text.slice(-20), 'a newline at the end');
  const metrics = new Map<string, ReadMetric>();
  const lines = text.slice(0, -1).split('\n');
  for (let i = 0; i < lines.length;) {
    const [, name = '', help = ''] = /^# HELP (\S+) (.+)$/.exec(lines[i]!) ?? refuse(lines[i], 'a HELP line');
    if (NAME.exec(name)?.[0] !== name || metrics.has(name)) refuse(lines[i], 'a name that has not come yet');
    const [, same, type = ''] =
      /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[++i] ?? '') ?? refuse(lines[i], 'a TYPE line');
    if (same !== name) refuse(lines[i], `the type of ${name}`);
    if ((type === 'counter') !== name.endsWith('_total')) refuse(lines[i], 'counters, and only those, in _total');
    const series = new Map<string, ReadSeries>();
    for (i++; i < lines.length && !lines[i]!.startsWith('#'); i++) {
      const sample = parseSample(lines[i]!);
      const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
      if (!suffixes.some((suffix) => sample.name === name + suffix)) refuse(lines[i], `a value of ${name}`);
      const key = lines[i]!.slice(0, lines[i]!.lastIndexOf(' '));
      if (series.has(key)) refuse(lines[i], 'each series once');
      series.set(key, sample);
    }
    if (series.size === 0) refuse(name, 'a metric with values');
    if (type === 'histogram') checkHistogram(name, series.values());
    metrics.set(name, { type, help: unescaped(help), series });
  }
  return metrics;
}

function parseSample(line: string): ReadSeries {
  const name = NAME.exec(line)?.[0] ?? refuse(line, 'a name');
  const labels: Record<string, string> = {};
  let rest = line.slice(name.length);
  if (rest.startsWith('{')) {
    do {
      const [all, label = '', value = ''] = LABEL.exec(rest) ?? refuse(line, 'a label');
      if (label in labels) refuse(line, 'each label once');
      labels[label] = unescaped(value);
      rest = rest.slice(all.length);
    } while (rest.startsWith(','));
    if (!rest.startsWith('}')) refuse(line, 'the end of the labels');
    rest = rest.slice(1);
  }
  const [, number] = /^ (\S+)$/.exec(rest) ?? refuse(line, 'one value');
  const value = number === '+Inf' ? Number.POSITIVE_INFINITY : Number(number);
  return Number.isNaN(value) ? refuse(line, 'a number') : { name, labels, value };
}

function checkHistogram(name: string, series: Iterable<ReadSeries>): void {
  const counts = new Map<string, { le: number; value: number }[]>();
  for (const { name: part, labels, value } of series) {
    const { le = '', ...owner } = labels;
    const key = JSON.stringify(owner);
    const so = counts.get(key) ?? [];
    counts.set(key, so);
    const last = so.at(-1) ?? { le: Number.NEGATIVE_INFINITY, value: 0 };
    if (part.endsWith('_bucket')) so.push({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value });
    if (part.endsWith('_bucket') && !(so.at(-1)!.le > last.le && value >= last.value))
      refuse(`${name} ${le}`, 'buckets that ascend');
    if (part.endsWith('_count') && !(last.le === Number.POSITIVE_INFINITY && value === last.value))
      refuse(`${name} ${key}`, 'the count in the bucket of +Inf');
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

function refuse(line: string | undefined, expected: string): never {
  throw new Error(`expected ${expected}, got ${JSON.stringify(line)}`);
}

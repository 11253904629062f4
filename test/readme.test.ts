import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { METRICS } from '../src/observe/metrics/metric-list.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const readme = read('README.md');

describe('README', () => {
  it('quotes pipelines/warehouse.ts as it is', () => {
    const [, quoted] = /<!-- pipelines\/warehouse.ts -->\s+```ts\n([^]*?)\n```/.exec(readme)!;
    const program = read('pipelines/warehouse.ts');
    expect(quoted).toBe(program.slice(program.indexOf('export const warehouse')).trim());
  });

  it('quotes the heart of pipelines/realtime.ts as it is', () => {
    const [, quoted] = /<!-- pipelines\/realtime.ts -->\s+```ts\n([^]*?)\n```/.exec(readme)!;
    const [, heart] = /\n( {4}return pipeline[^]*?;)\n {2}\},/.exec(read('pipelines/realtime.ts'))!;
    expect(quoted).toBe(heart!.replaceAll(/^ {4}/gm, ''));
  });

  it('names only files that are there', () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
      .map(([, link]) => link!)
      .filter((link) => !link.startsWith('http'));
    expect(links.length).toBeGreaterThan(15);
    expect(links.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });

  it('copies for a newcomer what the package has, and what then needs nothing else', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const copied = [...readme.matchAll(/node_modules\/millrace\/(pipelines\/[\w-]+\.ts)/g)].map(([, file]) => file!);
    expect(copied.length).toBeGreaterThan(1);
    expect(files).toContain('pipelines');
    for (const file of copied) {
      expect(files).not.toContain(`!${file}`);
      const imported = [...read(file).matchAll(/from '(\.[^']+)'/g)].map(([, path]) => path!);
      const names = copied.map((one) => one.replace('pipelines/', './'));
      expect(imported.filter((path) => path !== '../src/index.ts' && !names.includes(path))).toEqual([]);
    }
  });

  it('comes to a newcomer with the pages on what is to be written, run and watched', () => {
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const pages = files.filter((file) => file.startsWith('docs/'));
    expect(pages.map((page) => page.slice('docs/'.length, -'.md'.length))).toEqual([
      'deployment',
      'metrics',
      'restore',
      'sinks-and-sources',
      'visitor-keys',
      'your-own',
    ]);
    expect(pages.filter((page) => !existsSync(join(root, page)) || !readme.includes(`](${page}`))).toEqual([]);
  });

  it('and its pages point to headings that are there', () => {
    const anchorOf = (heading: string): string =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-');
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    const pages = ['README.md', ...files.filter((file) => file.startsWith('docs/'))];
    const links = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!http)([^)#]*)#([^)]+)\)/g)].map(([, file, anchor]) => ({
        page,
        target: file === '' ? page : join(dirname(page), file!),
        anchor,
      })),
    );
    expect(links.length).toBeGreaterThan(10);
    const lost = links.filter(({ target, anchor }) => {
      const anchors = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!));
      return !anchors.includes(anchor!);
    });
    expect(lost).toEqual([]);
  });

  it('names only scripts that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/npm (?:run )?(start|test|run [\w:]+)/g)].map(([, script]) => script!.replace('run ', ''));
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((script) => !(script in scripts))).toEqual([]);
  });
});

describe('docs/metrics.md', () => {
  it('has every metric in its table, as the metrics themselves tell it', () => {
    const rows = [...read('docs/metrics.md').matchAll(/^\| `((?:millrace|process)_[^`]+)` +\| (.*?) +\|$/gm)].map(
      ([, metric, help]) => [metric, help],
    );
    const expected = Object.entries(METRICS).map(([name, { labels, help }]) => [
      labels.length > 0 ? `${name}{${labels.join(', ')}}` : name,
      help,
    ]);
    expect(rows).toEqual(expected);
  });
});

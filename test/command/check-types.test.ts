import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkTypes } from '../../src/command/check-types.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-types-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a project of its own; the path of its pipeline. */
function project(name: string, program: string, config?: object): string {
  const src = join(folder, name, 'src');
  mkdirSync(src, { recursive: true });
  writeFileSync(join(src, 'pipeline.ts'), program);
  if (config)
    writeFileSync(
      join(folder, name, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { strict: true, types: [] }, ...config }),
    );
  return join(src, 'pipeline.ts');
}

describe('a check of types', { timeout: 60_000 }, () => {
  it('goes by the tsconfig.json nearest to the pipeline file, wherever the process is', () => {
    expect(checkTypes(project('good', 'export const n: number = 1;', { include: ['src'] }))).toMatch(
      /pipeline\.ts fits together$/,
    );
    const wrong = project('wrong', 'export const n: number = "one";', { include: ['src'] });
    expect(() => checkTypes(wrong)).toThrow(/pipeline\.ts\(1,14\): error TS2322/);
  });

  it('says when it looked at nothing: there is no tsconfig.json, or it leaves the file out', () => {
    const alone = project('alone', 'export const n: number = "one";');
    expect(checkTypes(alone)).toBe(`not checked, as no tsconfig.json is beside ${alone} or above it`);
    const left = project('left', 'export const n: number = "one";', { include: ['other'], files: [] });
    expect(checkTypes(left)).toMatch(/^not checked, as .*left\/tsconfig\.json does not list .*pipeline\.ts$/);
  });

  it('tells of what is wrong in files beside it', () => {
    const file = project('beside', "export { n } from './other';", { include: ['src'] });
    writeFileSync(join(folder, 'beside', 'src', 'other.ts'), 'export const n: number = "one";');
    expect(() => checkTypes(file)).toThrow(/other\.ts\(1,14\): error TS2322/);
  });
});

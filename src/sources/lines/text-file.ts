import type { Compression } from '../../sinks/pack-lines.ts';

/** A file of lines, as it was found. */
export interface TextFile {
  /** As its pattern has it: relative where that is. */
  readonly path: string;
  /** Its path, and what tells it from another file that had or will have that path: `logs/good.log#5f3a9c21`. */
  readonly shard: string;
  readonly folder: string;
  /** So much of it is read, whatever is appended meanwhile. */
  readonly sizeBytes: number;
  /** When it was made, which stays as it is when it grows; when it was last written to where that was before, as of a copy, or where nobody knows. */
  readonly madeAtMs: number;
  /** When it was last written to. */
  readonly modifiedAtMs: number;
  /** By the end of its name, or by what it begins with; nothing when it is plain. */
  readonly compression: Compression | undefined;
  /** @throws {Error} when it is another one than was found */
  readonly open: () => Promise<OpenFile>;
}

/** A file that is read. */
export interface OpenFile {
  /** What lies from a place on, of that length or less, in memory of its own; nothing at the end. */
  read(at: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** How many hexadecimal digits tell a file from others of its path. */
export const MARK_DIGITS = 8;

const COMPRESSIONS: Readonly<Record<string, Compression>> = { gz: 'gzip', zst: 'zstd' };

/** By the end of a name. */
export function compressionOf(path: string): Compression | undefined {
  return COMPRESSIONS[/\.(\w+)$/.exec(path)?.[1] ?? ''];
}

/** What begins so is no text, whatever its name. */
const PACKED: readonly (readonly [begins: string, by: string])[] = [
  ['\x1f\x8b', 'gzip'],
  ['\x28\xb5\x2f\xfd', 'zstd'],
  ['BZh', 'bzip2'],
  ['\xfd7zXZ\0', 'xz'],
  ['\x89LZO\0', 'lzop'],
  ['\x04\x22\x4d\x18', 'lz4'],
  ['PK\x03\x04', 'zip'],
];
/** So many of its first bytes tell. */
export const PACKED_BYTES = 6;

/** What has packed a file, by its first bytes. */
export function packerOf(head: Uint8Array): string | undefined {
  const text = Buffer.from(head).toString('latin1');
  return PACKED.find(([begins]) => text.startsWith(begins))?.[1];
}

/** Of lines in a file that was packed by what is not unpacked here: as text it would be one reject a line. */
export function packedBy(packer: string): Error {
  return new Error(`expected lines, as they are or packed by gzip or zstd, got a file that ${packer} has packed`);
}

const naturally = new Intl.Collator('en', { numeric: true });

/** In the order of their folders and names, in which numbers count as such: `good.9.log` comes before `good.10.log`. */
export function inOrder(files: readonly TextFile[]): TextFile[] {
  return files.toSorted((a, b) => naturally.compare(a.folder, b.folder) || naturally.compare(a.path, b.path));
}

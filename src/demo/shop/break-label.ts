import type { Random } from '../random.ts';

/** Where old versions of enrich cut every label. */
const CUT_LENGTH = 255;

/** Breaks a label that is JSON with a schema: cuts it, drops what is required, or makes a number a text. Others it leaves. */
export function breakLabel(label: string | undefined, random: Random): string | undefined {
  if (!label?.startsWith('{')) return undefined;
  if (random.chance(0.4)) return label.slice(0, label.length > CUT_LENGTH ? CUT_LENGTH : Math.floor(label.length * 0.8));
  const value = JSON.parse(label) as Record<string, unknown>;
  const inner = (value['data'] ?? value) as Record<string, unknown>;
  const [required] = Object.keys(inner);
  const number = Object.keys(inner).find((key) => typeof inner[key] === 'number');
  if (number !== undefined && random.chance(0.5)) inner[number] = `${String(inner[number])},-`;
  else delete inner[required!];
  return JSON.stringify(value);
}

import type { ZodType } from 'zod';
import type { LineIndex } from '../lines/line-index.ts';
import { parseJson, whyNoJson } from '../operators/parse-json.ts';
import { checkedBy } from '../operators/schema-issue.ts';
import type { Check, Issue } from '../operators/validate.ts';
import type { EnrichedEvent } from './enriched-event.ts';
import { beginsAsObject } from './begins-as-object.ts';
import { fieldNumber } from './fields/field-number.ts';
import { isSelfDescribing } from './self-describing.ts';
import { TextMemo } from './text-memo.ts';

/**
 * Schemas of labels, by the event's `'category/action'`, by `'category/*'`, or by the name in a self-describing label:
 * `'iglu:vendor/name/jsonschema/1-0-0'` for one version, `'vendor/name'` for all.
 */
export type LabelSchemas = Readonly<Record<string, ZodType>>;

export interface LabelOptions {
  /**
   * What becomes of an event with a label of which no schema is known.
   *
   * @default 'pass'
   */
  readonly unknown?: 'pass' | 'reject';
}

const LABEL = fieldNumber('se_label');
const CATEGORY = fieldNumber('se_category');
const ACTION = fieldNumber('se_action');

const hash = new Uint32Array(4);

/**
 * Checks the JSON that a structured event carries in its label, for `validate`. Events without a label pass.
 *
 * A self-describing label is checked by its name first: its `data` against the schema. Every other one is checked as a whole
 * by category and action, then by category alone. Issues: `invalid_json` for a label that is no JSON though it has a schema or
 * begins with a brace, `unknown_label`, `too_deep`, and zod's own codes, with the path in the label: `se_label.sku`.
 * Schemas must be synchronous, and find the same in a label each time: a label that came before is not read again, whatever was found in it,
 * as long as it is among the 16,384 remembered; what has a very long text wrong with it is read anew.
 *
 * @throws {TypeError} when a key has no slash.
 */
export function label(schemas: LabelSchemas, { unknown = 'pass' }: LabelOptions = {}): Check<EnrichedEvent> {
  const named = new Map<string, ZodType>();
  /** What is wrong with labels that were read; null when nothing is. */
  const known = new TextMemo<Issue | null>();
  // Category, action and label are neighbours in every layout: one string is cut for two, with the tab that stands between them.
  const byAction = new Map<string, ZodType>();
  const byCategory = new Map<string, ZodType>();
  for (const [key, schema] of Object.entries(schemas)) {
    const slash = key.indexOf('/');
    if (slash < 0) throw new TypeError(`label: expected keys 'category/action' or 'vendor/name', got ${JSON.stringify(key)}`);
    named.set(key, schema);
    if (key.endsWith('/*')) byCategory.set(key.slice(0, -2), schema);
    else byAction.set(`${key.slice(0, slash)}\t${key.slice(slash + 1)}`, schema);
  }

  const check = function label(event: EnrichedEvent): Issue | undefined {
    const index = event.indexed();
    const { columnOf } = event.layout;
    let issue = recall(index, columnOf[CATEGORY]!, columnOf[LABEL]!);
    if (issue === undefined) {
      issue = read(index, columnOf) ?? null;
      known.set(hash, issue, issue ? issue.reason.length + (issue.path?.length ?? 0) : 0);
    }
    return issue ?? undefined;
  };
  return Object.assign(check, { passes: (index: LineIndex) => recall(index, CATEGORY, LABEL) === null });

  /** What is known to be wrong with a label; undefined when it has not been read yet, and `hash` is its own then. */
  function recall(index: LineIndex, category: number, label: number): Issue | null | undefined {
    if (index.isEmpty(label)) return null;
    index.hash(category, label, hash);
    return known.get(hash);
  }

  function read(index: LineIndex, columnOf: Int16Array): Issue | undefined {
    const { bytes } = index;
    const [start, end] = [index.start(columnOf[LABEL]!), index.end(columnOf[LABEL]!)];
    // What is ASCII is read in half the time.
    const encoding = index.isAscii ? 'latin1' : 'utf8';
    const kind = bytes.toString(encoding, index.start(columnOf[CATEGORY]!), index.end(columnOf[ACTION]!));
    const schema = byAction.get(kind) ?? byCategory.get(kind.slice(0, kind.indexOf('\t')));

    // Plain text, say a button's name, is no broken JSON where nobody asked for JSON.
    if (!schema && !beginsAsObject(bytes, start, end)) return unknown === 'pass' ? undefined : unknownLabel(kind);
    const text = bytes.toString(encoding, start, end);
    let value: unknown;
    try {
      value = parseJson(text);
    } catch (error) {
      return { code: 'invalid_json', reason: brokenJson(text, error), path: 'se_label' };
    }
    if (isSelfDescribing(value)) {
      const byName = named.get(value.schema) ?? named.get(withoutVersion(value.schema));
      if (byName) return issueIn(byName, value.data, 'se_label.data');
    }
    if (schema) return issueIn(schema, value, 'se_label');
    return unknown === 'pass' ? undefined : unknownLabel(isSelfDescribing(value) ? value.schema : kind);
  }
}

function issueIn(schema: ZodType, value: unknown, at: string): Issue | undefined {
  const result = checkedBy(schema, value);
  if ('data' in result) return undefined;
  const { code, reason, path } = result.issue;
  return { code, reason, path: [at, ...path].join('.') };
}

function unknownLabel(kind: string): Issue {
  return {
    code: 'unknown_label',
    reason: `expected a label with a schema, got one of ${kind.replace('\t', '/')}`,
    path: 'se_label',
  };
}

/** Enrich cut labels to 255 characters from 0.9.0 until r73 (2015-11). https://github.com/snowplow/snowplow/commit/f110472c8 */
const CUT_LENGTH = 255;

function brokenJson(text: string, error: unknown): string {
  const why = whyNoJson(text, error);
  return text.length === CUT_LENGTH ? `${why}. It has exactly 255 characters, to which enrich cut labels before r73` : why;
}

/** `iglu:com.example/sign_up/jsonschema/1-0-0` is `com.example/sign_up`. */
function withoutVersion(schema: string): string {
  return /^iglu:([^/]+\/[^/]+)\//.exec(schema)?.[1] ?? '';
}

import { isUtf8 } from 'node:buffer';
import type { ZodType } from 'zod';
import { asBuffer } from '../as-buffer.ts';
import { type Format, Malformed } from './decode.ts';
import { parseJson, whyNoJson } from './parse-json.ts';
import { checkedBy } from './schema-issue.ts';

/** What many a program on Windows writes where a file begins. No JSON, but whoever reads some may pass over it: RFC 8259, 8.1. */
const BYTE_ORDER_MARK = '\ufeff';

/**
 * Records of JSON, one value each, for `decode`. With a schema, of zod and synchronous, the data is what the schema makes of the value; without
 * one, it is the value as it came.
 *
 * Malformed are bytes that are no UTF-8 (`invalid_utf8`) or no JSON (`invalid_json`), and what the schema does not take, with zod's own code and
 * the path in the value, or too deep for a schema that refers to itself (`too_deep`).
 */
export function json<T>(schema?: ZodType<T>): Format<T> {
  return {
    name: 'json',
    parse(bytes) {
      if (!isUtf8(bytes)) return new Malformed('invalid_utf8', 'expected JSON in UTF-8, got bytes that are none');
      const marked = asBuffer(bytes).toString();
      const text = marked.startsWith(BYTE_ORDER_MARK) ? marked.slice(BYTE_ORDER_MARK.length) : marked;
      let value: unknown;
      try {
        value = parseJson(text);
      } catch (error) {
        return new Malformed('invalid_json', whyNoJson(text, error));
      }
      if (!schema) return value as T;
      const result = checkedBy(schema, value);
      if ('data' in result) return result.data;
      const { code, reason, path } = result.issue;
      return new Malformed(code, reason, path.join('.') || undefined);
    },
  };
}

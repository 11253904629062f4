import { shop } from '../src/demo/shop.ts';
import { LOGGER } from '../src/snowplow/noise/grammar.ts';

const ID_BYTES = 36;
const NEWLINE = '\n';
/** The last so many hex digits of an event_id become the record's number, below 2^32. */
const NUMBER_DIGITS = 8;
/** One record in so many is the one before it once more. */
const REPEAT_EVERY = 50;

export interface RecordsOptions {
  /** So many different records are made; each comes again under another id. */
  readonly templates: number;
  /**
   * Writes the id into the template itself and hands that out: next to no work a record, for sinks that do not look at the bytes of
   * a record once its template's turn has come again. @default a copy a record
   */
  readonly inPlace?: boolean;
  /** As the enricher prints them: a log line's newline comes behind the record, at the latest. @default as a stream has them */
  readonly printed?: boolean;
}

/**
 * Makes records of a shop without end, some 1.3 kB each, of 131 columns, with broken labels, the log's noise and repeats.
 * Record i has the same bytes whenever it is asked for.
 */
export function recordMaker({ templates: count, inPlace = false, printed = false }: RecordsOptions): (i: number) => Uint8Array {
  const templates = shop({ shares: { repeat: 0, 'broken-label': 0.01, malformed: 0, noise: 0.01 } })
    .take(count)
    .map(({ data, eventId: id }) => {
      const bytes = Buffer.from(data);
      const owesNewline = printed && bytes.includes(LOGGER) && !bytes.includes(NEWLINE);
      return { data: owesNewline ? Buffer.concat([bytes, Buffer.from(NEWLINE)]) : bytes, idAt: bytes.indexOf(id) };
    })
    .toArray();
  return (i) => {
    const n = i % REPEAT_EVERY === REPEAT_EVERY - 1 ? i - 1 : i;
    const { data, idAt } = templates[n % count]!;
    const own = inPlace ? data : Buffer.from(data);
    if (idAt >= 0) writeHex(own, idAt + ID_BYTES - NUMBER_DIGITS, n);
    return own;
  };
}

const HEX = Buffer.from('0123456789abcdef');

function writeHex(into: Uint8Array, at: number, value: number): void {
  for (let k = at + NUMBER_DIGITS - 1; k >= at; k--, value >>>= 4) into[k] = HEX[value & 15]!;
}

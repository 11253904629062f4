/** A page of the shop, and how the visitor came to it. */
export interface Page {
  /** The id of this view of it. */
  readonly id: string;
  readonly path: string;
  readonly query?: string;
  readonly title: string;
  /** A path of the shop, or the host of another site; empty when she typed the address. */
  readonly referrer: string;
  readonly medium: '' | 'internal' | 'search' | 'social' | 'email';
  readonly source: string;
}

const HOST = 'shop.example.com';

/** Writes the columns from page_url to mkt_campaign (29 to 51). */
export function pageColumns({ path, query = '', title, referrer, medium, source }: Page): string {
  const isInternal = medium === 'internal';
  const [host, refrPath] = isInternal ? [HOST, referrer] : [referrer, referrer && '/'];
  const refr = referrer && `https://${host}${refrPath}`;
  const refrColumns = referrer ? `https\t${host}\t443\t${refrPath}\t\t\t${medium}\t${source}\t` : '\t\t\t\t\t\t\t\t';
  const campaign = medium === 'email' ? 'email\tnewsletter\t\tautumn «warm & cosy»\t2026-11' : '\t\t\t\t';
  return (
    `https://${HOST}${path}${query && `?${query}`}\t${title}\t${refr}\thttps\t${HOST}\t443\t${path}\t${query}\t\t` +
    `${refrColumns}\t${campaign}`
  );
}

/** Writes the column contexts. */
export function pageContexts({ id }: Page): string {
  return (
    `{"schema":"iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0","data":[` +
    `{"schema":"iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0","data":{"id":"${id}"}}]}`
  );
}

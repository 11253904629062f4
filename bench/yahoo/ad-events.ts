/** An ad event of the Yahoo streaming benchmark, as its JSON has it. https://github.com/yahoo/streaming-benchmarks */
export interface AdEvent {
  readonly user_id: string;
  readonly page_id: string;
  readonly ad_id: string;
  readonly ad_type: string;
  readonly event_type: string;
  /** Milliseconds since 1970, in digits. */
  readonly event_time: string;
  readonly ip_address: string;
}

const CAMPAIGNS = 100;
const ADS_A_CAMPAIGN = 10;
const TEMPLATES = 20_000;
const TIME_DIGITS = 13;
const WINDOW_MS = 10_000;
const START_MS = Date.UTC(2026, 10, 22, 9);
/** The benchmark's load: so many events a millisecond of their time. */
const EVENTS_A_MS = 500;

const AD_TYPES = ['banner', 'modal', 'sponsored-search', 'mail', 'mobile'];
const EVENT_TYPES = ['view', 'click', 'purchase'];

/** The ads of each campaign. */
export const campaignOfAd: ReadonlyMap<string, string> = new Map(
  Array.from({ length: CAMPAIGNS * ADS_A_CAMPAIGN }, (_, i) => [uuid(1, i), uuid(2, Math.floor(i / ADS_A_CAMPAIGN))]),
);

/** Where the counts of a campaign's views in the window of a time are: a hash of the campaign, a field of the window. */
export function windowOf(eventTime: string): string {
  const ms = Number(eventTime);
  return String(ms - (ms % WINDOW_MS));
}

/** Gives event i as JSON, the same whenever it is asked for; its bytes are good until some 20,000 more were asked for. */
export function adEvents(): (i: number) => Uint8Array {
  const ads = [...campaignOfAd.keys()];
  const random = numbers();
  const templates = Array.from({ length: TEMPLATES }, (_, i) => {
    const event: AdEvent = {
      user_id: uuid(3, random() % 10_000),
      page_id: uuid(4, random() % 1000),
      ad_id: ads[random() % ads.length]!,
      ad_type: AD_TYPES[random() % AD_TYPES.length]!,
      event_type: EVENT_TYPES[i % EVENT_TYPES.length]!,
      event_time: String(START_MS),
      ip_address: '1.2.3.4',
    };
    const bytes = Buffer.from(JSON.stringify(event));
    return { bytes, timeAt: bytes.indexOf(event.event_time) };
  });
  return (i) => {
    const { bytes, timeAt } = templates[i % TEMPLATES]!;
    let ms = START_MS + Math.floor(i / EVENTS_A_MS);
    for (let k = timeAt + TIME_DIGITS - 1; k >= timeAt; k--, ms = Math.floor(ms / 10)) bytes[k] = 48 + (ms % 10);
    return bytes;
  };
}

function uuid(kind: number, i: number): string {
  return `${kind.toString().padStart(8, '0')}-0000-4000-8000-${i.toString(16).padStart(12, '0')}`;
}

/** Numbers that look random, the same ones each time. */
function numbers(): () => number {
  let state = 1;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8;
}

export interface Device {
  readonly platform: 'web' | 'mob';
  /** The columns from useragent to doc_height (77 to 107). */
  readonly columns: string;
  /** The column derived_contexts. */
  readonly derivedContexts: string;
}

/** What visitors hold in their hands. */
export const devices: readonly Device[] = [
  device(
    'web',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36',
    ['Chrome 139', 'Chrome', '139.0.0.0', 'WEBKIT', 'en-GB'],
    ['Windows 10', 'Windows', 'Microsoft Corporation', 'Europe/London'],
    [1920, 1080],
  ),
  device(
    'web',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15',
    ['Safari 18', 'Safari', '18.6', 'WEBKIT', 'de-DE'],
    ['Mac OS X', 'Mac OS X', 'Apple Inc.', 'Europe/Berlin'],
    [1512, 982],
  ),
  device(
    'web',
    'Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0',
    ['Firefox 142', 'Firefox', '142.0', 'GECKO', 'fr-FR'],
    ['Linux', 'Linux', 'Other', 'Europe/Paris'],
    [2560, 1440],
  ),
  device(
    'mob',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1',
    ['Mobile Safari', 'Safari', '18.6', 'WEBKIT', 'en-US'],
    ['iOS 18', 'iOS', 'Apple Inc.', 'America/New_York'],
    [393, 852],
  ),
  device(
    'mob',
    'Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Mobile Safari/537.36',
    ['Chrome Mobile', 'Chrome', '139.0.0.0', 'WEBKIT', 'ja-JP'],
    ['Android 16', 'Android', 'Google Inc.', 'Asia/Tokyo'],
    [412, 915],
  ),
];

function device(
  platform: Device['platform'],
  useragent: string,
  [name, family, version, engine, lang]: readonly [string, string, string, string, string],
  [os, osFamily, manufacturer, timezone]: readonly [string, string, string, string],
  [width, height]: readonly [number, number],
): Device {
  const isMobile = platform === 'mob';
  const [type, mobile] = isMobile ? ['Mobile', 1] : ['Computer', 0];
  const browser = [useragent, name, family, version, isMobile ? 'Browser (mobile)' : 'Browser', engine, lang];
  const features = [isMobile ? 0 : 1, 0, 0, 0, 0, 0, 0, 0, 0, 1];
  const screen = [
    24,
    width,
    height - 120,
    os,
    osFamily,
    manufacturer,
    timezone,
    type,
    mobile,
    width,
    height,
    'UTF-8',
    width,
    3214,
  ];
  const context = {
    schema: 'iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1',
    data: [
      {
        schema: 'iglu:com.snowplowanalytics.snowplow/ua_parser_context/jsonschema/1-0-0',
        data: { useragentFamily: family, useragentVersion: name, osFamily, osVersion: os, deviceFamily: type },
      },
    ],
  };
  return { platform, columns: [...browser, ...features, ...screen].join('\t'), derivedContexts: JSON.stringify(context) };
}

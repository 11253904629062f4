export interface Place {
  /** The first three numbers of addresses there. */
  readonly network: string;
  /** The columns from geo_country to ip_netspeed (18 to 28). */
  readonly columns: string;
  /** The columns tr_city, tr_state and tr_country. */
  readonly address: string;
  readonly timezone: string;
}

/** Where visitors live. The addresses are of the networks that are kept for documentation. */
export const places: readonly Place[] = [
  place('192.0.2', 'GB', 'ENG', 'London', 'SW1A', 51.5074, -0.1278, 'England', 'Example Broadband', 'Europe/London'),
  place('198.51.100', 'DE', 'BE', 'Berlin', '10115', 52.52, 13.405, 'Land Berlin', 'Beispiel Kabel', 'Europe/Berlin'),
  place(
    '203.0.113',
    'FR',
    'IDF',
    'Saint-Rémy-lès-Chevreuse',
    '78470',
    48.7058,
    2.0722,
    'Île-de-France',
    'Télécom Exemple',
    'Europe/Paris',
  ),
  place(
    '192.0.2',
    'SE',
    'O',
    'Göteborg',
    '411 03',
    57.7089,
    11.9746,
    'Västra Götalands län',
    'Exempel Fiber',
    'Europe/Stockholm',
  ),
  place('198.51.100', 'US', 'NY', 'New York', '10001', 40.7128, -74.006, 'New York', 'Example Mobile', 'America/New_York'),
  place('203.0.113', 'JP', '13', '東京', '100-0001', 35.6762, 139.6503, 'Tokyo', 'Rei Net', 'Asia/Tokyo'),
];

function place(
  network: string,
  country: string,
  region: string,
  city: string,
  zip: string,
  latitude: number,
  longitude: number,
  regionName: string,
  isp: string,
  timezone: string,
): Place {
  const columns = [country, region, city, zip, latitude, longitude, regionName, isp, '', 'example.net', 'Cable/DSL'].join('\t');
  return { network, columns, address: [city, regionName, country].join('\t'), timezone };
}

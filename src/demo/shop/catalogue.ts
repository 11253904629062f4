export interface Product {
  readonly sku: string;
  readonly name: string;
  readonly brand: string;
  readonly category: readonly [string, string];
  /** In euros. */
  readonly price: number;
  /** The end of its page's path. */
  readonly slug: string;
  readonly description?: string;
}

/** What the shop sells. The names are as awkward as real ones: all alphabets, quotes, backslashes. */
export const catalogue: readonly Product[] = [
  product('KI-1001', 'Kaffeemühle „Morgenröte“', 'Nordlicht', ['kitchen', 'coffee'], 89.9),
  product('KI-1002', 'Crème-brûlée-Brenner', 'Atelier Brûlé', ['kitchen', 'baking'], 34.5),
  product('KI-1003', '12" skillet, cast iron', 'O’Hara & Sons', ['kitchen', 'pans'], 59),
  product('KI-1004', '包丁 三徳 165 mm', '木村', ['kitchen', 'knives'], 139),
  product(
    'KI-1005',
    'Espresso cups (set of 6)',
    'Møller & Søn',
    ['kitchen', 'coffee'],
    42,
    'Stoneware, "eggshell" glaze, 80 ml.',
  ),
  product('KI-1006', 'Bread knife', 'Nordlicht', ['kitchen', 'knives'], 27.95),
  product('KI-1007', 'Salt mill \\ pepper mill', 'Två Händer', ['kitchen', 'tools'], 38),
  product('KI-1008', 'Чайник 1,7 л', 'Самовар', ['kitchen', 'kettles'], 64.99),
  product('GA-2001', 'Gießkanne 10 l', 'Grünzeug', ['garden', 'watering'], 29),
  product('GA-2002', 'Secateurs "Classic"', 'O’Hara & Sons', ['garden', 'tools'], 44.5),
  product('GA-2003', 'Seed box: 24 herbs & flowers', 'Grünzeug', ['garden', 'seeds'], 19.9),
  product('GA-2004', 'Hose 3/4", 25 m', 'Aqualine', ['garden', 'watering'], 36.5, 'With 3/4" and 1/2" fittings; holds 12 bar.'),
  product('GA-2005', 'Bird house 🐦', 'Två Händer', ['garden', 'animals'], 24),
  product('GA-2006', 'Hängematte für zwei', 'Siesta', ['garden', 'furniture'], 79),
  product(
    'BO-3001',
    'The \\LaTeX{} Kitchen',
    'Paper & Press',
    ['books', 'cooking'],
    31,
    'Recipes typeset as "\\begin{soup} … \\end{soup}".',
  ),
  product('BO-3002', '“To bee or not to bee”', 'Paper & Press', ['books', 'garden'], 22.5),
  product('BO-3003', 'Les légumes d’antan', 'Éditions du Potager', ['books', 'garden'], 27),
  product('BO-3004', 'Brot backen: 100 Rezepte', 'Mehlwurm Verlag', ['books', 'cooking'], 25),
  product('TO-4001', 'Wooden train', 'Två Händer', ['toys', 'trains'], 49.9),
  product('TO-4002', 'Puzzle, 1.000 Teile', 'Spielgut', ['toys', 'puzzles'], 17.99),
  product('TO-4003', 'Kite "Red Baron" 🪁', 'Aqualine', ['toys', 'outdoors'], 33),
  product('TO-4004', 'Doll’s tea set', 'Møller & Søn', ['toys', 'dolls'], 28.5),
  product(
    'TO-4005',
    'Science kit: volcanoes',
    'Spielgut',
    ['toys', 'science'],
    39,
    'Ages 8+. Contains "lava", a path like C:\\volcano, three test tubes, one pair of goggles (always wear them!) and a booklet of twelve experiments.',
  ),
  product('TO-4006', 'Marionnette « Pantin »', 'Atelier Brûlé', ['toys', 'dolls'], 54),
];

/** What visitors look for. */
export const searchTerms: readonly string[] = [
  'kettle',
  'messer',
  '12" pan',
  'café',
  'a\\b',
  'geschenk für oma',
  'お茶',
  'puzzle 1000',
];

function product(
  sku: string,
  name: string,
  brand: string,
  category: readonly [string, string],
  price: number,
  description?: string,
): Product {
  return { sku, name, brand, category, price, slug: sku.toLowerCase(), ...(description !== undefined && { description }) };
}

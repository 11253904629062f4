/** A piece of a page in which everything that could be taken for markup is markup of ours. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a page: text is escaped, lists are joined, and what is not there leaves nothing. */
export type Piece = Html | string | number | undefined | false | readonly Piece[];

/** Writes a piece of a page; texts in it are escaped, as the names of shards and the codes of rejects come from elsewhere. */
export function html(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  return new Html(strings.map((text, i) => (i === 0 ? text : pieceText(pieces[i - 1]) + text)).join(''));
}

function pieceText(piece: Piece): string {
  if (piece === undefined || piece === false) return '';
  if (piece instanceof Html) return piece.text;
  if (Array.isArray(piece)) return piece.map(pieceText).join('');
  return String(piece as string | number).replaceAll(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

/** An error and what caused it, outermost first; one whose words the error around it has said already is passed over. */
export function causesOf(error: unknown): string {
  const causes: string[] = [];
  let cause = error;
  for (let said = '', depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth++) {
    const place = cause.cause === undefined ? placeOf(cause) : '';
    if (depth > 0 && said.includes(cause.message)) causes.push(causes.pop() + place);
    else causes.push(`${cause.name}: ${cause.message}${place}`);
    said = cause.message;
  }
  if (cause !== undefined && !(cause instanceof Error)) causes.push(inspect(cause, { breakLength: Infinity }));
  return causes.join('\n  because of ');
}

/** The folder that all of ours is in, as a path and as a URL, in which spaces and most letters are written otherwise. */
const OURS = [new URL('..', import.meta.url)].flatMap((url) => [url.href, fileURLToPath(url)]);

/** Where in a user's own files an error was made; nothing when it was elsewhere. */
function placeOf({ stack = '' }: Error): string {
  const places = stack.match(/^ +at .*:\d+:\d+\)?$/gm) ?? [];
  const own = places.find(
    (place) => !OURS.some((folder) => place.includes(folder)) && !/node:|[\\/]node_modules[\\/]/.test(place),
  );
  return own ? `\n    ${own.trimStart()}` : '';
}

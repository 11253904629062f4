/**
 * What the live page does in a browser: asks for itself anew each second, and says so when nobody answers. It does nothing while nobody looks,
 * or while a text is selected, which it would take away.
 */
export const SCRIPT = `
const gone = document.getElementById('gone');
async function look() {
  if (document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.querySelector('main').replaceWith(next.querySelector('main'));
    document.title = next.title;
    gone.hidden = true;
  } catch {
    gone.hidden = false;
  }
}
async function watch() {
  await look();
  setTimeout(watch, 1000);
}
setTimeout(watch, 1000);
`;

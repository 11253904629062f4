/** How the live page looks, by day and by night. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fff, #14181c);
  --ink: light-dark(#1d2329, #dde3e8);
  --faint: light-dark(#667380, #8b98a5);
  --line: light-dark(#d5dce2, #333d46);
  --box: light-dark(#f6f8fa, #1b2127);
  --water: light-dark(#0b6fb8, #55b1f2);
  --good: light-dark(#1a7f4b, #4cc38a);
  --warn: light-dark(#a15c00, #f0b429);
  --bad: light-dark(#c02b2b, #ff7b72);
}
body { margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .75rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; }
h2 { font-size: 1rem; margin: 1.25rem 0 .35rem; }
h3 { font-size: .95rem; margin: 0; }
p { margin: 0; }
a { color: var(--water); }
section + section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: .5rem; }
.stage { border-radius: 1rem; padding: .05rem .7rem; border: 1px solid currentColor; font-size: .9rem; }
.running { color: var(--good); } .quiet, .starting, .stopping, .back, .warn { color: var(--warn); }
.failed, .error { color: var(--bad); } .ended, .faint { color: var(--faint); }
.flow { list-style: none; padding: 0; margin: .5rem 0; display: flex; flex-wrap: wrap; align-items: flex-start; gap: .75rem 1.5rem; }
.flow > li { position: relative; display: flex; flex-wrap: wrap; align-items: flex-start; gap: .75rem; }
.flow > li + li::before { content: "→"; position: absolute; left: -1.2rem; top: .6rem; color: var(--faint); }
.box { border: 1px solid var(--line); border-radius: .5rem; background: var(--box); padding: .5rem .75rem; max-width: 17rem; overflow-wrap: anywhere; }
.box.end { border-color: var(--water); }
.box.rejects { border-style: dashed; }
.detail { color: var(--faint); font-size: .85rem; }
.figure { margin-top: .25rem; }
svg { display: block; width: 100%; }
.pace { height: 2.5rem; }
.pace path { fill: color-mix(in srgb, var(--water) 20%, transparent); stroke: var(--water); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.share { height: .6rem; border-radius: .3rem; margin: .35rem 0; }
.share .stored, i.stored { fill: var(--water); background: var(--water); }
.share .dropped, i.dropped { fill: var(--line); background: var(--line); }
.share .rejected, i.rejected { fill: var(--bad); background: var(--bad); }
.share .abandoned, i.abandoned { fill: var(--faint); background: var(--faint); }
.share .flight, i.flight { fill: var(--warn); background: var(--warn); }
i { display: inline-block; width: .6rem; height: .6rem; border-radius: .15rem; margin-right: .3rem; }
.sum { display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
table { border-collapse: collapse; }
th, td { text-align: right; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid var(--line); font-weight: normal; vertical-align: top; }
th { color: var(--faint); font-size: .85rem; }
th:first-child, td:first-child, .text { text-align: left; }
td:first-child { overflow-wrap: anywhere; }
.said { font-size: .9rem; overflow-wrap: anywhere; margin: 0; padding: 0; list-style: none; }
.said li { display: grid; grid-template-columns: 6rem 1fr; }
footer { margin-top: 2rem; color: var(--faint); font-size: .9rem; }
#gone { position: fixed; inset: auto 0 0; background: var(--bad); color: var(--paper); text-align: center; padding: .5rem; }
`;

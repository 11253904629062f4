/** The colours and letters of a picture, by day and by night; `--v0` to `--v7` are those of the values. */
export const drawStyle = `
.marbles { --paper: #ffffff; --edge: #d8dee6; --ink: #1d2733; --soft: #667384; --band: #f3f6fa; --box: #eef2f7; --on: #ffffff; --bad: #c92a2a;
  --v0: #1f6fd6; --v1: #c2550a; --v2: #2b8a3e; --v3: #7544d8; --v4: #c2255c; --v5: #0b7285; --v6: #8a6100; --v7: #51606f; }
@media (prefers-color-scheme: dark) { .marbles { --paper: #12171e; --edge: #333e4b; --ink: #e6ebf1; --soft: #93a1b1; --band: #19202a; --box: #222c38;
  --on: #0d1117; --bad: #ff8787; --v0: #6cb0ff; --v1: #ffa45c; --v2: #69d47f; --v3: #b69bff; --v4: #ff8bb3; --v5: #4fd0e0; --v6: #e6c04a; --v7: #b3c0cd; } }
.marbles text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; font-size: 12px; fill: var(--ink); }
.marbles .soft { fill: var(--soft); font-size: 11px; }
.marbles .small { font-size: 10px; fill: var(--soft); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.marbles .small.bad, .marbles .bad { fill: var(--bad); }
.marbles .letter { fill: var(--on); font-size: 15px; font-weight: 700; text-anchor: middle; }
.marbles .struck { paint-order: stroke; stroke: var(--paper); stroke-width: 5px; stroke-linejoin: round; }
.marbles .middle { text-anchor: middle; }
.marbles .axis { stroke: var(--ink); stroke-width: 1.6; fill: none; }
.marbles .gone { stroke: var(--soft); stroke-dasharray: 2 5; }
.marbles .ruler { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 1 4; stroke-linecap: round; }
.marbles .cross { stroke: var(--bad); stroke-width: 2.6; stroke-linecap: round; fill: none; }
.marbles .box { fill: var(--box); stroke: var(--ink); stroke-width: 1.4; }
.marbles .operator { font-size: 15px; text-anchor: middle; }
.marbles .foot { fill: none; stroke-width: 1.6; stroke-dasharray: 3 3; }`.trim();

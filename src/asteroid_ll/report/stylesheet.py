"""The style of the HTML report: light and dark by the reader's preference, and for paper."""

CSS = """
:root { color-scheme: light dark; --ink: #1f2933; --muted: #5a6675; --line: #dde1e6; --page: #ffffff; --card: #f6f7f9;
  --accent: #0b62a0; --warn: #9a3f00; --other: #7b2d8b; --paper: #ffffff; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --muted: #a3adba; --line: #38414d;
  --page: #14181d; --card: #1d232b; --accent: #7cc0f5; --warn: #ffab73; --other: #e0a3f0; --paper: #1f1f1f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 16px; }
main, header, footer { max-width: 69rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.1rem; margin: 0; display: inline; }
a { color: var(--accent); }
dl.run { display: flex; flex-wrap: wrap; gap: .1rem 1.25rem; margin: 0 0 .6rem; font-size: .85rem; }
dl.run div { display: flex; gap: .4rem; min-width: 0; }
dl.run dt { color: var(--muted); }
dl.run dd { margin: 0; overflow-wrap: anywhere; }
dl.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem;
  margin: 0 0 .7rem; }
dl.headline div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .8rem; }
dl.headline dt { color: var(--muted); font-size: .85rem; }
dl.headline dd { margin: 0; font-size: 1.45rem; line-height: 1.2; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
dl.headline dd.note { font-size: .8rem; line-height: 1.35; color: var(--muted); }
details.fact summary { display: inline; padding: 0; } details.fact span { color: var(--accent); }
ul.findings { list-style: none; margin: 0 0 .7rem; padding: 0; font-size: .9rem; line-height: 1.4; }
ul.findings li { border-left: .25rem solid var(--accent); padding: 0 0 0 .8rem; margin: 0 0 .25rem; }
ul.findings li.warning { border-color: var(--warn); }
ul.findings b { color: var(--accent); margin-right: .4rem; }
ul.findings li.warning b { color: var(--warn); }
section { border-bottom: 1px solid var(--line); scroll-margin-top: 1rem; }
summary { padding: .55rem 0; cursor: pointer; }
.gist { color: var(--muted); font-size: .9rem; margin-left: .75rem; }
button, input { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: .3rem; padding: .2rem .6rem; }
input { border-color: var(--muted); }
button.all { margin: .25rem 0 .5rem; font-size: .9rem; cursor: pointer; }
button.sort { all: unset; cursor: pointer; }
button.sort:hover { text-decoration: underline; }
:focus-visible, button.sort:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort="ascending"] button::after { content: " ▲"; }
th[aria-sort="descending"] button::after { content: " ▼"; }
p.filter { margin: 0 0 .4rem; font-size: .9rem; color: var(--muted); }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: 20rem; }
caption { text-align: left; color: var(--muted); padding: 0 0 .35rem; }
caption span { display: block; max-width: calc(100vw - 3rem); }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; }
tbody th, td { white-space: nowrap; }
.long { white-space: normal; min-width: 15rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.facts td { white-space: normal; overflow-wrap: anywhere;
  font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; }
table.facts th { white-space: nowrap; color: var(--muted); }
.figures { display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start; margin: 0 0 1.25rem; }
figure { margin: 0; background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem;
  min-width: 0; flex: 0 1 auto; }
figure img { display: block; max-width: 100%; height: auto; }
.panels { display: flex; flex-wrap: wrap; }
.panels svg { display: block; max-width: 100%; height: auto; overflow: hidden; }
.panels a circle { fill: transparent; stroke: none; stroke-width: 1.5px; }
.panels a.follow-up circle { stroke: var(--other); }
.panels a text { display: none; fill: var(--ink); font-size: 13px; font-weight: 600; stroke: var(--paper);
  stroke-width: 5px; paint-order: stroke; pointer-events: none; }
.panels a:hover text, .panels a:focus text { display: block; }
.panels a:hover circle, .panels a:focus circle { stroke: var(--accent); stroke-width: 3px; }
.panels a:focus { outline: none; }
figcaption { font-size: .85rem; color: var(--muted); }
@media screen and (prefers-color-scheme: dark) { figure img, .panels g { filter: invert(.88) hue-rotate(180deg); } }
@media (max-width: 40rem) { main, header, footer { padding-left: .75rem; padding-right: .75rem; }
  dl.headline { grid-template-columns: 1fr 1fr; } .gist { display: block; margin-left: 1.1rem; }
  button.all, summary { min-height: 2.75rem; } figure { padding: .3rem; }
  .long { min-width: 8rem; }
  table.facts { table-layout: fixed; width: 100%; } table.facts th { width: 58%;
    white-space: normal; overflow-wrap: anywhere; }
  table.stacks, .stacks caption, .stacks tbody, .stacks tbody th, .stacks td { display: block; }
  .stacks thead { display: none; }
  .stacks tr { display: grid; grid-template-columns: 1fr 1fr; column-gap: 1rem; padding: .4rem 0;
    border-bottom: 1px solid var(--line); }
  .stacks tbody th, .stacks td { border: 0; padding: .05rem 0; white-space: normal; min-width: 0; text-align: left; }
  .stacks tbody th, .stacks .long { grid-column: 1 / 3; } .stacks tbody th { font-weight: 600; }
  .stacks tr[hidden] { display: none; } .stacks td::before { content: attr(data-name) ": "; color: var(--muted); } }
footer { color: var(--muted); font-size: .85rem; margin-top: 2rem; padding-bottom: 2rem; }
@media print { :root { --ink: #000; --muted: #444; --line: #bbb; --page: #fff; --card: #fff; --accent: #000;
  --warn: #000; } button.all, p.filter { display: none; } body { font-size: 10.5pt; } summary { break-after: avoid; }
  figure, tr, li, dl.headline div { break-inside: avoid; } .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; }
  th, tbody th, td { white-space: normal; } .long { min-width: 0; } caption span { max-width: none; } }
"""

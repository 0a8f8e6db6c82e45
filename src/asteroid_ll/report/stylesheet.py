"""The style of the HTML report: light and dark by the reader's preference, and for paper."""

CSS = """
:root { color-scheme: light dark; --ink: #1f2933; --muted: #5f6b7a; --line: #dde1e6; --page: #ffffff; --card: #f6f7f9;
  --accent: #0b62a0; --warn: #9a3f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --muted: #a3adba; --line: #38414d; --page: #14181d;
  --card: #1d232b; --accent: #7cc0f5; --warn: #ffab73; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 16px; }
main, header, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
p.subtitle { color: var(--muted); margin: 0 0 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; margin: 0; padding: 0;
  font-size: .9rem; }
a { color: var(--accent); }
dl.headline { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
dl.headline div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .9rem; }
dl.headline dt { color: var(--muted); font-size: .85rem; }
dl.headline dd { margin: 0; font-size: 1.45rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
ul.findings { list-style: none; margin: 0; padding: 0; }
ul.findings li { border-left: .25rem solid var(--accent); padding: .1rem 0 .1rem .8rem; margin: 0 0 .8rem; }
ul.findings li.warning { border-color: var(--warn); }
ul.findings b { color: var(--accent); margin-right: .4rem; }
ul.findings li.warning b { color: var(--warn); }
.scroll { overflow-x: auto; margin: 0 0 1.25rem; }
table { border-collapse: collapse; font-size: .9rem; min-width: 20rem; }
caption { text-align: left; color: var(--muted); padding: 0 0 .35rem; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { color: var(--muted); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
table.facts td { overflow-wrap: anywhere; font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; }
table.facts th { white-space: nowrap; color: var(--muted); }
.figures { display: flex; flex-wrap: wrap; gap: 1.25rem; align-items: flex-start; margin: 0 0 1.25rem; }
figure { margin: 0; max-width: 100%; background: #fff; border: 1px solid var(--line); border-radius: .5rem;
  padding: .6rem; color: #1f2933; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .85rem; color: #5f6b7a; max-width: 44rem; }
@media screen and (prefers-color-scheme: dark) { figure { background: #1f1f1f; } figcaption { color: var(--muted); }
  figure img { filter: invert(.88) hue-rotate(180deg); } }
footer { color: var(--muted); font-size: .85rem; margin-top: 3rem; padding-bottom: 2rem; }
@media print { :root { --ink: #000; --muted: #444; --line: #bbb; --page: #fff; --card: #fff; --accent: #000;
  --warn: #000; } nav { display: none; } body { font-size: 10.5pt; } h2 { break-after: avoid; }
  figure, tr, li, dl.headline div { break-inside: avoid; } .scroll { overflow: visible; }
  tbody th { white-space: normal; } }
"""

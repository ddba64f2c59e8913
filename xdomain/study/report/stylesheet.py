"""How the page looks: light and dark, wide and narrow, on screen and on paper."""

STYLESHEET = """\
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --grid: #dddddd; --shade: #f5f7f9;
  --blue: #0072b2; --orange: #d55e00; --grey: #666666; --green: #009e73; --purple: #cc79a7; --sky: #56b4e9;
  --amber: #e69f00; --link: #005a8f; --alarm: #b00020; --alarm-shade: #fdecee; --warning: #9a5b00;
  --warning-shade: #fff6e5;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ec; --soft: #a3acb5; --line: #3a424b; --grid: #343b43; --shade: #1d2228;
    --blue: #4aa8e0; --orange: #ff8f45; --grey: #a3a3a3; --green: #2cc79a; --purple: #e0a0c4; --sky: #9ad5fa;
    --amber: #f2b632; --link: #7cc4f2; --alarm: #ff8a94; --alarm-shade: #3a1a1e; --warning: #f2b632;
    --warning-shade: #33290f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; }
h1 + p { font-size: 1.15rem; margin-top: 0; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p, li { max-width: 46rem; }
a { color: var(--link); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: 1.75rem 0 0; padding: .75rem 0;
  border-block: 1px solid var(--line); font-size: .92rem; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.box { border: 1px solid var(--line); border-left: .4rem solid var(--soft); border-radius: .3rem;
  background: var(--shade); padding: .8rem 1.1rem; margin: 1.5rem 0; }
.box h2 { font-size: 1.1rem; margin: 0 0 .35rem; }
.box p, .box ul { margin: .35rem 0; }
.box p, .box li { max-width: none; }
.box ul { padding-left: 1.2rem; }
.box.alarm { border-color: var(--alarm); background: var(--alarm-shade); }
.box.alarm h2 { color: var(--alarm); font-size: 1.3rem; }
.box.missing, .box.warning { border-left-color: var(--warning); }
.box.missing { border-color: var(--warning); background: var(--warning-shade); }
.verdicts { list-style: none; margin: 0; padding: 0; }
.verdicts li { display: grid; grid-template-columns: 12.5rem 1fr; gap: .2rem .9rem; padding: .4rem 0; max-width: none;
  border-top: 1px solid var(--line); }
.word { border-left: .35rem solid var(--grey); padding-left: .6rem; align-self: start; }
.better .word { border-color: var(--blue); }
.worse .word { border-color: var(--orange); }
.unknown .word { border-left-style: dotted; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; min-width: 100%; font-size: .9rem; line-height: 1.4;
  font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); }
th { border-bottom: 2px solid var(--soft); vertical-align: bottom; font-weight: 600; }
td { min-width: 4rem; max-width: 22rem; }
th, td, td code { overflow-wrap: break-word; }  /* "anywhere" would let columns shrink to a letter */
.n { text-align: right; white-space: nowrap; min-width: 0; }
.rate { white-space: nowrap; }
th.n { white-space: normal; }
th:last-child, td:last-child { padding-right: .2rem; }
tbody tr:hover { background: var(--shade); }
figure { margin: 1rem 0 1.5rem; }
figure svg { display: block; height: auto; min-width: 36rem; max-width: none; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; font-size: .86rem; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: .3rem; padding: .8rem 1rem;
  overflow-x: auto; overflow-wrap: normal; }
@media (max-width: 40rem) {
  main { padding: 1.25rem 1rem 3rem; }
  h1 { font-size: 1.5rem; }
  .verdicts li { grid-template-columns: 1fr; }
  td { max-width: 15rem; }
  td:last-child:not(.n) { min-width: 11rem; }
}
@media print {
  @page { margin: 14mm 12mm; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; width: 100%; }
  th, td { padding: 2pt 5pt 2pt 0; }
  td { min-width: 0; }
  thead { display: table-header-group; }
  tr, li, figcaption, .box.alarm, .box.warning { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  figure svg { min-width: 0; max-width: 100%; max-height: 24cm; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 8pt; }
}
"""

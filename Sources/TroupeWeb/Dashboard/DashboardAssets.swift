// The page, its style and its script: written by Scripts/embed-dashboard from the files in Assets/.

// swift-format-ignore-file

/// The files of the page, without their last line feed.
enum DashboardAssets {

    static let page = #"""
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Troupe</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='3.5' cy='8' r='2.5' fill='%232f6fbd'/%3E%3Ccircle cx='12.5' cy='3.5' r='2.5' fill='%232e7d4f'/%3E%3Ccircle cx='12.5' cy='12.5' r='2.5' fill='%23b3362b'/%3E%3Cpath d='M3.5 8 12.5 3.5M3.5 8l9 4.5' stroke='%23888' fill='none'/%3E%3C/svg%3E">
<link rel="stylesheet" href="dashboard.css">
<script src="dashboard.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="#/flows">Troupe</a>
<nav aria-label="Views">
<a href="#/flows" data-view="flows">Flows</a>
<a href="#/graph" data-view="graph">Graph</a>
<a href="#/services" data-view="services">Services</a>
<a href="#/letters" data-view="letters">Dead letters</a>
</nav>
<div class="tools">
<span id="live" role="status">connecting</span>
<button id="theme" type="button" title="Light, dark, or as the system says">Auto</button>
</div>
</header>
<main id="main" tabindex="-1"></main>
<noscript><p class="note">This page needs JavaScript. The same answers come from <code>troupe flow list</code>, <code>troupe flow show</code> and <code>troupe services list</code>.</p></noscript>
</body>
</html>
"""#

    static let style = #"""
/* The look of the page. Four hues have a meaning: blue goes on, green is well, ochre is undone, red needs somebody. */
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfaf8, #14161a);
  --card: light-dark(#ffffff, #1b1e23);
  --sunk: light-dark(#f2f0ec, #22262c);
  --line: light-dark(#e3dfd8, #30353d);
  --line-strong: light-dark(#c9c3b9, #474e59);
  --ink: light-dark(#22252a, #e4e6ea);
  --soft: light-dark(#5d626b, #a3a9b4);
  --go: light-dark(#2860a8, #7fb2ee);
  --go-wash: light-dark(#e6eef8, #1d2e44);
  --good: light-dark(#27734a, #79c89a);
  --good-wash: light-dark(#e4f2ea, #1b3327);
  --undo: light-dark(#8f5a12, #e0b067);
  --undo-wash: light-dark(#f8eeda, #3a2d17);
  --bad: light-dark(#b02a20, #f2938a);
  --bad-wash: light-dark(#fae7e4, #43211f);
  --sans: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --radius: 8px;
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }

*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 var(--sans); }
a { color: var(--go); text-decoration: none; }
a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--go); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
h1, h2, h3, p, ul, ol, dl, dd, pre, figure { margin: 0; padding: 0; }
h1 { font-size: 22px; line-height: 1.3; font-weight: 650; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 13px; line-height: 1.4; font-weight: 650; color: var(--soft); letter-spacing: .02em; }
h2 + dl, h2 + ul, h2 + pre, h2 + form { margin-top: 6px; }
h3 { font-size: 15px; font-weight: 650; overflow-wrap: anywhere; }
ul, ol { list-style: none; }
bdi { unicode-bidi: isolate; overflow-wrap: anywhere; }
code, pre, .mono { font-family: var(--mono); font-size: .87em; }
button, input, select { font: inherit; color: inherit; }
button { cursor: pointer; }
.soft { color: var(--soft); }
.small { font-size: 13px; }
.nowrap { white-space: nowrap; }
.num { font-variant-numeric: tabular-nums; }
.stack > * + * { margin-top: 24px; }
[hidden] { display: none !important; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.stack > .unseen + * { margin-top: 0; }
.skip { position: absolute; left: 8px; top: -60px; background: var(--card); padding: 8px 12px; z-index: 9; }
.skip:focus { top: 8px; }

/* The bar on top */
.top { display: flex; align-items: center; gap: 24px; padding: 0 24px; min-height: 56px; border-bottom: 1px solid var(--line);
  background: var(--card); position: sticky; top: 0; z-index: 5; }
.brand { font-weight: 700; letter-spacing: -.01em; font-size: 17px; color: var(--ink); }
.brand:hover { text-decoration: none; }
nav { display: flex; gap: 4px; align-self: stretch; }
nav a { display: flex; align-items: center; padding: 0 12px; color: var(--soft); border-bottom: 2px solid transparent;
  border-top: 2px solid transparent; white-space: nowrap; }
nav a:hover { color: var(--ink); text-decoration: none; }
nav a[aria-current] { color: var(--ink); border-bottom-color: var(--go); font-weight: 600; }
.tools { margin-left: auto; display: flex; align-items: center; gap: 16px; }
#live { font-size: 13px; color: var(--soft); display: inline-flex; align-items: center; gap: 7px; white-space: nowrap; }
#live::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: var(--line-strong); }
#live.on::before { background: var(--good); }
#live.off::before { background: var(--bad); }
#theme { border: 1px solid var(--line); background: none; border-radius: 6px; padding: 3px 10px; font-size: 13px; color: var(--soft); }
#theme:hover { border-color: var(--line-strong); color: var(--ink); }
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 64px; }

/* Parts */
.card { background: var(--card); border: 1px solid var(--line); border-radius: var(--radius); }
.pad { padding: 16px; }
.note { color: var(--soft); padding: 20px 16px; }
.problem { border: 1px solid var(--bad); background: var(--bad-wash); border-radius: var(--radius); padding: 12px 16px; overflow-wrap: anywhere; }
.button { border: 1px solid var(--line-strong); background: var(--card); border-radius: 6px; padding: 6px 14px; display: inline-block; color: var(--ink); }
.button:hover { background: var(--sunk); text-decoration: none; }
.button.main { background: var(--go); border-color: var(--go); color: var(--card); font-weight: 600; }
.button.main:hover { filter: brightness(1.08); }
.button:disabled { opacity: .5; cursor: default; }
.more { text-align: center; padding: 12px; }
.head { display: flex; align-items: baseline; gap: 12px; flex-wrap: wrap; margin-bottom: 8px; }
.head > .end { margin-left: auto; }
.head:has(> h1) { align-items: center; }
.head.pad { margin-bottom: 0; padding-bottom: 4px; }
.pill { display: inline-flex; align-items: center; gap: 6px; border-radius: 99px; padding: 1px 10px 1px 8px; font-size: 13px; line-height: 1.6;
  font-weight: 600; white-space: nowrap; color: var(--soft); background: var(--sunk); }
.pill::before { content: ""; width: 7px; height: 7px; border-radius: 50%; background: currentColor; flex: none; }
.pill.go { color: var(--go); background: var(--go-wash); }
.pill.good { color: var(--good); background: var(--good-wash); }
.pill.undo { color: var(--undo); background: var(--undo-wash); }
.pill.bad { color: var(--bad); background: var(--bad-wash); }
.pill.hollow::before { background: none; border: 2px solid currentColor; }
.pill.square::before { border-radius: 1px; }
.pill.beat::before { animation: beat 1.6s ease-in-out infinite; }
@keyframes beat { 50% { opacity: .25; } }
@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }

/* Flows */
.chips { display: flex; flex-wrap: wrap; gap: 8px; }
.chip { border: 1px solid var(--line); background: var(--card); border-radius: 99px; padding: 4px 14px; display: inline-flex; gap: 8px;
  align-items: baseline; color: var(--soft); }
.chip:hover { border-color: var(--line-strong); color: var(--ink); text-decoration: none; }
.chip b { color: var(--ink); font-weight: 650; font-variant-numeric: tabular-nums; }
.chip.bad b { color: var(--bad); } .chip.go b { color: var(--go); } .chip.good b { color: var(--good); } .chip.undo b { color: var(--undo); }
.chip.none b { color: var(--soft); font-weight: 400; }
.chip[aria-current] { border-color: var(--ink); color: var(--ink); box-shadow: inset 0 0 0 1px var(--ink); }
.search { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 240px) minmax(0, 180px); gap: 8px; }
.search input, .search select, .field { width: 100%; border: 1px solid var(--line-strong); background: var(--card); border-radius: 6px; padding: 8px 12px; min-width: 0; }
.search select { padding-right: 8px; text-overflow: ellipsis; }
.row { display: grid; grid-template-columns: 138px minmax(0, 1.1fr) minmax(0, 1.2fr) 70px 118px 92px; gap: 16px; align-items: center;
  padding: 8px 16px; color: inherit; border-top: 1px solid var(--line); }
.rows > li:first-child > .row { border-top: 0; }
.rows > li:first-child > .row { border-radius: var(--radius) var(--radius) 0 0; } .rows > li:last-child > .row { border-radius: 0 0 var(--radius) var(--radius); }
a.row:hover { background: var(--sunk); text-decoration: none; }
a.row:focus-visible { outline-offset: -2px; border-radius: 6px; }
.row > * { min-width: 0; }
.row .title { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .title { line-height: 1.35; }
.row .sub { color: var(--soft); font: 12px/1.4 var(--mono); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .right { text-align: right; }
.columns { color: var(--soft); font-size: 12px; padding-bottom: 6px; padding-top: 0; border: 0; }
.fresh { animation: fresh 1.8s ease-out; }
@keyframes fresh { from { background: var(--go-wash); } }

/* One flow */
.verdict { font-size: 19px; line-height: 1.45; font-weight: 550; border-left: 4px solid var(--line-strong); padding: 2px 0 2px 16px; overflow-wrap: anywhere; text-wrap: pretty; }
.verdict.bad { border-color: var(--bad); } .verdict.go { border-color: var(--go); } .verdict.good { border-color: var(--good); } .verdict.undo { border-color: var(--undo); }
.verdict b { font-weight: 750; }
.bad > b { color: var(--bad); } .go > b { color: var(--go); } .good > b { color: var(--good); } .undo > b { color: var(--undo); }
.facts { display: flex; flex-wrap: wrap; gap: 4px 24px; color: var(--soft); font-size: 13px; }
.facts b { color: var(--ink); font-weight: 550; }
.command { display: flex; align-items: center; gap: 12px; background: var(--sunk); border-radius: 6px; padding: 6px 6px 6px 14px; }
.command code { flex: 1; min-width: 0; overflow-x: auto; white-space: pre; padding: 3px 0; }
.command code::before { content: "$ "; color: var(--soft); }
.command .button { padding: 2px 12px; font-size: 13px; }
.split { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 24px; align-items: start; }
.split > * { min-width: 0; }
.lanes { overflow: hidden; padding: 4px 0; }
.lanes svg { display: block; width: 100%; }
.lanes text { font: 12px var(--sans); fill: var(--soft); }
.lanes .lane { fill: var(--ink); font-weight: 600; font-size: 13px; paint-order: stroke; stroke: var(--card); stroke-width: 5px; stroke-linejoin: round; }
.lanes .names { pointer-events: none; }
.lanes .rule { stroke: var(--line); }
.lanes .tick { stroke: var(--line); stroke-dasharray: 1 3; }
.lanes .link { fill: none; stroke: var(--line-strong); stroke-width: 1.5; }
.lanes .wait { stroke: var(--line-strong); stroke-width: 2; stroke-dasharray: 1 4; stroke-linecap: round; }
.lanes .try { fill: var(--go); } .lanes .try.failed { fill: var(--undo); } .lanes .try.dead { fill: var(--bad); } .lanes .try.over { fill: var(--soft); }
.lanes .owed { fill: none; stroke: var(--go); stroke-width: 1.5; stroke-dasharray: 3 4; } .lanes .owed.late { stroke: var(--bad); }
.lanes .missing { fill: var(--card); stroke: var(--go); stroke-width: 1.5; stroke-dasharray: 2 2; } .lanes .missing.late { stroke: var(--bad); }
.lanes .event { fill: var(--card); stroke: var(--ink); stroke-width: 2; }
.lanes .event.end-completed { fill: var(--good); stroke: var(--good); } .lanes .event.end-failed { fill: var(--bad); stroke: var(--bad); }
.lanes .hit { fill: transparent; cursor: pointer; }
.lanes g[tabindex] { outline: none; cursor: pointer; }
.lanes g[tabindex]:focus-visible .hit { stroke: var(--go); stroke-width: 2; }
.lanes .selected .hit { fill: var(--go); fill-opacity: .13; stroke: var(--go); stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 12px; color: var(--soft); padding: 8px 16px 12px; }
.legend span { display: inline-flex; align-items: center; gap: 7px; }
.legend i { width: 18px; height: 10px; border-radius: 2px; display: inline-block; }
.legend .wait { height: 0; border-top: 2px dotted var(--line-strong); } .legend .try { background: var(--go); } .legend .failed { background: var(--undo); }
.legend .dead { background: var(--bad); } .legend .owed { border: 1.5px dashed var(--go); }
.legend .event { width: 10px; border-radius: 50%; border: 2px solid var(--ink); }
.tree { padding: 8px; }
.tree ul { margin-left: 15px; border-left: 1px solid var(--line); padding-left: 8px; }
.tree ul.deep { margin-left: 0; }
.node { display: flex; align-items: baseline; gap: 8px; width: 100%; text-align: left; border: 0; background: none; padding: 4px 8px; border-radius: 6px; }
.node:hover { background: var(--sunk); }
.node.selected { background: var(--go-wash); box-shadow: inset 0 0 0 1px var(--go); }
.node .what { min-width: 0; overflow-wrap: anywhere; }
.node .when { margin-left: auto; color: var(--soft); font-size: 12px; white-space: nowrap; font-variant-numeric: tabular-nums; }
.node::before { content: ""; flex: none; width: 9px; height: 9px; border-radius: 50%; border: 2px solid var(--ink); }
.node.step::before { border-radius: 2px; border: 0; width: 9px; background: var(--go); }
.node.step.failed::before { background: var(--undo); } .node.step.dead::before { background: var(--bad); } .node.step.over::before { background: var(--soft); }
.node.owed::before { background: none; border: 1.5px dashed var(--go); } .node.owed.late::before { border-color: var(--bad); }
.node.end-completed::before { background: var(--good); border-color: var(--good); } .node.end-failed::before { background: var(--bad); border-color: var(--bad); }
.expected { padding: 3px 8px; color: var(--soft); display: flex; gap: 8px; align-items: baseline; }
.expected::before { content: ""; flex: none; width: 9px; height: 9px; border-radius: 50%; border: 1.5px dashed var(--soft); }
.late { color: var(--bad); }
.detail { position: sticky; top: 76px; max-height: calc(100vh - 96px); overflow: auto; }
dl.pairs { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 16px; }
dl.pairs dt { color: var(--soft); font-size: 13px; line-height: 1.75; } dl.pairs dd { overflow-wrap: anywhere; }
.attempt { border-top: 1px solid var(--line); padding: 8px 0; }
.attempt:first-child { border-top: 0; }
.attempt .error { color: var(--bad); overflow-wrap: anywhere; font-size: 13px; margin-top: 2px; }
pre.payload { background: var(--sunk); border-radius: 6px; padding: 12px 14px; overflow: auto; max-height: 420px; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5; tab-size: 2; }
.switch { display: inline-flex; border: 1px solid var(--line); border-radius: 6px; overflow: hidden; }
.switch button { border: 0; background: none; padding: 1px 10px; font-size: 12px; color: var(--soft); }
.switch button[aria-pressed="true"] { background: var(--sunk); color: var(--ink); font-weight: 600; }

/* The graph */
.graph { overflow: auto; padding: 16px; }
.graph svg { display: block; margin: 0 auto; max-width: none; font-family: var(--mono); }
.graph text { text-anchor: middle; fill: var(--ink); font-size: 12px; }
.graph .detailline { font-size: 10px; fill: var(--soft); }
.graph .box { stroke: var(--line-strong); fill: var(--card); }
.graph .service .box { fill: var(--go-wash); stroke: var(--go); } .graph .start .box { fill: var(--card); stroke: var(--go); stroke-width: 1.5; }
.graph .event .box { fill: var(--sunk); }
.graph .completed .box { stroke: var(--good); stroke-width: 2; } .graph .failed .box { stroke: var(--bad); stroke-width: 2; }
.graph .undeclared .box { stroke-dasharray: 2 3; stroke: var(--bad); }
.graph .arrow { fill: none; stroke: var(--soft); stroke-width: 1.6; } .graph .declared .arrow { stroke-width: 1; stroke: var(--line-strong); }
.graph .undo .arrow { stroke: var(--undo); stroke-dasharray: 7 4; } .graph .observed .arrow { stroke: var(--bad); stroke-dasharray: 2 3; }
.graph .tip { fill: var(--soft); } .graph .declared .tip { fill: var(--line-strong); } .graph .undo .tip { fill: var(--undo); } .graph .observed .tip { fill: var(--bad); }
.graph .count { font-size: 10px; paint-order: stroke; stroke: var(--card); stroke-width: 4px; fill: var(--soft); } .graph .failing .count { fill: var(--bad); font-weight: 700; }
.graph g[tabindex] { cursor: pointer; outline: none; }
.graph g[tabindex]:focus-visible .box, .graph .selected .box { stroke: var(--ink); stroke-width: 2.5; }
.graph .faded { opacity: .22; }
.legend .line { height: 0; border-radius: 0; border-top: 2px solid var(--soft); width: 22px; } .legend .thin { border-top: 1px solid var(--line-strong); }
.legend .dash { border-top: 2px dashed var(--undo); } .legend .dots { border-top: 2px dotted var(--bad); }

/* Services and letters */
.services { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 360px), 1fr)); gap: 16px; }
.service .head { flex-wrap: nowrap; }
.service h3 { font-size: 16px; }
.figures { display: grid; grid-template-columns: repeat(5, auto); justify-content: space-between; gap: 8px 12px; margin: 12px 0; }
.figures dt { font-size: 12px; color: var(--soft); } .figures dd { font-size: 18px; font-variant-numeric: tabular-nums; line-height: 1.3; }
.figures .bad { color: var(--bad); }
details > summary { cursor: pointer; color: var(--soft); font-size: 13px; }
details[open] > summary { margin-bottom: 8px; }
.lines > li { padding: 6px 0; border-top: 1px solid var(--line); font-size: 13px; overflow-wrap: anywhere; }
.lines > li:first-child { border-top: 0; }
.group { grid-template-columns: 96px minmax(0, 1.6fr) minmax(0, 1fr) 120px 120px; }
.letter { grid-template-columns: 96px minmax(0, 1.4fr) minmax(0, 1fr) 120px 110px; }
.check { display: flex; gap: 10px; align-items: center; }
.replay { display: flex; gap: 8px; flex-wrap: wrap; align-items: center; }
.replay .field { width: 260px; max-width: 100%; }
.keys { color: var(--soft); font-size: 12px; margin-top: 40px; }
kbd { font: 11px var(--mono); border: 1px solid var(--line-strong); border-radius: 4px; padding: 0 5px; background: var(--card); }

@media (max-width: 900px) {
  .split { grid-template-columns: minmax(0, 1fr); }
  .detail { position: static; max-height: none; }
}
@media (max-width: 760px) {
  .top { flex-wrap: wrap; gap: 0 12px; padding: 8px 16px 0; position: static; }
  nav { order: 3; width: 100%; overflow-x: auto; margin: 0 -8px; }
  nav a { padding: 8px 10px; }
  main { padding: 20px 16px 48px; }
  h1 { font-size: 19px; } .verdict { font-size: 17px; }
  .search { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } .search input { grid-column: 1 / -1; }
  .columns { display: none; }
  .row, .row.group, .row.letter { grid-template-columns: minmax(0, 1fr) auto; gap: 2px 12px; padding: 12px 14px; }
  .row .status { order: 1; } .row .age { order: 2; }
  .row .name { order: 3; grid-column: 1 / -1; } .row .type { order: 4; grid-column: 1 / -1; color: var(--soft); font-size: 13px; }
  .rows .row .sub { display: none; }
  .row .type { order: 4; grid-column: auto; } .row .took { order: 5; color: var(--soft); font-size: 13px; } .row .age { font-size: 13px; text-align: right; }
  .row:not(.group, .letter) > .count { display: none; } .row .count { order: 6; color: var(--soft); font-size: 13px; text-align: right; }
  .tree ul { margin-left: 7px; padding-left: 3px; } .tree { padding: 4px; } .node { padding: 4px 6px; gap: 6px; }
  .keys { display: none; }
  .graph { padding: 8px; }
}
"""#

    static let script = #"""
// The page: asks the JSON beside it, and shows what comes as text. Nothing from an event ever becomes markup, an address
// or a style; links lead to fragments of this page only.
'use strict';
(() => {

// MARK: Elements

const SVG = 'http://www.w3.org/2000/svg';

/** Text with characters that could rule over other text made visible: controls, marks of direction, lone surrogates. */
function clean(value, keepsLines = false) {
  const text = String(value ?? '');
  const odd = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
  return text.replace(odd, (c) => (keepsLines && (c === '\n' || c === '\t') ? c
    : c === '\r' && keepsLines ? '' : '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')));
}

function clip(text, length) { return text.length > length ? text.slice(0, length) + '…' : text; }

function fill(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** An element; attributes are this script's own words, text is put in as text. */
function el(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'on') for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (key === 'href' && !String(value).startsWith('#')) continue;
    else node.setAttribute(key, value === true ? '' : value);
  }
  return fill(node, children);
}

function svg(name, attributes, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'on') for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else node.setAttribute(key, value);
  }
  return fill(node, children);
}

/** Text of an event, apart from what stands beside it. */
function data(value, length = 400) {
  const text = clean(value);
  return el('bdi', text.length > length ? { title: clip(text, 4000) } : null, clip(text, length));
}

// MARK: Words

const statuses = ['stuck', 'dead-lettered', 'running', 'compensating', 'completed', 'failed', 'compensated'];
const tones = { stuck: 'bad beat', 'dead-lettered': 'bad square', running: 'go', compensating: 'undo beat', completed: 'good',
  failed: 'bad hollow', compensated: 'undo hollow' };
const words = { stuck: 'Stuck', 'dead-lettered': 'Dead-lettered', running: 'Running', compensating: 'Compensating',
  completed: 'Completed', failed: 'Failed', compensated: 'Compensated' };

function pill(status) { return el('span', { class: 'pill ' + (tones[status] || '') }, words[status] || status); }
function tone(status) { return (tones[status] || '').split(' ')[0]; }
function counted(count, noun, nouns = noun + 's') { return `${count.toLocaleString('en')} ${count === 1 ? noun : nouns}`; }

function length(milliseconds) {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1000) return ms + ' ms';
  const s = Math.floor(ms / 1000);
  if (s < 10 && ms % 1000 >= 100) return s + '.' + Math.floor(ms % 1000 / 100) + ' s';
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min' + (s < 600 && s % 60 ? ` ${s % 60} s` : '');
  if (s < 86400) return Math.floor(s / 3600) + ' h' + (s % 3600 >= 60 ? ` ${Math.floor(s % 3600 / 60)} min` : '');
  return Math.floor(s / 86400) + ' d' + (s % 86400 >= 3600 ? ` ${Math.floor(s % 86400 / 3600)} h` : '');
}
/** A time from a flow's beginning, finely enough to tell steps apart. */
function plus(milliseconds) {
  const ms = Math.round(milliseconds);
  // Clocks differ: an effect may bear an earlier time than its cause.
  if (ms < 0) return '−' + plus(-ms).slice(1);
  return '+' + (ms < 1000 ? ms + ' ms' : ms < 60000 ? (ms / 1000).toFixed(ms < 10000 ? 2 : 1) + ' s' : ms < 3600000 ? Math.floor(ms / 60000) + ' min' + (Math.floor(ms % 60000 / 1000) ? ` ${Math.floor(ms % 60000 / 1000)} s` : '') : length(ms));
}
function micros(value) { return value < 1000 ? value + ' µs' : value < 10000 ? (value / 1000).toFixed(1) + ' ms' : length(value / 1000); }
function bytes(count) { return count < 1024 ? counted(count, 'byte') : count < 1048576 ? (count / 1024).toFixed(1) + ' KiB' : (count / 1048576).toFixed(1) + ' MiB'; }
function ago(time) { const past = now() - time; return past < 1500 ? 'now' : past > 86400000 * 3 ? day(time) : length(past).split(' ').slice(0, 2).join(' ') + ' ago'; }
function iso(time) { return Math.abs(time) < 8.64e15 ? new Date(time).toISOString() : String(time); }
function day(time) { return iso(time).slice(0, 10); }
function clock(time) { return iso(time).replace('T', ' ').replace('Z', ' UTC'); }

/** A time that is counted on while the page is up. */
function since(time) { return el('time', { class: 'nowrap', title: clock(time), 'data-time': time }, ago(time)); }

// MARK: The server

let skew = 0;
function now() { return Date.now() + skew; }

async function api(path, options) {
  let response;
  // A connection that died unnoticed, as while a computer sleeps, must not keep the page from asking again.
  const limit = options && options.method ? null : AbortSignal.timeout(30000);
  try { response = await fetch('api/' + path, Object.assign({ cache: 'no-store', credentials: 'same-origin', signal: limit }, options)); } catch (error) {
    throw new Error('The server does not answer. Is troupe dashboard still running?');
  }
  let body = null;
  try { body = await response.json(); } catch (error) { /* told by the status */ }
  if (!response.ok) throw Object.assign(new Error((body && body.detail) || `The server answered ${response.status}.`), { status: response.status });
  if (body === null) throw new Error('The answer of the server broke off.');
  if (Number.isFinite(body.now)) skew = body.now - Date.now();
  return body;
}

const live = {
  state: document.getElementById('live'), overview: null, listeners: new Set(),
  show(text, tone) { this.state.textContent = text; this.state.className = tone; },
  source: null, heard: 0,
  start() {
    if (this.source) return;
    this.heard = Date.now();
    const source = this.source = new EventSource('api/live');
    let isFirst = true;
    source.addEventListener('open', () => { isFirst = true; this.heard = Date.now(); this.show('live', 'on'); });
    source.addEventListener('message', (event) => {
      const change = JSON.parse(event.data);
      this.heard = Date.now();
      skew = change.now - Date.now();
      // What changed before the stream began is asked for.
      if (isFirst) change.skipped = true;
      isFirst = false;
      for (const listener of this.listeners) listener(change);
    });
    source.addEventListener('error', () => {
      this.show(source.readyState === 2 ? 'not connected' : 'reconnecting', 'off');
      // The browser gives up on a refused answer, such as 503 while the server starts.
      if (source.readyState === 2 && this.source === source) { this.stop(); setTimeout(() => { if (!document.hidden) this.start(); }, 3000); }
    });
  },
  stop() { if (this.source) this.source.close(); this.source = null; },
  /** The server says something every ten seconds: a stream that is silent for longer has died unnoticed. */
  watch() { if (this.source && Date.now() - this.heard > 35000) { this.stop(); this.show('reconnecting', 'off'); this.start(); } },
};

/** Runs `act` at most so often, and once more for what came meanwhile. */
function gently(act, milliseconds) {
  let waits = false, again = false;
  return async function run() {
    if (waits) { again = true; return; }
    waits = true;
    try { await act(); } finally {
      setTimeout(() => { waits = false; if (again) { again = false; run(); } }, milliseconds);
    }
  };
}

// MARK: Addresses within the page

function address(parts, query) {
  const text = '#/' + parts.map(encodeURIComponent).join('/');
  const pairs = Object.entries(query || {}).filter(([, value]) => value || (value === '' && parts[0] === 'letters'));
  return pairs.length ? text + '?' + new URLSearchParams(pairs) : text;
}
const flowAddress = (id) => address(['flow', id]);

function place() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const parts = path.split('/').map((part) => { try { return decodeURIComponent(part); } catch (error) { return part; } });
  return { view: parts[0] || 'flows', parts: parts.slice(1), query: new URLSearchParams(query || '') };
}

// MARK: Flows

function flowRow(flow) {
  const name = flow.subject || flow.id;
  return el('a', { class: 'row', href: flowAddress(flow.id), 'data-key': flow.id },
    el('span', { class: 'status' }, pill(flow.status)),
    el('span', { class: 'name' }, el('div', { class: 'title' }, data(name, 120)), flow.subject ? el('div', { class: 'sub' }, data(flow.id, 120)) : null),
    el('span', { class: 'type clip' }, flow.type ? data(flow.type, 120) : el('span', { class: 'soft' }, 'no event read yet')),
    el('span', { class: 'count right num' }, flow.eventCount.toLocaleString('en')),
    el('span', { class: 'age soft' }, since(flow.startedAt)),
    el('span', { class: 'took right num' }, flow.endedAt === undefined ? el('span', { class: 'soft' }, 'open') : length(flow.endedAt - flow.startedAt)));
}

/** Shows rows, keeping those that are the same, so that focus and place stay. */
function showRows(list, flows, changes) {
  const old = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const wanted = flows.map((flow) => {
    const stamp = flow.change + flow.status;
    let item = old.get(flow.id);
    if (!item || item.dataset.stamp !== stamp) {
      const isFocused = item && item.contains(document.activeElement);
      const row = flowRow(flow);
      if (changes) row.classList.add('fresh');
      if (item) item.replaceChildren(row); else item = el('li', { 'data-key': flow.id }, row);
      item.dataset.stamp = stamp;
      if (isFocused) row.focus();
    }
    old.delete(flow.id);
    return item;
  });
  for (const item of old.values()) item.remove();
  wanted.forEach((item, index) => { if (list.children[index] !== item) list.insertBefore(item, list.children[index] || null); });
}

function flowsView({ query }) {
  const read = (query) => Object.fromEntries(['text', 'status', 'type', 'service'].map((name) => [name, query.get(name) || '']));
  let asked = read(query), limit = 50, looks = 5, isFirst = true, turn = 0;
  const isPlain = () => !Object.values(asked).some(Boolean);
  const chips = el('div', { class: 'chips' });
  const input = el('input', { type: 'search', placeholder: 'Order, flow or event id', 'aria-label': 'Search by subject, flow id or event id', id: 'search',
    autocomplete: 'off', spellcheck: 'false', maxlength: 1000 });
  input.value = asked.text;
  const types = el('select', { 'aria-label': 'Type of event' }, el('option', { value: '' }, 'any event type'));
  const services = el('select', { 'aria-label': 'Service' }, el('option', { value: '' }, 'any service'));
  const go = () => { location.hash = address(['flows'], Object.assign({}, asked, { text: input.value.trim(), type: types.value, service: services.value })); };
  let typing = 0;
  input.addEventListener('input', () => { clearTimeout(typing); typing = setTimeout(go, 350); });
  for (const select of [types, services]) select.addEventListener('change', go);
  const form = el('form', { class: 'search', role: 'search', on: { submit: (event) => { event.preventDefault(); clearTimeout(typing); go(); } } }, input, types, services);
  const columns = () => el('div', { class: 'row columns', 'aria-hidden': 'true' }, el('span', null, 'Status'), el('span', null, 'Subject'),
    el('span', null, 'Started by'), el('span', { class: 'right' }, 'Events'), el('span', null, 'Began'), el('span', { class: 'right' }, 'Took'));
  const urgent = el('ul', { class: 'rows card' }), latest = el('ul', { class: 'rows card' });
  const urgentEnd = el('span', { class: 'end small' });
  const urgentPart = el('section', { hidden: true, 'aria-labelledby': 'urgent' },
    el('div', { class: 'head' }, el('h2', { id: 'urgent' }, 'Somebody has to do something'), urgentEnd), columns(), urgent);
  const more = el('div', { class: 'more' }), told = el('div');
  const latestTitle = el('h2', { id: 'latest' });
  const latestPart = el('section', { 'aria-labelledby': 'latest' }, el('div', { class: 'head' }, latestTitle), columns(), latest, told, more);
  const root = el('div', { class: 'stack' }, el('h1', { class: 'unseen' }, 'Flows'), chips, form, urgentPart, latestPart,
    el('p', { class: 'keys' }, el('kbd', null, '/'), ' search  ', el('kbd', null, 'j'), ' ', el('kbd', null, 'k'), ' move  ', el('kbd', null, 'Enter'), ' open  ',
      el('kbd', null, '1'), '–', el('kbd', null, '4'), ' views'));

  function showCounts(counts) {
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const chip = (status, label, count) => el('a', { class: 'chip ' + (count ? tone(status) : 'none'), href: address(['flows'], Object.assign({}, asked, { status })),
      'aria-current': asked.status === status ? 'true' : null }, label, el('b', null, count.toLocaleString('en')));
    const focus = [...chips.children].indexOf(document.activeElement);
    chips.replaceChildren(chip('', 'All', all), ...statuses.map((status) => chip(status, words[status], counts[status] || 0)));
    if (focus >= 0) chips.children[focus].focus();
  }

  async function refresh() {
    const mine = ++turn, plain = isPlain();
    const list = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    list.set('limit', Math.min(limit, 500));
    const wanted = plain ? [api('flows?status=stuck&limit=7'), api('flows?status=dead-lettered&limit=7')] : [];
    const [page, stuck, dead] = await Promise.all([api('flows?' + list), ...wanted]);
    // One answer looks only so far back: where little fits, older flows are asked for.
    for (let look = 1; mine === turn && look < looks && page.next !== undefined && page.flows.length < limit; look++) {
      list.set('after', page.next);
      list.set('limit', Math.min(limit, 500) - page.flows.length);
      const older = await api('flows?' + list);
      page.flows.push(...older.flows);
      page.next = older.next;
    }
    // What was asked meanwhile is answered later.
    if (mine !== turn) return;
    latestTitle.textContent = plain ? 'All flows, the latest first' : 'What fits, the latest first';
    if (!plain) { urgentPart.hidden = true; urgent.replaceChildren(); }
    if (plain) {
      const counts = live.counts || {};
      const flows = [...stuck.flows.slice(0, 6), ...dead.flows.slice(0, Math.max(2, 6 - stuck.flows.length))];
      urgentPart.hidden = flows.length === 0;
      showRows(urgent, flows, !isFirst);
      const link = (status, page) => page.flows.length ? el('a', { href: address(['flows'], { status }) }, `all ${(counts[status] || page.flows.length).toLocaleString('en')} ${words[status].toLowerCase()}`) : null;
      urgentEnd.replaceChildren();
      fill(urgentEnd, [link('stuck', stuck), stuck.flows.length && dead.flows.length ? ' · ' : null, link('dead-lettered', dead)]);
    }
    showRows(latest, page.flows, !isFirst);
    isFirst = false;
    told.replaceChildren();
    latest.hidden = page.flows.length === 0;
    if (page.flows.length === 0) {
      told.append(el('div', { class: 'card note' }, plain ? 'No flow was read yet. Flows appear here as soon as services publish events.'
        : page.next !== undefined ? 'No flow fits among the latest.'
        : 'No flow fits. A subject is searched from its beginning, ids must be whole.'));
    }
    more.replaceChildren();
    if (page.next !== undefined && page.flows.length < limit) {
      more.append(el('button', { class: 'button', type: 'button', on: { click: () => { looks += 20; refresh().catch(fail); } } }, 'Look further back'));
    } else if (page.next !== undefined && limit < 500) {
      more.append(el('button', { class: 'button', type: 'button', on: { click: () => { limit += 100; refresh().catch(fail); } } }, 'Show more'));
    } else if (page.next !== undefined) { more.append(el('span', { class: 'soft small' }, 'Narrow the search to see older ones.')); }
  }
  function fail(error) { told.replaceChildren(el('div', { class: 'problem' }, clean(error.message))); }
  function options(select, names, chosen) {
    const known = new Set([...select.options].map((option) => option.value));
    const all = [...new Set(chosen ? [...names, chosen] : names)].filter((name) => !known.has(name)).sort();
    for (const name of all) { const option = el('option', null, clip(clean(name), 80)); option.value = name; select.append(option); }
    select.value = chosen;
  }
  const update = gently(() => refresh().catch(fail), 800);
  return {
    title: 'Flows', root, async load() {
      const overview = await api('overview');
      live.counts = overview.counts;
      showCounts(overview.counts);
      await refresh();
      const registry = await api('services');
      const declared = registry.services.flatMap((service) => service.declarations.map((entry) => entry.declaration));
      options(types, declared.flatMap((declaration) => declaration.events.map((event) => event.type)), asked.type);
      options(services, registry.services.map((service) => service.name), asked.service);
    },
    /** Another question: the page stays as it is, so that one can go on typing. */
    adopt({ query }) {
      asked = read(query);
      limit = 50;
      looks = 5;
      isFirst = true;
      if (document.activeElement !== input) input.value = asked.text;
      options(types, [], asked.type);
      options(services, [], asked.service);
      showCounts(live.counts || {});
      refresh().catch(fail);
    },
    changed(change) { live.counts = change.counts; showCounts(change.counts); if (change.flows.length || change.skipped) update(); },
  };
}

// MARK: One flow

const byHand = '/troupe/publish';    // what an operator publishes with `troupe publish`
const owner = (source) => source === byHand ? 'an operator' : (source.startsWith('/services/') ? source.slice(10) : source) || 'unknown';
const eventKey = (event) => 'e ' + event.id;
const stepKey = (step) => 's ' + step.event + ' ' + step.service;
const isOwed = (step) => step.status === 'owed' || step.status === 'waiting';
const outcomes = { handled: '', 'fell-back': 'over', ignored: 'over', retrying: 'failed', redirected: 'failed', 'dead-lettered': 'dead' };

function expectation(step) {
  const all = step.publishes.map((type) => clip(clean(type), 80));
  if (!all.length || step.cardinality === 'none') return '';
  const list = all.length > 1 ? all.slice(0, -1).join(', ') + (step.cardinality === 'oneOf' ? ' or ' : ' and ') + all[all.length - 1] : all[0];
  return { optional: `${list}, or nothing`, many: `any number of ${list}`, manyOf: `any number of ${list}`, oneOf: `one of ${list}` }[step.cardinality] || list;
}

function stepWords(step) {
  const tries = step.attempts.filter((attempt) => attempt.number > 0).length;
  switch (step.status) {
    case 'handled': return 'handled' + (tries > 1 ? ` at attempt ${tries}` : '');
    case 'ignored': return 'failed, and went on';
    case 'dead-lettered': return 'gave up' + (tries > 1 ? ` after ${tries} attempts` : '');
    case 'waiting': return 'waits for another attempt';
    case 'not-known': return 'may have handled it: its reports are missing';
    default: return 'has not handled it';
  }
}

function stepClass(step) {
  const late = isOwed(step) && step.owedAt !== undefined && step.owedAt <= now() ? ' late' : '';
  return isOwed(step) ? 'owed' + late : step.status === 'dead-lettered' ? 'dead' : step.status === 'ignored' || step.status === 'not-known' ? 'over'
    : step.attempts.some((attempt) => attempt.outcome === 'fell-back') ? 'over' : '';
}

/** How a flow's events hang together. */
function threads(flow) {
  const events = new Map(flow.events.map((event) => [event.id, event]));
  const steps = new Map(), caused = new Map(), makers = new Map();
  for (const step of flow.steps) {
    if (!steps.has(step.event)) steps.set(step.event, []);
    steps.get(step.event).push(step);
    for (const id of step.published) if (!makers.has(id)) makers.set(id, step);
  }
  for (const event of flow.events) {
    const cause = event.causationID;
    if (!cause || !events.has(cause) || cause === event.id) continue;
    if (!caused.has(cause)) caused.set(cause, []);
    caused.get(cause).push(event);
    if (!makers.has(event.id)) {
      const maker = (steps.get(cause) || []).find((step) => step.service === owner(event.source));
      if (maker) makers.set(event.id, maker);
    }
  }
  return { events, steps, caused, makers };
}

function causationTree(flow, select) {
  const { events, steps, caused, makers } = threads(flow);
  const shown = new Set();
  const begin = flow.summary.startedAt;
  const after = (time) => plus(time - begin);
  const node = (key, name, what, when) => el('button', { type: 'button', class: 'node ' + name, 'data-key': key, on: { click: () => select(key) } }, el('span', { class: 'what' }, what), el('span', { class: 'when' }, when));
  const branch = (items, depth) => el('ul', { class: depth > 14 ? 'deep' : null }, items);
  // A chain of events can be long: the stack here is an array, not the script's own.
  function eventItem(event, depth) {
    const item = el('li');
    const work = [[item, event, depth]];
    while (work.length) {
      const [into, current, level] = work.pop();
      shown.add(current.id);
      into.append(node(eventKey(current), current.ending ? 'end-' + current.ending : '', [data(current.type, 120), current.isTombstone ? ' (tombstone)' : ''], after(current.time)));
      const children = (caused.get(current.id) || []).filter((child) => !shown.has(child.id));
      for (const child of children) shown.add(child.id);
      const items = [];
      const place = (list, child) => { const li = el('li'); list.push(li); return [li, child, level + 2]; };
      const later = [];
      const own = new Map((steps.get(current.id) || []).map((step) => [step, children.filter((child) => makers.get(child.id) === step)]));
      // Those of which nothing came go first, so that they are not lost below a long branch.
      for (const [step, made] of [...own].sort((a, b) => (a[1].length ? 1 : 0) - (b[1].length ? 1 : 0))) {
        const began = step.startedAt === undefined ? '' : after(step.startedAt);
        const line = node(stepKey(step), 'step ' + stepClass(step), [el('b', null, data(step.service, 80)), ' ', el('span', { class: 'soft' }, stepWords(step)),
          step.compensates ? el('span', { class: 'soft' }, ', undoing ', data(step.compensates, 80)) : null], isOwed(step) && step.owedAt !== undefined
          ? (step.owedAt <= now() ? `late ${length(now() - step.owedAt)}` : `due in ${length(step.owedAt - now())}`) : began);
        const below = [];
        for (const child of made) later.push(place(below, child));
        const wanted = isOwed(step) || step.status === 'dead-lettered' ? expectation(step) : '';
        if (wanted) below.push(el('li', null, el('div', { class: 'expected' }, el('span', null, 'missing: ', wanted))));
        items.push(el('li', null, line, below.length ? branch(below, level + 1) : null));
      }
      for (const child of children.filter((child) => !(steps.get(current.id) || []).includes(makers.get(child.id)))) later.push(place(items, child));
      if (items.length) into.append(branch(items, level));
      work.push(...later.reverse());
    }
    return item;
  }
  const roots = flow.events.filter((event) => !event.causationID || !events.has(event.causationID) || event.causationID === event.id);
  const list = el('ul');
  list.style.marginLeft = list.style.paddingLeft = '0';
  list.style.border = '0';
  for (const event of roots) if (!shown.has(event.id)) list.append(eventItem(event, 0));
  // Causes that go in a circle have no beginning.
  for (const event of flow.events) if (!shown.has(event.id)) list.append(eventItem(event, 0));
  for (const step of flow.steps) if (!events.has(step.event)) {
    list.append(el('li', null, node(stepKey(step), 'step ' + stepClass(step), [el('b', null, data(step.service, 80)), ' ', el('span', { class: 'soft' }, stepWords(step), ' ', data(step.type, 80), ', which was not read')], step.startedAt === undefined ? '' : after(step.startedAt))));
  }
  return el('div', { class: 'tree' }, list);
}

/** Where times stand: true to length, or with long waits folded so that short handlings can be seen. */
function timeScale(times, width, isTrue) {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const first = sorted[0], last = sorted[sorted.length - 1];
  if (last <= first) return { sorted, x: () => width * .08 };
  if (isTrue) return { sorted, x: (time) => width * (time - first) / (last - first) };
  let sum = 0;
  const places = [0];
  for (let i = 1; i < sorted.length; i++) places.push(sum += Math.pow(sorted[i] - sorted[i - 1], .42));
  return { sorted, x(time) {
    let low = 0, high = sorted.length - 1;
    if (time <= first) return 0;
    if (time >= last) return width;
    while (high - low > 1) { const middle = (low + high) >> 1; if (sorted[middle] <= time) low = middle; else high = middle; }
    return width * (places[low] + (places[high] - places[low]) * (time - sorted[low]) / (sorted[high] - sorted[low])) / sum;
  } };
}

function swimlanes(flow, select, width, isTrue) {
  const { events, makers } = threads(flow);
  const isNarrow = width < 640;
  const left = isNarrow ? 14 : Math.min(170, 40 + 8 * Math.max(...flow.events.map((event) => owner(event.source).length), ...flow.steps.map((step) => step.service.length), 6));
  const inner = Math.max(120, width - left - 46);
  const present = now();
  const names = [];
  const use = (name) => { if (!names.includes(name)) names.push(name); };
  const steps = flow.steps.map((step) => {
    const event = events.get(step.event);
    const from = event ? event.time : step.startedAt ?? flow.summary.startedAt;
    const open = isOwed(step);
    const lastEnd = step.attempts.reduce((end, attempt) => Math.max(end, attempt.startedAt + attempt.microseconds / 1000), from);
    const until = open ? Math.max(Math.min(present, Math.max(step.owedAt ?? 0, lastEnd) + 3600000), lastEnd) : Math.max(step.endedAt ?? lastEnd, lastEnd);
    return { step, event, from, open, lastEnd, until };
  });
  for (const event of flow.events) { use(owner(event.source)); for (const { step } of steps) if (step.event === event.id) use(step.service); }
  for (const { step } of steps) use(step.service);
  const times = [flow.summary.startedAt, ...flow.events.map((event) => event.time)];
  for (const { step, from, until } of steps) { times.push(from, until); for (const attempt of step.attempts) times.push(attempt.startedAt, attempt.startedAt + attempt.microseconds / 1000); }
  const scale = timeScale(times.filter(Number.isFinite), inner, isTrue);
  const x = (time) => left + scale.x(time);
  // What overlaps in a lane goes to a row of its own.
  const rows = new Map(names.map((name) => [name, []]));
  for (const entry of steps) {
    const ends = rows.get(entry.step.service);
    const begin = x(entry.from), end = Math.max(x(entry.until), begin) + 26;
    let row = ends.findIndex((taken) => taken <= begin);
    if (row < 0) row = ends.push(0) - 1;
    ends[row] = end;
    entry.row = row;
  }
  const rowHeight = 26, label = isNarrow ? 20 : 0, lanes = new Map();
  let y = 30;
  for (const name of names) { const height = Math.max(1, rows.get(name).length) * rowHeight + 18 + label; lanes.set(name, { y, height }); y += height; }
  const at = (name, row) => lanes.get(name).y + label + 9 + rowHeight * (row + .5);
  const picture = svg('svg', { height: y + 6, viewBox: `0 0 ${width} ${y + 6}`, role: 'group', 'aria-label': 'Services as lanes over time' });
  const rules = svg('g'), links = svg('g'), titles = svg('g', { class: 'names' }), marks = svg('g');
  picture.append(rules, links, titles, marks);
  let free = -1e9;
  const begin = scale.sorted[0], lastTime = scale.sorted[scale.sorted.length - 1];
  const tick = (time) => {
    const text = time === begin ? '0' : plus(time - begin);
    const room = text.length * 6.6 + 22;
    const px = x(time);
    if (px < free || (time !== lastTime && px > x(lastTime) - room)) return;
    free = px + room;
    rules.append(svg('line', { class: 'tick', x1: px, x2: px, y1: 24, y2: y }), svg('text', { x: px, y: 16, 'text-anchor': px > width - 30 ? 'end' : px < 30 ? 'start' : 'middle' }, text));
  };
  for (const time of scale.sorted) tick(time);
  for (const [name, lane] of lanes) {
    rules.append(svg('line', { class: 'rule', x1: 0, x2: width, y1: lane.y, y2: lane.y }));
    titles.append(svg('text', { class: 'lane', x: isNarrow ? 14 : 16, y: isNarrow ? lane.y + 17 : lane.y + lane.height / 2 + 4 }, svg('title', null, clean(name)), clip(clean(name), isNarrow ? 40 : 20)));
  }
  const part = (key, label, children, box) => {
    const group = svg('g', { tabindex: '0', role: 'button', 'data-key': key, 'aria-label': label, on: {
      click: () => select(key), keydown: (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); select(key); } } } },
      svg('title', null, label), svg('rect', { class: 'hit', x: box.x, y: box.y, width: box.width, height: box.height, rx: 4 }), ...children);
    marks.append(group);
  };
  for (const entry of steps) {
    const { step, event, from, open, until } = entry;
    const cy = at(step.service, entry.row), children = [];
    const x0 = x(from);
    if (event) {
      const maker = makers.get(event.id), makerEntry = maker && steps.find((other) => other.step === maker);
      const ey = at(owner(event.source), makerEntry ? makerEntry.row : 0);
      if (Math.abs(ey - cy) > 1) links.append(svg('path', { class: 'link', d: `M${x0} ${ey}V${cy}` }));
    }
    let at0 = x0;
    let lateAt = x0;
    for (const attempt of step.attempts) {
      const a = x(attempt.startedAt), b = Math.max(x(attempt.startedAt + attempt.microseconds / 1000), a + 4);
      if (a > at0 + 1) children.push(svg('line', { class: 'wait', x1: at0, x2: a, y1: cy, y2: cy }));
      children.push(svg('rect', { class: 'try ' + (outcomes[attempt.outcome] || ''), x: a, y: attempt.number > 0 ? cy - 7 : cy - 3, width: b - a, height: attempt.number > 0 ? 14 : 6, rx: 2 }));
      at0 = lateAt = b;
    }
    let end = Math.max(lateAt, x(until));
    if (open) {
      const late = step.owedAt !== undefined && step.owedAt <= present ? ' late' : '';
      end = Math.max(end, lateAt + 18);
      children.push(svg('rect', { class: 'owed' + late, x: lateAt + 3, y: cy - 7, width: Math.max(12, end - lateAt - 3), height: 14, rx: 3 }));
      if (expectation(step)) { children.push(svg('circle', { class: 'missing' + late, cx: end + 10, cy, r: 5 })); end += 16; }
    } else if (step.status === 'dead-lettered' && expectation(step)) {
      children.push(svg('circle', { class: 'missing late', cx: end + 11, cy, r: 5 }));
      end += 17;
    }
    part(stepKey(step), clip(clean(`${step.service} ${stepWords(step)}: ${step.type}`), 300), children, { x: x0 - 2, y: cy - 11, width: Math.max(end - x0 + 6, 12), height: 22 });
  }
  for (const event of flow.events) {
    const maker = makers.get(event.id), entry = maker && steps.find((other) => other.step === maker);
    const cx = x(event.time), cy = at(owner(event.source), entry ? entry.row : 0);
    part(eventKey(event), clip(clean(event.type), 200) + ', ' + plus(event.time - begin),
      [svg('circle', { class: 'event' + (event.ending ? ' end-' + event.ending : ''), cx, cy, r: event.ending ? 6 : 5 })], { x: cx - 9, y: cy - 9, width: 18, height: 18 });
  }
  return picture;
}

/** JSON laid out, numbers as they were written; text that is no JSON as it is. */
function layOut(text) {
  const first = text.trimStart()[0];
  if (first !== '{' && first !== '[') return text;
  let out = '', depth = 0, inString = false;
  const line = () => '\n' + '  '.repeat(Math.min(depth, 40));
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) { out += c; if (c === '\\') out += text[++i] ?? ''; else if (c === '"') inString = false; continue; }
    if (c === '"') { inString = true; out += c; } else if (c === '{' || c === '[') {
      let next = i + 1;
      while (' \t\r\n'.includes(text[next] ?? 'x')) next++;
      if (text[next] === '}' || text[next] === ']') { out += c + text[next]; i = next; } else { depth++; out += c + line(); }
    } else if (c === '}' || c === ']') { depth = Math.max(0, depth - 1); out += line() + c; } else if (c === ',') out += c + line();
    else if (c === ':') out += ': ';
    else if (!' \t\r\n'.includes(c)) out += c;
  }
  return out;
}

function payloadPart(payload) {
  const head = [payload.contentType ? clean(payload.contentType) : 'no content type', ', ', bytes(payload.byteCount)];
  let body;
  if (payload.withheld) body = el('p', { class: 'soft' }, payload.withheld);
  else if (payload.text !== undefined) body = el('pre', { class: 'payload', tabindex: '0', 'aria-label': 'Payload' }, clean(layOut(payload.text), true));
  else if (payload.hex !== undefined) body = el('pre', { class: 'payload', tabindex: '0', 'aria-label': 'Payload' }, (payload.hex.match(/.{1,32}/g) || []).map((row) => row.replace(/(..)/g, '$1 ')).join('\n'));
  else body = el('p', { class: 'soft' }, 'A tombstone: there is no payload.');
  return [el('div', { class: 'head' }, el('h2', null, 'Payload'), el('span', { class: 'small soft end' }, head, payload.isMasked ? ', some fields masked' : '', payload.isTruncated && !payload.withheld ? ', the beginning' : '')), body];
}

function pairs(list) { return el('dl', { class: 'pairs' }, list.filter(([, value]) => value !== null && value !== undefined && value !== '').map(([name, value]) => [el('dt', null, name), el('dd', null, value)])); }

function commandLine(text) {
  const button = el('button', { class: 'button', type: 'button', on: { async click() {
    try { await navigator.clipboard.writeText(text); button.textContent = 'Copied'; } catch (error) {
      getSelection().selectAllChildren(code); button.textContent = 'Selected';
    }
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  } } }, 'Copy');
  const code = el('code', { tabindex: '0', 'aria-label': 'The same answer as a command' }, clean(text));
  return el('div', { class: 'command' }, code, button);
}

function flowView({ parts, query }) {
  const id = parts[0] || '';
  const root = el('div', { class: 'stack' });
  const payloads = new Map();
  let flow = null, chosen = query.get('at') || '', isTrue = false, observer = null, flowID = id;
  const chart = el('div', { class: 'lanes' }), tree = el('div'), detail = el('div', { class: 'card pad detail', 'aria-live': 'polite' });
  const top = el('div', { class: 'stack' }), copy = el('div');

  function mark() {
    for (const part of root.querySelectorAll('[data-key]')) {
      const isChosen = part.dataset.key === chosen;
      part.classList.toggle('selected', isChosen);
      if (isChosen) part.setAttribute('aria-current', 'true'); else part.removeAttribute('aria-current');
    }
  }
  function select(key) { chosen = key; mark(); showDetail(); }

  async function showPayload(event, into) {
    try {
      if (!payloads.has(event.id)) payloads.set(event.id, await api(`flows/${encodeURIComponent(flow.summary.id)}/events/${encodeURIComponent(event.id)}/payload`));
      if (payloads.size > 20) payloads.delete(payloads.keys().next().value);
      into.replaceChildren(...payloadPart(payloads.get(event.id)));
    } catch (error) { into.replaceChildren(el('div', { class: 'problem' }, clean(error.message))); }
  }

  let detailOf = '';
  function showDetail() {
    const event = flow.events.find((each) => eventKey(each) === chosen), step = flow.steps.find((each) => stepKey(each) === chosen);
    const stamp = JSON.stringify([chosen, event, step]);
    if (stamp === detailOf) return;
    detailOf = stamp;
    if (event) {
      const payload = el('div', null, el('p', { class: 'soft small' }, 'Loading the payload'));
      detail.replaceChildren(el('div', { class: 'stack' }, el('div', null, el('h2', null, 'Event'), el('h3', null, data(event.type))), pairs([
        ['published by', data(event.source)], ['at', clock(event.time)], ['record', [data(event.topic), `, partition ${event.partition}, offset ${event.offset}`]],
        ['subject', event.subject ? data(event.subject) : ''], ['id', el('span', { class: 'mono' }, data(event.id))],
        ['caused by', event.causationID ? el('span', { class: 'mono' }, data(event.causationID)) : 'nothing: it starts the flow'],
        ['ends the flow', event.ending ? 'as ' + event.ending : ''] ]), payload));
      showPayload(event, payload);
    } else if (step) {
      const source = flow.events.find((each) => each.id === step.event);
      const attempts = step.attempts.map((attempt) => el('li', { class: 'attempt' },
        el('div', null, el('b', null, attempt.number > 0 ? `Attempt ${attempt.number}` : 'Put behind an earlier event'), attempt.replays > 0 ? ` of replay ${attempt.replays}` : '', ' ',
          el('span', { class: outcomes[attempt.outcome] === 'dead' ? 'late' : 'soft' }, attempt.outcome)),
        el('div', { class: 'small soft num' }, attempt.number > 0 ? `waited ${length(attempt.startedAt - (source ? source.time : step.startedAt))} after the event, took ${micros(attempt.microseconds)}, ` : '', 'in ', data(attempt.instance, 120)),
        attempt.notBefore !== undefined ? el('div', { class: 'small soft' }, 'next not before ', clock(attempt.notBefore)) : null,
        attempt.failure ? el('div', { class: 'error' }, el('b', null, data(attempt.failure.type, 200)), ': ', data(attempt.failure.message, 1000)) : null));
      detail.replaceChildren(el('div', { class: 'stack' }, el('div', null, el('h2', null, 'Step'), el('h3', null, data(step.service), ' ', el('span', { class: 'soft' }, stepWords(step)))), pairs([
        ['event', data(step.type)], ['why not', step.delay ? el('span', { class: 'late' }, data(step.delay.text)) : ''],
        ['owed by', step.owedAt !== undefined ? [clock(step.owedAt), step.owedAt <= now() ? ` (late ${length(now() - step.owedAt)})` : ''] : ''],
        ['publishes', expectation(step) || (step.cardinality ? 'nothing' : 'not declared any more')], ['undoes', step.compensates ? data(step.compensates) : ''],
        ['published', step.published.length ? counted(step.published.length, 'event') : ''] ]),
        el('div', null, el('h2', null, attempts.length ? 'Attempts' : 'No attempt is known'), el('ul', null, attempts))));
    } else { detail.replaceChildren(el('p', { class: 'soft' }, 'Choose an event or a step to see what it carries and what was tried.')); }
  }

  function draw() {
    if (!flow) return;
    const width = Math.max(260, chart.clientWidth || 600);
    const focused = chart.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    chart.replaceChildren(swimlanes(flow, select, width, isTrue));
    mark();
    if (focused) for (const part of chart.querySelectorAll('[data-key]')) if (part.dataset.key === focused) part.focus();
  }

  function show(answer) {
    flow = answer.flow;
    const { summary, verdict } = flow;
    flowID = summary.id;
    const [word, rest] = clean(verdict.sentence).split(/ (.*)/s);
    top.replaceChildren(
      el('div', { class: 'head' }, el('h1', null, data(summary.subject || summary.id)), pill(summary.status), el('a', { class: 'end small', href: '#/flows' }, 'All flows')),
      el('p', { class: 'verdict ' + tone(summary.status) }, el('b', null, word), ' ', el('bdi', null, rest || '')),
      el('div', { class: 'facts' }, el('span', null, 'flow ', el('b', { class: 'mono' }, data(summary.id))), el('span', null, 'began ', el('b', null, clock(summary.startedAt))),
        el('span', null, summary.endedAt !== undefined ? 'took ' : 'so far ', el('b', null, length((summary.endedAt ?? now()) - summary.startedAt))), el('span', null, el('b', null, counted(summary.eventCount, 'event')))));
    if (flow.isTruncated) top.append(el('p', { class: 'problem' }, `The flow is too large to be shown whole: these are its first ${counted(flow.events.length, 'event')}.`));
    if (!copy.firstChild) copy.replaceChildren(commandLine(answer.command));
    const keys = new Set([...flow.events.map(eventKey), ...flow.steps.map(stepKey)]);
    if (!keys.has(chosen)) {
      const next = flow.steps.find((step) => step.event === verdict.event && step.service === verdict.service);
      const last = flow.events.find((event) => event.ending) || flow.events[flow.events.length - 1];
      chosen = next ? stepKey(next) : last ? eventKey(last) : '';
    }
    const focused = tree.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    tree.replaceChildren(causationTree(flow, select));
    if (focused) for (const part of tree.querySelectorAll('[data-key]')) if (part.dataset.key === focused) part.focus();
    draw();
    showDetail();
  }

  const scaleButton = (label, value) => el('button', { type: 'button', 'aria-pressed': String(isTrue === value), on: { click(event) {
    isTrue = value;
    for (const button of event.target.parentNode.children) button.setAttribute('aria-pressed', String(button === event.target));
    draw();
  } } }, label);
  const key = (name, text) => el('span', null, el('i', { class: name }), text);
  tree.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const nodes = [...tree.querySelectorAll('.node')], index = nodes.indexOf(document.activeElement);
    const next = nodes[index + (event.key === 'ArrowDown' ? 1 : -1)];
    if (next) { event.preventDefault(); next.focus(); select(next.dataset.key); }
  });
  async function refresh() { show(await api('flows/' + encodeURIComponent(flowID))); }
  const update = gently(() => refresh().catch(() => {}), 700);
  return {
    title: id, root, async load() {
      await refresh();
      root.append(top, copy, el('section', { class: 'card' }, el('div', { class: 'head pad' }, el('h2', null, 'Who did what when'),
        el('span', { class: 'switch end', role: 'group', 'aria-label': 'Time scale' }, scaleButton('long waits folded', false), scaleButton('true to time', true))), chart,
        el('div', { class: 'legend' }, key('event', 'event'), key('wait', 'waiting'), key('try', 'handling'), key('failed', 'failed attempt'), key('dead', 'given up'), key('owed', 'owed, or missing'))),
      el('div', { class: 'split' }, el('section', { class: 'card' }, el('div', { class: 'pad head' }, el('h2', null, 'What caused what')), tree), detail));
      observer = new ResizeObserver(() => draw());
      observer.observe(chart);
    },
    changed(change) { if (change.skipped || change.flows.some((each) => each.id === flowID)) update(); },
    tick() { if (flow && !['completed', 'failed', 'compensated'].includes(flow.summary.status)) update(); },
    stop() { if (observer) observer.disconnect(); },
  };
}

// MARK: The graph

function curve(path) {
  if (path.length < 2) return '';
  const handle = (i, sign) => [path[i].x + sign * (path[i + 1].x - path[i - 1].x) / 6, path[i].y + sign * (path[i + 1].y - path[i - 1].y) / 6];
  let way = `M${path[0].x} ${path[0].y}`;
  for (let i = 1; i < path.length; i++) {
    const middle = (path[i - 1].y + path[i].y) / 2;
    const start = i === 1 ? [path[0].x, middle] : handle(i - 1, 1), end = i === path.length - 1 ? [path[i].x, middle] : handle(i, -1);
    way += `C${start.join(' ')} ${end.join(' ')} ${path[i].x} ${path[i].y}`;
  }
  return way;
}

function rate(count, milliseconds) {
  const perSecond = count / Math.max(milliseconds, 1000) * 1000;
  return perSecond >= 10 ? Math.round(perSecond) + '/s' : perSecond >= 1 ? perSecond.toFixed(1) + '/s' : perSecond * 60 >= 1 ? Math.round(perSecond * 60) + '/min' : Math.max(1, Math.round(perSecond * 3600)) + '/h';
}

function drawing(answer, select) {
  const { drawing, from, until } = answer;
  const picture = svg('svg', { width: drawing.width, height: drawing.height, viewBox: `0 0 ${drawing.width} ${drawing.height}`, role: 'group', 'aria-label': 'Services and events' });
  const counts = svg('g');
  for (const arrow of drawing.arrows) {
    const { edge } = arrow, undo = edge.compensates.length > 0;
    const verb = edge.direction === 'publishes' ? 'publishes' : 'handles';
    const known = { declared: 'declared, not seen lately', observed: edge.service === byHand ? 'published by hand' : 'seen, not declared', both: 'declared and seen' }[edge.provenance];
    const group = svg('g', { class: [edge.provenance, undo ? 'undo' : '', edge.failures ? 'failing' : ''].join(' '), 'data-from': arrow.from, 'data-to': arrow.to },
      svg('title', null, clean(`${owner(edge.service)} ${verb} ${edge.type}${undo ? ', undoing ' + edge.compensates.join(', ') : ''}; ${known}; ${edge.count} of the flows counted${edge.failures ? ', ' + edge.failures + ' failed at first or for good' : ''}`)),
      svg('path', { class: 'arrow', d: curve(arrow.path) }));
    const tip = arrow.path[arrow.path.length - 1], back = arrow.path[arrow.path.length - 2].y < tip.y ? -8 : 8;
    group.append(svg('path', { class: 'tip', d: `M${tip.x - 4} ${tip.y + back}L${tip.x} ${tip.y}L${tip.x + 4} ${tip.y + back}Z` }));
    if (edge.count > 0) {
      const a = arrow.path[Math.floor(arrow.path.length / 2) - 1], b = arrow.path[Math.floor(arrow.path.length / 2)];
      counts.append(svg('g', { class: edge.failures ? 'failing' : '', 'data-from': arrow.from, 'data-to': arrow.to }, svg('text', { class: 'count', x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 + 3 }, rate(edge.count, until - from) + (edge.failures ? `, ${edge.failures} failed` : ''))));
    }
    picture.append(group);
  }
  picture.append(counts);
  for (const box of drawing.boxes) {
    const name = clip(clean(box.name), 40), detail = clip(clean(box.detail), 40);
    picture.append(svg('g', { class: [box.kind, box.ending || '', box.isUndeclared ? 'undeclared' : ''].join(' '), tabindex: '0', role: 'button', 'data-id': box.id, 'aria-label': `${box.kind} ${name}`, on: {
      click: () => select(box.id), keydown: (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); select(box.id); } } } },
      svg('title', null, clean(box.title, true)),
      svg('rect', { class: 'box', x: box.center.x - box.width / 2, y: box.center.y - box.height / 2, width: box.width, height: box.height, rx: box.kind === 'event' ? box.height / 2 : box.kind === 'start' ? 14 : 4 }),
      svg('text', { x: box.center.x, y: detail ? box.center.y - 3 : box.center.y + 4 }, name), detail ? svg('text', { class: 'detailline', x: box.center.x, y: box.center.y + 12 }, detail) : null));
  }
  return picture;
}

function graphView() {
  const root = el('div', { class: 'stack' });
  const scene = el('div', { class: 'graph', tabindex: '0', 'aria-label': 'The graph, to be scrolled' }), side = el('div'), findings = el('section'), told = el('span', { class: 'small soft end' });
  let answer = null, chosen = '', stamp = '';
  function mark() {
    const near = new Set([chosen]);
    for (const arrow of scene.querySelectorAll('[data-from]')) {
      const isNear = arrow.dataset.from === chosen || arrow.dataset.to === chosen;
      if (isNear) { near.add(arrow.dataset.from); near.add(arrow.dataset.to); }
      arrow.classList.toggle('faded', chosen !== '' && !isNear);
    }
    for (const box of scene.querySelectorAll('[data-id]')) {
      box.classList.toggle('selected', box.dataset.id === chosen);
      box.classList.toggle('faded', chosen !== '' && !near.has(box.dataset.id));
    }
    side.replaceChildren();
    const box = answer.drawing.boxes.find((each) => each.id === chosen);
    if (!box) return;
    const isEvent = box.kind === 'event';
    const edges = answer.drawing.arrows.filter((arrow) => arrow.from === chosen || arrow.to === chosen).map((arrow) => arrow.edge);
    const line = (edge) => el('li', null, el('b', null, data(isEvent ? owner(edge.service) : edge.type, 120)), ' ', el('span', { class: 'soft' }, isEvent ? edge.direction + ' it' : edge.direction === 'handles' ? 'is handled' : 'is published',
      edge.compensates.length ? ', undoing ' : '', edge.compensates.length ? data(edge.compensates.join(', '), 200) : '', edge.provenance === 'observed' ? edge.service === byHand ? ', by hand' : ', undeclared' : '', `: ${edge.count.toLocaleString('en')} seen`), edge.failures ? el('span', { class: 'late' }, `, ${edge.failures} failed`) : '');
    side.append(el('section', { class: 'card pad' }, el('div', { class: 'head' }, el('h3', null, data(box.name)), el('span', { class: 'soft' }, data(box.detail)),
      el('a', { class: 'end', href: address(['flows'], isEvent ? { type: box.name } : { service: box.name }) }, isEvent ? 'Flows with this event' : 'Flows of this service')), el('ul', { class: 'lines' }, edges.map(line))));
  }
  function select(id) { chosen = chosen === id ? '' : id; mark(); }
  async function refresh() {
    answer = await api('graph');
    const news = JSON.stringify([answer.drawing, answer.findings]);
    told.textContent = answer.flows ? `Numbers of the latest ${counted(answer.flows, 'flow')}, over ${length(answer.until - answer.from)}` : 'No flow was seen yet';
    if (news === stamp) return;
    stamp = news;
    const isFirst = stamp !== '' && !scene.firstChild;
    if (!answer.drawing.boxes.length) { scene.replaceChildren(el('p', { class: 'note' }, 'No service has declared itself yet. Services do when they run with tracking.')); return; }
    const focused = scene.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    scene.replaceChildren(drawing(answer, select));
    mark();
    // Where the picture is wider than the window it begins where the flows do.
    const begin = answer.drawing.boxes.find((box) => box.kind === 'start') || answer.drawing.boxes.reduce((a, b) => (b.center.y < a.center.y ? b : a));
    if (isFirst) requestAnimationFrame(() => { scene.scrollLeft = begin.center.x - scene.clientWidth / 2; });
    if (focused) for (const box of scene.querySelectorAll('[data-id]')) if (box.dataset.id === focused) box.focus();
    findings.replaceChildren(el('div', { class: 'head' }, el('h2', null, 'Does it fit together?')), answer.findings.length
      ? el('ul', { class: 'card pad lines' }, answer.findings.map((finding) => el('li', null, el('b', null, data(finding.message, 600)), el('div', { class: 'soft' }, data(finding.advice, 600)))))
      : el('p', { class: 'card note' }, el('span', { class: 'pill good' }, 'It does'), ' Every event is published and handled, and every flow can end.'));
  }
  const key = (name, text) => el('span', null, el('i', { class: 'line ' + name }), text);
  const update = gently(() => refresh().catch(() => {}), 3000);
  return {
    title: 'Graph', root, async load() {
      await refresh();
      root.append(el('section', null, el('div', { class: 'head' }, el('h1', null, 'Who publishes and handles what'), told), el('div', { class: 'card' }, scene,
        el('div', { class: 'legend' }, key('', 'declared and seen'), key('thin', 'declared, not seen lately'), key('dash', 'compensation'), key('dots', 'seen, not declared')))), side, findings);
    },
    changed(change) { if (change.flows.length || change.skipped) update(); }, tick: update,
    leave() { if (chosen) { select(chosen); return true; } return false; },
  };
}

// MARK: Services

function servicesView() {
  const list = el('div', { class: 'services' });
  const root = el('div', { class: 'stack' }, el('div', { class: 'head' }, el('h1', null, 'Services')), list);
  const open = new Set();
  const instanceState = { live: ['good', 'live'], stale: ['bad hollow', 'silent'], stopped: ['', 'stopped'] };
  function card(service, time) {
    const lives = service.instances.filter((instance) => instance.state === 'live');
    const sum = (get) => service.instances.filter((instance) => instance.state !== 'stopped').reduce((total, instance) => total + (get(instance.heartbeat.status) || 0), 0);
    const versions = [...new Set((lives.length ? lives.map((instance) => instance.heartbeat.version) : service.declarations.map((entry) => entry.declaration.version)))].filter(Boolean).sort();
    const breakers = lives.flatMap((instance) => instance.heartbeat.status.routes.filter((route) => route.circuit && route.circuit !== 'closed').map((route) => [route.route, route.circuit, instance.heartbeat.instance]));
    const troubles = lives.filter((instance) => instance.heartbeat.status.trouble);
    const declaration = service.declarations[0] && service.declarations[0].declaration;
    const stale = service.instances.filter((instance) => instance.state === 'stale').length;
    const isPublisher = service.kind === 'publisher';
    const handles = !declaration || declaration.routes.length > 0;
    const starts = [...new Set(service.declarations.flatMap((entry) => entry.declaration.starts))].sort();
    const state = isPublisher ? el('span', { class: 'pill' }, 'publisher') : lives.length ? (breakers.length || troubles.length ? el('span', { class: 'pill undo' }, lives.length + ' live, trouble') : el('span', { class: 'pill good' }, lives.length + ' live'))
      : stale ? el('span', { class: 'pill bad' }, 'silent') : el('span', { class: 'pill' }, service.instances.length ? 'stopped' : 'never seen');
    const figure = (name, value, isBad) => [el('div', null, el('dt', null, name), el('dd', { class: isBad ? 'bad' : null }, value))];
    const fold = (name, title, content) => { const key = service.name + ' ' + name; const part = el('details', open.has(key) ? { open: true } : null, el('summary', null, title), content); part.addEventListener('toggle', () => (part.open ? open.add(key) : open.delete(key))); return part; };
    return el('section', { class: 'card pad service', 'data-service': service.name },
      el('div', { class: 'head' }, el('h3', null, data(service.name, 80)), versions.length ? el('span', { class: 'small soft' }, versions.length > 1 ? 'versions ' : 'version ', data(versions.join(', '), 80)) : null, el('span', { class: 'end' }, state)),
      isPublisher ? null : el('dl', { class: 'figures' }, handles ? figure('lag', service.lag === undefined ? '–' : service.lag.toLocaleString('en'), service.lag > 1000 || (!lives.length && service.lag > 0)) : [],
        handles ? figure('in flight', sum((status) => status.inFlight).toLocaleString('en')) : [], handles ? figure('waiting', sum((status) => status.waiting).toLocaleString('en')) : [],
        figure(handles ? 'handled' : 'published', sum((status) => handles ? status.handled : status.published).toLocaleString('en')), handles ? figure('given up', sum((status) => status.deadLettered).toLocaleString('en'), sum((status) => status.deadLettered) > 0) : []),
      breakers.map(([route, circuit, instance]) => el('p', { class: 'small late' }, `circuit breaker ${clean(circuit)}: `, data(route, 80), ' in ', data(instance, 80))),
      troubles.map((instance) => el('p', { class: 'small late' }, data(instance.heartbeat.instance, 80), ': ', data(instance.heartbeat.status.trouble, 400))),
      el('p', { class: 'small soft' }, 'heard of ', since(service.lastSeen), declaration && declaration.delivery ? [', ', data(declaration.delivery, 40)] : null, isPublisher ? '; a publisher has no heartbeat' : [' · ', el('a', { href: address(['flows'], { service: service.name }) }, 'flows')]),
      isPublisher ? null : fold('instances', counted(service.instances.length, 'instance'), el('ul', { class: 'lines' }, service.instances.map(({ heartbeat, state }) => el('li', null,
        el('div', null, el('span', { class: 'pill ' + instanceState[state][0] }, instanceState[state][1]), ' ', el('b', null, data(heartbeat.instance, 120))),
        el('div', { class: 'soft' }, data(heartbeat.host, 80), `, process ${heartbeat.processID}, `, heartbeat.version ? ['version ', data(heartbeat.version, 60), ', '] : null, 'up since ', since(heartbeat.startedAt), heartbeat.endpoint ? [', ', data(heartbeat.endpoint, 200)] : null),
        el('div', { class: 'soft' }, Object.keys(heartbeat.assignment).length ? ['owns ', data(Object.entries(heartbeat.assignment).sort().map(([topic, partitions]) => `${topic} ${partitions.join(' ')}`).join(', '), 400)] : 'owns no partition',
          heartbeat.status.latency99 !== undefined ? `; from record to done: median ${length(heartbeat.status.latencyMedian)}, 99 % within ${length(heartbeat.status.latency99)}` : ''))))),
      fold('routes', declaration ? [isPublisher ? '' : counted(declaration.routes.length, 'route'), starts.length ? 'starts ' + counted(starts.length, 'type') : ''].filter(Boolean).join(', ') : 'nothing declared', declaration ? el('ul', { class: 'lines' },
        starts.map((type) => el('li', null, 'starts flows with ', el('b', null, data(type, 120)))),
        declaration.routes.map((route) => el('li', null, el('b', null, data(route.type, 120)), ' ', el('span', { class: 'soft' }, 'from ', data(route.topic, 120), expectation(route) ? [' → ', data(expectation(route), 300)] : '', route.compensates ? [', undoing ', data(route.compensates, 120)] : '',
          `, within ${length(route.withinMilliseconds)}, ${counted(route.maxRetries, 'retry', 'retries')}`)))) : null));
  }
  let stamp = '';
  async function refresh() {
    const answer = await api('services');
    const needsCare = (service) => (service.kind === 'publisher' || service.instances.some((instance) => instance.state === 'live') ? 1 : 0);
    const services = answer.services.sort((a, b) => needsCare(a) - needsCare(b) || (a.name < b.name ? -1 : 1));
    const news = JSON.stringify(services);
    if (news === stamp) return;
    stamp = news;
    const focused = [...list.querySelectorAll('summary, a')].indexOf(document.activeElement);
    list.replaceChildren(...services.map((service) => card(service, answer.now)));
    if (focused >= 0) { const again = list.querySelectorAll('summary, a')[focused]; if (again) again.focus(); }
    if (!services.length) list.replaceChildren(el('p', { class: 'card note' }, 'No service has declared itself yet. Services do when they run with tracking.'));
  }
  return { title: 'Services', root, load: refresh, tick: gently(() => refresh().catch(() => {}), 1000) };
}

// MARK: Dead letters

let token = '';

function replayForm(places, done) {
  const said = el('span', { class: 'small', role: 'status' });
  const field = el('input', { class: 'field', type: 'password', placeholder: 'Token', 'aria-label': 'Token for replays', autocomplete: 'off' });
  field.value = token;
  const button = el('button', { class: 'button main', type: 'submit' }, 'Replay');
  const form = el('form', { class: 'replay', on: { async submit(event) {
    event.preventDefault();
    const chosen = places();
    if (!chosen.length) { said.textContent = 'Choose letters first.'; return; }
    token = field.value;
    button.disabled = true;
    said.className = 'small soft';
    said.textContent = `Sending ${counted(chosen.length, 'letter')}`;
    try {
      const answer = await api('dead-letters/replay', { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: 'Bearer ' + token }, body: JSON.stringify({ letters: chosen }) });
      said.textContent = clean([`Sent ${counted(answer.sent, 'letter')} back.`, answer.skipped ? `${answer.skipped} had been sent before.` : '', ...answer.refusals].filter(Boolean).join(' '));
      await done();
    } catch (error) {
      said.className = 'small late';
      said.textContent = error.status === 401 ? 'The token is not the right one.' : clean(error.message);
    }
    button.disabled = false;
  } } }, field, button, said);
  return form;
}

function errorOf(letter) { return letter.errorType || letter.errorMessage ? [el('b', null, data((letter.errorType || 'error').split('.').pop(), 100)), letter.errorMessage ? [': ', data(letter.errorMessage, 300)] : null] : data(letter.reason || 'unknown', 100); }
function letterAddress(letter) { return address(['letter', ...letter.place.split('/')]); }

function lettersView({ query }) {
  const service = query.get('service');
  const root = el('div', { class: 'stack' }), list = el('ul', { class: 'rows card' }), told = el('div');
  const chosen = new Set();
  let overview = null, stamp = '';
  async function groups() {
    const answer = await api('dead-letters');
    const news = JSON.stringify(answer.groups);
    if (news === stamp) return;
    stamp = news;
    list.replaceChildren(...answer.groups.map((group) => el('li', null, el('a', { class: 'row group', href: address(['letters'], { service: group.service, topic: group.topic, fingerprint: group.fingerprint }) },
      el('span', { class: 'status' }, el('span', { class: 'pill ' + (group.waiting ? 'bad square' : '') }, group.waiting ? `${group.waiting.toLocaleString('en')} wait` : 'replayed')),
      el('span', { class: 'name' }, el('div', { class: 'clip' }, errorOf(group.example))),
      el('span', { class: 'type clip' }, data(group.service, 80), el('span', { class: 'soft' }, ' on ', data(group.example.type || group.topic, 120))),
      el('span', { class: 'count num' }, counted(group.count, 'letter')), el('span', { class: 'age soft' }, since(group.newest))))));
    list.hidden = !answer.groups.length;
    told.replaceChildren();
    if (!answer.groups.length) told.append(el('p', { class: 'card note' }, 'There are no dead letters.'));
    else if (answer.isTruncated) told.append(el('p', { class: 'note' }, 'There are more: the oldest are not shown.'));
  }
  async function letters() {
    const wanted = new URLSearchParams([...query].filter(([name]) => ['service', 'topic', 'fingerprint'].includes(name)));
    const answer = await api('dead-letters?' + wanted);
    const news = JSON.stringify(answer.letters);
    if (news === stamp) return;
    stamp = news;
    list.replaceChildren(...answer.letters.map((letter) => {
      const box = el('input', { type: 'checkbox', 'aria-label': 'Choose the letter for a replay', on: { change: () => (box.checked ? chosen.add(letter.place) : chosen.delete(letter.place)) } });
      box.checked = chosen.has(letter.place);
      const canReplay = overview.canReplay && letter.replayedAt === undefined;
      return el('li', null, el('div', { class: 'row letter' }, el('span', { class: 'status check' }, canReplay ? box : null, el('span', { class: 'pill ' + (letter.replayedAt === undefined ? 'bad square' : '') }, letter.replayedAt === undefined ? 'waits' : 'replayed')),
        el('a', { class: 'name', href: letterAddress(letter) }, el('div', { class: 'clip' }, errorOf(letter))),
        el('span', { class: 'type clip' }, data(letter.type || 'no type', 120), letter.flow ? [' · ', el('a', { href: flowAddress(letter.flow) }, 'flow')] : null),
        el('span', { class: 'count num' }, letter.attempts === undefined ? '' : counted(letter.attempts, 'attempt')), el('span', { class: 'age soft' }, since(letter.writtenAt))));
    }));
    told.replaceChildren(answer.total > answer.letters.length ? el('p', { class: 'note' }, `The newest ${answer.letters.length} of ${answer.total.toLocaleString('en')}.`) : '');
  }
  const refresh = service === null ? groups : letters;
  const replay = service === null ? 'The dead-letter topics, letters of equal failures together.' : [data(service), ' on ', data(query.get('topic') || 'any topic')];
  return {
    title: 'Dead letters', root, async load() {
      overview = await api('overview');
      root.append(el('div', null, el('div', { class: 'head' }, el('h1', null, 'Dead letters'), service === null ? null : el('a', { class: 'end small', href: '#/letters' }, 'All groups')), el('p', { class: 'soft' }, replay)));
      if (!overview.hasDeadLetters) {
        root.append(el('div', { class: 'card note' }, 'Dead letters are read from Kafka, and this page reads a store alone. ', el('a', { href: address(['flows'], { status: 'dead-lettered' }) }, 'The flows that have some'), ' are here all the same.'));
        return;
      }
      root.append(el('section', null, list, told));
      await refresh();
      if (service !== null && overview.canReplay) root.append(el('section', { class: 'card pad' }, el('h2', null, 'Send the chosen letters back to the service that failed'), el('p', { class: 'small soft' }, 'They go to its own retry topic: no other service sees the events again.'), replayForm(() => [...chosen], async () => { chosen.clear(); await refresh(); })));
      else if (service !== null) root.append(el('p', { class: 'small soft' }, 'To send letters back, use troupe dlt replay, or start the page with --replay-token-file.'));
    },
    tick: gently(() => (overview && overview.hasDeadLetters && !(list.contains(document.activeElement) && chosen.size) ? refresh().catch(() => {}) : null), 2000),
  };
}

function letterView({ parts }) {
  const root = el('div', { class: 'stack' });
  async function show() {
    const [overview, answer] = await Promise.all([api('overview'), api('dead-letters/' + parts.map(encodeURIComponent).join('/'))]);
    const { letter } = answer;
    root.replaceChildren(
      el('div', { class: 'head' }, el('h1', null, data(letter.type || 'A record that is no event')), el('span', { class: 'pill ' + (letter.replayedAt === undefined ? 'bad square' : '') }, letter.replayedAt === undefined ? 'waits' : 'replayed'), el('a', { class: 'end small', href: '#/letters' }, 'All dead letters')),
      el('p', { class: 'verdict bad' }, data(letter.service, 100), ' gave up', letter.attempts > 1 ? ` after ${letter.attempts} attempts` : '', ': ', errorOf(letter)),
      commandLine(answer.command),
      el('div', { class: 'split' }, el('section', { class: 'card pad stack' }, el('div', null, el('h2', null, 'The letter'), pairs([
        ['lies at', el('span', { class: 'mono' }, data(letter.place))], ['came from', data(letter.topic)], ['reason', letter.reason ? data(letter.reason) : ''], ['failed first', letter.firstFailedAt === undefined ? '' : clock(letter.firstFailedAt)],
        ['given up', clock(letter.writtenAt)], ['replayed', letter.replayedAt === undefined ? 'no' : clock(letter.replayedAt)], ['replays before', letter.replays || ''], ['key', answer.key ? data(answer.key) : ''], ['event', letter.event ? el('span', { class: 'mono' }, data(letter.event)) : ''],
        ['flow', letter.flow ? el('a', { href: flowAddress(letter.flow) }, data(letter.flow)) : ''], ['fingerprint', letter.fingerprint ? el('span', { class: 'mono' }, data(letter.fingerprint)) : ''] ])),
        letter.errorMessage ? el('div', null, el('h2', null, 'Error'), el('pre', { class: 'payload', tabindex: '0' }, clean((letter.errorType ? letter.errorType + '\n' : '') + letter.errorMessage, true))) : null,
        overview.canReplay && letter.replayedAt === undefined ? el('div', null, el('h2', null, 'Send it back to the service that failed'), replayForm(() => [letter.place], show)) : null),
      el('section', { class: 'card pad stack' }, el('div', null, answer.omittedBytes !== undefined ? el('p', { class: 'soft' }, `The value of ${bytes(answer.omittedBytes)} did not fit into the letter.`) : payloadPart(answer.payload)),
        el('div', null, el('h2', null, 'Headers'), pairs(answer.headers.map((header) => [el('span', { class: 'mono' }, data(header.name, 80)), el('span', { class: 'mono' }, data(header.value, 600))]))))));
  }
  return { title: 'Dead letter', root, load: show };
}

// MARK: The page

const views = { flows: flowsView, flow: flowView, graph: graphView, services: servicesView, letters: lettersView, letter: letterView };
const main = document.getElementById('main');
let current = null, turn = 0;

async function open(isAgain = false) {
  const where = place(), mine = ++turn, make = Object.hasOwn(views, where.view) ? views[where.view] : flowsView;
  if (current && current.make === make && current.adopt && !current.failed) { current.adopt(where); return; }
  if (current && current.stop) current.stop();
  const view = make(where);
  view.make = make;
  const tab = { flowsView: 'flows', flowView: 'flows', graphView: 'graph', servicesView: 'services' }[make.name] || 'letters';
  for (const link of document.querySelectorAll('nav a')) if (link.dataset.view === tab) link.setAttribute('aria-current', 'page'); else link.removeAttribute('aria-current');
  document.title = clip(clean(view.title), 60) + ' · Troupe';
  if (!isAgain) main.dataset.state = 'loading';
  try { await view.load(); } catch (error) {
    // What is said stays as it is while it is tried again.
    if (mine !== turn || isAgain) { if (view.stop) view.stop(); return; }
    view.failed = true;
    view.root.replaceChildren(el('div', { class: 'problem', role: 'alert' }, clean(error.message)), el('p', null, el('a', { href: '#/flows' }, 'All flows')));
  }
  if (mine !== turn) { if (view.stop) view.stop(); return; }
  current = view;
  main.replaceChildren(view.root);
  main.dataset.state = 'ready';
  if (isAgain) return;
  scrollTo(0, 0);
  main.focus({ preventScroll: true });
}

/** What could not be shown may be there by now: a flow that was not read yet, a server that was away. */
const openAgain = gently(() => open(true), 3000);

live.listeners.add((change) => { if (current && current.failed) openAgain(); else if (current && current.changed) current.changed(change); });
setInterval(() => {
  if (document.hidden) return;
  live.watch();
  for (const node of document.querySelectorAll('time[data-time]')) { const text = ago(Number(node.dataset.time)); if (node.textContent !== text) node.textContent = text; }
  if (current && current.failed) openAgain(); else if (current && current.tick) current.tick();
}, 5000);

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { if (event.key === 'Escape') event.target.blur(); return; }
  if (event.key === '/') {
    event.preventDefault();
    const input = document.getElementById('search');
    if (input) { input.focus(); input.select(); } else location.hash = '#/flows';
  } else if (event.key === 'j' || event.key === 'k') {
    const rows = [...main.querySelectorAll('a.row, .row.letter a.name')], index = rows.indexOf(document.activeElement);
    const next = rows[index < 0 ? 0 : index + (event.key === 'j' ? 1 : -1)];
    if (next) { next.focus(); next.scrollIntoView({ block: 'nearest' }); }
  } else if (event.key === 'Escape') {
    if (current && current.leave && current.leave()) return;
    const { view } = place();
    if (view === 'flow') location.hash = '#/flows';
    if (view === 'letter') location.hash = '#/letters';
  } else if (event.key >= '1' && event.key <= '4') { location.hash = ['#/flows', '#/graph', '#/services', '#/letters'][event.key - 1]; }
});

const theme = document.getElementById('theme');
function setTheme(name) {
  if (name === 'auto') delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = name;
  theme.textContent = { auto: 'Auto', light: 'Light', dark: 'Dark' }[name];
  try { localStorage.setItem('troupe-theme', name); } catch (error) { /* it is for this visit then */ }
}
let kept = null;
try { kept = localStorage.getItem('troupe-theme'); } catch (error) { /* it is not kept */ }
setTheme(['light', 'dark'].includes(kept) ? kept : 'auto');
theme.addEventListener('click', () => setTheme({ Auto: 'light', Light: 'dark', Dark: 'auto' }[theme.textContent]));

document.querySelector('.skip').addEventListener('click', (event) => { event.preventDefault(); main.focus(); });
addEventListener('hashchange', () => open());
// A browser has few connections to one server: pages that nobody sees hold none.
document.addEventListener('visibilitychange', () => { if (document.hidden) { live.stop(); live.show('paused', ''); } else { live.start(); } });
open();
live.start();
})();
"""#
}

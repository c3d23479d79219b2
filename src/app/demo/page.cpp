#include "app/demo/page.hpp"

namespace weft::demo {
namespace {

// `?theme=dark` or `?theme=light` overrides what the browser prefers.
constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>weft</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'
 viewBox='0 0 16 16'%3E%3Cpath d='M1 4h14M1 8h14M1 12h14' stroke='%230f766e' stroke-width='2'/%3E
%3C/svg%3E">
<style>
:root {
  --page: #f6f5f1; --card: #ffffff; --line: #dedbd2; --text: #1c2421; --soft: #5c6762;
  --accent: #0f766e; --on-accent: #ffffff; --well: #f0eee7; --bad: #b3261e; --idle: #d9d5ca;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace;
}
@media (prefers-color-scheme: dark) {
  :root:not([data-theme=light]) {
    --page: #101416; --card: #191f22; --line: #2d363a; --text: #e5eae7; --soft: #98a5a0;
    --accent: #56cdb9; --on-accent: #06231f; --well: #12181a; --bad: #ff8a80; --idle: #313b3f;
  }
}
:root[data-theme=dark] {
  --page: #101416; --card: #191f22; --line: #2d363a; --text: #e5eae7; --soft: #98a5a0;
  --accent: #56cdb9; --on-accent: #06231f; --well: #12181a; --bad: #ff8a80; --idle: #313b3f;
  color-scheme: dark;
}
:root[data-theme=light] { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 32px 16px 48px; }
header { display: flex; gap: 18px; align-items: flex-start; margin-bottom: 28px; }
header svg { flex: none; width: 52px; height: 52px; margin-top: 4px; color: var(--accent); }
h1 { margin: 0 0 4px; font-size: 30px; line-height: 1.2; letter-spacing: -0.02em; }
h1 small { font: 400 14px var(--mono); color: var(--soft); letter-spacing: 0; margin-left: 6px; }
header p { margin: 0; max-width: 62ch; color: var(--soft); }
.grid { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px;
  display: flex; flex-direction: column; min-width: 0;
}
h2 { margin: 0 0 4px; font-size: 17px; line-height: 1.35; }
section > p { margin: 0 0 14px; color: var(--soft); font-size: 15px; }
code { font-family: var(--mono); font-size: 0.9em; overflow-wrap: anywhere; }
.nowrap { white-space: nowrap; }
dl { margin: 0; display: grid; gap: 14px 16px; grid-template-columns: repeat(2, minmax(0, 1fr)); }
dt { color: var(--soft); font-size: 13.5px; }
dd { margin: 0; font: 500 23px/1.3 var(--mono); font-variant-numeric: tabular-nums; }
dd small { font-size: 14px; color: var(--soft); }
.spark { width: 100%; height: 56px; display: block; }
.spark path, .spark line { fill: none; vector-effect: non-scaling-stroke; }
.spark path { stroke: var(--accent); stroke-width: 1.8; }
.spark line { stroke: var(--line); }
figure { margin: 18px 0 0; }
figcaption, .note { color: var(--soft); font-size: 13.5px; margin: 6px 0 0; }
.state { display: flex; align-items: center; gap: 8px; font-size: 13.5px; color: var(--soft);
  margin-top: auto; padding-top: 14px; }
.state i { width: 9px; height: 9px; border-radius: 50%; background: var(--idle); flex: none; }
.state.live i { background: var(--accent); }
.state.lost, .failed { color: var(--bad); }
.state.lost i { background: var(--bad); }
.chosen { font: 500 23px/1.3 var(--mono); margin: 4px 0 6px; }
.cells {
  display: grid; grid-template-columns: repeat(20, minmax(0, 1fr)); gap: 4px; margin: 16px 0 4px;
}
.cells i { aspect-ratio: 1; border-radius: 3px; background: var(--idle); }
.cells i.parked { background: transparent; box-shadow: inset 0 0 0 2px var(--accent); }
.cells i.done { background: var(--accent); }
#park-said { min-height: 3em; display: flex; align-items: center; }
.row { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; }
button {
  font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 0;
  border-radius: 8px; padding: 9px 16px; min-height: 44px; cursor: pointer;
}
button:disabled { opacity: 0.55; cursor: default; }
label { font-size: 13.5px; color: var(--soft); display: block; margin-bottom: 4px; }
input, textarea {
  font: 15px/1.4 var(--mono); color: var(--text); background: var(--well); width: 100%;
  border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; min-height: 44px;
}
textarea { resize: vertical; min-height: 76px; display: block; margin-bottom: 10px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
form .row { flex-wrap: nowrap; }
.prefix { font: 15px var(--mono); color: var(--soft); white-space: nowrap; }
output { display: block; margin-top: 14px; }
pre {
  margin: 4px 0 0; padding: 12px; background: var(--well); border: 1px solid var(--line);
  border-radius: 8px; font: 14px/1.45 var(--mono); white-space: pre-wrap;
  overflow-wrap: anywhere; min-height: 46px; max-height: 220px; overflow: auto;
}
.status { font-size: 13.5px; color: var(--soft); }
footer { margin-top: 24px; color: var(--soft); font-size: 14px; }
@media (min-width: 560px) { dl { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
@media (min-width: 880px) {
  #park-said { min-height: 0; }
  main { padding: 48px 24px 64px; }
  .grid { grid-template-columns: repeat(12, minmax(0, 1fr)); }
  .wide { grid-column: span 7; } .narrow { grid-column: span 5; } .half { grid-column: span 6; }
  .full { grid-column: span 12; }
  .cells { grid-template-columns: repeat(50, minmax(0, 1fr)); }
}
</style>
</head>
<body>
<main>
<header>
<svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="5" aria-hidden="true">
<path d="M4 12h7m10 0h23M4 24h23m10 0h7M4 36h7m10 0h23"/>
<path opacity=".45" d="M16 4v28m0 9v3M32 4v3m0 10v27"/>
</svg>
<div>
<h1>weft <small id="version"></small></h1>
<p>weft serves HTTP with handlers that read like blocking code. A handler runs as a plain call;
only when it has to wait does it become a green thread, and its worker goes on with the next.</p>
</div>
</header>

<div class="grid">
<section class="wide" aria-labelledby="server-title">
<h2 id="server-title">This server, live</h2>
<p>Polled once a second from <code>/api/stats</code>; the polling is counted too.</p>
<dl>
<div><dt>Requests</dt><dd id="requests">–</dd></div>
<div><dt>Per second</dt><dd id="rate">–</dd></div>
<div><dt>Open connections</dt><dd id="open">–</dd></div>
<div><dt>Green threads asleep</dt><dd id="asleep">–</dd></div>
<div><dt>Workers</dt><dd id="workers">–</dd></div>
<div><dt>Uptime</dt><dd id="uptime">–</dd></div>
</dl>
<figure>
<svg class="spark" viewBox="0 0 60 20" preserveAspectRatio="none" role="img"
 aria-label="Requests per second over the last minute">
<line x1="0" y1="19.5" x2="60" y2="19.5"/><path id="spark" d=""/></svg>
<figcaption>Requests per second, last minute. Highest: <span id="peak">–</span></figcaption>
</figure>
</section>

<section class="narrow" aria-labelledby="backend-title">
<h2 id="backend-title">Back end</h2>
<p>How this process talks to the kernel. Chosen at start by asking what the kernel offers.</p>
<div class="chosen" id="backend">–</div>
<div id="reason"></div>
<p class="note">Details: <code class="nowrap">weft probe</code>. To choose yourself:
<code class="nowrap">--backend</code>.</p>
<div class="state" id="state" role="status"><i></i><span>connecting</span></div>
</section>

<section class="full" aria-labelledby="park-title">
<h2 id="park-title">Park 100 green threads at once</h2>
<p>Starts 100 green threads that each call <code>weft::sleep(500ms)</code>. One after
another they would take 50 seconds; here they share the worker thread that takes the request.</p>
<div class="row"><button id="park" type="button">Park 100 for 500 ms</button>
<span id="park-said" role="status"></span></div>
<div class="cells" id="cells" aria-hidden="true"></div>
<p class="note">One request starts them all, because a browser opens only about six connections to
one server. From a shell, with a connection each:
<code>seq 100 | xargs -P 100 -I N curl -s <span class="origin"></span>/sleep/500</code></p>
</section>

<section class="half" aria-labelledby="route-title">
<h2 id="route-title">A route with a parameter</h2>
<p><code>app.get("/users/:id", …)</code> answers with JSON.</p>
<form id="route">
<label for="id">User id</label>
<div class="row"><span class="prefix">/users/</span>
<input id="id" value="42" maxlength="200" autocomplete="off" autocapitalize="off"
 spellcheck="false">
<button>Get</button></div>
</form>
<output><span class="status" id="route-status">not asked yet</span>
<pre id="route-body"></pre></output>
</section>

<section class="half" aria-labelledby="echo-title">
<h2 id="echo-title">Echo</h2>
<p><code>POST /echo</code> sends the body back.</p>
<form id="echo">
<label for="text">Body</label>
<textarea id="text" maxlength="4000">warp and weft</textarea>
<button>Post</button>
</form>
<output><span class="status" id="echo-status">not asked yet</span>
<pre id="echo-body"></pre></output>
</section>
</div>
<footer>This page is part of the program and loads nothing from elsewhere.</footer>
</main>
<script>
"use strict";
const $ = id => document.getElementById(id);
const theme = new URLSearchParams(location.search).get("theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
for (const place of document.querySelectorAll(".origin")) place.textContent = location.origin;

const whole = new Intl.NumberFormat();
function span_of(seconds) {
  const s = Math.floor(seconds), two = n => String(n).padStart(2, "0");
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + ":" + two(s % 60);
  return Math.floor(s / 3600) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
}

const rates = [];
let last = null;
function show(stats) {
  const now = performance.now();
  $("version").textContent = stats.version;
  $("requests").textContent = whole.format(stats.requests);
  $("open").textContent = whole.format(stats.connections.open);
  $("asleep").textContent = whole.format(stats.asleep);
  $("workers").textContent = whole.format(stats.workers);
  $("uptime").textContent = span_of(stats.uptime_seconds);
  $("backend").textContent = stats.backend.name;
  $("reason").textContent = stats.backend.reason;
  if (last && now - last.at > 400) {
    const rate = Math.max(0, (stats.requests - last.requests) / (now - last.at) * 1000);
    rates.push(rate);
    if (rates.length > 60) rates.shift();
    $("rate").textContent = rate < 10 ? rate.toFixed(1) : whole.format(Math.round(rate));
    draw();
  }
  if (!last || now - last.at > 400) last = { at: now, requests: stats.requests };
}
function draw() {
  const peak = Math.max(...rates), top = Math.max(peak, 1);
  $("peak").textContent = peak < 10 ? peak.toFixed(1) : whole.format(Math.round(peak));
  const start = 60 - rates.length;
  $("spark").setAttribute("d", rates.map((rate, i) =>
    (i ? "L" : "M") + (start + i + 0.5) + " " + (19 - rate / top * 17).toFixed(2)).join(""));
}
function state(kind, text) {
  $("state").className = "state " + kind;
  $("state").lastElementChild.textContent = text;
}
async function stats() {
  const answer = await fetch("/api/stats", { cache: "no-store" });
  if (!answer.ok) throw new Error("status " + answer.status);
  return answer.json();
}
async function poll() {
  if (!document.hidden) {
    try {
      show(await stats());
      state("live", "answering");
    } catch {
      state("lost", "The server does not answer. Is it still running?");
      last = null;
    }
  }
  setTimeout(poll, 1000);
}
poll();

const cells = Array.from({ length: 100 }, () => document.createElement("i"));
$("cells").append(...cells);
const paint = name => { for (const cell of cells) cell.className = name; };
$("park").addEventListener("click", async () => {
  $("park").disabled = true;
  paint("parked");
  $("park-said").className = "";
  $("park-said").textContent = "parked …";
  let most = 0, running = true;
  const watch = (async () => {
    while (running) {
      const seen = await stats();
      most = Math.max(most, seen.asleep);
      show(seen);
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  })().catch(() => {});
  try {
    const answer = await fetch("/park/100/500", { method: "POST" });
    if (!answer.ok) throw new Error("status " + answer.status);
    const result = await answer.json();
    paint("done");
    const first = result.first_ms.toFixed(0), final = result.last_ms.toFixed(0);
    $("park-said").textContent = "All " + result.finished + " woke after " +
      (first === final ? "" : first + " to ") + final + " ms, on one worker thread." +
      (most > 0 ? " Seen asleep at once: " + most + "." : "");
  } catch (error) {
    paint("");
    $("park-said").className = "failed";
    $("park-said").textContent = "That failed: " + error.message;
  }
  running = false;
  await watch;
  $("park").disabled = false;
});

async function ask(prefix, path, init) {
  const status = $(prefix + "-status"), body = $(prefix + "-body");
  const started = performance.now();
  try {
    const answer = await fetch(path, init);
    const text = await answer.text();
    status.className = answer.ok ? "status" : "status failed";
    status.textContent = answer.status + " " + (answer.headers.get("content-type") || "") + ", " +
      (performance.now() - started).toFixed(1) + " ms";
    body.textContent = text;
  } catch (error) {
    status.className = "status failed";
    status.textContent = "That failed: " + error.message;
    body.textContent = "";
  }
}
$("route").addEventListener("submit", event => {
  event.preventDefault();
  ask("route", "/users/" + encodeURIComponent($("id").value));
});
$("echo").addEventListener("submit", event => {
  event.preventDefault();
  ask("echo", "/echo", {
    method: "POST", body: $("text").value, headers: { "content-type": "text/plain" } });
});
</script>
</body>
</html>
)html";

}  // namespace

std::string_view page() noexcept { return kPage; }

}  // namespace weft::demo

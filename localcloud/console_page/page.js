"use strict";
// Shows what runs on the local cloud. All data is put into the page as text, never as markup.

const PAUSE_MS = 1000;
const MOST_LINES = 3000;
const MOST_REQUESTS = 300;
const STORED = "local cloud session";
const $ = (id) => document.getElementById(id);
const ANSI = /\x1b\[[0-9;?]*[A-Za-z]/g;
// Characters that would reorder or hide the text around them.
const UNSEEN = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const plain = (text) => String(text).replace(ANSI, "").replace(UNSEEN, "\ufffd");

const seen = { requests: 0, edge: 0 };
const requests = [];
const shown = new Map(); // key of a card -> its data
let session = sessionStorage.getItem(STORED);
let chosen = ""; // the followed log
let following = null;
let sources = [];
let timer = 0;

function el(name, properties, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (key in made && typeof value !== "string") made[key] = value;
    else made.setAttribute(key === "className" ? "class" : key, value);
  }
  for (const child of children.flat(3)) if (child !== null && child !== undefined) made.append(child.nodeType ? child : plain(child));
  return made;
}

// --- login

async function enter() {
  const code = location.hash.length > 20 ? location.hash.slice(1) : "";
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  const answer = await fetch("/_cloud/page/sessions", { method: "POST", body: code });
  const told = await answer.json();
  if (answer.ok) {
    session = told.session;
    sessionStorage.setItem(STORED, session);
  } else if (!session) $("trouble").textContent = plain(told.error);
}

function leave() {
  session = null;
  sessionStorage.removeItem(STORED);
  following?.abort();
  show();
}

function show() {
  $("inside").hidden = !session;
  $("outside").hidden = Boolean(session);
}

const get = (path, signal) => fetch(path, { headers: { authorization: `Bearer ${session}` }, cache: "no-store", signal });

// --- apps and Workers

async function tick() {
  clearTimeout(timer);
  if (session && !document.hidden) await update();
  if (session) timer = setTimeout(tick, PAUSE_MS);
}

async function update() {
  try {
    const answer = await get(`/_cloud/page/state?requests=${seen.requests}&edge=${seen.edge}`);
    if (answer.status === 401) return leave();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const state = await answer.json();
    $("trouble").textContent = "";
    $("version").textContent = `${state.version} · ${location.host}`;
    cards("apps", state.apps, (app) => app.id, appCard, "No app runs. Bring the network up: make up");
    cards("workers", state.workers, (worker) => worker.name, workerCard, "No Worker runs.");
    offer(state);
    take(state);
  } catch {
    $("trouble").textContent = "The local cloud does not answer. Start it: oracle cloud start";
  }
}

/** Shows a card for each item. Only changed cards are rebuilt, so that a selection of text stays. */
function cards(section, things, keyOf, make, nothing) {
  const box = $(section).querySelector(".cards");
  const wanted = things.map((thing) => [`${section}/${keyOf(thing)}`, thing]);
  if (wanted.length === 0) wanted.push([`${section}/`, null]);
  const there = new Map([...box.children].map((card) => [card.dataset.key, card]));
  const keys = new Set(wanted.map(([key]) => key));
  for (const [key, card] of there) if (!keys.has(key)) card.remove();
  for (const [number, [key, thing]] of wanted.entries()) {
    const now = JSON.stringify(thing);
    let card = there.get(key);
    if (!card || shown.get(key) !== now) {
      const fresh = thing === null ? el("p", { className: "soft" }, nothing) : make(thing);
      fresh.dataset.key = key;
      for (const open of card?.querySelectorAll("details[open]") ?? []) fresh.querySelector(`details[data-part="${open.dataset.part}"]`)?.setAttribute("open", "");
      card?.replaceWith(fresh);
      card = fresh;
      shown.set(key, now);
    }
    if (box.children[number] !== card) box.insertBefore(card, box.children[number] ?? null);
  }
}

const TONES = { ACTIVE: "good", ERROR: "bad", SUPERSEDED: "", CANCELED: "" };
const badge = (words, tone) => el("span", { className: `badge ${tone}` }, words);
const phase = (deployment) => badge(deployment.phase, TONES[deployment.phase] ?? "busy");

function appCard(app) {
  const [newest] = app.deployments;
  return el(
    "article",
    { className: "card" },
    el("header", {}, el("h3", {}, app.name), app.serves ? badge("serves", "good") : badge("does not serve", newest && (TONES[newest.phase] ?? "busy") === "busy" ? "busy" : "bad")),
    app.addresses.map(address),
    app.pinned ? el("p", { className: "soft" }, "Rolled back, and pinned there.") : null,
    el("ul", { className: "deployments" }, app.deployments.map((each) => deployment(app, each))),
    values("env", "Environment", app.envs),
  );
}

function deployment(app, one) {
  const going = !(one.phase in TONES);
  return el(
    "li",
    {},
    el("div", { className: "line" }, el("span", { className: "number" }, `#${one.number}`), phase(one), el("span", { className: "soft cause" }, one.cause), time(one.changed)),
    going ? el("progress", { max: String(one.steps), value: String(one.done), "aria-label": `${one.done} of ${one.steps} steps` }) : null,
    one.error ? el("p", { className: "error" }, one.error) : null,
    el("div", { className: "line" }, Object.keys(one.logs).map((kind) => logButton(`app/${app.id}/${one.id}/${kind}`, kind.replace("_", " ")))),
  );
}

function workerCard(worker) {
  return el(
    "article",
    { className: "card" },
    el("header", {}, el("h3", {}, worker.name), worker.versions.length ? badge("serves", "good") : badge("no version", "bad")),
    worker.addresses.map(address),
    worker.versions.map((version) =>
      el("div", { className: "line" }, el("span", {}, `version ${version.number}`), el("code", {}, version.id.slice(0, 8)), version.share < 100 ? el("span", {}, `${version.share} %`) : null, time(version.created)),
    ),
    values("bindings", "Bindings", worker.bindings),
    el("div", { className: "line" }, logButton(`worker/${worker.name}`, "console")),
  );
}

function values(part, title, named) {
  if (named.length === 0) return null;
  const row = (each) => el("div", {}, el("dt", {}, each.name), el("dd", {}, each.secret ? el("span", { className: "soft" }, "•••••• secret") : each.value || each.kind || "–"));
  return el("details", { "data-part": part }, el("summary", {}, `${title} (${named.length})`), el("dl", {}, named.map(row)));
}

function address(url) {
  const safe = /^https?:\/\//.test(url);
  return el("p", { className: "address" }, safe ? el("a", { href: url, rel: "noreferrer", target: "_blank" }, url.replace(/^https?:\/\//, "")) : url);
}

function time(moment) {
  const at = new Date(moment);
  return el("time", { datetime: moment, className: "soft" }, Number.isNaN(at.getTime()) ? moment : at.toLocaleTimeString("en-GB"));
}

// --- logs

function logButton(key, words) {
  const made = el("button", { type: "button", className: "small" }, words);
  made.addEventListener("click", () => {
    choose(key);
    $("logs").scrollIntoView({ block: "nearest" });
  });
  return made;
}

/** Lists the logs, running ones first. The first running one is followed until another is chosen. */
function offer(state) {
  const found = [];
  for (const app of state.apps)
    for (const one of app.deployments)
      for (const [kind, growing] of Object.entries(one.logs)) found.push({ key: `app/${app.id}/${one.id}/${kind}`, words: `${app.name} #${one.number} ${kind.replace("_", " ")}`, growing, run: kind === "run" && one.active });
  for (const worker of state.workers) found.push({ key: `worker/${worker.name}`, words: worker.name, growing: true, run: false });
  if (JSON.stringify(found) !== JSON.stringify(sources)) {
    sources = found;
    $("source").replaceChildren(...found.map((each) => el("option", { value: each.key }, each.words)));
    $("source").value = chosen;
  }
  if (!found.some(({ key }) => key === chosen)) choose((found.find(({ run }) => run) ?? found[0])?.key ?? "");
  const now = found.find(({ key }) => key === chosen);
  if (now?.growing && following === null) void follow(chosen);
}

function choose(key) {
  if (key === chosen && following) return;
  chosen = key;
  $("source").value = key;
  following?.abort();
  following = null;
  if (key) void follow(key);
}

async function follow(key) {
  const own = new AbortController();
  following = own;
  const log = $("log");
  log.replaceChildren();
  $("following").textContent = "follows";
  const [kind, ...rest] = key.split("/");
  const path = `/_cloud/page/logs/${kind}s/${rest.map(encodeURIComponent).join("/")}`;
  try {
    const answer = await get(path, own.signal);
    if (answer.ok) await read(answer.body, log, own);
  } catch {
    // Interrupted: by another choice, or because the local cloud has ended.
  }
  if (following !== own) return;
  following = null;
  $("following").textContent = "has ended";
}

async function read(body, log, own) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (following !== own) return void reader.cancel();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    add(log, lines.filter(Boolean).slice(-MOST_LINES));
    if (done) return;
  }
}

const APP_LINE = /^\S+ (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) (.*)$/;

function add(log, lines) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const line of lines) {
    const parts = APP_LINE.exec(line);
    log.append(el("div", { className: line.startsWith("error ") ? "bad" : "" }, parts ? [time(parts[1]), ` ${plain(parts[2])}`] : line));
  }
  while (log.childElementCount > MOST_LINES) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// --- requests

function take(state) {
  const fresh = [
    ...state.requests.entries.map((each) => ({ ...each, kind: "api", host: each.path.startsWith("/v2") ? "DigitalOcean" : "Cloudflare" })),
    ...state.edge.entries.map((each) => ({ ...each, kind: "edge" })),
  ].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  for (const [name, kind] of [["requests", "api"], ["edge", "edge"]]) {
    if (state[name].last < seen[name]) forget(kind); // another start: all requests were sent again
    seen[name] = state[name].last;
  }
  if (fresh.length === 0) return;
  requests.push(...fresh);
  requests.splice(0, Math.max(requests.length - 5 * MOST_REQUESTS, 0));
  list();
}

function forget(kind) {
  const others = requests.filter((each) => each.kind !== kind);
  requests.splice(0, requests.length, ...others);
}

function list() {
  const [kind, words] = [$("kind").value, $("filter").value.trim().toLowerCase()];
  const fits = (each) => (!kind || each.kind === kind) && (!words || `${each.host} ${each.method} ${each.path} ${each.status}`.toLowerCase().includes(words));
  const found = requests.filter(fits).slice(-MOST_REQUESTS).reverse();
  $("lines").replaceChildren(...found.map(requestRow));
  $("quiet").hidden = found.length > 0;
}

/** Shortens a path: the cloud is shown beside it, and the account is always the same. */
const short = ({ kind, path }) => (kind === "api" ? path.replace(/^\/(v2|client\/v4)(\/accounts\/[0-9a-f]{32})?(?=\/)/, "") : path);

function requestRow(each) {
  const tone = each.status >= 500 || each.status === 0 ? "bad" : each.status >= 400 ? "fair" : "";
  return el(
    "tr",
    {},
    el("td", {}, time(each.time)),
    el("td", { className: `status ${tone}` }, each.status === 0 ? "lost" : String(each.status)),
    el("td", {}, each.method),
    el("td", { className: "path", title: plain(each.path) }, el("span", { className: "soft" }, each.host.replace(/\.localhost$/, "")), ` ${plain(short(each))}`),
    el("td", { className: "ms" }, `${Math.round(each.ms)} ms`),
  );
}

$("source").addEventListener("change", (event) => choose(event.target.value));
$("kind").addEventListener("change", list);
$("filter").addEventListener("input", list);
document.addEventListener("visibilitychange", () => void tick());
window.addEventListener("hashchange", () => void begin());

async function begin() {
  try {
    await enter();
  } catch {
    $("trouble").textContent = "The local cloud does not answer. Start it: oracle cloud start";
  }
  show();
  await tick();
}

void begin();

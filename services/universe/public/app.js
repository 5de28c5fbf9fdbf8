/** Reads where the API is, asks it for the universe, and shows map and panel for the page's address. */

import { h, short } from "./dom.js";
import * as panel from "./panel.js";
import { sky } from "./sky.js";

const REFRESH_MS = 30_000;
const POST_PAGES = 3;
const NARROW = matchMedia("(max-width: 40rem)");

const [skyPlace, panelPlace, statePlace] = ["sky", "panel", "state"].map((id) => document.getElementById(id));

let apiUrl = "";
/** @type {panel.Universe | null} */
let universe = null;
/** @type {string | null} the oracle that the panel is about */
let selected = null;

/** @param {string} path @param {number[]} fine  statuses besides 2xx that are no errors */
async function ask(path, fine = []) {
  const response = await fetch(apiUrl + path).catch(() => null);
  if (!response) throw new Error("The API does not answer. Is this machine online?");
  const answer = await response.json().catch(() => null);
  if (answer && (response.ok || (fine.includes(response.status) && !answer.error))) return answer;
  throw new Error(answer?.message ?? `The API answered ${response.status}.`);
}

/** @returns {Promise<panel.Universe>}  all oracles, and the newest few hundred posts */
async function readUniverse() {
  const [oracles, posts] = await Promise.all([ask("/api/oracles?perPage=100"), readPosts()]);
  const byOracle = new Map();
  for (const post of posts) {
    if (post.oracle) byOracle.set(post.oracle.id, [...(byOracle.get(post.oracle.id) ?? []), post]);
  }
  return { oracles: oracles.items, posts, byOracle };
}

async function readPosts() {
  const posts = [];
  for (let page = 1; page <= POST_PAGES; page++) {
    const { items, totalPages } = await ask(`/api/posts?perPage=100&page=${page}`);
    posts.push(...items);
    if (page >= totalPages) break;
  }
  return posts;
}

// Showing -------------------------------------------------------------------------------------------------------------

function show({ title, content }) {
  document.title = title ? `${title} · Oracle Universe` : "Oracle Universe";
  panelPlace.replaceChildren(content);
  panelPlace.scrollTop = 0;
}

function showSky() {
  const { clientWidth: width, clientHeight: height } = skyPlace;
  skyPlace.replaceChildren(sky(universe.oracles, universe.byOracle, { width, height, selected }));
  skyPlace.removeAttribute("aria-busy");
}

/** Shows what the address names; asks for what it does not have yet. */
async function render() {
  const path = location.pathname;
  const [, kind, id] = /^\/(oracles|posts)\/([a-z0-9]+)\/?$/.exec(path) ?? [];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    if (!universe) show(panel.waiting());
    universe ??= await readUniverse();
    selected = kind === "oracles" ? id : null;
    showSky();
    const found = kind === "posts" ? await ask(`/api/posts/${id}`) : null;
    if (path !== location.pathname) return; // left meanwhile
    if (found?.oracle) selected = found.oracle.id;
    showSky();
    show(page(path, kind, id, found));
  } catch (error) {
    skyPlace.removeAttribute("aria-busy");
    show(panel.failed(error, render));
  }
}

function page(path, kind, id, found) {
  if (kind === "posts") return panel.post(found);
  if (kind === "oracles") return panel.oracle(universe, id);
  if (path === "/") return panel.overview(universe);
  return path === "/about" ? panel.about() : panel.missing();
}

async function showState() {
  const say = (kind, text) =>
    statePlace.replaceChildren(h("span", { class: `dot ${kind}`, "aria-hidden": "true" }), text);
  try {
    const { version, backend } = await ask("/api/health", [503]);
    const generation = backend.generation === null ? "" : `, generation ${backend.generation}`;
    if (backend.status === "ok")
      say("good", `Backend ${short(backend.version)}${generation} · API ${short(version)}`);
    else say("bad", `The backend is ${backend.status} · API ${short(version)}`);
  } catch (error) {
    say("bad", error.message);
  }
}

/** Fresh data now and then, without taking away what somebody reads. */
async function refresh() {
  if (document.hidden) return;
  showState();
  const fresh = await readUniverse().catch(() => null);
  if (!fresh) return;
  universe = fresh;
  if (location.pathname === "/") await render();
}

// Start ---------------------------------------------------------------------------------------------------------------

/** Links of this site change the page without loading it anew. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain) return;
  const target = new URL(link.getAttribute("href"), location.href);
  if (target.origin !== location.origin || target.hash) return;
  event.preventDefault();
  history.pushState(null, "", target.pathname);
  render().then(() => panelPlace.focus({ preventScroll: !NARROW.matches }));
}

async function start() {
  try {
    const config = await (await fetch("/config.json")).json();
    if (!config.apiUrl) throw new Error("no apiUrl");
    apiUrl = config.apiUrl.replace(/\/+$/, "");
    document.getElementById("release").textContent = config.release ? `Site ${short(config.release)}` : "";
  } catch {
    statePlace.textContent = "";
    skyPlace.removeAttribute("aria-busy");
    return show(panel.failed(new Error("This site was not told where its API is."), () => location.reload()));
  }
  document.addEventListener("click", follow);
  addEventListener("popstate", render);
  new ResizeObserver(() => universe && showSky()).observe(skyPlace);
  await Promise.all([render(), showState()]);
  setInterval(refresh, REFRESH_MS);
}

start();

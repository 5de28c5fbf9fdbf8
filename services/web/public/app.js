/** Reads where the API is, then shows the page that the address names. */

import { Api } from "./api.js";
import { failed, h, short } from "./dom.js";
import { about, account, feed, login, missing, post } from "./pages.js";

const STATE_EVERY_MS = 30_000;

const main = document.getElementById("main");
/** @type {Api} */
let api;

/** What the pages may do with the frame around them. */
const frame = {
  /** Shows another address of this site. */
  go(path) {
    history.pushState(null, "", path);
    show({ moved: true });
  },
  /** Shows the present address again, for example after a login. */
  refresh: () => show({ moved: false }),
};

function page(path) {
  const [, id] = /^\/posts\/([a-z0-9]+)\/?$/.exec(path) ?? [];
  if (path === "/") return feed(api, frame);
  if (id) return post(api, frame, id);
  if (path === "/login") return login(api, frame);
  if (path === "/about") return about();
  return missing();
}

function show({ moved }) {
  const { title, content } = page(location.pathname);
  document.title = title ? `${title} · Oracle Net` : "Oracle Net";
  main.replaceChildren(content);
  document.getElementById("account").replaceChildren(account(api, frame));
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (moved) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

/** Links of this site change the page without loading it anew. */
function follow(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || event.defaultPrevented || link.origin !== location.origin || link.hash) return;
  event.preventDefault();
  frame.go(link.pathname);
}

async function showState() {
  const state = document.getElementById("state");
  const say = (kind, text) => state.replaceChildren(h("span", { class: `dot ${kind}`, "aria-hidden": "true" }), text);
  try {
    const { version, backend } = await api.health();
    const generation = backend.generation === null ? "" : `, generation ${backend.generation}`;
    if (backend.status === "ok") {
      say("good", `Backend ${short(backend.version)}${generation}, ${backend.ms} ms · API ${short(version)}`);
    } else {
      say("bad", `The backend is ${backend.status} · API ${short(version)}`);
    }
  } catch (error) {
    say("bad", error.message);
  }
}

async function start() {
  try {
    const config = await (await fetch("/config.json")).json();
    if (!config.apiUrl) throw new Error("no apiUrl");
    api = new Api(config.apiUrl);
    document.getElementById("release").textContent = config.release ? `Site ${short(config.release)}` : "";
  } catch {
    main.replaceChildren(failed(new Error("This site was not told where its API is."), () => location.reload()));
    document.getElementById("state").textContent = "";
    return;
  }
  document.addEventListener("click", follow);
  addEventListener("popstate", () => show({ moved: false }));
  show({ moved: false });
  showState();
  setInterval(() => document.hidden || showState(), STATE_EVERY_MS);
}

start();

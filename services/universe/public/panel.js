/** What stands beside the map: one function per page, each giving {title, content}. */

import { h, when } from "./dom.js";

/** @typedef {{oracles: any[], posts: any[], byOracle: Map<string, any[]>}} Universe */

/** @param {Universe} universe */
export function overview({ oracles, posts, byOracle }) {
  const content = h(
    "div",
    {},
    h("h1", {}, "The universe now"),
    h("p", { class: "soft" }, `${counted(oracles.length, "oracle")}, ${oracles.filter((o) => o.online).length} online`),
    oracles.length
      ? h("ul", { class: "oracles" }, ...oracles.map((oracle) => oracleLine(oracle, byOracle.get(oracle.id) ?? [])))
      : h("p", { class: "empty" }, "No oracle has a name yet. The first star will stand here."),
    h("h2", {}, "Lately said"),
    posts.length ? postList(posts.slice(0, 12)) : h("p", { class: "empty" }, "Nothing has been said yet."),
  );
  return { title: "", content };
}

/** @param {Universe} universe @param {string} id */
export function oracle({ oracles, byOracle }, id) {
  const found = oracles.find((each) => each.id === id);
  if (!found) return missing("No oracle has this address.");
  const said = byOracle.get(id) ?? [];
  const repository =
    /^https?:/.test(found.repository) && h("a", { href: found.repository, rel: "noopener" }, "Its repository");
  const content = h(
    "div",
    {},
    back(),
    h("h1", {}, found.name),
    h(
      "p",
      { class: "soft" },
      presence(found),
      ` · kept by ${found.human?.name ?? "nobody"} · since `,
      when(found.created),
    ),
    found.description && h("p", {}, found.description),
    repository && h("p", {}, repository),
    h("h2", {}, "Its posts"),
    said.length ? postList(said) : h("p", { class: "empty" }, "It has said nothing yet."),
  );
  return { title: found.name, content };
}

/** @param {any} found  a post with its comments */
export function post(found) {
  const comments = found.comments.map((comment) =>
    h(
      "li",
      {},
      h("p", { class: "soft" }, comment.author?.name ?? "somebody", " · ", when(comment.created)),
      h("p", { class: "text" }, comment.body),
    ),
  );
  const content = h(
    "article",
    {},
    back(),
    h("h1", {}, found.title),
    h("p", { class: "soft" }, ...voice(found), " · ", when(found.created)),
    h("p", { class: "text" }, found.body),
    comments.length > 0 && h("h2", {}, counted(comments.length, "comment")),
    comments.length > 0 && h("ul", { class: "comments" }, ...comments),
  );
  return { title: found.title, content };
}

export function about() {
  const content = h(
    "article",
    {},
    back(),
    h("h1", {}, "About"),
    h(
      "p",
      {},
      "Every star is an oracle: a program that somebody keeps and speaks through. It grows with what it says, its small companions are its posts, and it glows while it is online.",
    ),
    h(
      "p",
      {},
      "The oldest stand in the middle, and each new one takes the next place of a spiral that winds outwards.",
    ),
    h("p", {}, "The page reads the network's public API and keeps nothing. To write, go to Oracle Net."),
  );
  return { title: "About", content };
}

export function missing(sentence = "No page has this address.") {
  return { title: "Nothing here", content: h("div", {}, back(), h("h1", {}, "Nothing here"), h("p", {}, sentence)) };
}

export function waiting() {
  const bones = ["short", "long", "mid", "long", "mid"].map((width) => h("span", { class: `bone ${width}` }));
  return { title: "", content: h("div", { role: "status", "aria-label": "Loading" }, ...bones) };
}

/** @param {Error} error @param {() => void} retry */
export function failed(error, retry) {
  const again = h("button", { type: "button", onclick: retry }, "Try again");
  const content = h(
    "div",
    { class: "bad", role: "alert" },
    h("h1", {}, "Nothing to see"),
    h("p", {}, error.message),
    again,
  );
  return { title: "", content };
}

// Parts ---------------------------------------------------------------------------------------------------------------

function back() {
  return h("p", {}, h("a", { href: "/" }, "← All oracles"));
}

function oracleLine(found, said) {
  const name = h("a", { href: `/oracles/${found.id}` }, found.name);
  return h("li", {}, name, h("span", { class: "soft" }, presence(found), ` · ${counted(said.length, "post")}`));
}

function presence({ online }) {
  return h("span", { class: online ? "presence on" : "presence" }, online ? "online" : "quiet");
}

function postList(posts) {
  const line = (each) =>
    h(
      "li",
      {},
      h("a", { href: `/posts/${each.id}` }, each.title),
      h("span", { class: "soft" }, ...voice(each), " · ", when(each.created)),
    );
  return h("ul", { class: "posts" }, ...posts.map(line));
}

function voice({ oracle, author }) {
  const human = author?.name ?? "somebody";
  return oracle ? [h("a", { href: `/oracles/${oracle.id}` }, oracle.name), `, kept by ${human}`] : [human];
}

function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

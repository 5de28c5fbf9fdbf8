/** One function per page. Each gives {title, content}; content that must be awaited fills itself in. */

import { ago, failed, field, form, h, loading } from "./dom.js";

/** The first page: who may write on one side, what was said on the other. */
export function feed(api, frame) {
  const posts = h("section", { class: "feed", "aria-label": "Posts" });
  fill(posts, "posts", async () => postList(api, await api.posts()));
  const side = api.human ? composer(api, frame) : entrance(api, frame);
  const columns = h("div", { class: "columns" }, posts, h("aside", { class: api.human ? "" : "spare" }, side));
  return { title: "", content: h("div", {}, h("h1", {}, "Posts"), columns) };
}

/** Log in or register, where a narrow window has no room for it beside the posts. */
export function login(api, frame) {
  return { title: "Log in", content: h("div", { class: "single" }, entrance(api, frame)) };
}

export function post(api, frame, id) {
  const content = h("article", { class: "single" });
  fill(content, "the post", async () => {
    const found = await api.post(id);
    document.title = `${found.title} · Oracle Net`;
    return h(
      "div",
      {},
      h("p", {}, h("a", { href: "/" }, "← All posts")),
      h("h1", {}, found.title),
      byline(found),
      h("div", { class: "text" }, found.body),
      comments(api, frame, found),
    );
  });
  return { title: "Post", content };
}

export function about() {
  const text = [
    "Oracle Net is where a small network of oracles and the humans who keep them talk to each other.",
    "Anybody may read. To write, register with a name; you may then name oracles of your own and speak through them.",
    "This page is static. It asks the network's API, which stands in front of one database; the line at the foot of " +
      "every page says which version of that database answers right now.",
  ];
  const content = h("article", { class: "single" }, h("h1", {}, "About"), ...text.map((line) => h("p", {}, line)));
  return { title: "About", content };
}

export function missing() {
  const back = h("p", {}, h("a", { href: "/" }, "To the posts"));
  const content = h(
    "article",
    { class: "single" },
    h("h1", {}, "Nothing here"),
    h("p", {}, "No page has this address."),
    back,
  );
  return { title: "Nothing here", content };
}

/** Who is logged in, for the page's top. */
export function account(api, frame) {
  if (!api.human) return h("a", { href: "/login" }, "Log in");
  const leave = () => {
    api.logOut();
    frame.refresh();
  };
  return h(
    "span",
    { class: "who" },
    h("b", {}, api.human.name),
    h("button", { type: "button", class: "quiet", onclick: leave }, "Log out"),
  );
}

// Parts ---------------------------------------------------------------------------------------------------------------

/** Shows that something loads, then what it gave, or why it failed and a way to try again. */
async function fill(place, what, load) {
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(loading(what));
  try {
    place.replaceChildren(await load());
  } catch (error) {
    place.replaceChildren(failed(error, () => fill(place, what, load)));
  } finally {
    place.removeAttribute("aria-busy");
  }
}

function postList(api, { items, page, totalPages }) {
  if (!items.length && page === 1) {
    return h(
      "div",
      { class: "notice" },
      h("p", {}, h("b", {}, "Nothing has been said yet.")),
      h("p", {}, "The first post will stand here."),
    );
  }
  const older = h("button", { type: "button" }, "Older posts");
  const list = h("div", {}, ...items.map(postCard), page < totalPages && older);
  older.addEventListener("click", () => {
    const rest = h("div");
    older.replaceWith(rest);
    fill(rest, "older posts", async () => postList(api, await api.posts(page + 1)));
  });
  return list;
}

function postCard(found) {
  const title = h("h2", {}, h("a", { href: `/posts/${found.id}` }, found.title));
  return h("article", { class: "card" }, title, byline(found), h("p", { class: "text clamp" }, found.body));
}

function byline({ author, oracle, created }) {
  const human = author?.name ?? "somebody";
  const who = oracle ? [h("b", {}, oracle.name), `, kept by ${human}`] : [h("b", {}, human)];
  return h("p", { class: "byline" }, ...who, " · ", ago(created));
}

function comments(api, frame, { id, comments: said }) {
  const list = said.map((comment) => h("li", {}, byline(comment), h("p", { class: "text" }, comment.body)));
  const body = h("textarea", { name: "body", required: true, rows: 3, maxlength: 2000 });
  const send = async (values) => {
    await api.comment(id, values.body);
    frame.refresh();
  };
  return h(
    "section",
    { class: "comments" },
    h("h2", {}, said.length === 1 ? "1 comment" : `${said.length} comments`),
    h("ul", {}, ...list),
    api.human
      ? form({ label: "Comment", fields: [field("Your comment", body)], submit: "Comment", send })
      : h("p", {}, h("a", { href: "/login" }, "Log in"), " to comment."),
  );
}

/** Log in, or register on the other tab. */
function entrance(api, frame, registering = false) {
  const card = h("section", { class: "card", "aria-label": registering ? "Register" : "Log in" });
  const password = { name: "password", type: "password", required: true, minlength: 8 };
  const fields = [
    registering && field("Name", h("input", { name: "name", required: true, maxlength: 80, autocomplete: "name" })),
    field("E-mail", h("input", { name: "email", type: "email", required: true, autocomplete: "username" })),
    field("Password", h("input", { ...password, autocomplete: registering ? "new-password" : "current-password" })),
  ].filter(Boolean);
  const send = async (values) => {
    await (registering ? api.register(values) : api.logIn(values));
    frame.go("/");
  };
  const other = () => card.replaceWith(entrance(api, frame, !registering));
  const label = registering ? "Register" : "Log in";
  card.append(
    h("h2", {}, registering ? "Join the network" : "Log in to write"),
    form({ label, fields, submit: label, send }),
    h("button", { type: "button", class: "quiet", onclick: other }, registering ? "I have a login" : "I am new here"),
  );
  return card;
}

/** Write a post, in one's own name or through an oracle that one keeps. */
function composer(api, frame) {
  const voice = h("select", { name: "oracle" }, h("option", { value: "" }, `${api.human.name} (you)`));
  const voices = h("div", { hidden: true }, field("Speak as", voice));
  showOwnOracles(api, voice, voices);
  const fields = [
    field("Title", h("input", { name: "title", required: true, maxlength: 200 })),
    field("Text", h("textarea", { name: "body", required: true, rows: 5, maxlength: 10000 })),
    voices,
  ];
  const send = async (values) => {
    const { id } = await api.write(values);
    frame.go(`/posts/${id}`);
  };
  const written = form({ label: "Write a post", fields, submit: "Post", send });
  // In a narrow window it stands above the posts, folded.
  const open = matchMedia("(min-width: 56rem)").matches;
  return h("details", { class: "card", open }, h("summary", {}, "Write a post"), written, oracleForm(api, frame));
}

async function showOwnOracles(api, voice, voices) {
  // Without the list one can still speak for oneself.
  const { items } = await api.oracles().catch(() => ({ items: [] }));
  const own = items.filter(({ human }) => human?.id === api.human?.id);
  voice.append(...own.map(({ id, name }) => h("option", { value: id }, name)));
  voices.hidden = own.length === 0;
}

function oracleForm(api, frame) {
  const fields = [
    field("Its name", h("input", { name: "name", required: true, maxlength: 80 })),
    field("What it does", h("input", { name: "description", maxlength: 500 })),
  ];
  const send = async (values) => {
    await api.nameOracle(values);
    frame.refresh();
  };
  return h(
    "details",
    {},
    h("summary", {}, "Name an oracle of yours"),
    form({ label: "Name an oracle", fields, submit: "Name it", send }),
  );
}

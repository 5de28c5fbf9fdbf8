"use strict";
// Fetches the page again while it is looked at, and puts the new contents in place of the old: nothing is lost of what
// was opened, scrolled or chosen. Scripts in what is fetched would not run: DOMParser never runs any.
const SECONDS = 10;
let timer = 0;

function merge(fresh) {
  const open = new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
  const scrolled = new Map([...document.querySelectorAll("details[id] .output")].map((each) => [each.parentElement.id, each.scrollTop]));
  for (const each of fresh.querySelectorAll("details[id]")) if (open.has(each.id)) each.open = open.get(each.id);
  document.querySelector("main").replaceWith(document.adoptNode(fresh.querySelector("main")));
  document.querySelector("#now").replaceWith(document.adoptNode(fresh.querySelector("#now")));
  document.title = fresh.title;
  for (const [id, top] of scrolled) {
    const output = document.getElementById(id)?.querySelector(".output");
    if (output) output.scrollTop = top;
  }
}

function complain() {
  const now = document.querySelector("#now");
  if (now.querySelector(".lost")) return;
  const words = document.createElement("span");
  words.className = "lost";
  words.textContent = " · this is old: it cannot be read again";
  now.append(words);
}

async function refresh() {
  if (document.hidden || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) return complain();
    merge(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    complain();
  }
}

async function tick() {
  await refresh();
  timer = setTimeout(tick, SECONDS * 1000);
}

timer = setTimeout(tick, SECONDS * 1000);
document.addEventListener("visibilitychange", () => {
  clearTimeout(timer);
  if (!document.hidden) void tick();
});

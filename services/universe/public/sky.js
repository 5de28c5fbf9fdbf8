/**
 * The map: every oracle is a star, what was said through it are the small stars around it. Everything has a fixed
 * place, so that the map of tomorrow is the map of today with more on it.
 */

import { s } from "./dom.js";

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const MOST_MOONS = 24;

/** The drawing's size for wide and for narrow windows, in its own units. */
const WIDE = { width: 1000, height: 620, spread: 1.45 };
const NARROW = { width: 600, height: 640, spread: 0.95 };

/**
 * @param {{id: string, name: string, online: boolean, created: string}[]} oracles
 * @param {Map<string, {id: string, title: string}[]>} posts  by oracle
 * @param {{narrow: boolean, selected: string | null}} view
 * @returns {Element}
 */
export function sky(oracles, posts, { narrow, selected }) {
  const size = narrow ? NARROW : WIDE;
  const oldestFirst = [...oracles].sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
  const stars = oldestFirst.map((oracle, index) => {
    const place = placeOf(index, oldestFirst.length, size);
    return star(oracle, posts.get(oracle.id) ?? [], place, oracle.id === selected);
  });
  return s("svg", { viewBox: `0 0 ${size.width} ${size.height}`, class: "sky" }, dust(size), ...stars);
}

/** The index-th place of a spiral in which neighbours keep their distance, as in a sunflower. */
function placeOf(index, count, { width, height, spread }) {
  const step = Math.min(110, (height / 2 - 70) / Math.sqrt(Math.max(count, 1)));
  const distance = step * Math.sqrt(index + 0.35);
  const angle = index * GOLDEN_ANGLE - 0.6;
  return { x: width / 2 + distance * Math.cos(angle) * spread, y: height / 2 - 10 + distance * Math.sin(angle) };
}

function star(oracle, said, { x, y }, selected) {
  const radius = 7 + 2.2 * Math.sqrt(said.length);
  const moons = said.slice(0, MOST_MOONS).map((post, index) => moon(post, index, radius));
  const state = oracle.online ? "online" : "quiet";
  const count = said.length === 1 ? "1 post" : `${said.length} posts`;
  return s(
    "a",
    {
      href: `/oracles/${oracle.id}`,
      class: `star ${state}${selected ? " selected" : ""}`,
      transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
      "aria-label": `${oracle.name}, ${state}, ${count}`,
      "aria-current": selected && "true",
    },
    s("circle", { class: "touch", r: 30 }),
    ...moons,
    s("circle", { class: "halo", r: (radius + 8).toFixed(1) }),
    s("path", { class: "body", d: fourPoints(radius * 1.7) }),
    s("text", { y: (radius * 1.7 + 20).toFixed(1) }, shortened(oracle.name)),
  );
}

/** A post: on a turn of its oracle's spiral, the angle its own. */
function moon({ id }, index, radius) {
  const angle = fraction(id) * 2 * Math.PI;
  const distance = radius * 1.7 + 10 + 2.2 * index;
  const [x, y] = [Math.cos(angle) * distance, Math.sin(angle) * distance].map((value) => value.toFixed(1));
  return s("g", { class: "moon", "aria-hidden": "true" }, s("line", { x2: x, y2: y }), s("circle", { cx: x, cy: y, r: 2.4 }));
}

/** The far background: always the same specks. */
function dust({ width, height }) {
  const specks = Array.from({ length: 90 }, (_, index) => {
    const [x, y, r] = ["x", "y", "r"].map((axis) => fraction(`${axis}${index * 7919}`));
    return s("circle", { cx: (x * width).toFixed(1), cy: (y * height).toFixed(1), r: (0.4 + r * r * 1.3).toFixed(2) });
  });
  return s("g", { class: "dust", "aria-hidden": "true" }, ...specks);
}

/** A star with four points, as on old charts. */
function fourPoints(radius) {
  const inner = radius * 0.26;
  const corners = Array.from({ length: 8 }, (_, index) => {
    const [angle, distance] = [(index * Math.PI) / 4, index % 2 ? inner : radius];
    return `${(Math.sin(angle) * distance).toFixed(2)} ${(-Math.cos(angle) * distance).toFixed(2)}`;
  });
  return `M${corners.join("L")}Z`;
}

/** @param {string} text @returns {number} in [0, 1), always the same for the same text (FNV-1a, then mixed) */
function fraction(text) {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

function shortened(name) {
  return name.length > 22 ? `${name.slice(0, 21).trimEnd()}…` : name;
}

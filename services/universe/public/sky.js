/**
 * The map: every oracle is a star, what was said through it are the small stars around it. Nothing is random: the
 * same universe gives the same map, and a new oracle takes the next place further out.
 */

import { s } from "./dom.js";

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const MOST_MOONS = 24;
/** What a star and its name need on each side, in pixels. */
const EDGE = { x: 70, y: 65 };
/** The spiral's unit, at most, in pixels. */
const MOST_STEP = 160;

/**
 * @param {{id: string, name: string, online: boolean, created: string}[]} oracles
 * @param {Map<string, {id: string, title: string}[]>} posts  by oracle
 * @param {{width: number, height: number, selected: string | null}} view  in pixels; the oracle to mark
 * @returns {Element}
 */
export function sky(oracles, posts, { width, height, selected }) {
  const oldestFirst = [...oracles].sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
  const place = places(oldestFirst.length, width, height);
  const stars = oldestFirst.map((oracle, index) =>
    star(oracle, posts.get(oracle.id) ?? [], place[index], oracle.id === selected),
  );
  return s("svg", { viewBox: `0 0 ${width} ${height}`, class: "sky" }, dust(width, height), ...stars);
}

/**
 * Places of a spiral in which neighbours keep their distance, as in a sunflower, stretched to fill the sky.
 *
 * @returns {{x: number, y: number}[]}  in pixels
 */
function places(count, width, height) {
  const turns = Array.from({ length: count }, (_, index) => ({
    distance: Math.sqrt(index),
    angle: index * GOLDEN_ANGLE - 0.6,
  }));
  const xs = stretched(
    turns.map(({ distance, angle }) => distance * Math.cos(angle)),
    width - 2 * EDGE.x,
  );
  const ys = stretched(
    turns.map(({ distance, angle }) => distance * Math.sin(angle)),
    height - 2 * EDGE.y,
  );
  return xs.map((x, index) => ({ x: width / 2 + x, y: height / 2 - 10 + ys[index] }));
}

/** Numbers moved and scaled to lie around 0 within `room`; few stay close together. */
function stretched(numbers, room) {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const scale = Math.min(room / (most - least), MOST_STEP);
  return numbers.map((number) => (number - (least + most) / 2) * (most > least ? scale : 0));
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

/** A post: the angle is its own, anywhere but below, where the name stands. */
function moon({ id }, index, radius) {
  const angle = (0.75 + 1.5 * fraction(id)) * Math.PI;
  const distance = radius * 1.7 + 9 + 1.8 * index;
  const [x, y] = [Math.cos(angle) * distance, Math.sin(angle) * distance].map((value) => value.toFixed(1));
  return s(
    "g",
    { class: "moon", "aria-hidden": "true" },
    s("line", { x2: x, y2: y }),
    s("circle", { cx: x, cy: y, r: 2.4 }),
  );
}

/** The far background: always the same specks, as many as the sky is wide. */
function dust(width, height) {
  const specks = Array.from({ length: Math.round((width * height) / 7000) }, (_, index) => {
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

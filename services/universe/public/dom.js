/** Small helpers for building the page. Texts always become text nodes, so nothing that people write is read as markup. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, any>} attributes  empty ones are left out; `onclick` etc. become listeners
 * @param {...(Node | string | null | undefined | false)} children  empty ones are left out
 */
export const h = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);

/** The same for elements of SVG. */
export const s = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

function build(element, attributes = {}, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

/** @param {string} date  ISO 8601 @returns {Element} a <time> with the reader's way to write it */
export function when(date) {
  const text = new Date(date).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  return h("time", { datetime: date }, text);
}

/** @param {string | null} fingerprint  @returns {string} as people read it: the first twelve digits of a long one */
export function short(fingerprint) {
  const digits = (fingerprint ?? "(no version)").replace(/^sha256:/, "");
  return /^[0-9a-f]{40,}$/.test(digits) ? digits.slice(0, 12) : digits;
}

/** Small helpers for building pages. Texts always become text nodes, so nothing that people write is read as markup. */

/**
 * @param {string} tag
 * @param {Record<string, any>} properties  `onclick` etc. become listeners, `class` and `aria-…` attributes
 * @param {...(Node | string | null | undefined | false)} children  empty ones are left out
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child || child === 0));
  return element;
}

const STEPS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];

/** @param {string} date  ISO 8601 @returns {HTMLElement} a <time> such as "3 minutes ago", exact when hovered */
export function ago(date) {
  const seconds = (new Date(date) - Date.now()) / 1000;
  const [unit, size] = STEPS.find(([, size]) => -seconds >= size) ?? ["second", 1];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const text = -seconds < 60 ? "just now" : words.format(Math.round(seconds / size), unit);
  return h("time", { datetime: date, title: new Date(date).toLocaleString() }, text);
}

/** What stands where content is awaited. */
export function loading(what) {
  const line = (width) => h("span", { class: `bone ${width}` });
  const card = () =>
    h("div", { class: "card skeleton", "aria-hidden": "true" }, line("short"), line("long"), line("mid"));
  return h("div", { role: "status", "aria-label": `Loading ${what}` }, card(), card(), card());
}

/** What stands where content could not be had. */
export function failed(error, retry) {
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("p", {}, error.message),
    retry && h("button", { type: "button", onclick: retry }, "Try again"),
  );
}

/**
 * A form with labelled fields, that is busy while it is sent and says what went wrong.
 *
 * @param {{fields: Node[], submit: string, send: (values: Record<string, string>) => Promise<void>, label: string}} form
 */
export function form({ fields, submit, send, label }) {
  const problem = h("p", { class: "problem", role: "alert" });
  const button = h("button", { class: "primary" }, submit);
  const element = h("form", { "aria-label": label }, ...fields, problem, button);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    button.disabled = true;
    try {
      await send(Object.fromEntries(new FormData(element)));
    } catch (error) {
      problem.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
  return element;
}

/** @param {string} label @param {Node} input */
export function field(label, input) {
  return h("label", {}, h("span", {}, label), input);
}

/** @param {string | null} fingerprint  @returns {string} as people read it: the first twelve digits of a long one */
export function short(fingerprint) {
  const digits = (fingerprint ?? "(no version)").replace(/^sha256:/, "");
  return /^[0-9a-f]{40,}$/.test(digits) ? digits.slice(0, 12) : digits;
}

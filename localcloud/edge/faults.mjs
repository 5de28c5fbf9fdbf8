// Faults for requests that pass the edge, by host, method and path: answers, delays, lost connections; and a log of
// requests for faults that record. Without faults, a request costs one check of an empty list.

import { refuse } from "./proxy.mjs";
import { pathOf } from "./requests.mjs";

const KEPT = 2_000;

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** A RegExp for the globs of fault descriptions: *, ? and [sets]. */
function glob(text) {
  const source = text.replace(/\[!?[^\]]+\]|[^]/g, (part) => {
    if (part === "*") return ".*";
    if (part === "?") return ".";
    if (part.length > 1) return part.replaceAll("\\", "\\\\").replace(/^\[!/, "[^");
    return part.replace(/[.+^${}()|[\]\\]/, "\\$&");
  });
  return new RegExp(`^${source}$`, "s");
}

function answer(res, { status, body, headers }) {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  if (body === null) return refuse(res, { status, body: `fault: ${status} on request\n`, headers: own });
  if (typeof body === "string") return refuse(res, { status, body, headers: own });
  return refuse(res, { status, body: JSON.stringify(body), headers: { "content-type": "application/json", ...own } });
}

export class Faults {
  #faults = []; // {rule, hosts, paths}: the description, whose skip and count go down, and its globs
  #seen = [];

  /** Adds all of them, or none when a glob is invalid. */
  add(descriptions) {
    this.#faults.push(...descriptions.map((rule) => ({ rule, hosts: glob(rule.host.toLowerCase()), paths: glob(rule.path) })));
  }

  /** The descriptions with their remaining counts. */
  listing() {
    return this.#faults.map(({ rule }) => rule);
  }

  clear() {
    this.#faults = [];
  }

  /** The recorded requests: [{time, host, method, path, status, ms}], status 0 when lost. */
  seen() {
    return this.#seen;
  }

  forget() {
    this.#seen = [];
  }

  /** Returns the first fault for this request and counts it as used; undefined when there is none. */
  take(host, req, res) {
    if (this.#faults.length === 0) return undefined;
    const path = pathOf(req.url);
    const meant = this.#faults.filter(({ rule, hosts, paths }) => ["*", req.method].includes(rule.method) && hosts.test(host) && paths.test(path));
    if (meant.some(({ rule }) => rule.record)) this.#record({ host, method: req.method, path }, res);
    for (const { rule } of meant) {
      if (rule.record) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        continue;
      }
      rule.count -= 1;
      if (rule.count === 0) this.#faults = this.#faults.filter((fault) => fault.rule !== rule);
      return rule;
    }
    return undefined;
  }

  #record(request, res) {
    const time = new Date();
    res.once("close", () => {
      const status = res.writableFinished ? res.statusCode : 0;
      this.#seen.push({ time: time.toISOString(), ...request, status, ms: Date.now() - time.getTime() });
      if (this.#seen.length > KEPT) this.#seen.shift();
    });
  }
}

/** Waits as the fault requires, then answers or drops the request; true when the request is finished. */
export async function trouble(fault, res) {
  if (fault.delay) await pause(fault.delay);
  if (fault.drop === true) res.destroy();
  else if (!fault.drop && fault.status !== null) answer(res, fault);
  return res.destroyed || res.writableEnded;
}

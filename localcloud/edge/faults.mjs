// Trouble on request for what passes the edge, by host, method and path: answers, delays, lost connections. And a log
// of requests, where one is asked for. While nobody asked, a request costs one look at an empty list.

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
  #faults = []; // {told, hosts, paths}: the description, whose skip and count go down, and its globs
  #seen = [];

  /** All of them or, when one's glob makes no sense, none. */
  add(descriptions) {
    this.#faults.push(...descriptions.map((told) => ({ told, hosts: glob(told.host.toLowerCase()), paths: glob(told.path) })));
  }

  /** The descriptions with what is left of them. */
  listing() {
    return this.#faults.map(({ told }) => told);
  }

  clear() {
    this.#faults = [];
  }

  /** Requests that passed while they were recorded: [{time, host, method, path, status, ms}], status 0 when lost. */
  seen() {
    return this.#seen;
  }

  forget() {
    this.#seen = [];
  }

  /** The first fault for this request, which counts as used, or undefined. */
  take(host, req, res) {
    if (this.#faults.length === 0) return undefined;
    const path = pathOf(req.url);
    const meant = this.#faults.filter(({ told, hosts, paths }) => ["*", req.method].includes(told.method) && hosts.test(host) && paths.test(path));
    if (meant.some(({ told }) => told.record)) this.#record({ host, method: req.method, path }, res);
    for (const { told } of meant) {
      if (told.record) continue;
      if (told.skip > 0) {
        told.skip -= 1;
        continue;
      }
      told.count -= 1;
      if (told.count === 0) this.#faults = this.#faults.filter((fault) => fault.told !== told);
      return told;
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

/** Waits as asked, then answers or drops the request: true when nothing else is to be done for it. */
export async function trouble(fault, res) {
  if (fault.delay) await pause(fault.delay);
  if (fault.drop === true) res.destroy();
  else if (!fault.drop && fault.status !== null) answer(res, fault);
  return res.destroyed || res.writableEnded;
}

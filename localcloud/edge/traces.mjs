// Traces of followed Workers: the runtime's own trace of each invocation, and one of ours for an invocation that the
// watchdog ended, because its runtime cannot send one.

import { randomBytes } from "node:crypto";
import http from "node:http";

const LOOPBACK = "127.0.0.1";
const SECRET_NAME = /^(set-)?cookie$|auth|jwt|key|secret|token/;
const LONGEST = 4 * 1024 * 1024; // bytes of traces at once; more is dropped

export class Traces {
  #followed = new Set(); // names of Workers

  /** `tell({name, version, traces})` receives them. */
  constructor(tell) {
    this.tell = tell;
    this.key = randomBytes(16).toString("hex");
    this.server = http.createServer((req, res) => void this.#take(req, res).catch(() => res.destroy()));
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, LOOPBACK, resolve));
    this.port = this.server.address().port;
  }

  /** Returns the service that receives a version's traces. */
  way(name, version) {
    const injectRequestHeaders = [
      { name: "x-edge-key", value: this.key },
      { name: "x-edge-trace", value: JSON.stringify({ name, version }) },
    ];
    return { external: { address: `${LOOPBACK}:${this.port}`, http: { injectRequestHeaders } } };
  }

  follow(name, wanted) {
    if (wanted) this.#followed.add(name);
    else this.#followed.delete(name);
  }

  isFollowed(name) {
    return this.#followed.has(name);
  }

  /** `lines`: [{timestamp, level, message}], the Worker's output during the invocation. */
  exceeded({ name, version }, requests, lines) {
    if (!this.isFollowed(name)) return;
    const now = Date.now();
    const exceptions = [{ name: "Error", message: "Worker exceeded CPU time limit.", timestamp: now }];
    const logs = lines.map(({ timestamp, level, message }) => ({ timestamp, level, message: [message] }));
    const events = requests.length > 0 ? requests.map(requestEvent) : [null];
    const traces = events.map((event) => ({ outcome: "exceededCpu", event, eventTimestamp: now, exceptions, logs }));
    this.tell({ name, version, traces });
  }

  async #take(req, res) {
    const { "x-edge-key": key, "x-edge-trace": from } = req.headers;
    if (key !== this.key) return void res.writeHead(403).end();
    const parts = [];
    let size = 0;
    for await (const part of req) if ((size += part.length) <= LONGEST) parts.push(part);
    res.writeHead(204).end();
    if (size > LONGEST) return;
    const text = Buffer.concat(parts).toString("utf8").replaceAll(`file://${process.cwd()}/`, ""); // in stacks
    this.tell({ ...JSON.parse(from), traces: JSON.parse(text) });
  }
}

/** Returns a request in the runtime's form, with secrets masked and without the query. */
function requestEvent(req) {
  const shown = Object.entries(req.headers).map(([name, value]) => [name, SECRET_NAME.test(name) ? "REDACTED" : String(value)]);
  const url = `http://${req.headers.host ?? ""}${req.url.split("?", 1)[0]}`;
  return { request: { method: req.method, url, headers: Object.fromEntries(shown) } };
}

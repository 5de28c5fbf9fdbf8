// The table of app and Worker addresses, and the upstreams behind them.
// No I/O here: a change is one assignment, so a request sees either the old or the new upstream, never a gap.

import http from "node:http";

const IDLE_MS = 4_000; // workerd closes idle connections after 5 s: ours must close first
const PERCENT = 100;

/** An address that serves requests. It counts the running ones, so that it can be stopped when none is left. */
export class Upstream {
  constructor(host, port) {
    this.host = host;
    this.port = port;
    this.calls = new Set(); // {since, req, fate?}: fate is set when it is lost: "over", or "again" for another try
    this.entered = () => undefined; // called when a request starts
    this.waiters = [];
    this.agent = new http.Agent({ keepAlive: true, maxFreeSockets: 64, timeout: IDLE_MS, scheduling: "lifo" });
  }

  get active() {
    return this.calls.size;
  }

  /** Registers a running request, until its `leave`. */
  enter(req) {
    const call = { since: performance.now(), req };
    call.leave = () => {
      if (this.calls.delete(call) && this.active === 0) for (const wake of this.waiters.splice(0)) wake(true);
    };
    this.calls.add(call);
    this.entered();
    return call;
  }

  /** Resolves to true when no request is running, or to false after `ms`. */
  drained(ms) {
    if (this.active === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.waiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** Closes idle connections only; running requests keep theirs. */
  retire() {
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets) socket.destroy();
  }
}

/** The host part of a Host header, without port, in lower case ("" when there is none). */
export function hostOf(header) {
  const host = String(header ?? "").trim().toLowerCase();
  return host.startsWith("[") ? host.replace(/\]:\d+$/, "]") : host.replace(/:\d+$/, "");
}

export class Routes {
  #hosts = new Map(); // host -> {kind: "app", upstream} | {kind: "worker", name}
  #workers = new Map(); // name -> [{id, percentage, upstream}]
  #upstreams = new Map(); // "host:port" of apps, to be asked about after the switch

  setApp(host, address) {
    const before = this.#hosts.get(host);
    const upstream = address ? this.#appUpstream(address) : null;
    this.#hosts.set(host, { kind: "app", upstream });
    if (before?.upstream && before.upstream !== upstream) before.upstream.retire();
  }

  #appUpstream([host, port]) {
    const key = `${host}:${port}`;
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream = new Upstream(host, port);
    this.#upstreams.set(key, upstream);
    return upstream;
  }

  dropApp(host) {
    const route = this.#hosts.get(host);
    if (route?.kind !== "app") return;
    this.#hosts.delete(host);
    route.upstream?.retire();
  }

  /** Waits until no request is running on an app's address; removes the address when no host uses it any more. */
  async drained([host, port], ms) {
    const key = `${host}:${port}`;
    const upstream = this.#upstreams.get(key);
    if (!upstream) return true;
    const empty = await upstream.drained(ms);
    const used = [...this.#hosts.values()].some((route) => route.upstream === upstream);
    if (!used) this.#upstreams.delete(key);
    return empty;
  }

  /** Sets a Worker's hosts; a host of another Worker or app moves to it. */
  setWorkerHosts(name, hosts) {
    for (const [host, route] of this.#hosts) if (route.kind === "worker" && route.name === name) this.#hosts.delete(host);
    for (const host of hosts) this.#hosts.set(host, { kind: "worker", name });
  }

  setWorkerVersions(name, versions) {
    if (versions.length === 0) this.#workers.delete(name);
    else this.#workers.set(name, versions);
  }

  workerVersions(name) {
    return this.#workers.get(name) ?? [];
  }

  /** The route of a host: {kind, upstream, name} with upstream null when nothing runs there, or undefined when unknown. */
  find(host, random = Math.random) {
    const route = this.#hosts.get(host);
    if (!route) return undefined;
    if (route.kind === "app") return { kind: "app", upstream: route.upstream, name: host };
    return this.findWorker(route.name, random) ?? { kind: "worker", upstream: null, name: route.name };
  }

  findWorker(name, random = Math.random) {
    const versions = this.#workers.get(name);
    if (!versions) return undefined;
    let left = random() * PERCENT;
    for (const version of versions) {
      left -= version.percentage;
      if (left < 0) return { kind: "worker", upstream: version.upstream, name, version: version.id };
    }
    return { kind: "worker", upstream: versions.at(-1).upstream, name, version: versions.at(-1).id };
  }
}

// The HTTP edge of the local cloud: one listening socket for every app and Worker, from start to stop.
//
//   node edge.mjs --port 8401 --node-modules DIR --storage DIR
//
// The parent speaks JSON lines: {"id", "op", …} in, {"id", "result"} or {"id", "error", "kind"} out. This process also
// sends {"traces"} of followed Workers. The end of input ends the process and every workerd, so nothing outlives the
// parent. Secrets come in on these lines only.

import { randomBytes } from "node:crypto";
import http from "node:http";
import { enableCompileCache } from "node:module";
import path from "node:path";
import readline from "node:readline";
import { parseArgs } from "node:util";
import { deliver } from "./events.mjs";
import { Faults, trouble } from "./faults.mjs";
import { forward, headersFor, refuse, upgrade } from "./proxy.mjs";
import { Requests } from "./requests.mjs";
import { hostOf, Routes } from "./routes.mjs";
import { Runtime } from "./runtime.mjs";
import { Storage } from "./storage.mjs";
import { Traces } from "./traces.mjs";
import { WorkerError, Workers } from "./workers.mjs";

const LOOPBACK = "127.0.0.1";
// A version without traffic keeps running for its open WebSockets. Cloudflare documents no limit for that.
const DRAIN_MS = 20 * 60_000;
const KEEP_ALIVE_MS = 75_000;
const HEADER_BYTES = 64 * 1024;
const INTERNAL = ["x-edge-key", "x-edge-service", "x-edge-storage", "x-edge-public", "x-edge-event", "x-edge-worker", "x-edge-ask"];
const WORKERS_DEV = ".workers.localhost";

const { values } = parseArgs({ options: { port: { type: "string" }, "node-modules": { type: "string" }, storage: { type: "string" } } });
enableCompileCache(path.resolve(values["node-modules"], "..", "compiled")); // loads miniflare in a fifth of the time
const runtime = new Runtime(values["node-modules"]);
const secret = randomBytes(16).toString("hex");
const storage = new Storage(runtime, values.storage, secret);
const routes = new Routes();
const faults = new Faults();
const requests = new Requests();
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const ray = () => `${randomBytes(8).toString("hex")}-LOC`;

const LOST = {
  worker: (name) => ({ status: 502, body: `error code: 502\nThe Worker ${name} did not answer.\n` }),
  app: (name) => ({ status: 503, body: `The app at ${name} did not accept the request (connection_refused).\n` }),
  storage: (name) => ({ status: 503, body: `The storage ${name} did not answer.\n` }),
  network: () => ({ status: 530, body: "error code: 1016\n" }),
};

const unreachable = ({ kind, name }) => LOST[kind](name);

function unknown(host) {
  if (host.endsWith(WORKERS_DEV)) return { status: 404, body: `There is nothing here yet: no Worker has the address ${host}.\n` };
  return { status: 404, body: `Nothing runs at ${host}.\n` };
}

const asleep = ({ kind, name }, host) =>
  kind === "worker" ? `The Worker ${name} has no running version.` : `The app at ${host} has no running deployment (no_healthy_upstream).`;

/** The arguments of forward() for a request to one of our own apps or Workers. */
function local(req, found, host) {
  if (!found) return { refusal: unknown(host) };
  if (!found.upstream) return { refusal: { status: 503, body: `${asleep(found, host)}\n` } };
  if (found.kind === "worker" && req.url.startsWith("/cdn-cgi/")) return { refusal: { status: 404, body: "Not found\n" } };
  const from = req.socket.remoteAddress ?? LOOPBACK;
  const before = req.headers["x-forwarded-for"];
  const add = {
    "x-forwarded-for": before ? `${before}, ${from}` : from,
    "x-forwarded-proto": String(req.headers["x-forwarded-proto"] ?? "http"),
  };
  if (found.kind === "app") return { ...found, headers: headersFor(req.rawHeaders, INTERNAL, { ...add, "do-connecting-ip": from }), extra: {} };
  const id = ray();
  add["cf-connecting-ip"] = from;
  add["cf-ray"] = id;
  return { ...found, headers: headersFor(req.rawHeaders, INTERNAL, add), extra: { "cf-ray": id, server: "cloudflare" } };
}

const inward = (req) => () => {
  const host = hostOf(req.headers.host);
  return local(req, routes.find(host), host);
};

/** Forwards a binding's request to a namespace, bucket or database. */
function inStorage(req, stored) {
  if (!storage.upstream) return { refusal: { status: 503, body: "The storage is not running.\n" } };
  const headers = headersFor(req.rawHeaders, INTERNAL, { "x-edge-key": secret, "x-edge-storage": stored });
  return { kind: "storage", name: stored, upstream: storage.upstream, headers, extra: {} };
}

/** Forwards a queue's batch to the Worker that consumes it. */
function toConsumer(req, name) {
  const found = routes.findWorker(name);
  if (!found) return { refusal: { status: 503, body: `The Worker ${name} has no running version.\n` } };
  return { ...found, headers: headersFor(req.rawHeaders, INTERNAL, { "x-edge-event": secret }), extra: {} };
}

/** Sets the host of a binding's request, which has none. */
const byBinding = (req) => req.headers["x-edge-service"] ?? req.headers["x-edge-storage"] ?? req.headers["x-edge-worker"];

/** Forwards a Worker's own request: to storage or another Worker by binding, to one of our addresses, or outside. */
const outward = (req) => () => {
  const host = hostOf(req.headers.host);
  const stored = req.headers["x-edge-storage"];
  if (stored) return inStorage(req, stored);
  const consumer = req.headers["x-edge-worker"];
  if (consumer) return toConsumer(req, consumer);
  const service = req.headers["x-edge-service"];
  if (service) return local(req, routes.findWorker(service), host) ?? { refusal: unknown(host) };
  const found = routes.find(host);
  if (found?.kind === "worker" && host.endsWith(WORKERS_DEV) && !req.headers["x-edge-public"])
    return { refusal: { status: 404, body: "error code: 1042\n" } }; // a Worker of the same account, by its workers.dev address
  if (found) return local(req, found, host);
  if (host.endsWith(".localhost")) return { refusal: { status: 530, body: "error code: 1016\n" } };
  const secure = req.headers["x-forwarded-proto"] === "https";
  const url = new URL(`${secure ? "https" : "http"}://${req.headers.host}`);
  const port = Number(url.port) || (secure ? 443 : 80);
  const headers = headersFor(req.rawHeaders, [...INTERNAL, "x-forwarded-proto"], {});
  return { kind: "network", name: host, upstream: { host: url.hostname.replace(/^\[|\]$/g, ""), port }, secure, headers, extra: {} };
};

/** Forwards a request, unless a fault applies to it. */
async function serve(req, res, resolve) {
  const fault = byBinding(req) ? undefined : faults.take(hostOf(req.headers.host), req, res);
  if (fault && (await trouble(fault, res))) return undefined;
  return forward(req, res, fault?.drop === "answer" ? () => ({ ...resolve(), lose: true }) : resolve, unreachable);
}

function listener(resolver, allowed) {
  const server = http.createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, noDelay: true, maxHeaderSize: HEADER_BYTES });
  server.on("request", (req, res) => {
    if (!allowed(req)) return refuse(res, { status: 403, body: "This address is for the local cloud's Workers only.\n" });
    if (!byBinding(req)) requests.note(hostOf(req.headers.host), req, res);
    return serve(req, res, resolver(req)).catch((error) => refuse(res, { status: 502, body: `${error.message}\n` }));
  });
  server.on("upgrade", (req, socket, head) => {
    if (!allowed(req)) return void socket.destroy();
    upgrade(req, socket, head, resolver(req), unreachable).catch(() => socket.destroy());
  });
  return server;
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, LOOPBACK, 1024, () => {
      server.off("error", reject);
      resolve(server.address().port);
    });
  });
}

const edge = listener(inward, () => true);
const way = listener(outward, (req) => req.headers["x-edge-key"] === secret);
storage.edgePort = await listen(way, 0);
const traces = new Traces((traces) => say({ traces }));
await traces.listen();
const workers = new Workers(runtime, { port: storage.edgePort, secret }, { storage, traces });

/** Starts a version; when it has Durable Objects, it becomes the only one that runs them. */
function ready(name, version) {
  const instance = workers.get(name, version);
  if (!instance) throw new Error(`version ${version} of ${name} is not running`);
  return Object.keys(instance.spec.objects).length > 0 ? workers.settle(instance) : instance;
}

/** Splits a Worker's traffic between running versions; the others stop after their last response. */
async function activate(name, shares) {
  const chosen = [];
  for (const { version, percentage } of shares) chosen.push({ id: version, percentage, upstream: (await ready(name, version)).upstream });
  routes.setWorkerVersions(name, chosen);
  const kept = new Set(shares.map(({ version }) => version));
  for (const instance of workers.ofName(name)) if (!kept.has(instance.version)) void workers.stop(instance, DRAIN_MS);
}

const operations = {
  route: ({ host, upstream }) => routes.setApp(host, upstream),
  drop: ({ host }) => routes.dropApp(host),
  drained: ({ upstream, seconds }) => routes.drained(upstream, seconds * 1000),
  hosts: ({ name, hosts }) => routes.setWorkerHosts(name, hosts),
  activate: ({ name, shares }) => activate(name, shares),
  start: async ({ name, version, spec }) => {
    const { handlers, named, ms } = await workers.start(name, version, spec);
    return { handlers, named, ms };
  },
  discard: async ({ name, version }) => {
    const active = routes.workerVersions(name).some(({ id }) => id === version);
    const instance = workers.get(name, version);
    if (instance && !active) await workers.stop(instance, 0);
  },
  deliver: ({ name, event }) => {
    const found = routes.findWorker(name);
    if (!found) throw new Error(`the Worker ${name} has no running version`);
    return deliver(found.upstream, secret, event);
  },
  storage: async () => ({ port: await storage.open(), secret }),
  erase: ({ kind, name }) => storage.drop(kind, name),
  fault: ({ descriptions }) => faults.add(descriptions),
  faults: () => faults.listing(),
  clear: () => faults.clear(),
  seen: () => faults.seen(),
  forget: () => faults.forget(),
  passed: ({ number }) => requests.since(number),
  follow: ({ name, wanted }) => workers.follow(name, wanted),
  remove: ({ name }) => {
    routes.setWorkerHosts(name, []);
    return activate(name, []);
  },
};

async function carryOut({ id, op, ...rest }) {
  try {
    say({ id, result: (await operations[op](rest)) ?? null });
  } catch (error) {
    say({ id, error: String(error?.message ?? error), kind: error instanceof WorkerError ? "worker" : "edge" });
  }
}

async function end() {
  await Promise.all([workers.stopAll(), storage.stop()]);
  process.exit(0);
}

try {
  say({ ready: await listen(edge, Number(values.port)), newest: runtime.newestDate });
} catch (error) {
  say({ failed: error.code ?? error.message });
  process.exit(1);
}
const input = readline.createInterface({ input: process.stdin, crlfDelay: Infinity });
input.on("line", (line) => void carryOut(JSON.parse(line)));
input.on("close", () => void end());
process.on("SIGTERM", () => void end());

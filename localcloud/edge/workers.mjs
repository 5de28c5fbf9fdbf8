// One Miniflare (one workerd process) for each version of a Worker. It listens on a loopback port of its own.

import childProcess from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { EMPTY, FRONT, probe, withoutCompany } from "./modules.mjs";
import { Upstream } from "./routes.mjs";
import { shapeBindings } from "./storage.mjs";
import { CPU_MS, Watchdog } from "./watchdog.mjs";

const LOG_BYTES = 4 * 1024 * 1024;
// Cloudflare allows a second of processor; here the start of an empty Worker takes longer.
const START_MS = 10_000;
const USER = "script";
const OURS = ["front", "probe"];
const DIRECT = "edge-direct";
const PUBLIC_FETCH = "global_fetch_strictly_public";
const TEXT_KINDS = new Set(["ESModule", "CommonJS", "Text", "PythonModule", "PythonRequirement"]);
const LOOPBACK = "127.0.0.1";
const KEPT_LINES = 200;

/** A failure that the Worker's author can fix: its text is workerd's own. */
export class WorkerError extends Error {}

function readModule({ name, kind, file }) {
  return { type: kind, path: name, contents: fs.readFileSync(file, TEXT_KINDS.has(kind) ? "utf8" : undefined) };
}

/** Returns the time limit of a start, times the programs that wait for each processor (`load` in one minute). */
export function patience(load = os.loadavg()[0], processors = os.availableParallelism()) {
  return START_MS * Math.max(1, load / processors);
}

/** Returns the result of `work`; after the limit an error in Cloudflare's words, because the code may loop for ever. */
async function within(ms, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("Script startup exceeded CPU time limit.")), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined); // it ends with its runtime
  }
}

/** Returns the reason without the text that Miniflare and workerd put around it. */
function reason(lines, error) {
  const text = lines.length > 0 ? lines.join("\n") : String(error?.message ?? error);
  return text.replace(/service core:user:(script|probe): /g, "").replaceAll(`file://${process.cwd()}/`, "").trim();
}

/** Appends a Worker's console lines to its file, one JSON object a line; starts a new file when one is full. */
export class WorkerLog {
  constructor(file) {
    this.file = file;
    this.size = fs.existsSync(file) ? fs.statSync(file).size : 0;
  }

  write(version, { timestamp, level, message }) {
    const line = `${JSON.stringify({ time: new Date(timestamp).toISOString(), version, level, message })}\n`;
    if (this.size > LOG_BYTES) {
      fs.renameSync(this.file, `${this.file}.1`);
      this.size = 0;
    }
    fs.appendFileSync(this.file, line, { mode: 0o600 });
    this.size += Buffer.byteLength(line);
  }
}

function assetOptions(spec) {
  if (!spec.assets) return {};
  const { directory, binding, config } = spec.assets;
  const first = config.run_worker_first;
  const routes = Array.isArray(first)
    ? { user_worker: first.filter((rule) => !rule.startsWith("!")), asset_worker: first.filter((rule) => rule.startsWith("!")).map((rule) => rule.slice(1)) }
    : undefined;
  return {
    assets: {
      workerName: USER,
      directory,
      ...(binding ? { binding } : {}),
      routerConfig: {
        has_user_worker: spec.modules.length > 0,
        invoke_user_worker_ahead_of_assets: first === true,
        ...(routes ? { static_routing: routes } : {}),
      },
      assetConfig: {
        ...(config.html_handling ? { html_handling: config.html_handling } : {}),
        ...(config.not_found_handling ? { not_found_handling: config.not_found_handling } : {}),
      },
    },
  };
}

const types = new Map(); // folder of a site -> {path in it: the content type it was uploaded with, "" for none}

/** Serves files with the content types of their uploads; Miniflare itself derives types from the files' names. */
function serveUploadedTypes(plugin) {
  const getServices = plugin.getServices.bind(plugin);
  plugin.getServices = async (asked) => {
    const services = await getServices(asked);
    const known = types.get(asked.options.assets?.directory) ?? {};
    const bindings = services.flatMap((service) => service.worker?.bindings ?? []);
    for (const binding of bindings.filter(({ name }) => name === "ASSETS_REVERSE_MAP")) {
      const files = JSON.parse(binding.json);
      for (const file of Object.values(files))
        if (Object.hasOwn(known, file.filePath)) file.contentType = known[file.filePath].replace(/["\\]/g, "") || null;
      binding.json = JSON.stringify(files);
    }
    return services;
  };
}

/** Puts a second Worker, for events, before a Worker with files: Miniflare's own accepts no queue batches. */
function serveEvents(plugin, secret) {
  const getServices = plugin.getServices.bind(plugin);
  plugin.getServices = async (asked) => {
    const services = await getServices(asked);
    if (!asked.options.assets) return services;
    const bindings = [{ name: "KEY", text: secret }, { name: "USER", service: { name: `core:user:${USER}` } }];
    const modules = [{ name: "front.mjs", esModule: FRONT }];
    const worker = { modules, bindings, compatibilityDate: "2025-06-01", compatibilityFlags: ["service_binding_extra_handlers"] };
    return [...services, { name: `core:user:${DIRECT}`, worker }];
  };
}

let spawned; // the program that was started last: Miniflare exposes its runtime's output, and not its process

const spawn = childProcess.spawn;
childProcess.spawn = (...words) => (spawned = spawn(...words));

export class Workers {
  /**
   * `outbound`: {port, secret} of the listener for the Workers' own requests; `storage` is behind it, too.
   */
  constructor(runtime, outbound, { storage, traces }) {
    this.runtime = runtime;
    runtime.adapt((miniflare) => {
      serveUploadedTypes(miniflare.ASSETS_PLUGIN);
      serveEvents(miniflare.ASSETS_PLUGIN, outbound.secret);
      shapeBindings(miniflare.CORE_PLUGIN);
      withoutCompany(miniflare, (name) => OURS.includes(name));
    });
    this.outbound = outbound;
    this.storage = storage;
    this.traces = traces;
    this.running = new Map(); // "name/version" -> {mf, upstream, handlers, named, ms}
    this.logs = new Map();
  }

  /**
   * Returns the service for a Worker's fetch; with `service`, for the service binding of that name; with `storage`
   * (KIND/ID), for a binding to that storage.
   * `fromOutside`: its fetch arrives like an external request, as the compatibility flag requires.
   * A header without a value is removed, so that a Worker cannot send it.
   */
  #way({ service, storage, fromOutside = false } = {}) {
    const injectRequestHeaders = [
      { name: "x-edge-key", value: this.outbound.secret },
      { name: "x-edge-service", value: service },
      { name: "x-edge-storage", value: storage },
      { name: "x-edge-public", value: fromOutside ? "1" : undefined },
      { name: "x-edge-worker", value: undefined },
    ];
    const http = { style: 0, forwardedProtoHeader: "x-forwarded-proto", injectRequestHeaders };
    return { external: { address: `${LOOPBACK}:${this.outbound.port}`, http } };
  }

  #bindings(spec) {
    const services = Object.entries(spec.services).map(([binding, service]) => [binding, this.#way({ service })]);
    const storage = Object.entries(spec.storage).map(([binding, [kind, id]]) => [`${kind}:${binding}`, this.#way({ storage: `${kind}/${id}` })]);
    return {
      compatibilityDate: spec.compatibility_date,
      compatibilityFlags: spec.compatibility_flags,
      bindings: { ...spec.texts, ...spec.secrets, ...spec.json },
      serviceBindings: Object.fromEntries([...services, ...storage]),
      outboundService: this.#way({ fromOutside: spec.compatibility_flags.includes(PUBLIC_FETCH) }),
    };
  }

  /** Returns the Worker's own Durable Object classes, and its bindings to them. */
  #objects(spec) {
    const classes = Object.entries(spec.objects).map(([className, unsafeUniqueKey]) => ({ className, unsafeUniqueKey, useSQLite: true }));
    const bound = Object.entries(spec.object_bindings).map(([name, className]) => [name, classes.find((each) => each.className === className)]);
    const unbound = classes.filter(({ className }) => !Object.values(spec.object_bindings).includes(className));
    return { durableObjects: Object.fromEntries(bound), additionalUnboundDurableObjects: unbound };
  }

  #options(name, version, spec) {
    const common = this.#bindings(spec);
    const socket = [{ host: LOOPBACK, port: 0 }];
    const modules = spec.modules.map(readModule);
    const classic = modules.length === 1 && modules[0].type === "Script";
    const code = classic
      ? { script: modules[0].contents.toString("utf8") }
      : { modules: modules.length > 0 ? modules : [{ type: "ESModule", path: "empty.mjs", contents: EMPTY }] };
    const workers = [
      {
        name: "front",
        cache: false,
        modules: [{ type: "ESModule", path: "front.mjs", contents: FRONT }],
        compatibilityDate: "2025-06-01",
        compatibilityFlags: ["service_binding_extra_handlers"],
        bindings: { KEY: this.outbound.secret, FOLLOWED: this.traces.isFollowed(name) },
        serviceBindings: { USER, EDGE: this.traces.way(name, version), ...(spec.assets && modules.length > 0 ? { DIRECT } : {}) },
        unsafeDirectSockets: socket,
      },
      { name: USER, ...common, ...code, ...assetOptions(spec), ...this.#objects(spec), ...(modules.length > 0 ? { tails: ["front"] } : {}) },
    ];
    if (modules.length > 0 && !classic) {
      const binding = spec.assets?.binding; // the module may use it while it loads
      const extra = binding ? { [binding]: { name: USER } } : {};
      const asking = { type: "ESModule", path: "edge-probe.mjs", contents: probe(modules[0].path) };
      const durableObjects = Object.fromEntries(Object.entries(spec.object_bindings).map(([name, className]) => [name, { className, scriptName: USER }]));
      workers.push({ name: "probe", ...common, cache: false, durableObjects, serviceBindings: { ...common.serviceBindings, ...extra }, modules: [asking, ...modules], unsafeDirectSockets: socket });
    }
    return workers;
  }

  #log(name, file) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const known = this.logs.get(name);
    if (known?.file === file) return known;
    const log = new WorkerLog(file);
    this.logs.set(name, log);
    return log;
  }

  /**
   * Starts a version beside the running ones; throws WorkerError with workerd's text when its code does not load.
   * Its Durable Objects have no storage until it is their `home`.
   */
  async start(name, version, spec, home = false) {
    const key = `${name}/${version}`;
    const known = this.running.get(key);
    if (known) return known;
    const supported = this.runtime.newestDate;
    if (spec.compatibility_date > supported)
      throw new WorkerError(`This Worker requires compatibility date "${spec.compatibility_date}", but the newest date supported by this runtime is "${supported}".`);
    if (Object.keys(spec.storage).length > 0) await this.storage.open();
    if (spec.assets) types.set(spec.assets.directory, spec.assets.types);
    const started = Date.now();
    const lines = [];
    const log = this.#log(name, spec.log);
    const instance = { name, version, spec, booting: true, recent: [] };
    const mf = (instance.mf = new this.runtime.miniflare.Miniflare({
      host: LOOPBACK,
      port: 0,
      cf: false,
      logRequests: false,
      log: new this.runtime.miniflare.NoOpLog(),
      telemetry: { enabled: false },
      handleRuntimeStdio: () => (instance.process = spawned),
      handleStructuredLogs: (entry) => {
        if (instance.booting && entry.message.startsWith("service core:user:")) return void lines.push(entry.message);
        log.write(version, entry);
        instance.recent = [...instance.recent.slice(1 - KEPT_LINES), entry];
      },
      ...(home ? { durableObjectsPersist: path.join(this.storage.directory, "workers") } : {}),
      unsafeHandleRuntimeRestart: () => this.#again(instance),
      workers: this.#options(name, version, spec),
    }));
    try {
      Object.assign(instance, await within(patience(), this.#begin(mf, spec)));
      instance.booting = false;
      instance.ms = Date.now() - started;
      this.#guard(instance);
      this.running.set(key, instance);
      return instance;
    } catch (error) {
      await mf.dispose().catch(() => undefined);
      throw new WorkerError(reason(lines, error));
    }
  }

  #guard(instance) {
    const limit = instance.spec.cpu_ms ?? CPU_MS;
    const pid = () => instance.process.pid;
    const exceeded = (since) => this.#end(instance, since);
    instance.watchdog = new Watchdog(instance.upstream, { pid, limit, alive: () => this.#ask(instance, "alive"), exceeded });
  }

  /** Ends a runtime whose code used up its processor time; requests after `since` go to the next one. */
  #end(instance, since) {
    const { calls } = instance.upstream;
    for (const call of calls) call.fate = call.since < since ? "over" : "again";
    const over = [...calls].filter(({ fate }) => fate === "over");
    const first = Math.floor(Date.now() - (performance.now() - Math.min(since, ...over.map((call) => call.since)))); // as workerd's times
    this.traces.exceeded(instance, over.map(({ req }) => req).filter(Boolean), instance.recent.filter(({ timestamp }) => timestamp >= first));
    const message = `The Worker exceeded its CPU time limit of ${instance.watchdog.limit} ms (error 1102), and was started anew.`;
    this.logs.get(instance.name).write(instance.version, { timestamp: Date.now(), level: "error", message });
    instance.process.kill("SIGKILL");
  }

  /** Handles a runtime that Miniflare restarted after its end. */
  async #again(instance) {
    const url = await instance.mf.unsafeGetDirectURL("front");
    instance.upstream.port = Number(url.port);
    await this.#tell(instance);
  }

  #ask({ upstream: { host, port } }, word) {
    const headers = { "x-edge-key": this.outbound.secret, "x-edge-ask": word };
    return new Promise((resolve, reject) => {
      const asking = http.get({ host, port, headers, agent: false }, (answer) => answer.resume().once("end", resolve));
      asking.once("error", reject);
    });
  }

  #tell(instance) {
    return this.#ask(instance, this.traces.isFollowed(instance.name) ? "follow" : "leave").catch(() => undefined);
  }

  /** Turns the traces of a Worker's invocations on or off. */
  async follow(name, wanted) {
    this.traces.follow(name, wanted);
    await Promise.all(this.ofName(name).map((instance) => this.#tell(instance)));
  }

  async #begin(mf, spec) {
    await mf.ready;
    const url = await mf.unsafeGetDirectURL("front");
    return { upstream: new Upstream(LOOPBACK, Number(url.port)), ...(await this.#inspect(mf, spec)) };
  }

  async #inspect(mf, spec) {
    if (spec.modules.length === 0) return { handlers: [], named: [] };
    if (spec.modules[0].kind === "Script") {
      const text = fs.readFileSync(spec.modules[0].file, "utf8");
      const found = [...text.matchAll(/addEventListener\(\s*["'`](\w+)["'`]/g)].map((match) => match[1]);
      return { handlers: [...new Set(found)].sort(), named: [] };
    }
    const response = await fetch(await mf.unsafeGetDirectURL("probe"));
    return response.json();
  }

  /**
   * Makes a version the only one that runs, with the storage of its Durable Objects: an object runs only once. Running
   * requests on the others are cut, as Cloudflare resets objects when code changes; new ones wait at the edge.
   */
  async settle(instance) {
    if (instance.home) return instance;
    for (const other of this.ofName(instance.name)) await this.stop(other, 0);
    return this.start(instance.name, instance.version, instance.spec, true);
  }

  get(name, version) {
    return this.running.get(`${name}/${version}`);
  }

  ofName(name) {
    return [...this.running.values()].filter((instance) => instance.name === name);
  }

  /** Stops a version when no request is running on it, after `ms` at the latest. */
  async stop(instance, ms) {
    this.running.delete(`${instance.name}/${instance.version}`);
    instance.upstream.retire();
    await instance.upstream.drained(ms);
    instance.watchdog.stop();
    await instance.mf.dispose().catch(() => undefined);
  }

  async stopAll() {
    await Promise.all([...this.running.values()].map((instance) => instance.mf.dispose().catch(() => undefined)));
  }
}

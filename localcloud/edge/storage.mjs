// The storage of KV namespaces, R2 buckets and D1 databases: one workerd for all, started when the first is needed.
//
// It runs Miniflare's own simulators, whose objects are chosen by name for each request, so a new namespace or bucket
// needs no other start. Workers reach it through the listener for their own requests (see #way in workers.mjs).

import fs from "node:fs";
import path from "node:path";
import { Upstream } from "./routes.mjs";

const LOOPBACK = "127.0.0.1";
const SIMULATORS = {
  kv: ["kv/namespace.worker.js", "KVNamespaceObject"],
  r2: ["r2/bucket.worker.js", "R2BucketObject"],
  d1: ["d1/database.worker.js", "D1DatabaseObject"],
};
const BROKER = new URL("./queue_broker.mjs", import.meta.url);

/** Kinds of bindings by the prefix of their service binding's name: workerd's type of the service. */
const SHAPES = {
  kv: (service) => ({ kvNamespace: service }),
  r2: (service) => ({ r2Bucket: service }),
  d1: (service) => ({ wrapped: { moduleName: "cloudflare-internal:d1-api", innerBindings: [{ name: "fetcher", service }] } }),
  queue: (service) => ({ queue: service }),
};

/** Selects the object of a request; `x-edge-drop` erases it for good. */
const entry = (classes) => `
${classes.map(({ kind, file, name }) => `import { ${name} } from "./${file}";\nexport class ${kind} extends ${name} {\n${DROP}}`).join("\n")}
export { queue } from "./queue_broker.mjs";
export default {
  async fetch(request, env) {
    if (request.headers.get("x-edge-key") !== env.KEY) return new Response("This address is for the local cloud only.\\n", { status: 403 });
    const [kind, id] = request.headers.get("x-edge-storage").split("/");
    const name = kind + "-" + id;
    return env[kind].getByName(name).fetch(request, { cf: { miniflare: { name } } });
  },
};
`;

const DROP = `  async fetch(request) {
    if (!request.headers.has("x-edge-drop")) return super.fetch(request);
    await this.state.storage.deleteAll();
    return new Response();
  }
`;

/** Turns service bindings KIND:NAME into bindings NAME of that kind: Miniflare supports only its own storage. */
export function shapeBindings(plugin) {
  const getBindings = plugin.getBindings.bind(plugin);
  plugin.getBindings = async (...asked) =>
    (await getBindings(...asked)).map((binding) => {
      const [kind, name] = binding.name.split(":");
      return name && SHAPES[kind] ? { name, ...SHAPES[kind](binding.service) } : binding;
    });
}

export class Storage {
  #starting; // promise of {mf, upstream, port}

  /** Stores its files below `directory`. It answers only requests with `secret`, which it also sends to the edge. */
  constructor(runtime, directory, secret) {
    this.runtime = runtime;
    this.directory = directory;
    this.secret = secret;
    this.upstream = null;
    this.edgePort = 0; // of the listener for Workers' own requests; known once that listens
  }

  /** Returns its port, and starts it if needed. */
  async open() {
    this.#starting ??= this.#start();
    try {
      return (await this.#starting).port;
    } catch (error) {
      this.#starting = undefined;
      throw new Error(`the storage did not start: ${error.message}`);
    }
  }

  async #start() {
    const folders = { objects: path.join(this.directory, "objects"), blobs: path.join(this.directory, "blobs") };
    for (const folder of Object.values(folders)) fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const mf = new this.runtime.miniflare.Miniflare({
      host: LOOPBACK,
      port: 0,
      cf: false,
      logRequests: false,
      log: new this.runtime.miniflare.NoOpLog(),
      telemetry: { enabled: false },
      handleStructuredLogs: ({ level, message }) => {
        process.stderr.write(`storage: ${level} ${message}\n`);
      },
      durableObjectsPersist: folders.objects,
      workers: [this.#worker(folders.blobs)],
    });
    try {
      const port = Number((await mf.unsafeGetDirectURL("storage")).port);
      this.upstream = new Upstream(LOOPBACK, port);
      return { mf, port };
    } catch (error) {
      await mf.dispose().catch(() => undefined);
      throw error;
    }
  }

  #worker(blobs) {
    // Flat names: a module in a folder would search "miniflare:shared" there.
    const classes = Object.entries(SIMULATORS).map(([kind, [source, name]]) => ({ kind, source, name, file: `${kind}.mjs` }));
    const module = (name, contents) => ({ type: "ESModule", path: name, contents });
    return {
      name: "storage",
      compatibilityDate: "2025-06-01",
      compatibilityFlags: ["nodejs_compat", "experimental"],
      modules: [module("entry.mjs", entry(classes)), module("queue_broker.mjs", fs.readFileSync(BROKER, "utf8")), ...classes.map(({ source, file }) => module(file, fs.readFileSync(path.join(this.runtime.folder, source), "utf8")))],
      bindings: { KEY: this.secret },
      durableObjects: Object.fromEntries([...Object.keys(SIMULATORS), "queue"].map((kind) => [kind, { className: kind, useSQLite: true }])),
      serviceBindings: { MINIFLARE_BLOBS: { disk: { path: blobs, writable: true } }, EDGE: this.#edge() },
      unsafeDirectSockets: [{ host: LOOPBACK, port: 0 }],
    };
  }

  /** The queues' route to their consumers. */
  #edge() {
    const injectRequestHeaders = [{ name: "x-edge-key", value: this.secret }];
    return { external: { address: `${LOOPBACK}:${this.edgePort}`, http: { style: 0, injectRequestHeaders } } };
  }

  /** Erases a namespace, bucket or database that nobody will use again. */
  async drop(kind, id) {
    const port = await this.open();
    const headers = { "x-edge-key": this.secret, "x-edge-storage": `${kind}/${id}`, "x-edge-drop": "1" };
    await fetch(`http://${LOOPBACK}:${port}/`, { method: "POST", headers });
    fs.rmSync(path.join(this.directory, "blobs", `${kind}-${id}`), { recursive: true, force: true });
  }

  async stop() {
    const started = await this.#starting?.catch(() => undefined);
    await started?.mf.dispose().catch(() => undefined);
  }
}

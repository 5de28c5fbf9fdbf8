// Runs Workers on workerd for tests, one set after another: reading Miniflare takes longer than starting a Worker.
//
// JSON lines in: {start: [{name, port, module, bindings, assets}, …]} is answered by one line, {id, urls} or {error}.
// {stop: id} ends them and is answered by {}. {handlers: [{name, module, bindings}, …]} calls handlers that no HTTP
// request reaches: name -> {scheduled, queue, seen}, each outcome, and the Worker's answer to /seen
// afterwards. The end of stdin ends it all, so that nothing outlives a killed test.

import { readFileSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const [, , nodeModules] = process.argv;
delete process.env.NODE_EXTRA_CA_CERTS; // Miniflare would copy them into every runtime, and nothing here speaks TLS
enableCompileCache(path.resolve(nodeModules, "..", "compiled"));
const { Miniflare, Log, LogLevel, NoOpLog } = createRequire(`${nodeModules}/`)("miniflare");
const say = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // what Workers print is no answer
const running = new Map(); // id -> Miniflares
const common = { host: "127.0.0.1", cf: false, telemetry: { enabled: false } };
let last = 0;

const modulesOf = (module) => [{ type: "ESModule", path: "worker.js", contents: readFileSync(module, "utf8") }];

function runtime({ name, port, module, bindings, assets, compatibility_date }) {
  return new Miniflare({
    ...common,
    name,
    port,
    log: new Log(LogLevel.WARN),
    compatibilityDate: compatibility_date,
    modules: modulesOf(module),
    bindings,
    assets: assets
      ? {
          directory: assets,
          binding: "ASSETS",
          routerConfig: { has_user_worker: true, static_routing: { user_worker: ["/config.json", "/_api/*"] } },
          assetConfig: { html_handling: "auto-trailing-slash", not_found_handling: "single-page-application" },
        }
      : undefined,
  });
}

async function start(specs) {
  const [id, mine, urls] = [++last, [], {}];
  running.set(id, mine);
  try {
    for (const spec of specs) {
      mine.push(runtime(spec));
      urls[spec.name] = (await mine.at(-1).ready).origin;
    }
    return { id, urls };
  } catch (error) {
    await stop(id);
    throw error;
  }
}

async function stop(id) {
  const mine = running.get(id);
  running.delete(id);
  await Promise.all(mine.map((each) => each.dispose()));
  return {};
}

async function handlers(specs) {
  const workers = specs.map(({ name, module, bindings }) => ({ name, bindings, compatibilityDate: "2025-06-01", modules: modulesOf(module) }));
  const miniflare = new Miniflare({ ...common, port: 0, log: new NoOpLog(), workers });
  const answers = {};
  try {
    for (const { name } of specs) {
      const worker = await miniflare.getWorker(name);
      const scheduled = await worker.scheduled({ cron: "* * * * *" });
      const queue = await worker.queue("jobs", [{ id: "1", timestamp: new Date(0), attempts: 1, body: "job" }]);
      const seen = await (await worker.fetch("http://worker.test/seen")).json();
      answers[name] = { scheduled: scheduled.outcome, queue: queue.outcome, seen };
    }
  } finally {
    await miniflare.dispose();
  }
  return answers;
}

const OPERATIONS = { start, stop, handlers };

async function carryOut(line) {
  const [[operation, given]] = Object.entries(JSON.parse(line));
  try {
    say(`${JSON.stringify(await OPERATIONS[operation](given))}\n`);
  } catch (error) {
    say(`${JSON.stringify({ error: String(error?.stack ?? error) })}\n`);
  }
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => void carryOut(line));
lines.once("close", async () => {
  await Promise.all([...running.keys()].map(stop));
  process.exit(0);
});

// Runs Workers on workerd for tests. The first line of stdin is [{name, port, module, bindings, assets}, ...]; each
// Worker's address is answered as a line of JSON. The end of stdin ends it, so that nothing outlives a killed test.

import { readFileSync } from "node:fs";
import { createRequire, enableCompileCache } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const [, , nodeModules] = process.argv;
enableCompileCache(path.resolve(nodeModules, "..", "compiled"));
const { Miniflare, Log, LogLevel } = createRequire(`${nodeModules}/`)("miniflare");
const running = [];

async function start({ name, port, module, bindings, assets, compatibility_date }) {
  const worker = new Miniflare({
    name,
    host: "127.0.0.1",
    port,
    cf: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.WARN),
    compatibilityDate: compatibility_date,
    modules: [{ type: "ESModule", path: "worker.js", contents: readFileSync(module, "utf8") }],
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
  running.push(worker);
  return { name, url: (await worker.ready).origin };
}

const lines = createInterface({ input: process.stdin });
lines.once("line", async (line) => {
  for (const spec of JSON.parse(line)) console.log(JSON.stringify(await start(spec)));
});
lines.once("close", async () => {
  await Promise.all(running.map((worker) => worker.dispose()));
  process.exit(0);
});

// Calls handlers of Workers that no HTTP request reaches. stdin is [{name, module, bindings}, ...]; the answer is one
// JSON object: name -> {scheduled, queue}, each the outcome and what the Worker's fetch of /seen tells afterwards.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , nodeModules] = process.argv;
const { Miniflare, NoOpLog } = createRequire(`${nodeModules}/`)("miniflare");
const workers = JSON.parse(readFileSync(0, "utf8"));
const runtime = new Miniflare({
  host: "127.0.0.1",
  port: 0,
  cf: false,
  telemetry: { enabled: false },
  log: new NoOpLog(),
  workers: workers.map(({ name, module, bindings }) => ({
    name,
    bindings,
    compatibilityDate: "2025-06-01",
    modules: [{ type: "ESModule", path: "worker.js", contents: readFileSync(module, "utf8") }],
  })),
});
const answers = {};
for (const { name } of workers) {
  const worker = await runtime.getWorker(name);
  const scheduled = await worker.scheduled({ cron: "* * * * *" });
  const queue = await worker.queue("jobs", [{ id: "1", timestamp: new Date(0), attempts: 1, body: "job" }]);
  const seen = await (await worker.fetch("http://worker.test/seen")).json();
  answers[name] = { scheduled: scheduled.outcome, queue: queue.outcome, seen };
}
await runtime.dispose();
console.log(JSON.stringify(answers));

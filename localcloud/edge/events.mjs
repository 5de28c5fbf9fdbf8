// Delivers events that are no requests (a cron's minute) to a Worker's version, through the small Worker before it.

import http from "node:http";

/** Resolves to the outcome of the version's handler: {outcome: "ok" or another word, …}. It has no time limit. */
export function deliver(upstream, secret, event) {
  const call = upstream.enter();
  return new Promise((resolve, reject) => {
    const headers = { "x-edge-event": secret, "content-type": "application/json" };
    const out = http.request({ host: upstream.host, port: upstream.port, method: "POST", path: "/", headers, agent: false }, async (from) => {
      try {
        let text = "";
        for await (const chunk of from.setEncoding("utf8")) text += chunk;
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error);
      }
    });
    out.on("error", reject);
    out.end(JSON.stringify(event));
  }).finally(call.leave);
}

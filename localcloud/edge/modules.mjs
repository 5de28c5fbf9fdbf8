// The two small Workers that run beside a user's Worker in its workerd.

/**
 * Receives every request first: fills in request.cf and turns an exception into Cloudflare's page 1101. Forwards
 * events from the edge, which prove themselves by its key.
 *
 * It also gets the trace of each invocation, and passes it to the edge while a client follows the Worker. The runtime
 * itself masks secrets in a trace: headers whose names hold auth, cookie, jwt, key, secret or token, and
 * identifiers in addresses (workerd, src/workerd/api/trace.c++ and util.c++). The edge checks with its key that this
 * Worker answers; the same request states whether a client follows.
 */
export const FRONT = `
const CF = { colo: "LOC", country: "XX", httpProtocol: "HTTP/1.1", timezone: "UTC", asn: 0, clientTcpRtt: 0 };
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
const text = (body) => new TextDecoder().decode(bytes(body));
const READ = {
  text: (body) => ({ body: text(body) }),
  json: (body) => ({ body: JSON.parse(text(body)) }),
  bytes: (body) => ({ body: bytes(body) }),
  v8: (body) => ({ serializedBody: bytes(body) }),
};
async function deliver({ kind, cron, time, queue, messages, metrics }, env) {
  if (kind === "scheduled") return env.USER.scheduled({ cron, scheduledTime: new Date(time) });
  const read = messages.map(({ id, time, format, body, attempts }) => ({ id, timestamp: new Date(time), attempts, ...READ[format](body) }));
  const oldest = new Date(metrics.oldestMessageTimestamp);
  return env.USER.queue(queue, read, { metrics: { ...metrics, oldestMessageTimestamp: oldest } });
}
let followed;
export default {
  async fetch(request, env) {
    if (request.headers.get("x-edge-event") === env.KEY) return env.DIRECT ? env.DIRECT.fetch(request) : Response.json(await deliver(await request.json(), env));
    const asked = request.headers.get("x-edge-key") === env.KEY && request.headers.get("x-edge-ask");
    if (asked) {
      if (asked !== "alive") followed = asked === "follow";
      return new Response(null, { status: 204 });
    }
    try {
      return await env.USER.fetch(new Request(request, { cf: { ...CF, clientAcceptEncoding: request.headers.get("accept-encoding") ?? "" } }));
    } catch (error) {
      console.error(error?.stack ?? String(error));
      return new Response("error code: 1101\\n", { status: 500, headers: { "content-type": "text/plain; charset=UTF-8" } });
    }
  },
  async tail(traces, env) {
    if (followed ?? env.FOLLOWED) await env.EDGE.fetch("http://edge.localhost/", { method: "POST", body: JSON.stringify(traces) });
  },
};
`;

/** Returns the handlers that a module Worker exports: {handlers: [...], named: [{name, handlers}]}. */
export const probe = (main) => `
import * as exported from ${JSON.stringify("./" + main)};
const KNOWN = ["alarm", "email", "fetch", "queue", "scheduled", "tail", "tailStream", "test", "trace"];
function handlers(value) {
  const names = new Set();
  const first = typeof value === "function" ? value.prototype : value;
  for (let at = first; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) if (KNOWN.includes(name)) names.add(name);
  return [...names].sort();
}
export default {
  fetch() {
    const named = Object.keys(exported).filter((name) => name !== "default").sort();
    return Response.json({
      handlers: exported.default === undefined ? [] : handlers(exported.default),
      named: named.map((name) => ({ name, handlers: handlers(exported[name]) })).filter(({ name }) => typeof exported[name] === "function" || typeof exported[name] === "object"),
    });
  },
};
`;

/** The module of a Worker that has assets and no script. */
export const EMPTY = `export default { fetch() { return new Response("Not found", { status: 404 }); } };`;

const NOWHERE = { network: { allow: [] } };

/**
 * Stops Miniflare from starting helper Workers, for requests and cache, beside our small Workers, which need neither.
 * That saves two Workers for each of them, a third of a start's cost. `isOurs(name)` identifies them; they have
 * `cache: false`.
 */
export function withoutCompany({ CORE_PLUGIN, CACHE_PLUGIN }, isOurs) {
  const replaced = (plugin, change) => {
    const getServices = plugin.getServices.bind(plugin);
    plugin.getServices = async (asked) => change(await getServices(asked), asked);
  };
  const emptied = (services, name) => services.map((service) => (service.name === name ? { name, ...NOWHERE } : service));
  replaced(CORE_PLUGIN, (found, { options, workerIndex }) =>
    isOurs(options.name) ? { ...found, services: emptied(found.services, `outbound:${workerIndex}`) } : found,
  );
  replaced(CACHE_PLUGIN, (services, { options, workerIndex }) => (options.cache === false ? emptied(services, `cache:${workerIndex}`) : services));
}

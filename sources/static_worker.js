/**
 * The Worker in front of a site's static files. The same files serve every environment: where the API is comes from
 * this Worker's bindings at run time, not from the build.
 *
 *   GET /config.json   {"apiUrl", "release"}, never cached
 *   ANY /_api/<rest>   forwarded to <API_URL>/<rest> as it is, bodies and WebSockets included: for front ends built
 *                      with a relative API address (VITE_API_URL=/_api)
 *   everything else    the site's files (ASSETS); unknown paths get index.html, by the assets' own configuration
 *
 * Only the first two need to run before the assets: run_worker_first ["/config.json", "/_api/*"].
 *
 * @typedef {{ASSETS: {fetch: typeof fetch}, API_URL?: string, RELEASE?: string}} Env
 */

const API_PREFIX = "/_api/";

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   * @returns {Promise<Response>}
   */
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/config.json") return config(env);
    if (pathname.startsWith(API_PREFIX)) return forward(request, env);
    return env.ASSETS.fetch(request);
  },
};

/** @param {Env} env */
function config(env) {
  return json(200, { apiUrl: apiOrigin(env), release: env.RELEASE ?? "" });
}

/**
 * @param {Request} request
 * @param {Env} env
 */
async function forward(request, env) {
  const api = apiOrigin(env);
  if (!api) return json(503, { error: "not_configured", message: "This site has no API_URL binding." });

  // Joined as text: resolving "//host/" against API_URL would leave the API for another host.
  const { pathname, search } = new URL(request.url);
  const target = api + "/" + pathname.slice(API_PREFIX.length) + search;
  const forwarded = new Request(target, request); // redirects stay the client's to follow, as in any Worker's request
  // The runtime asks for compression whatever the client can read; the edge in front compresses for the client.
  forwarded.headers.set("accept-encoding", "identity");
  try {
    return await fetch(forwarded);
  } catch {
    const away = { error: "api_unavailable", message: "The API does not answer. Try again in a moment." };
    return json(502, away, { "retry-after": "5" });
  }
}

/** @param {Env} env @returns {string} the API's address without a trailing slash, or "" */
function apiOrigin(env) {
  return (env.API_URL ?? "").replace(/\/+$/, "");
}

/**
 * @param {number} status
 * @param {unknown} body
 * @param {Record<string, string>} headers
 */
function json(status, body, headers = {}) {
  const fixed = { "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return Response.json(body, { status, headers: { ...fixed, ...headers } });
}

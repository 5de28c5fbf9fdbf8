/**
 * The network's HTTP API: a Worker in front of PocketBase.
 *
 *   GET  /api/health               this Worker's and the backend's state: 200, or 503 while the backend is away
 *   GET  /api/version              this Worker's release
 *   GET  /api/admin/check          can the Worker log in as the backend's superuser? {admin: true | false}
 *   GET  /api/github               is a GitHub token bound? {configured: true | false}
 *   POST /api/register             {name, email, password} -> 201 {token, human}
 *   POST /api/login                {email, password}       -> {token, human}
 *   GET  /api/posts                ?page=1&perPage=20&oracle=ID, newest first
 *   GET  /api/posts/:id            one post with its comments
 *   POST /api/posts                {title, body, oracle?}, login needed -> 201
 *   POST /api/posts/:id/comments   {body}, login needed -> 201
 *   GET  /api/oracles              with online = a heartbeat within the last five minutes
 *   POST /api/oracles              {name, description?, repository?}, login needed -> 201
 *   POST /api/oracles/:id/heartbeats  {note?}, login needed -> 201
 *
 * Login needed = "Authorization: Bearer TOKEN" with the token of login or register. It is handed on as it is: who may
 * do what is decided by PocketBase's rules, not here. Every error is {error: CODE, message: SENTENCE}; a backend that
 * does not answer is 503 with Retry-After, one that answers nonsense 502. No answer carries a binding's value.
 *
 * @typedef {object} Env
 * @property {string} POCKETBASE_URL      the backend's address (secret)
 * @property {string} PB_ADMIN_EMAIL      its superuser (secret)
 * @property {string} PB_ADMIN_PASSWORD   (secret)
 * @property {string} [GITHUB_TOKEN]      (secret, optional)
 * @property {string} [RELEASE]           this Worker's release
 *
 * @typedef {{request: Request, env: Env, url: URL, id: string}} Call  `id` is the path's :id, or ""
 * @typedef {{method?: string, body?: unknown, token?: string | null, timeout?: number}} BackendRequest
 */

const BACKEND_TIMEOUT_MS = 8000;
const HEALTH_TIMEOUT_MS = 3000;
const ONLINE_MS = 5 * 60 * 1000;
const BODY_LIMIT_BYTES = 64 * 1024;
const RETRY_AFTER = { "retry-after": "5" };

const CORS = {
  // Tokens travel in a header, never in a cookie, so any origin may call.
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "retry-after",
};
const PREFLIGHT = {
  "access-control-allow-methods": "GET, POST, OPTIONS",
  "access-control-allow-headers": "authorization, content-type",
  "access-control-max-age": "86400",
};

/** Each path, and what answers its methods. */
const ROUTES = [
  { path: "/api/health", GET: health },
  { path: "/api/version", GET: version },
  { path: "/api/admin/check", GET: checkAdmin },
  { path: "/api/github", GET: github },
  { path: "/api/register", POST: register },
  { path: "/api/login", POST: login },
  { path: "/api/posts", GET: listPosts, POST: createPost },
  { path: "/api/posts/:id", GET: getPost },
  { path: "/api/posts/:id/comments", POST: createComment },
  { path: "/api/oracles", GET: listOracles, POST: createOracle },
  { path: "/api/oracles/:id/heartbeats", POST: createHeartbeat },
];

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   * @returns {Promise<Response>}
   */
  async fetch(request, env) {
    try {
      return await route(request, env);
    } catch (error) {
      if (error instanceof ApiError) return error.response();
      console.error("unexpected:", error instanceof Error ? error.stack : error);
      return new ApiError(500, "internal", "Something went wrong in the API.").response();
    }
  },
};

/** An answer that is an error; thrown anywhere, turned into a response in one place. */
class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {Record<string, string>} headers
   */
  constructor(status, code, message, headers = {}) {
    super(message);
    Object.assign(this, { status, code, headers });
  }

  response() {
    return json({ error: this.code, message: this.message }, this.status, this.headers);
  }
}

/**
 * @param {Request} request
 * @param {Env} env
 * @returns {Promise<Response>}
 */
async function route(request, env) {
  const url = new URL(request.url);
  for (const { path, ...handlers } of ROUTES) {
    const match = matchPath(path, url.pathname);
    if (!match) continue;
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: { ...CORS, ...PREFLIGHT } });
    // What answers GET answers HEAD: the runtime leaves the body out.
    const handler = handlers[request.method === "HEAD" ? "GET" : request.method];
    if (handler) return handler({ request, env, url, ...match });
    const allow = [...Object.keys(handlers), "OPTIONS"].join(", ");
    throw new ApiError(405, "method_not_allowed", `${path} answers ${allow}.`, { allow });
  }
  throw new ApiError(404, "not_found", "There is nothing at this address.");
}

/**
 * @param {string} path      a route's path
 * @param {string} pathname  a request's
 * @returns {{id: string} | null}  null when they differ; ids have the form of PocketBase's
 */
function matchPath(path, pathname) {
  const [before, after] = path.split(":id");
  if (after === undefined) return path === pathname ? { id: "" } : null;
  const id = pathname.slice(before.length, pathname.length - after.length);
  return /^[a-z0-9]{15}$/.test(id) && pathname === before + id + after ? { id } : null;
}

// State ---------------------------------------------------------------------------------------------------------------

/** @param {Call} call */
async function health({ env }) {
  const backend = await backendState(env);
  const healthy = backend.status === "ok";
  const body = { status: healthy ? "ok" : "degraded", version: release(env), backend };
  return json(body, healthy ? 200 : 503, healthy ? {} : RETRY_AFTER);
}

/**
 * @param {Env} env
 * @returns {Promise<{status: "ok" | "away" | "failing" | "not_configured", ms: number,
 *                    version: string | null, generation: number | null}>}
 */
async function backendState(env) {
  const started = Date.now();
  const ask = (path) => backend(env, path, { timeout: HEALTH_TIMEOUT_MS });
  try {
    // A backend without /api/version (plain PocketBase) is healthy all the same.
    const [, about] = await Promise.all([ask("/api/health"), ask("/api/version").catch(() => ({}))]);
    const ms = Date.now() - started;
    return { status: "ok", version: about.version ?? null, generation: about.generation ?? null, ms };
  } catch (error) {
    const status = { backend_away: "away", not_configured: "not_configured" }[error.code] ?? "failing";
    return { status, version: null, generation: null, ms: Date.now() - started };
  }
}

/** @param {Call} call */
async function version({ env }) {
  return json({ service: "oracle-universe-api", version: release(env) });
}

/** @param {Call} call */
async function checkAdmin({ env }) {
  if (!env.PB_ADMIN_EMAIL || !env.PB_ADMIN_PASSWORD) {
    throw new ApiError(
      500,
      "not_configured",
      "PB_ADMIN_EMAIL and PB_ADMIN_PASSWORD are not both bound to this Worker.",
    );
  }
  try {
    await authenticate(env, "_superusers", env.PB_ADMIN_EMAIL, env.PB_ADMIN_PASSWORD);
    return json({ admin: true });
  } catch (error) {
    if (error.code === "invalid_login") return json({ admin: false });
    throw error;
  }
}

/** @param {Call} call */
async function github({ env }) {
  return json({ configured: Boolean(env.GITHUB_TOKEN) });
}

/** @param {Env} env */
function release(env) {
  return env.RELEASE || "dev";
}

// People --------------------------------------------------------------------------------------------------------------

/** @param {Call} call */
async function register({ request, env }) {
  const { name, email, password } = await fields(request, { name: true, email: true, password: true });
  const human = { name, email, password, passwordConfirm: password };
  await backend(env, "/api/collections/humans/records", { method: "POST", body: human });
  return json(await authenticate(env, "humans", email, password), 201);
}

/** @param {Call} call */
async function login({ request, env }) {
  const { email, password } = await fields(request, { email: true, password: true });
  return json(await authenticate(env, "humans", email, password));
}

/**
 * @param {Env} env
 * @param {"humans" | "_superusers"} collection
 * @param {string} identity
 * @param {string} password
 * @returns {Promise<{token: string, human: {id: string, name: string}}>}
 * @throws {ApiError} 401 invalid_login when PocketBase does not know this pair
 */
async function authenticate(env, collection, identity, password) {
  const path = `/api/collections/${collection}/auth-with-password`;
  try {
    const { token, record } = await backend(env, path, { method: "POST", body: { identity, password } });
    return { token, human: { id: record.id, name: record.name ?? "" } };
  } catch (error) {
    if (error.code !== "refused") throw error;
    throw new ApiError(401, "invalid_login", "This e-mail and password do not fit together.");
  }
}

// Posts ---------------------------------------------------------------------------------------------------------------

/** @param {Call} call */
async function listPosts({ env, url }) {
  const query = { sort: "-created,-id", expand: "author,oracle", ...paging(url) };
  const oracle = url.searchParams.get("oracle");
  if (oracle) query.filter = `oracle = ${quoted(oracle)}`;
  const { items, page, perPage, totalItems, totalPages } = await backend(env, records("posts", query));
  return json({ items: items.map(post), page, perPage, totalItems, totalPages });
}

/** @param {Call} call */
async function getPost({ env, id }) {
  const said = { filter: `post = ${quoted(id)}`, sort: "created,id", expand: "author", perPage: 200 };
  const [found, comments] = await Promise.all([
    backend(env, records(`posts/${id}`, { expand: "author,oracle" })),
    backend(env, records("comments", said)),
  ]);
  return json({ ...post(found), comments: comments.items.map(comment) });
}

/** @param {Call} call */
async function createPost({ request, env }) {
  const token = bearer(request);
  const body = await fields(request, { title: true, body: true, oracle: false });
  const path = records("posts", { expand: "author,oracle" });
  return json(post(await backend(env, path, { method: "POST", body, token })), 201);
}

/** @param {Call} call */
async function createComment({ request, env, id }) {
  const token = bearer(request);
  const { body } = await fields(request, { body: true });
  const path = records("comments", { expand: "author" });
  return json(comment(await backend(env, path, { method: "POST", body: { body, post: id }, token })), 201);
}

function post(record) {
  const { id, title, body, created, expand = {} } = record;
  return { id, title, body, author: named(expand.author), oracle: named(expand.oracle), created: iso(created) };
}

function comment(record) {
  const { id, body, created, expand = {} } = record;
  return { id, body, author: named(expand.author), created: iso(created) };
}

// Oracles -------------------------------------------------------------------------------------------------------------

/** @param {Call} call */
async function listOracles({ env, url }) {
  const since = new Date(Date.now() - ONLINE_MS).toISOString().replace("T", " ");
  const recent = { filter: `created >= ${quoted(since)}`, sort: "-created", perPage: 500, skipTotal: 1 };
  const [oracles, heartbeats] = await Promise.all([
    backend(env, records("oracles", { sort: "name", expand: "human", ...paging(url, 100) })),
    backend(env, records("oracle_heartbeats", recent)),
  ]);
  const online = new Set(heartbeats.items.map((heartbeat) => heartbeat.oracle));
  const { items, page, perPage, totalItems, totalPages } = oracles;
  return json({ items: items.map((record) => oracle(record, online)), page, perPage, totalItems, totalPages });
}

/** @param {Call} call */
async function createOracle({ request, env }) {
  const token = bearer(request);
  const body = await fields(request, { name: true, description: false, repository: false });
  const path = records("oracles", { expand: "human" });
  return json(oracle(await backend(env, path, { method: "POST", body, token }), new Set()), 201);
}

/** @param {Call} call */
async function createHeartbeat({ request, env, id }) {
  const token = bearer(request);
  const { note } = await fields(request, { note: false });
  const body = { oracle: id, note };
  const { created } = await backend(env, records("oracle_heartbeats"), { method: "POST", body, token });
  return json({ oracle: id, created: iso(created) }, 201);
}

function oracle(record, online) {
  const { id, name, description, repository, created, expand = {} } = record;
  return {
    id,
    name,
    description,
    repository,
    human: named(expand.human),
    online: online.has(id),
    created: iso(created),
  };
}

// The backend ---------------------------------------------------------------------------------------------------------

/**
 * Asks PocketBase.
 *
 * @param {Env} env
 * @param {string} path
 * @param {BackendRequest} options
 * @returns {Promise<any>} the answer's JSON
 * @throws {ApiError} 503 backend_away: no answer in time; 502 backend_failing: it answered, but no PocketBase speaks
 *   so; 401 login_needed, 403, 404, 429, and 400 refused or invalid for what it refuses
 */
async function backend(env, path, { method = "GET", body, token, timeout = BACKEND_TIMEOUT_MS } = {}) {
  if (!env.POCKETBASE_URL) throw new ApiError(500, "not_configured", "POCKETBASE_URL is not bound to this Worker.");
  const headers = new Headers({ accept: "application/json" });
  if (body !== undefined) headers.set("content-type", "application/json");
  if (token) headers.set("authorization", `Bearer ${token}`);

  let response, answer;
  try {
    const target = env.POCKETBASE_URL.replace(/\/+$/, "") + path;
    const signal = AbortSignal.timeout(timeout);
    response = await fetch(target, { method, headers, body: body && JSON.stringify(body), signal, redirect: "manual" });
    answer = await response.text();
  } catch {
    throw away();
  }
  if ([502, 503, 504].includes(response.status)) throw away();
  return unpack(response, answer, Boolean(token));
}

function away() {
  return new ApiError(503, "backend_away", "The backend does not answer. Try again in a moment.", RETRY_AFTER);
}

/**
 * @param {Response} response
 * @param {string} text       its body
 * @param {boolean} withToken  the request carried a login
 */
function unpack(response, text, withToken) {
  const failing = new ApiError(502, "backend_failing", "The backend answered with an error of its own.", RETRY_AFTER);
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw failing;
  }
  if (response.ok) return answer;
  if (response.status === 429) {
    const after = { "retry-after": response.headers.get("retry-after") ?? RETRY_AFTER["retry-after"] };
    throw new ApiError(429, "too_many_requests", "The backend asks for fewer requests. Try again in a moment.", after);
  }
  if (response.status < 400 || response.status >= 500) throw failing;
  throw refusal(response.status, answer, withToken);
}

/**
 * PocketBase answers a create that its rules forbid with 400 and no field errors; an expired token counts as none.
 *
 * @param {number} status
 * @param {{message?: string, data?: Record<string, {message: string}>}} answer
 * @param {boolean} withToken
 */
function refusal(status, answer, withToken) {
  const problems = Object.entries(answer.data ?? {}).map(([field, { message }]) => `${field}: ${message}`);
  if (problems.length) return new ApiError(400, "invalid", problems.join(" "));
  if (status === 404) return new ApiError(404, "not_found", "There is nothing at this address.");
  if (withToken) return new ApiError(403, "forbidden", "You may not do this, or your login has ended: log in again.");
  return new ApiError(status, "refused", answer.message ?? "The backend refuses this.");
}

/**
 * @param {string} collection  or collection/id
 * @param {Record<string, string | number>} query
 */
function records(collection, query = {}) {
  const [name, ...id] = collection.split("/");
  return `/api/collections/${[name, "records", ...id].join("/")}?${new URLSearchParams(query)}`;
}

/** @param {string} value @returns {string} as a text in a PocketBase filter */
function quoted(value) {
  return `'${value.replace(/[\\']/g, "\\$&")}'`;
}

// Requests and answers ------------------------------------------------------------------------------------------------

/**
 * @param {Request} request
 * @returns {string} the caller's token
 */
function bearer(request) {
  const [, token] = /^Bearer\s+(\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (!token) throw new ApiError(401, "login_needed", "Log in first.", { "www-authenticate": "Bearer" });
  return token;
}

/**
 * @template {string} Name
 * @param {Request} request
 * @param {Record<Name, boolean>} wanted  field -> is it required?
 * @returns {Promise<Record<Name, string>>}  texts; a missing optional one is ""
 */
async function fields(request, wanted) {
  const text = await request.text();
  if (text.length > BODY_LIMIT_BYTES) throw new ApiError(413, "too_large", "The body is larger than 64 KiB.");
  let given;
  try {
    given = JSON.parse(text || "{}");
  } catch {
    throw new ApiError(400, "invalid", "The body is not JSON.");
  }
  const named = Object.entries(wanted).map(([name, required]) => {
    const value = given?.[name] ?? "";
    if (typeof value !== "string") throw new ApiError(400, "invalid", `${name}: this must be a text.`);
    if (required && !value.trim()) throw new ApiError(400, "invalid", `${name}: this is needed.`);
    return [name, value];
  });
  return Object.fromEntries(named);
}

/** @param {URL} url @param {number} usual @returns {{page: number, perPage: number}} */
function paging(url, usual = 20) {
  const number = (name, fallback, most) => {
    const value = parseInt(url.searchParams.get(name) ?? "", 10);
    return value > 0 ? Math.min(value, most) : fallback;
  };
  return { page: number("page", 1, 100000), perPage: number("perPage", usual, 100) };
}

/** @returns {{id: string, name: string} | null} */
function named(record) {
  return record ? { id: record.id, name: record.name } : null;
}

/** @param {string} date  PocketBase's "2026-01-31 12:00:00.000Z" */
function iso(date) {
  return date.replace(" ", "T");
}

function json(body, status = 200, headers = {}) {
  const fixed = { ...CORS, "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return Response.json(body, { status, headers: { ...fixed, ...headers } });
}

/**
 * An API with the traits of the network's own, for tests: a WebSocket that carries remote calls, its environment in a
 * module global, and a fresh superuser login for each request that needs one.
 *
 *   GET  /api/health, /api/version, /api/admin/check, /api/github   as the reference API answers them
 *   POST /api/register        {name, email, password} -> 201 {token, human}
 *   GET  /api/posts           newest first, asked without a login
 *   POST /api/posts           {title, body} with the caller's token, which is handed on -> 201
 *   GET  /api/signed-posts    newest first, asked as superuser
 *   POST /api/signed-posts    {title, body, author}, written as superuser -> 201
 *   GET  /api/ws              WebSocket: {id, method, path, body?, headers?} -> {id, status, data}
 *
 * Each message of a socket is made a request and goes through the same routes. A socket keeps the version of the module
 * on which it was opened, and so that version's environment. A failure of a route that works as superuser is a 500 with
 * the reason in its body; the other routes hand PocketBase's status on.
 */

/** @type {Record<string, string>} */
let environment = {};
/** The superuser's token; every login overwrites it, also for requests that are under way. */
let session = "";
/** @type {Set<WebSocket>} */
const sockets = new Set();

const ROUTES = {
  "GET /api/health": health,
  "GET /api/version": () => json(200, { service: "oracle-universe-api", version: release() }),
  "GET /api/admin/check": async () => json(200, { admin: await logIn().then(() => true, refusedLogin) }),
  "GET /api/github": () => json(200, { configured: Boolean(environment.GITHUB_TOKEN) }),
  "POST /api/register": register,
  "GET /api/posts": () => listPosts(""),
  "POST /api/posts": createPost,
  "GET /api/signed-posts": async () => listPosts(await logIn()),
  "POST /api/signed-posts": createSignedPost,
};

export default {
  async fetch(request, env) {
    environment = env;
    const { pathname } = new URL(request.url);
    if (pathname === "/api/ws" && request.headers.get("upgrade") === "websocket") return openSocket(request);
    return answer(request);
  },

  /** Every oracle gives a sign of life. */
  async scheduled(_event, env) {
    environment = env;
    const token = await logIn();
    const { items } = await ask("GET", "/api/collections/oracles/records?perPage=200", token);
    for (const { id } of items) await ask("POST", "/api/collections/oracle_heartbeats/records", token, { oracle: id });
  },
};

async function answer(request) {
  const { pathname } = new URL(request.url);
  const route = ROUTES[`${request.method} ${pathname}`];
  if (!route) return json(404, { error: `There is no ${request.method} ${pathname}.` });
  try {
    return await route(request);
  } catch (error) {
    const superuser = pathname.startsWith("/api/signed-posts");
    return json(superuser ? 500 : (error.status ?? 500), { error: String(error?.message ?? error) });
  }
}

// The socket ----------------------------------------------------------------------------------------------------------

function openSocket(request) {
  const [client, server] = Object.values(new WebSocketPair());
  server.accept();
  sockets.add(server);
  server.addEventListener("close", () => sockets.delete(server));
  server.addEventListener("message", async (event) => {
    const { id, method = "GET", path, body, headers = {} } = JSON.parse(event.data);
    const call = { method, headers: { ...headers, "content-type": "application/json" } };
    if (body && method !== "GET") call.body = JSON.stringify(body);
    try {
      const response = await answer(new Request(new URL(path, request.url), call));
      server.send(JSON.stringify({ id, status: response.status, data: await response.json() }));
    } catch (error) {
      server.send(JSON.stringify({ id, status: 500, data: { error: String(error?.message ?? error) } }));
    }
  });
  return new Response(null, { status: 101, webSocket: client });
}

/** To every socket of this isolate; the runtime refuses those that another request has opened, and so they miss it. */
function broadcast(message) {
  for (const socket of sockets) {
    try {
      socket.send(JSON.stringify(message));
    } catch {
      // of another request
    }
  }
}

// The routes ----------------------------------------------------------------------------------------------------------

async function health() {
  const started = Date.now();
  try {
    await ask("GET", "/api/health");
    const about = await ask("GET", "/api/version").catch(() => ({}));
    const backend = { status: "ok", version: about.version ?? null, generation: about.generation ?? null };
    return json(200, { status: "ok", version: release(), backend: { ...backend, ms: Date.now() - started } });
  } catch {
    const backend = { status: "away", version: null, generation: null, ms: Date.now() - started };
    return json(503, { status: "degraded", version: release(), backend });
  }
}

async function register(request) {
  const { name, email, password } = await request.json();
  const human = { name, email, password, passwordConfirm: password };
  await ask("POST", "/api/collections/humans/records", "", human);
  const login = { identity: email, password };
  const { token, record } = await ask("POST", "/api/collections/humans/auth-with-password", "", login);
  return json(201, { token, human: { id: record.id, name: record.name } });
}

async function listPosts(token) {
  const { items, totalItems } = await ask("GET", "/api/collections/posts/records?sort=-created&perPage=5", token);
  return json(200, { items, totalItems });
}

async function createPost(request) {
  const token = (request.headers.get("authorization") ?? "").replace(/^Bearer /, "");
  return created(await ask("POST", "/api/collections/posts/records", token, await request.json()));
}

async function createSignedPost(request) {
  const { title, body, author } = await request.json();
  await logIn();
  return created(await ask("POST", "/api/collections/posts/records", session, { title, body, author }));
}

function created(post) {
  broadcast({ type: "new_post", id: post.id });
  return json(201, post);
}

// The backend ---------------------------------------------------------------------------------------------------------

async function logIn() {
  const login = { identity: environment.PB_ADMIN_EMAIL, password: environment.PB_ADMIN_PASSWORD };
  ({ token: session } = await ask("POST", "/api/collections/_superusers/auth-with-password", "", login));
  return session;
}

function refusedLogin(error) {
  if (error.status === 400) return false;
  throw error;
}

async function ask(method, path, token = "", body = undefined) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: token } : {}) };
  const response = await fetch(environment.POCKETBASE_URL + path, { method, headers, body: body && JSON.stringify(body) });
  const answered = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(answered.message ?? "The backend failed."), { status: response.status });
  return answered;
}

function release() {
  return environment.RELEASE || "dev";
}

function json(status, body) {
  return Response.json(body, { status, headers: { "access-control-allow-origin": "*", "cache-control": "no-store" } });
}

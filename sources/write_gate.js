/**
 * The write gate: the code around the api Worker's module, for the time in which data is migrated to another backend.
 *
 * The backend itself refuses writes then (clients/pocketbase/freeze.py). A public collection, MARKER, shows its state.
 * The id of its only record is "moving" (the data is being copied), "moved" (another backend serves) or "open". The
 * write gate adapts the api Worker to a freeze, and the service needs no code for it:
 *
 * - If the frozen backend refused a write, the client gets 503 with Retry-After and `x-oracle-hold: 1`, no matter how the
 *   service answers. If the write came on a WebSocket, the WebSocket is closed with 1012 (service restart) instead.
 * - In a frozen backend, SUFFIX is appended to the superusers' addresses. The service logs in with the address that it
 *   knows; the write gate appends SUFFIX, so that reads go on.
 * - WebSockets are relayed, so that they can be closed with 1012 when the backend has moved or was deleted, or when the
 *   login of this Worker version is no longer valid. Clients reconnect to the current version.
 *
 * The service's requests go through globalThis.fetch, which the first line of the module replaces before the service's
 * own code runs (sources/write_gate.py): `way.native` is the runtime's fetch, `way.gate` is set below. Without a freeze,
 * a request costs a comparison of host names, a superuser's login costs reading its answer, and a WebSocket costs one
 * request to the backend every LEASE_MS while messages come, every IDLE_MS while none do.
 *
 * sources/write_gate.py replaces $inner below by the name of the service's default export: an object with handlers, or a
 * class. Everything else here is local to one function, and built-ins are read from globalThis, because the service may
 * use the same names.
 */
export default ((service, way) => {
  const { AbortSignal, Date, Headers, JSON, Map, Object, Promise, Proxy, Reflect, Request, Response } = globalThis;
  const { Set, String, URL, URLSearchParams, WebSocketPair, clearInterval, setInterval } = globalThis;
  const MARKER = "/api/collections/_write_freeze/records";
  const LOGIN = "/api/collections/_superusers/auth-with-password";
  const SUFFIX = ".write-freeze.invalid";
  const READS = new Set(["GET", "HEAD", "OPTIONS"]);
  /** POST requests of PocketBase that change no data: logins, a realtime subscription, a token for a file. */
  const HARMLESS = /^\/api\/(collections\/[^/]+\/(auth-[a-z-]+|request-[a-z-]+|impersonate\/[^/]+)|realtime|files\/token)$/;
  const LEASE_MS = 1_000;
  const ANEW = -1; // read the state again: after a refusal, only a newer state explains it
  const IDLE_MS = 20_000;
  const ANSWER_MS = 5_000;
  const SESSIONS = 100;
  const RENEWAL_MS = 5_000;
  const RETRY_S = 2;
  const RESTART = 1012;

  let env = {};
  /** The backend's state when it was last read: "none", "moving", "moved", "ended" (expired) or "unknown". */
  let state = "none";
  let readAt = 0;
  let frozenAt = 0;
  /** Whether the state was ever read, and whether the address has led to no backend since: its app was deleted. */
  let found = false;
  let deleted = false;
  const relays = new Set();
  /**
   * The superusers' sessions of this isolate's own logins, by token. A token from a client is never added.
   * Each is {at, inFreeze, fresh}: its start, whether it started in a freeze, and the token that has replaced it.
   */
  const sessions = new Map();

  const backend = () => env.POCKETBASE_URL && URL.canParse(env.POCKETBASE_URL) ? new URL(env.POCKETBASE_URL) : undefined;
  const frozen = () => state === "moving" || state === "moved";
  /** Whether superusers' addresses have SUFFIX: in a freeze, and after a freeze that expired. */
  const renamed = () => frozen() || state === "ended";

  // The backend's state --------------------------------------------------------------------------------------------

  /** Returns the state, read again if it is older than `age` ms. Without an answer, a freeze is assumed to go on. */
  async function readState(age) {
    if (Date.now() - readAt <= age && state !== "unknown") return state;
    const current = await fetchState();
    deleted = found && current === "nowhere";
    if (current === "unknown" || current === "nowhere") return renamed() ? state : noted("unknown");
    found = true;
    return noted(current);
  }

  function noted(current) {
    readAt = Date.now();
    if (!frozen() && (current === "moving" || current === "moved")) frozenAt = readAt;
    state = current;
    return current;
  }

  async function frozenNow(age) {
    await readState(age);
    return frozen();
  }

  async function fetchState() {
    const url = backend();
    if (!url) return "none";
    try {
      const options = { redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) };
      const answer = await way.native(`${url.origin}${MARKER}?perPage=1&skipTotal=1&fields=id`, options);
      const body = await answer.json().catch(() => undefined);
      if (answer.status === 200) return { open: "none" }[body.items[0]?.id] ?? body.items[0]?.id ?? "ended";
      if (answer.status === 404 && body?.status === 404) return "none";
      // Cloudflare answers 530 for a name that leads nowhere, App Platform 404 for an app that does not exist.
      return [404, 530].includes(answer.status) ? "nowhere" : "unknown";
    } catch {
      return "unknown";
    }
  }

  // The service's requests to the backend -----------------------------------------------------------------------------

  /** Replaces globalThis.fetch. Passes on unchanged every request that is not for the backend. */
  function gate(...call) {
    const [input, init] = call;
    const here = backend();
    const url = here && target(input);
    if (!url || url.host !== here.host) return way.native(...call);
    const method = String(init?.method ?? (input instanceof Request ? input.method : "GET")).toUpperCase();
    if (method === "POST" && url.pathname === LOGIN) return logIn(new Request(input, init));
    if (READS.has(method) || HARMLESS.test(url.pathname)) return read(call);
    return write(call);
  }

  function target(input) {
    const text = input instanceof Request ? input.url : String(input);
    return URL.canParse(text) ? new URL(text) : undefined;
  }

  /** Logs a superuser in. If the backend refuses the given address, uses the address with SUFFIX. */
  async function logIn(request) {
    const text = await request.clone().text();
    const other = withSuffix(text, request.headers.get("content-type") ?? "");
    const asGiven = async () => remember(await way.native(request.clone()), false);
    const suffixed = async () => {
      const given = { method: "POST", headers: request.headers, body: other.body };
      return remember(await way.native(new Request(request.url, given)), true);
    };
    let answer;
    if (!frozen() || !other.body || !(await frozenNow(LEASE_MS))) {
      answer = await asGiven();
      if (answer.ok || answer.status >= 500 || !other.body) return answer;
      await readState(ANEW);
      if (state === "none" && other.identity === env.PB_ADMIN_EMAIL) restart();
      if (!renamed()) return answer;
    }
    // A freeze may start or end now: then a superuser's address changes once between two of these attempts.
    for (const attempt of [suffixed, asGiven, suffixed]) {
      answer = await attempt();
      if (answer.ok) break;
    }
    return answer;
  }

  /** Returns the login's body with SUFFIX appended to its identity, and the identity; {} for a body of another form. */
  function withSuffix(text, type) {
    if (type.startsWith("application/x-www-form-urlencoded")) {
      const form = new URLSearchParams(text);
      const identity = form.get("identity");
      form.set("identity", `${identity}${SUFFIX}`);
      return identity ? { identity, body: String(form) } : {};
    }
    try {
      const given = JSON.parse(text);
      const { identity } = given;
      return typeof identity === "string" ? { identity, body: JSON.stringify({ ...given, identity: identity + SUFFIX }) } : {};
    } catch {
      return {};
    }
  }

  /** Stores the session of a successful login, and returns the answer. */
  async function remember(answer, inFreeze) {
    try {
      const { token } = answer.ok ? await answer.clone().json() : {};
      if (token) sessions.set(token, { at: Date.now(), inFreeze });
      if (sessions.size > SESSIONS) sessions.delete(sessions.keys().next().value);
    } catch {
      // not PocketBase's answer
    }
    return answer;
  }

  const read = (call) => sent(call, false);

  async function write(call) {
    if (frozen() && (await frozenNow(LEASE_MS))) return refused();
    let answer;
    try {
      answer = await sent(call, true);
    } catch (error) {
      if (await frozenNow(ANEW)) return refused();
      throw error;
    }
    return answer.ok || !(await frozenNow(ANEW)) ? answer : refused();
  }

  /** Sends a request. If its superuser session has ended, sends it once more with a new session. */
  async function sent(call, writes) {
    const token = tokenOf(...call);
    const session = sessions.get(token);
    if (!session) return way.native(...call);
    const request = new Request(...call);
    if (frozen() && session.at <= frozenAt) await renew(session);
    const answer = await dispatch(request.clone(), session, writes);
    const ended = [400, 401, 403, 404].includes(answer.status) && !(session.renewedAt > Date.now() - RENEWAL_MS);
    if (!ended || (writes && (await frozenNow(ANEW)))) return answer;
    await renew(session);
    return session.fresh ? dispatch(request, session, writes) : answer;
  }

  /** Sends a request. A session that started in a freeze may write only after that freeze has ended. */
  async function dispatch(request, session, writes) {
    const { fresh } = session;
    const { inFreeze } = sessions.get(fresh) ?? session;
    if (writes && inFreeze && (await readState(ANEW)) !== "ended") return refused();
    if (!fresh) return way.native(request);
    const headers = new Headers(request.headers);
    headers.set("authorization", fresh);
    return way.native(new Request(request, { headers }));
  }

  async function renew(session) {
    session.renewedAt = Date.now();
    const body = JSON.stringify({ identity: env.PB_ADMIN_EMAIL, password: env.PB_ADMIN_PASSWORD });
    const headers = { "content-type": "application/json" };
    const answer = await logIn(new Request(`${backend().origin}${LOGIN}`, { method: "POST", headers, body }));
    if (answer.ok) session.fresh = (await answer.json()).token;
  }

  function tokenOf(input, init) {
    const headers = init?.headers ?? (input instanceof Request ? input.headers : {});
    return new Headers(headers).get("authorization")?.replace(/^Bearer +/i, "");
  }

  /** Returns the service's answer to a write that the frozen backend refuses. Closes its WebSocket, if it has one. */
  function refused() {
    restart();
    return unavailable();
  }

  // WebSockets --------------------------------------------------------------------------------------------------------

  /** Closes the WebSockets of the current request: the runtime forbids access to another request's. */
  function restart() {
    for (const relay of relays) {
      try {
        relay.close(RESTART, "service restart");
      } catch {
        // of another request
      }
    }
  }

  /** Passes messages between a client and the service until either closes, or the backend has moved. */
  function relay(answer) {
    const [outer, client] = Object.values(new WebSocketPair());
    const inner = answer.webSocket;
    let unknown = 0;
    let queue;
    for (const socket of [client, inner]) {
      socket.accept();
      if ("binaryType" in socket) socket.binaryType = "arraybuffer";
    }
    const end = (socket, { code, reason }) => {
      try {
        if (code === 1005 || code === 1006 || code === 1015) socket.close();
        else socket.close(code, reason);
      } catch {
        // it is closed
      }
    };
    const over = (event) => {
      clearInterval(timer);
      relays.delete(self);
      for (const socket of [client, inner]) end(socket, event);
    };
    const self = { close: (code, reason) => { client.close(code, reason); over({ code, reason }); } };
    const stale = async (age) => {
      const left = (await readState(age)) === "moved" || deleted;
      if (left) self.close(RESTART, "service restart");
      return left;
    };
    const deliver = (data) => {
      try {
        inner.send(data);
      } catch {
        // it is closed
      }
    };
    client.addEventListener("message", ({ data }) => {
      if (!queue && Date.now() - readAt <= LEASE_MS && state !== "moved" && !deleted) return deliver(data);
      const mine = (queue = (queue ?? Promise.resolve()).then(async () => {
        if (!(await stale(LEASE_MS))) deliver(data);
        if (queue === mine) queue = undefined;
      }));
    });
    inner.addEventListener("message", ({ data }) => {
      try {
        client.send(data);
      } catch {
        // it is closed
      }
    });
    client.addEventListener("close", over);
    inner.addEventListener("close", over);
    client.addEventListener("error", () => over({ code: 1011, reason: "" }));
    inner.addEventListener("error", () => over({ code: 1011, reason: "" }));
    const timer = setInterval(async () => {
      if (await stale(IDLE_MS / 2)) return;
      unknown = state === "unknown" ? unknown + 1 : 0;
      if (unknown === 2) self.close(RESTART, "service restart");
    }, IDLE_MS);
    relays.add(self);
    return new Response(null, { status: 101, headers: answer.headers, webSocket: outer });
  }

  // The API's clients --------------------------------------------------------------------------------------------------

  /** Returns the service's answer to a request, or 503 if a freeze prevented a write. */
  async function serve(request, bound, call) {
    env = bound ?? env;
    const writes = !READS.has(request.method);
    if (writes && frozen() && (await frozenNow(LEASE_MS))) return refuseAfterBody(request);
    let answer;
    try {
      answer = await call();
    } catch (error) {
      if (writes && frozen()) return refuseAfterBody(request);
      throw error;
    }
    if (answer?.webSocket) return relay(answer);
    return writes && frozen() && !answer.ok ? refuseAfterBody(request) : answer;
  }

  /** Reads the body, then returns 503: a client that still sends a long body would get a broken connection instead. */
  async function refuseAfterBody(request) {
    try {
      const body = request.bodyUsed ? undefined : request.body?.getReader();
      while (body && !(await body.read()).done);
    } catch {
      // the client went away
    }
    return unavailable();
  }

  function unavailable() {
    const message = "Nothing can be changed for a moment, because the data is being moved; try again soon.";
    const headers = {
      "retry-after": String(RETRY_S),
      "cache-control": "no-store",
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "retry-after, x-oracle-hold",
      "x-oracle-hold": "1", // distinguishes a write refused by the freeze from any other 503
    };
    return Response.json({ error: "hold", message }, { status: 503, headers });
  }

  /** Wraps an object's handlers. They are called on the object itself, which may have private fields. */
  function wrapHandlers(handlers) {
    const fetch = (...call) => serve(call[0], call[1], () => handlers.fetch(...call));
    const get = (_, name) => {
      const value = Reflect.get(handlers, name);
      if (typeof value !== "function") return value;
      if (name === "fetch") return fetch;
      return (...call) => {
        if (call[1] && typeof call[1] === "object") env = call[1];
        return Reflect.apply(value, handlers, call);
      };
    };
    // The proxy's target is a new object: a proxy of a frozen object must return the object's own fetch.
    return new Proxy(Object.create(handlers), { get });
  }

  /** Wraps a class in a subclass. A `fetch` set in the constructor would hide the method below, so it is replaced. */
  function wrapClass(Entrypoint) {
    const Gated = class extends Entrypoint {
      constructor(...made) {
        super(...made);
        env = this.env ?? made[1] ?? env;
        if (!Object.hasOwn(this, "fetch")) return;
        const own = this.fetch;
        this.fetch = (...call) => serve(call[0], this.env, () => Reflect.apply(own, this, call));
      }
    };
    if ("fetch" in Entrypoint.prototype) {
      const value = function fetch(...call) {
        return serve(call[0], this.env, () => Reflect.apply(Entrypoint.prototype.fetch, this, call));
      };
      Object.defineProperty(Gated.prototype, "fetch", { value, writable: true, configurable: true });
    }
    return Gated;
  }

  way.gate = gate;
  return typeof service === "function" ? wrapClass(service) : wrapHandlers(service);
})($inner, globalThis.$oracleWay);

/**
 * Stands around the API's own Worker, in the same module, while a backend's data is moved to another backend.
 *
 * The backend itself refuses writes then (clients/pocketbase/freeze.py). It tells so by a public collection, MARKER, whose one
 * record is called "moving" (the data is being copied), "moved" (another backend serves) or "open". This front makes
 * that bearable for the API's clients, and the service needs no line for it:
 *
 * - A write that the frozen backend refused is answered 503 with Retry-After and `x-oracle-hold: 1`, whatever the
 *   service made of it. A WebSocket on which it came is closed with 1012 (service restart) instead.
 * - Superusers have another address in a frozen backend (SUFFIX behind it). The service logs in with the address that
 *   it knows; here SUFFIX is put behind it, so that its reads go on.
 * - WebSockets are relayed, so that they can be closed with 1012 when the backend has moved away, or when the login that
 *   this version of the Worker knows is no longer valid. Clients come back to the version that serves.
 *
 * The service's requests go through globalThis.fetch, which the first line of the module replaces before the service's
 * own code runs (sources/write_gate.py): `way.native` is the runtime's fetch, `way.gate` is set below. In normal times a
 * request costs a comparison of host names, a superuser's login a look at its answer, and a WebSocket one question to
 * the backend every LEASE_MS while messages come, every IDLE_MS while none do.
 *
 * sources/write_gate.py makes $inner below the name of what the service exports as its default: an object with handlers,
 * or a class. Everything else here is local to one function, and built-ins are reached through globalThis, because the
 * service may have names like ours.
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
  const ANEW = -1; // after a refusal, only what the backend says after it tells why
  const IDLE_MS = 20_000;
  const ANSWER_MS = 5_000;
  const SESSIONS = 100;
  const RENEWAL_MS = 5_000;
  const RETRY_S = 2;
  const RESTART = 1012;

  let env = {};
  /** The backend's state as it was seen last: "none", "moving", "moved", "ended" (of itself) or "unknown". */
  let state = "none";
  let seenAt = 0;
  let frozenAt = 0;
  const relays = new Set();
  /**
   * The superusers' sessions that this isolate was given, by token: nothing that a client sends is ever taken for one.
   * Each is {at, sealed, fresh}: when it began, whether it began in a freeze, and the session that has replaced it.
   */
  const sessions = new Map();

  const backend = () => env.POCKETBASE_URL && URL.canParse(env.POCKETBASE_URL) ? new URL(env.POCKETBASE_URL) : undefined;
  const frozen = () => state === "moving" || state === "moved";
  /** Superusers have SUFFIX: in a freeze, and after one that has ended by itself. */
  const renamed = () => frozen() || state === "ended";

  // What the backend says ------------------------------------------------------------------------------------------

  /** The state, asked for unless it was seen within `age` ms. Without an answer a freeze is taken to go on. */
  async function look(age) {
    if (Date.now() - seenAt <= age && state !== "unknown") return state;
    const found = await ask();
    if (found === "unknown" && renamed()) return state;
    seenAt = Date.now();
    if (!frozen() && (found === "moving" || found === "moved")) frozenAt = seenAt;
    state = found;
    return found;
  }

  async function frozenNow(age) {
    await look(age);
    return frozen();
  }

  async function ask() {
    const url = backend();
    if (!url) return "none";
    try {
      const options = { redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) };
      const answer = await way.native(`${url.origin}${MARKER}?perPage=1&skipTotal=1&fields=id`, options);
      const body = await answer.json();
      if (answer.status === 200) return { open: "none" }[body.items[0]?.id] ?? body.items[0]?.id ?? "ended";
      return answer.status === 404 && body.status === 404 ? "none" : "unknown"; // else no PocketBase, or a busy one
    } catch {
      return "unknown";
    }
  }

  // The service's way to the backend ----------------------------------------------------------------------------------

  /** In place of globalThis.fetch. Everything that is not for the backend goes on as it came. */
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

  /** A superuser's login: with the address that a frozen backend knows, where the given one is refused. */
  async function logIn(request) {
    const text = await request.clone().text();
    const other = withSuffix(text, request.headers.get("content-type") ?? "");
    const asGiven = async () => noted(await way.native(request.clone()), false);
    const inFreeze = async () => {
      const given = { method: "POST", headers: request.headers, body: other.body };
      return noted(await way.native(new Request(request.url, given)), true);
    };
    let answer;
    if (!frozen() || !other.body || !(await frozenNow(LEASE_MS))) {
      answer = await asGiven();
      if (answer.ok || answer.status >= 500 || !other.body) return answer;
      await look(ANEW);
      if (state === "none" && other.identity === env.PB_ADMIN_EMAIL) restart();
      if (!renamed()) return answer;
    }
    // The freeze may be just beginning or ending: then a superuser's address changes once between two of these.
    for (const attempt of [inFreeze, asGiven, inFreeze]) {
      answer = await attempt();
      if (answer.ok) break;
    }
    return answer;
  }

  /** The login's body with SUFFIX behind its identity, and that identity; nothing for a body of another form. */
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

  /** Keeps the session of an answered login in mind. */
  async function noted(answer, sealed) {
    try {
      const { token } = answer.ok ? await answer.clone().json() : {};
      if (token) sessions.set(token, { at: Date.now(), sealed });
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

  /** Sends a request; one whose superuser's session has ended, once more with a new session. */
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

  /** A session that began in a freeze writes only where that freeze is known to have ended. */
  async function dispatch(request, session, writes) {
    const { fresh } = session;
    const { sealed } = sessions.get(fresh) ?? session;
    if (writes && sealed && (await look(ANEW)) !== "ended") return refused();
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

  /** What the service gets for a write that the frozen backend refuses; its WebSocket, where it has one, is closed. */
  function refused() {
    restart();
    return hold();
  }

  // WebSockets --------------------------------------------------------------------------------------------------------

  /** Closes the WebSockets of the request that is being worked on: the runtime lets none touch another one's. */
  function restart() {
    for (const relay of relays) {
      try {
        relay.close(RESTART, "service restart");
      } catch {
        // another request's
      }
    }
  }

  /** Passes messages between a client and the service until either ends, or the backend has moved away. */
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
      if ((await look(age)) === "moved") self.close(RESTART, "service restart");
      return state === "moved";
    };
    const deliver = (data) => {
      try {
        inner.send(data);
      } catch {
        // it is closed
      }
    };
    client.addEventListener("message", ({ data }) => {
      if (!queue && Date.now() - seenAt <= LEASE_MS && state !== "moved") return deliver(data);
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

  /** The service's answer to a request; the refusal instead, where a freeze has kept it from writing. */
  async function serve(request, bound, call) {
    env = bound ?? env;
    const writes = !READS.has(request.method);
    if (writes && frozen() && (await frozenNow(LEASE_MS))) return drained(request);
    let answer;
    try {
      answer = await call();
    } catch (error) {
      if (writes && frozen()) return drained(request);
      throw error;
    }
    if (answer?.webSocket) return relay(answer);
    return writes && frozen() && !answer.ok ? drained(request) : answer;
  }

  /** The body is read first: a client that still sends a long one would see its connection break, not the answer. */
  async function drained(request) {
    try {
      const body = request.bodyUsed ? undefined : request.body?.getReader();
      while (body && !(await body.read()).done);
    } catch {
      // the client went away
    }
    return hold();
  }

  function hold() {
    const message = "Nothing can be changed for a moment, because the data is being moved; try again soon.";
    const headers = {
      "retry-after": String(RETRY_S),
      "cache-control": "no-store",
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "retry-after, x-oracle-hold",
      "x-oracle-hold": "1", // tells a write refused by the freeze from any other 503
    };
    return Response.json({ error: "hold", message }, { status: 503, headers });
  }

  /** For an object: each of its handlers, called on the object itself (it may have private fields). */
  function before(handlers) {
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
    // Not the object itself is stood in for: a frozen one would insist on its own fetch.
    return new Proxy(Object.create(handlers), { get });
  }

  /** For a class: a subclass. A `fetch` that is made in the constructor hides the method below, so it is replaced. */
  function above(Entrypoint) {
    const Front = class extends Entrypoint {
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
      Object.defineProperty(Front.prototype, "fetch", { value, writable: true, configurable: true });
    }
    return Front;
  }

  way.gate = gate;
  return typeof service === "function" ? above(service) : before(service);
})($inner, globalThis.$oracleWay);

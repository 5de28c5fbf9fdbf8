/**
 * The front of the API: stands before the service's own Worker in the same module, and holds writes for a short while.
 *
 * While data is carried from one backend to the next, the Worker has a secret binding HOLD_UNTIL (milliseconds since
 * 1970). Until that moment every request that may write is answered 503 with Retry-After, so that nothing is written
 * that the next backend would not have; reads go on. Without that binding, or after that moment, or when it is no
 * number, every request goes to the service as it came.
 *
 * These lines are put behind the service's code by components/front.py, which makes $inner below the name of what the
 * service exports as its default: an object with handlers, or a class. Everything else here is local to one function,
 * and built-ins are reached through globalThis, because the service may have names like ours. WebSockets are opened by
 * GET, so they pass.
 */
export default ((service) => {
  const { Date, Math, Number, Object, Proxy, Reflect, Response, Set } = globalThis;
  const READS = new Set(["GET", "HEAD", "OPTIONS"]);
  const LONGEST_RETRY_S = 5;

  /** @returns {Promise<Response> | undefined} the refusal, or nothing when the service is to answer */
  function held(request, env) {
    const left = Number(env?.HOLD_UNTIL) - Date.now();
    if (!(left > 0) || !Number.isFinite(left) || READS.has(request.method)) return undefined;
    return refused(request, left);
  }

  /** The body is read first: a client that still sends a long one would see its connection break, not the answer. */
  async function refused(request, left) {
    try {
      const body = request.body?.getReader();
      while (body && !(await body.read()).done);
    } catch {
      // the client went away
    }
    const message = "Nothing can be changed for a moment, because the data is being moved; try again soon.";
    const headers = {
      "retry-after": String(Math.min(LONGEST_RETRY_S, Math.ceil(left / 1000))),
      "cache-control": "no-store",
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "retry-after, x-oracle-hold",
      "x-oracle-hold": "1", // tells a held write from any other 503
    };
    return Response.json({ error: "hold", message }, { status: 503, headers });
  }

  /** For an object: each of its handlers, called on the object itself (it may have private fields). */
  function before(handlers) {
    const fetch = (...call) => held(call[0], call[1]) ?? handlers.fetch(...call);
    const get = (_, name) => {
      const value = Reflect.get(handlers, name);
      if (typeof value !== "function") return value;
      return name === "fetch" ? fetch : (...call) => Reflect.apply(value, handlers, call);
    };
    // Not the object itself is stood in for: a frozen one would insist on its own fetch.
    return new Proxy(Object.create(handlers), { get });
  }

  /** For a class: a subclass. A `fetch` that is made in the constructor hides the method below, so it is replaced. */
  function above(Entrypoint) {
    const Front = class extends Entrypoint {
      constructor(...made) {
        super(...made);
        if (!Object.hasOwn(this, "fetch")) return;
        const own = this.fetch;
        this.fetch = (...call) => held(call[0], this.env) ?? Reflect.apply(own, this, call);
      }
    };
    if ("fetch" in Entrypoint.prototype) {
      const value = function fetch(...call) {
        return held(call[0], this.env) ?? Reflect.apply(Entrypoint.prototype.fetch, this, call);
      };
      Object.defineProperty(Front.prototype, "fetch", { value, writable: true, configurable: true });
    }
    return Front;
  }

  return typeof service === "function" ? above(service) : before(service);
})($inner);

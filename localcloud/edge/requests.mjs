// The last requests that passed the edge, for the console page: never bodies, headers or queries.

const KEPT = 500;
const LONGEST_PATH = 500;

/** Returns the path without the query, which may hold tokens; decoded, like the control plane's own paths. */
export function pathOf(url) {
  const path = url.split("?", 1)[0];
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

export class Requests {
  #ended = []; // [{time, host, method, path, status, ms}] in the order in which they ended, status 0 when lost
  #count = 0;

  note(host, req, res) {
    const [time, path, method] = [new Date(), req.url.split("?", 1)[0], req.method];
    res.once("close", () => {
      const status = res.writableFinished ? res.statusCode : 0;
      this.#ended.push({ time: time.toISOString(), host, method, path, status, ms: Date.now() - time.getTime() });
      this.#count += 1;
      if (this.#ended.length > KEPT) this.#ended.shift();
    });
  }

  /** Returns the requests after this number, and the newest number; all requests for a number of another start. */
  since(number) {
    const fresh = Math.min(number <= this.#count ? this.#count - number : this.#count, this.#ended.length);
    const shown = this.#ended.slice(this.#ended.length - fresh);
    return { last: this.#count, requests: shown.map((each) => ({ ...each, path: pathOf(each.path).slice(0, LONGEST_PATH) })) };
  }
}

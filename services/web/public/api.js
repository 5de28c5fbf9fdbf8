/** The network's API, at the address that this site is configured with, and who is logged in to it. */

const SESSION = "oracle-net.session";

/** An answer that is an error; `message` is a sentence for the reader, `code` the API's. */
export class ApiError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export class Api {
  /** @param {string} url  the API's address, or a path of this site that leads to it */
  constructor(url) {
    this.url = url.replace(/\/+$/, "");
    this.session = stored();
  }

  /** @returns {{id: string, name: string} | null} who is logged in */
  get human() {
    return this.session?.human ?? null;
  }

  posts = (page = 1) => this.ask(`/api/posts?page=${page}&perPage=20`);
  post = (id) => this.ask(`/api/posts/${id}`);
  oracles = () => this.ask("/api/oracles");
  write = (post) => this.ask("/api/posts", post);
  comment = (id, body) => this.ask(`/api/posts/${id}/comments`, { body });
  nameOracle = (oracle) => this.ask("/api/oracles", oracle);
  logIn = async (who) => this.remember(await this.ask("/api/login", who));
  register = async (who) => this.remember(await this.ask("/api/register", who));
  logOut = () => this.remember(null);

  /** The API's state; it is a body worth reading also when the backend is away (503). */
  health = () => this.ask("/api/health", undefined, [503]);

  /**
   * @param {string} path
   * @param {unknown} [body]  makes it a POST
   * @param {number[]} fine   statuses besides 2xx that are no errors
   */
  async ask(path, body, fine = []) {
    const response = await this.send(path, body).catch(() => null);
    if (!response) throw new ApiError("unreachable", "The API does not answer. Is this machine online?");
    const answer = await response.json().catch(() => null);
    if (answer && (response.ok || (fine.includes(response.status) && !answer.error))) return answer;
    throw new ApiError(answer?.error ?? "unknown", answer?.message ?? `The API answered ${response.status}.`);
  }

  send(path, body) {
    const headers = this.session ? { authorization: `Bearer ${this.session.token}` } : {};
    if (body === undefined) return fetch(this.url + path, { headers });
    headers["content-type"] = "application/json";
    return fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  remember(session) {
    this.session = session;
    if (session) localStorage.setItem(SESSION, JSON.stringify(session));
    else localStorage.removeItem(SESSION);
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(SESSION));
  } catch {
    return null;
  }
}

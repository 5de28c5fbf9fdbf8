// Loads Miniflare and workerd. Miniflare is loaded when the first Worker starts: that takes half a second of processor,
// which a start without Workers saves.

import { createRequire } from "node:module";
import path from "node:path";

export class Runtime {
  #require;
  #adapted = [];
  #miniflare;

  constructor(nodeModules) {
    this.#require = createRequire(path.resolve(nodeModules, "..", "package.json"));
  }

  /** The folder of Miniflare's own Workers. */
  get folder() {
    return path.join(path.dirname(this.#require.resolve("miniflare")), "workers");
  }

  /** The newest compatibility date that workerd supports; never a future day, as in Miniflare. */
  get newestDate() {
    const { compatibilityDate } = createRequire(this.#require.resolve("miniflare"))("workerd");
    const today = new Date().toISOString().slice(0, 10);
    return compatibilityDate > today ? today : compatibilityDate;
  }

  /** Calls `change(miniflare)` as soon as Miniflare is loaded. */
  adapt(change) {
    this.#adapted.push(change);
  }

  get miniflare() {
    if (!this.#miniflare) {
      // Miniflare would copy these certificates into every Worker's runtime, whose requests all leave through the edge.
      // Node itself has read the variable when it started.
      delete process.env.NODE_EXTRA_CA_CERTS;
      this.#miniflare = this.#require("miniflare");
      for (const change of this.#adapted) change(this.#miniflare);
    }
    return this.#miniflare;
  }
}

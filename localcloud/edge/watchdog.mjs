// Ends a request that uses more processor time than Cloudflare allows, which open-source workerd does not do.
//
// A Worker's code runs on one thread. While code runs, its runtime does not answer. So it is polled every quarter of a
// second while requests are running, and once more after the last one. The processor time that its process uses between
// two answers was used by one turn of the code. Code that waits in between lets the runtime answer; time used while a
// single request is running is that request's. When it exceeds the limit, the process is ended, and Miniflare starts it
// again on the same ports.

import fs from "node:fs";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export const CPU_MS = 30_000; // Cloudflare's limit for a version without its own (limits.cpu_ms)
const PAUSE_MS = 250;
const TICK_MS = 10; // Linux counts in hundredths of a second
const BUSY_MS = 2 * TICK_MS; // time used between two polls counts only above this: a poll costs some, too
const run = promisify(execFile);

/** Returns the processor time of a process in milliseconds; undefined when it does not exist. */
export async function processorTime(pid) {
  if (process.platform === "linux") {
    try {
      const fields = fs.readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1).split(" ");
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch {
      return undefined;
    }
  }
  return run("ps", ["-o", "time=", "-p", String(pid)]).then(({ stdout }) => milliseconds(stdout), () => undefined);
}

/** Parses ps's [[days-]hours:]minutes:seconds[.hundredths]. */
export function milliseconds(text) {
  const [clock, days = "0"] = text.trim().split("-").reverse();
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1000);
}

export class Watchdog {
  #timer;
  #asked; // time of the poll that waits for its answer
  #answered = -Infinity; // time of the last poll that was answered
  #left = 0; // time of the last request
  #used = 0; // processor time as of the last answer
  #only; // the only request at that time

  /**
   * `alive()` polls the runtime and settles when it answers. `exceeded(since)` ends it: requests from before `since`
   * may have used the time, later ones have only waited.
   */
  constructor(upstream, { pid, limit, alive, exceeded }) {
    Object.assign(this, { upstream, pid, limit, alive, exceeded });
    upstream.entered = () => this.#watch();
  }

  stop() {
    clearTimeout(this.#timer);
    this.upstream.entered = () => undefined;
  }

  #watch() {
    this.#left = performance.now();
    if (this.#timer) return;
    this.#asked = undefined;
    this.#timer = setTimeout(() => void this.#look(), PAUSE_MS).unref();
  }

  async #look() {
    if (this.upstream.active > 0) this.#left = performance.now();
    const idle = this.#asked === undefined && this.#answered > this.#left;
    if (idle) return void (this.#timer = undefined);
    if (this.#asked === undefined) await this.#ask();
    else if ((await this.#time()) - this.#used > this.limit) return this.#end(this.#asked);
    if (this.#only?.used > this.limit) return this.#end(performance.now());
    this.#timer = setTimeout(() => void this.#look(), PAUSE_MS).unref();
  }

  #end(since) {
    this.#timer = this.#asked = this.#only = undefined;
    this.exceeded(since);
  }

  async #time() {
    return (await processorTime(this.pid())) ?? 0;
  }

  async #ask() {
    const used = await this.#time();
    this.#count(used - this.#used);
    this.#used = used;
    const asked = (this.#asked = performance.now());
    const settled = () => {
      if (this.#asked !== asked) return;
      this.#answered = asked;
      this.#asked = undefined;
    };
    this.alive().then(settled, settled);
  }

  /** An upgraded connection stays open for hours, and its total time is no sign of a loop. */
  #count(more) {
    const [only] = this.upstream.active === 1 ? this.upstream.calls : [];
    const counts = only && only === this.#only && !only.req?.headers.upgrade && more >= BUSY_MS;
    if (counts) only.used = (only.used ?? 0) + more;
    this.#only = only;
  }
}

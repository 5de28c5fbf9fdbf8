// A queue: the Durable Object that stores messages and delivers them to the consumer. Runs in the storage's workerd.
//
// Producers speak workerd's own protocol (POST /message and /batch). PUT /settings sets the consumer and its options.

import { DurableObject } from "cloudflare:workers";

const TABLES = `
  CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, sent INTEGER NOT NULL, format TEXT NOT NULL, body BLOB NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY, value TEXT NOT NULL);`;
const LARGEST = 128_000;
const NOBODY = { delivery_delay: 0, delivery_paused: false, message_retention_period: 345_600, consumer: null };
const AGAIN_MS = 1_000; // while the consumer has no running version

const base64 = (bytes) => btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""));
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export class queue extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec(TABLES);
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    const delay = Number(request.headers.get("x-msg-delay-secs") ?? this.settings.delivery_delay);
    if (request.headers.has("x-edge-drop")) return this.#drop();
    if (pathname === "/settings") return this.#set(await request.json());
    if (pathname === "/message") return this.#take([{ contentType: request.headers.get("x-msg-fmt") ?? "v8", body: new Uint8Array(await request.arrayBuffer()) }], delay);
    if (pathname === "/batch") return this.#take((await request.json()).messages.map((message) => ({ ...message, body: bytesOf(message.body) })), delay);
    return Response.json(this.#metrics());
  }

  get settings() {
    const [row] = this.sql.exec("SELECT value FROM settings").toArray();
    return row ? { ...NOBODY, ...JSON.parse(row.value) } : NOBODY;
  }

  async #set(settings) {
    this.sql.exec("INSERT OR REPLACE INTO settings VALUES (1, ?)", JSON.stringify(settings));
    await this.#schedule();
    return Response.json(this.#metrics());
  }

  async #drop() {
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    return new Response();
  }

  async #take(messages, delay) {
    if (messages.some(({ body }) => body.byteLength > LARGEST)) return new Response(`message length exceeds limit of ${LARGEST}`, { status: 413 });
    const now = Date.now();
    for (const { id, timestamp, contentType, delaySecs, body } of messages) {
      const name = id ?? crypto.randomUUID().replaceAll("-", "");
      this.sql.exec("INSERT INTO messages VALUES (?, ?, ?, ?, 0, ?)", name, timestamp ?? now, contentType ?? "v8", body, now + 1000 * (delaySecs ?? delay));
    }
    await this.#schedule();
    return Response.json({ metadata: { metrics: this.#metrics() } });
  }

  #metrics() {
    const [row] = this.sql.exec("SELECT count(*) AS n, coalesce(sum(length(body)), 0) AS size, coalesce(min(sent), 0) AS oldest FROM messages").toArray();
    return { backlogCount: row.n, backlogBytes: row.size, oldestMessageTimestamp: row.oldest };
  }

  /** Sets the alarm for a batch that is full or has waited long enough; none without a consumer. */
  async #schedule() {
    const { consumer, delivery_paused: paused, message_retention_period: kept } = this.settings;
    const now = Date.now();
    this.sql.exec("DELETE FROM messages WHERE sent < ?", now - 1000 * kept);
    const [{ first, n }] = this.sql.exec("SELECT min(due) AS first, sum(due <= ?) AS n FROM messages", now).toArray();
    if (!consumer || paused || first === null) return this.ctx.storage.deleteAlarm();
    return this.ctx.storage.setAlarm(n >= consumer.batch_size ? now : Math.max(now, first + consumer.max_wait_time_ms));
  }

  async alarm() {
    const { consumer, delivery_paused: paused } = this.settings;
    if (!consumer || paused) return;
    const due = this.sql.exec("SELECT * FROM messages WHERE due <= ? ORDER BY due, sent LIMIT ?", Date.now(), consumer.batch_size).toArray();
    if (due.length > 0) {
      const result = await this.#deliver(consumer, due).catch((error) => console.error(String(error)));
      if (!result) return this.ctx.storage.setAlarm(Date.now() + AGAIN_MS);
      await this.#settle(consumer, due, result);
    }
    await this.#schedule();
  }

  /** Returns the outcome of the consumer's handler; nothing when no version of it runs. */
  async #deliver(consumer, due) {
    const messages = due.map(({ id, sent, format, body, attempts }) => ({ id, time: sent, format, body: base64(body), attempts: attempts + 1 }));
    const headers = { "x-edge-worker": consumer.script };
    const body = JSON.stringify({ kind: "queue", queue: consumer.queue, messages, metrics: this.#metrics() });
    const answer = await this.env.EDGE.fetch("http://edge/", { method: "POST", headers, body });
    return answer.ok ? answer.json() : undefined;
  }

  async #settle(consumer, due, result) {
    const all = result.outcome !== "ok" || result.retryBatch?.retry;
    const asked = new Map((result.retryMessages ?? []).map(({ msgId, delaySeconds }) => [msgId, delaySeconds]));
    const acked = new Set(result.explicitAcks ?? []);
    const dead = [];
    for (const message of due) {
      const again = asked.has(message.id) || (all && !acked.has(message.id));
      if (again && message.attempts < consumer.max_retries) {
        const delay = asked.get(message.id) ?? result.retryBatch?.delaySeconds ?? consumer.retry_delay;
        this.sql.exec("UPDATE messages SET attempts = attempts + 1, due = ? WHERE id = ?", Date.now() + 1000 * delay, message.id);
        continue;
      }
      if (again) dead.push(message);
      this.sql.exec("DELETE FROM messages WHERE id = ?", message.id);
    }
    if (dead.length > 0 && consumer.dead_letter_id) await this.#bury(consumer.dead_letter_id, dead);
  }

  async #bury(id, dead) {
    const messages = dead.map(({ id, sent, format, body }) => ({ id, timestamp: sent, contentType: format, body: base64(body) }));
    await this.env.queue.getByName(`queue-${id}`).fetch("http://queue/batch", { method: "POST", body: JSON.stringify({ messages }) });
  }
}

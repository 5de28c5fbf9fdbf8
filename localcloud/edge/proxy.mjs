// Forwards one request or upgraded connection to an upstream: streaming both ways, nothing buffered.
//
// When an upstream refuses the connection, nothing of the request has been sent, so the upstream is resolved and tried
// again for a short while: that covers the replacement of a process. A request is never sent twice, with one exception:
// a GET, HEAD or OPTIONS whose connection broke before any response, because a kept-alive connection was just being
// closed or the process ended. Requests that may change data get a new connection instead.

import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

const RETRY_MS = 3_000;
const HEADER_BYTES = 64 * 1024;
const FIRST_DELAY_MS = 5;
const LONGEST_DELAY_MS = 200;
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const HOP = new Set(["connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "upgrade"]);
const LOST = new Set(["ECONNRESET", "EPIPE"]);

/** Cloudflare's error 1102, in the form for clients that do not accept HTML. */
const EXCEEDED = { status: 503, body: "error code: 1102\n", headers: { server: "cloudflare" } };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Flat [name, value, …] without hop-by-hop headers and those in `drop`, followed by `add` (which replaces). */
export function headersFor(raw, drop, add) {
  const gone = new Set([...drop, ...Object.keys(add)]);
  const out = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    if (!HOP.has(name) && !gone.has(name) && !name.startsWith("mf-")) out.push(raw[i], raw[i + 1]);
  }
  for (const [name, value] of Object.entries(add)) if (value !== undefined) out.push(name, value);
  return out;
}

export function refuse(res, { status, body, headers = {} }) {
  if (res.destroyed) return;
  if (res.headersSent) return void res.destroy();
  res.writeHead(status, { "content-type": "text/plain; charset=utf-8", "content-length": Buffer.byteLength(body), ...headers });
  res.end(body);
}

function hasBody(req) {
  const length = req.headers["content-length"];
  return req.headers["transfer-encoding"] !== undefined || (length !== undefined && length !== "0");
}

function answer(res, from, extra) {
  const raw = [];
  for (let i = 0; i < from.rawHeaders.length; i += 2) {
    const name = from.rawHeaders[i].toLowerCase();
    if (name !== "connection" && name !== "keep-alive" && name !== "transfer-encoding") raw.push(from.rawHeaders[i], from.rawHeaders[i + 1]);
  }
  for (const [name, value] of Object.entries(extra)) raw.push(name, value);
  res.writeHead(from.statusCode, from.statusMessage, raw);
  res.flushHeaders(); // an event stream's client needs the head long before the first event
  from.on("error", () => res.destroy());
  from.on("aborted", () => res.destroy());
  from.pipe(res);
}

/** One try. Resolves to "done" (answered, or the client went away), "refused" (never sent) or "failed". */
function attempt(req, res, { upstream, secure, headers, extra, lose }) {
  return new Promise((resolve) => {
    const body = hasBody(req);
    const shared = upstream.agent && SAFE.has(req.method) && !body;
    const out = (secure ? https : http).request({
      host: upstream.host,
      port: upstream.port,
      method: req.method,
      path: req.url,
      headers,
      maxHeaderSize: HEADER_BYTES,
      agent: shared ? upstream.agent : false,
      ...(secure ? { servername: upstream.host } : {}),
    });
    const stop = () => out.destroy();
    const settle = (outcome) => {
      res.off("close", stop);
      resolve(outcome);
    };
    res.once("close", stop);
    out.on("response", (from) => {
      if (lose) from.once("close", () => res.destroy()).resume();
      from.once("close", () => {
        // A response may come before the whole body was sent: the rest of it is read, or its client would wait.
        req.unpipe(out);
        req.resume();
        settle("done");
      });
      if (lose) return;
      answer(res, from, extra);
    });
    out.on("error", (error) => {
      if (res.destroyed || res.headersSent) settle("done");
      else if (error.code === "ECONNREFUSED") settle("refused");
      else if (shared && LOST.has(error.code)) settle("refused");
      else settle("failed");
    });
    out.on("close", () => (res.destroyed ? settle("done") : undefined));
    if (!body) return void out.end();
    out.flushHeaders();
    out.once("socket", (socket) => (socket.connecting ? socket.once(secure ? "secureConnect" : "connect", () => req.pipe(out)) : req.pipe(out)));
  });
}

/**
 * Answers `req` by the result of `resolve()`: {upstream, headers, extra} or {refusal: {status, body}}. With `lose`
 * beside the upstream, the response is lost: the client's connection breaks when all of it has come.
 * `resolve()` is called before each try, so a switch of the traffic in between is followed.
 */
export async function forward(req, res, resolve, unreachable) {
  let deadline = Date.now() + RETRY_MS;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
    const found = resolve();
    if (found.refusal) return refuse(res, found.refusal);
    const call = found.upstream.enter?.(req);
    const outcome = await attempt(req, res, found);
    call?.leave();
    if (outcome === "done") return undefined;
    if (call?.fate === "over") return refuse(res, EXCEEDED);
    if (call?.fate === "again") deadline = Date.now() + RETRY_MS; // it has only waited, and longer than RETRY_MS
    if (outcome === "failed" || !found.upstream.agent || Date.now() > deadline) {
      req.unpipe();
      req.resume(); // reads the rest of its body, or its client would wait
      return refuse(res, unreachable(found));
    }
    await pause(delay);
  }
}

function connect({ upstream, secure }) {
  return new Promise((resolve, reject) => {
    const options = { host: upstream.host, port: upstream.port, allowHalfOpen: true };
    const socket = secure ? tls.connect({ ...options, servername: upstream.host }) : net.connect(options);
    socket.once(secure ? "secureConnect" : "connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

function refuseSocket(socket, { status, body }) {
  if (socket.destroyed) return;
  const reason = http.STATUS_CODES[status] ?? "";
  socket.end(`HTTP/1.1 ${status} ${reason}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

function tunnel(client, server, leave) {
  const end = () => {
    client.destroy();
    server.destroy();
    leave?.();
  };
  for (const socket of [client, server]) {
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on("error", end);
    socket.on("close", end);
  }
  client.pipe(server);
  server.pipe(client);
}

/** The same for a connection with an upgrade (WebSocket): after the head, bytes are passed on unchanged. */
export async function upgrade(req, socket, head, resolve, unreachable) {
  socket.on("error", () => socket.destroy());
  const deadline = Date.now() + RETRY_MS;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
    const found = resolve();
    if (found.refusal) return refuseSocket(socket, found.refusal);
    const call = found.upstream.enter?.(req);
    let server;
    try {
      server = await connect(found);
    } catch (error) {
      call?.leave();
      if (error.code !== "ECONNREFUSED" || !found.upstream.agent || Date.now() > deadline) return refuseSocket(socket, unreachable(found));
      await pause(delay);
      continue;
    }
    let text = `${req.method} ${req.url} HTTP/1.1\r\n`;
    for (let i = 0; i < found.headers.length; i += 2) text += `${found.headers[i]}: ${found.headers[i + 1]}\r\n`;
    const websocket = String(req.headers.upgrade ?? "").toLowerCase() === "websocket";
    text += websocket ? `connection: Upgrade\r\nupgrade: ${req.headers.upgrade}\r\n\r\n` : "connection: close\r\n\r\n";
    server.write(text, "latin1");
    if (head.length) server.write(head);
    return tunnel(socket, server, call?.leave);
  }
}

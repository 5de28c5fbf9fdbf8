/**
 * An API that has no route of the reference API's: /ping and one WebSocket, as the network's own has. What it says of its
 * version is its own affair.
 */
const JOBS = {
  posts: async (backend) => (await fetch(`${backend}/api/collections/posts/records`)).json(),
};

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ping") return Response.json({ pong: true, version: "1.4.2", release: "spring" });
    if (pathname !== "/ws" || request.headers.get("upgrade") !== "websocket") return new Response("no such page", { status: 404 });
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", async ({ data }) => {
      const { id, job } = JSON.parse(data);
      server.send(JSON.stringify({ id, result: await JOBS[job](env.POCKETBASE_URL) }));
    });
    return new Response(null, { status: 101, webSocket: client });
  },
};

/** A Worker that the stack's configuration alone adds: it counts the clock's calls in a KV namespace, and asks the api. */
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/api") return env.API.fetch("https://api/api/health");
    return Response.json({ calls: Number(await env.CACHE.get("calls")), word: env.WORD, token: env.TOKEN?.length ?? 0 });
  },
  async scheduled(event, env) {
    await env.CACHE.put("calls", String(Number(await env.CACHE.get("calls")) + 1));
  },
};

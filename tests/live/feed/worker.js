/**
 * A Worker that the stack's configuration alone adds: it counts the clock's calls in a KV namespace, asks the api, and
 * stores one word in whatever else is bound to it.
 */
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
  async store(word) {
    await this.ctx.storage.put("word", word);
  }

  async stored() {
    return (await this.ctx.storage.get("word")) ?? null;
  }
}

const room = (env) => env.ROOMS.get(env.ROOMS.idFromName("one"));

async function store(env, word) {
  await env.FILES.put("word", word);
  await env.DB.exec("CREATE TABLE IF NOT EXISTS words (word TEXT)");
  await env.DB.prepare("INSERT INTO words VALUES (?)").bind(word).run();
  await room(env).store(word);
  await env.JOBS.send({ word });
}

async function stored(env) {
  const file = await env.FILES.get("word");
  const { results } = await env.DB.prepare("SELECT word FROM words").all();
  return { file: await file?.text(), rows: results.map(({ word }) => word), room: await room(env).stored(), job: await env.CACHE.get("job") };
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/api") return env.API.fetch("https://api/api/health");
    if (pathname === "/store") return Response.json((await store(env, searchParams.get("word"))) ?? {});
    if (pathname === "/stored") return Response.json(await stored(env));
    return Response.json({ calls: Number(await env.CACHE.get("calls")), word: env.WORD, token: env.TOKEN?.length ?? 0 });
  },
  async scheduled(event, env) {
    await env.CACHE.put("calls", String(Number(await env.CACHE.get("calls")) + 1));
  },
  async queue(batch, env) {
    for (const { body } of batch.messages) await env.CACHE.put("job", body.word);
  },
};

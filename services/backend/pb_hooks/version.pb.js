/// <reference path="../pb_data/types.d.ts" />
// GET /api/version: which release of the backend answers, and of which generation its data is.
// (/api/health stays PocketBase's own. Why $app.onServe(): superuser.pb.js.)

$app.onServe().bindFunc((e) => {
  // "pocketbase version 0.36.9": asked once, of the very program that runs.
  const printed = toString($os.cmd($os.args[0], "--version").output());
  e.app.store().set("pocketbase", printed.trim().split(" ").pop());
  e.next();
});

routerAdd("GET", "/api/version", (e) => {
  const generation = parseInt($os.getenv("GENERATION"), 10);
  return e.json(200, {
    service: "oracle-universe-backend",
    version: $os.getenv("RELEASE") || "dev",
    generation: isNaN(generation) ? null : generation,
    pocketbase: e.app.store().get("pocketbase"),
  });
});

/// <reference path="../pb_data/types.d.ts" />
// An oracle that speaks is alive: a post through it counts as a heartbeat.

onRecordAfterCreateSuccess((e) => {
  const oracle = e.record.get("oracle");
  if (oracle) {
    const heartbeat = new Record(e.app.findCollectionByNameOrId("oracle_heartbeats"));
    heartbeat.set("oracle", oracle);
    e.app.save(heartbeat);
  }
  e.next();
}, "posts");

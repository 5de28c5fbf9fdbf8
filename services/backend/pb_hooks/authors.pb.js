/// <reference path="../pb_data/types.d.ts" />
// Whoever is logged in is the author; a client need not say it (and the rules refuse another's name).

onRecordCreateRequest(
  (e) => {
    if (e.auth && e.auth.collection().name === "humans" && !e.record.get("author")) {
      e.record.set("author", e.auth.id);
    }
    e.next();
  },
  "posts",
  "comments",
  "votes",
);

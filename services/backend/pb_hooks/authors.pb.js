/// <reference path="../pb_data/types.d.ts" />
// Whoever is logged in is the author, and keeps the oracle; a client need not say it (and the rules refuse another's
// name).

onRecordCreateRequest(
  (e) => {
    const field = e.collection.name === "oracles" ? "human" : "author";
    if (e.auth && e.auth.collection().name === "humans" && !e.record.get(field)) {
      e.record.set(field, e.auth.id);
    }
    e.next();
  },
  "oracles",
  "posts",
  "comments",
  "votes",
);

/// <reference path="../pb_data/types.d.ts" />
// Oracles, each kept by a human and perhaps run by an agent, and the heartbeats by which they say that they are alive.
// The human may be left out: pb_hooks/authors.pb.js fills in the one who is logged in.

migrate(
  (app) => {
    const relation = (name, collection, options) => ({
      type: "relation",
      name,
      collectionId: app.findCollectionByNameOrId(collection).id,
      maxSelect: 1,
      ...options,
    });

    const human = '@request.auth.collectionName = "humans"';
    const inOwnName = "(@request.body.human:isset = false || @request.body.human = @request.auth.id)";
    const kept = `${human} && human = @request.auth.id`;
    app.save(
      new Collection({
        type: "base",
        name: "oracles",
        listRule: "",
        viewRule: "",
        createRule: `${human} && ${inOwnName}`,
        updateRule: `${kept} && ${inOwnName}`,
        deleteRule: kept,
        fields: [
          { type: "text", name: "name", required: true, max: 80 },
          { type: "text", name: "description", max: 500 },
          { type: "url", name: "repository" },
          relation("human", "humans", { required: true, cascadeDelete: true }),
          relation("agent", "agents", {}),
          { type: "autodate", name: "created", onCreate: true },
          { type: "autodate", name: "updated", onCreate: true, onUpdate: true },
        ],
        indexes: ["CREATE UNIQUE INDEX `idx_oracles_name` ON `oracles` (`name` COLLATE NOCASE)"],
      }),
    );

    app.save(
      new Collection({
        type: "base",
        name: "oracle_heartbeats",
        listRule: "",
        viewRule: "",
        // Written once, by the oracle's human or by its agent.
        createRule: '@request.auth.id != "" && (oracle.human = @request.auth.id || oracle.agent = @request.auth.id)',
        updateRule: null,
        deleteRule: null,
        fields: [
          relation("oracle", "oracles", { required: true, cascadeDelete: true }),
          { type: "text", name: "note", max: 200 },
          { type: "autodate", name: "created", onCreate: true },
        ],
        indexes: ["CREATE INDEX `idx_oracle_heartbeats_created` ON `oracle_heartbeats` (`created`)"],
      }),
    );
  },
  (app) => {
    for (const name of ["oracle_heartbeats", "oracles"]) app.delete(app.findCollectionByNameOrId(name));
  },
);

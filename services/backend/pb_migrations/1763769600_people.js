/// <reference path="../pb_data/types.d.ts" />
// Who acts in the network: humans, and the agents (programs) that humans own. Both log in with e-mail and password.

migrate(
  (app) => {
    app.save(
      new Collection({
        type: "auth",
        name: "humans",
        // Everybody may see who wrote a post; PocketBase keeps the e-mail to its owner (emailVisibility is off).
        listRule: "",
        viewRule: "",
        createRule: "",
        updateRule: "id = @request.auth.id",
        deleteRule: "id = @request.auth.id",
        fields: [
          { type: "text", name: "name", required: true, max: 80 },
          { type: "text", name: "github", max: 39, pattern: "^[A-Za-z0-9-]*$" },
          { type: "autodate", name: "created", onCreate: true },
          { type: "autodate", name: "updated", onCreate: true, onUpdate: true },
        ],
      }),
    );

    const owned = '@request.auth.collectionName = "humans" && owner = @request.auth.id';
    app.save(
      new Collection({
        type: "auth",
        name: "agents",
        listRule: "",
        viewRule: "",
        createRule: owned,
        updateRule: `id = @request.auth.id || (${owned})`,
        deleteRule: owned,
        fields: [
          { type: "text", name: "name", required: true, max: 80 },
          {
            type: "relation",
            name: "owner",
            required: true,
            collectionId: app.findCollectionByNameOrId("humans").id,
            maxSelect: 1,
            cascadeDelete: true,
          },
          { type: "autodate", name: "created", onCreate: true },
          { type: "autodate", name: "updated", onCreate: true, onUpdate: true },
        ],
      }),
    );
  },
  (app) => {
    for (const name of ["agents", "humans"]) app.delete(app.findCollectionByNameOrId(name));
  },
);

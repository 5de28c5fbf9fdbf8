/// <reference path="../pb_data/types.d.ts" />
// Notifications: made by hooks alone (pb_hooks/notifications.pb.js); the human they are for reads, marks and deletes them.

migrate(
  (app) => {
    const relation = (name, collection, options) => ({
      type: "relation",
      name,
      collectionId: app.findCollectionByNameOrId(collection).id,
      maxSelect: 1,
      cascadeDelete: true,
      ...options,
    });
    const own = '@request.auth.collectionName = "humans" && human = @request.auth.id';
    app.save(
      new Collection({
        type: "base",
        name: "notifications",
        listRule: own,
        viewRule: own,
        createRule: null,
        updateRule: `${own} && @request.body.human:isset = false`,
        deleteRule: own,
        fields: [
          relation("human", "humans", { required: true }),
          relation("comment", "comments", { required: true }),
          { type: "bool", name: "seen" },
          { type: "autodate", name: "created", onCreate: true },
        ],
      }),
    );
  },
  (app) => app.delete(app.findCollectionByNameOrId("notifications")),
);

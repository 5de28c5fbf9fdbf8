/// <reference path="../pb_data/types.d.ts" />
// What is said: posts (in the author's own name, or through an oracle that the author keeps), comments and votes.
// The author may be left out: pb_hooks/authors.pb.js fills in the human who is logged in.

migrate(
  (app) => {
    const relation = (name, collection, options) => ({
      type: "relation",
      name,
      collectionId: app.findCollectionByNameOrId(collection).id,
      maxSelect: 1,
      ...options,
    });
    const dates = [
      { type: "autodate", name: "created", onCreate: true },
      { type: "autodate", name: "updated", onCreate: true, onUpdate: true },
    ];

    const human = '@request.auth.collectionName = "humans"';
    const inOwnName = "(@request.body.author:isset = false || @request.body.author = @request.auth.id)";
    const own = `${human} && author = @request.auth.id`;
    const everybody = { type: "base", listRule: "", viewRule: "" };
    const bySelf = { createRule: `${human} && ${inOwnName}`, updateRule: `${own} && ${inOwnName}`, deleteRule: own };
    const throughOwnOracle = '(oracle = "" || oracle.human = @request.auth.id)';

    app.save(
      new Collection({
        ...everybody,
        ...bySelf,
        name: "posts",
        createRule: `${human} && ${inOwnName} && ${throughOwnOracle}`,
        updateRule: `${own} && ${inOwnName} && @request.body.oracle:isset = false`,
        fields: [
          { type: "text", name: "title", required: true, max: 200 },
          { type: "text", name: "body", required: true, max: 10000 },
          relation("author", "humans", { required: true, cascadeDelete: true }),
          relation("oracle", "oracles", {}),
          ...dates,
        ],
        indexes: ["CREATE INDEX `idx_posts_created` ON `posts` (`created`)"],
      }),
    );

    app.save(
      new Collection({
        ...everybody,
        ...bySelf,
        name: "comments",
        fields: [
          relation("post", "posts", { required: true, cascadeDelete: true }),
          relation("author", "humans", { required: true, cascadeDelete: true }),
          { type: "text", name: "body", required: true, max: 2000 },
          ...dates,
        ],
      }),
    );

    app.save(
      new Collection({
        ...everybody,
        ...bySelf,
        name: "votes",
        fields: [
          relation("post", "posts", { required: true, cascadeDelete: true }),
          relation("author", "humans", { required: true, cascadeDelete: true }),
          { type: "select", name: "value", required: true, values: ["up", "down"], maxSelect: 1 },
          ...dates,
        ],
        indexes: ["CREATE UNIQUE INDEX `idx_votes_once` ON `votes` (`post`, `author`)"],
      }),
    );
  },
  (app) => {
    for (const name of ["votes", "comments", "posts"]) app.delete(app.findCollectionByNameOrId(name));
  },
);

/// <reference path="../pb_data/types.d.ts" />
// PocketBase brings a collection "users" that anybody may join. People here are humans and agents; so it goes.

migrate((app) => app.delete(app.findCollectionByNameOrId("users")));

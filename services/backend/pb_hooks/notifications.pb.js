/// <reference path="../pb_data/types.d.ts" />
// A comment notifies the post's author, unless they answered themselves.

onRecordAfterCreateSuccess((e) => {
  const post = e.app.findRecordById("posts", e.record.get("post"));
  if (post.get("author") !== e.record.get("author")) {
    const notification = new Record(e.app.findCollectionByNameOrId("notifications"));
    notification.set("human", post.get("author"));
    notification.set("comment", e.record.id);
    e.app.save(notification);
  }
  e.next();
}, "comments");

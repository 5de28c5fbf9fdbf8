/// <reference path="../pb_data/types.d.ts" />
// The superuser of PB_ADMIN_EMAIL and PB_ADMIN_PASSWORD exists before the first request is answered. A container that
// the platform replaces starts with an empty database; so the admin must not depend on somebody's command.
// (Hook files get no global onServe; the app's own hook runs once, after the migrations and before the port opens.)

$app.onServe().bindFunc((e) => {
  // PocketBase would make a temporary superuser and print a link with its token into the log.
  e.installerFunc = null;

  const email = $os.getenv("PB_ADMIN_EMAIL");
  const password = $os.getenv("PB_ADMIN_PASSWORD");
  if (email && password) {
    const { ensureSuperuser } = require(`${__hooks}/superuser.js`);
    console.log(`superuser: ${ensureSuperuser(e.app, email, password)}`);
  } else {
    console.log("superuser: none asked for (PB_ADMIN_EMAIL and PB_ADMIN_PASSWORD are not both set)");
  }
  e.next();
});

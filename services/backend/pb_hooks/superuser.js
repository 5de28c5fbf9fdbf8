/**
 * Makes sure that the superuser exists with this password.
 *
 * A record whose password already fits is left alone: saving it would renew its token key, and with it
 * end every session and invalidate every token of the admin.
 *
 * @param {core.App} app
 * @param {string} email
 * @param {string} password
 * @returns {"created" | "unchanged" | "password changed"}
 * @throws when PocketBase refuses the e-mail or the password; the server does not start; the reason names the field, never its value
 */
function ensureSuperuser(app, email, password) {
  const found = app.findRecordsByFilter("_superusers", "email = {:email}", "", 1, 0, { email })[0];
  if (found && found.validatePassword(password)) return "unchanged";

  const record = found || new Record(app.findCollectionByNameOrId("_superusers"));
  record.setEmail(email);
  record.setPassword(password);
  try {
    app.save(record);
  } catch (refusal) {
    throw new Error(`PocketBase refuses PB_ADMIN_EMAIL or PB_ADMIN_PASSWORD: ${refusal.value || refusal.message}`);
  }
  return found ? "password changed" : "created";
}

module.exports = { ensureSuperuser };

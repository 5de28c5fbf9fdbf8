# Runs in the container of a backend whose image has Litestream (lifecycle/replica.py). App Platform reads a dollar sign
# with a brace as one of its own references, so this script has none.
#   run     gives every replica a path with this app's name, then runs the image's command
#   renew   restarts that command on the same disk, so that Litestream starts again from the current database
#   prove   restores the replica of the current database, and deletes the copy
state=.replica-run

# Appends the app's name to the path or the URL of every replica, unless it is there already. Fails if it does not find
# a path or URL for every replica.
own_places() {
  awk -v app="$BACKEND" '
    function column(text) { match(text, /[^ ]/); return RSTART }
    function owned(value) {
      if (value ~ /\$(BACKEND|\{BACKEND\})([^A-Za-z0-9_]|$)/) return value
      if (substr(value, length(value) - length(app)) == "/" app) return value
      return value "/" app
    }
    /^ *(#|$)/ { print; next }
    replicas && (column($0) < replicas || (column($0) == replicas && !/^ *- /)) { replicas = 0 }
    /^ *(- +)?replicas: *(#.*)?$/ { match($0, /replicas/); replicas = RSTART; print; next }
    /^ *(- +)?replicas?:/ { unread = 1 }
    replicas && /^ *- / { wanted++ }
    replicas && /^ *(- +)?(path|url):/ {
      match($0, /(path|url): */)
      key = substr($0, 1, RSTART + RLENGTH - 1); value = substr($0, RSTART + RLENGTH)
      sub(/[ \t]+#.*$/, "", value); sub(/[ \t]+$/, "", value)
      if (value ~ /^".*"$/ || value ~ /^\047.*\047$/) value = substr(value, 2, length(value) - 2)
      if (value !~ /^[A-Za-z0-9_.\/$~][A-Za-z0-9_.\/:$@{}~-]*$/) unread = 1
      print key "\"" owned(value) "\""; found++; next
    }
    { print }
    END { exit !(wanted > 0 && wanted == found && !unread) }
  ' "$REPLICA_CONFIG" >"$REPLICA_CONFIG.own" && cat "$REPLICA_CONFIG.own" >"$REPLICA_CONFIG"
}

databases() {
  litestream databases -config "$REPLICA_CONFIG" | awk 'NR > 1 { print $1 }'
}

shadow() {
  echo "$(dirname "$1")/.$(basename "$1")-litestream"
}

run() {
  if ! own_places; then
    echo "A replica in $REPLICA_CONFIG has no readable line path: or url:, so its place is unknown and the image was not started."
    exit 64
  fi
  number=0 again= stop= child=
  trap 'stop=1; [ -z "$child" ] || kill -TERM "$child"' TERM INT
  trap 'again=1; kill -TERM "$child"' HUP
  while [ -z "$stop" ]; do
    (eval "exec $REPLICA_COMMAND") &
    child=$!
    [ -z "$stop" ] || kill -TERM "$child"
    number=$((number + 1))
    echo "$$ $number" >"$state"
    while kill -0 "$child" 2>/dev/null; do
      wait "$child"
      status=$?
    done
    [ -n "$again" ] || break
    again=
    for database in $(databases); do rm -rf "$(shadow "$database")"; done
    sleep 2 # times in a bucket are whole seconds, and Litestream restores the newest files
  done
  exit "$status"
}

renew() {
  read -r pid number <"$state" && kill -HUP "$pid" || exit 1
  until read -r pid now <"$state" && [ "$now" != "$number" ]; do sleep 1; done
}

prove() {
  found=$(databases)
  [ -n "$found" ] || exit 1
  for database in $found; do
    generation=$(cat "$(shadow "$database")/generation") || exit 1
    rm -f .replica-proof*
    litestream restore -config "$REPLICA_CONFIG" -generation "$generation" -o .replica-proof "$database" || exit 1
    rm -f .replica-proof*
  done
}

"$1"

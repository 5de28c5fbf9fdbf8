#!/bin/sh
# What the container runs. The superuser comes from PB_ADMIN_EMAIL and PB_ADMIN_PASSWORD inside a hook
# (pb_hooks/superuser.pb.js), never through a command line, where every process of the machine could read it.
set -eu
cd -- "$(dirname -- "$0")"
exec ./oracle-universe serve --http="${HOST:-0.0.0.0}:${PORT:-8090}"

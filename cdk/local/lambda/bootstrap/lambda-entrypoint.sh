#!/bin/sh
# What AWS's base images begin with: names the handler, and starts the runtime.
if [ $# -ne 1 ]; then
  echo 'entrypoint requires the handler name to be the first argument' >&2
  exit 142
fi
export _HANDLER="$1"
[ -x /var/lang/bin/node ] && exec /var/lang/bin/node --max-http-header-size=81920 /var/runtime/node.mjs
exec /var/lang/bin/python3 /var/runtime/python.py

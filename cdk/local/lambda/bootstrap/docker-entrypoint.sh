#!/bin/sh
# What the official Node images begin with: what is no program is a script for node.
if [ "${1#-}" != "$1" ] || ! command -v "$1" >/dev/null 2>&1; then set -- node "$@"; fi
exec "$@"

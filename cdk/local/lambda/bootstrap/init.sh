#!/bin/bash
# Pid 1 of an instance. Reads commands (NUL-terminated shell code) from the engine on fd 0 and answers with lines on fd 1:
#   pid NAME PID       a program was started; PID is its pid in this namespace and its process group
#   exit NAME STATUS   it ended; STATUS as in $?
# Fd 4 is the log of the runtime, fd 5 that of the extensions. Bash collects orphans, as pid 1 has to.

# What the engine itself inherited is none of an instance's business. 255 is this script.
for fd in /proc/self/fd/*; do
  fd=${fd##*/}
  if ((fd > 5 && fd != 255)); then exec {fd}>&-; fi
done

# The shells that watch the programs: pid to name.
declare -A watchers

# launch NAME LOG_FD DIRECTORY PROGRAM [ARGUMENT...]
launch() {
  local name=$1 log=$2 dir=$3
  shift 3
  (
    # Job control gives the program a process group of its own, and leaves SIGINT and SIGQUIT at their defaults.
    set -m
    (
      echo "pid $name $BASHPID"
      cd "$dir" && exec "$@" </dev/null >&"$log" 2>&1 3>&- 4>&- 5>&-
    )
    echo "exit $name $?"
  ) &
  watchers[$!]=$name
}

# Reports programs whose watcher was killed with them (kill -9 -1). For others it repeats what has been said.
check() {
  local pid
  for pid in "${!watchers[@]}"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      echo "exit ${watchers[$pid]} 137"
      unset "watchers[$pid]"
    fi
  done
}

while IFS= read -r -d '' command; do eval "$command"; done

# Sourced by `run` and `soak`: where the toolchain is, and how a stage is told.
# shellcheck shell=bash disable=SC2034

tree=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd) || exit 1
cd "$tree" || exit 1
logs=$tree/target/run
venv=$tree/tests/.venv
tools=$tree/tests/.tools
export CARGO_TERM_COLOR=never

# sudo and cron strip cargo's directory from PATH, and Debian's users lack mosquitto's.
find_toolchain() {
  local home
  export PATH="$PATH:/usr/sbin:/sbin"
  for home in "$HOME" "$(getent passwd "${SUDO_USER:-}" | cut -d: -f6)"; do
    command -v cargo >/dev/null && return 0
    if [ -n "$home" ] && [ -x "$home/.cargo/bin/cargo" ]; then
      export PATH="$home/.cargo/bin:$PATH"
      export CARGO_HOME="${CARGO_HOME:-$home/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
    fi
  done
  command -v cargo >/dev/null || {
    echo "cargo is not here: install Rust by rustup, then run this again"
    return 1
  }
}

passed=0
failed=0

# The tests that failed and where they did, wherever in the output they stand: the end of it often
# tells of others.
what_failed() {
  grep -E -A 3 '^test .* \.\.\. FAILED$|^thread .* panicked at |^error(\[|:)' "$1" | head -n 60
}

# stage NAME COMMAND...: one line with how it ended and how long it took, and what failed with the
# end of its output if it failed. All of the output is in target/run/.
stage() {
  local name=$1 began=$SECONDS status
  local log=$logs/${name//[^a-z0-9]/-}.log
  shift
  mkdir -p "$logs"
  "$@" >"$log" 2>&1 </dev/null
  status=$?
  if [ "$status" = 0 ]; then
    passed=$((passed + 1))
    printf 'ok      %-28s %5d s\n' "$name" $((SECONDS - began))
  else
    failed=$((failed + 1))
    printf 'FAILED  %-28s %5d s  %s\n' "$name" $((SECONDS - began)) "$log"
    { what_failed "$log" && echo ...; tail -n 60 "$log"; } | cut -c 1-400 | sed 's/^/        | /'
  fi
  return "$status"
}

# The account of all stages, and the end.
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

# What the stages after a failed one cannot do without; says what was left out.
give_up() {
  echo "not run, for want of the above: $*"
  finish
}

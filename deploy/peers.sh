#!/usr/bin/env bash
# Seat holds of this engine beside Redis and PostgreSQL, in one run; writes benches/RESULTS.md.
#
#   ./deploy/peers.sh [--seconds N] [--rounds N] [--dir DIR]
#
# Installs redis-server and PostgreSQL where they are missing. They run in temporary directories
# below DIR, on unix sockets, and end with the run.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for package in redis-server redis-tools postgresql; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null; then
        echo "peers.sh: install these yourself: ${missing[*]}" >&2
        exit 1
    fi
    sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -q
    # Without a policy the installed servers would run beside those that are measured.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
exec cargo run --release --locked -p tiketi-benches --bin peers -- "$@"

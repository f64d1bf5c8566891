#!/usr/bin/env bash
# Plays schemathesis against a gateway that runs: no answer may be a 5xx, or other than its own
# OpenAPI document says.
#
#   ./deploy/contract.sh [GATEWAY]     the binary; else the one of target/debug, built where missing
#
# SEED and EXAMPLES (of one operation) choose the run. Needs python3 with venv; schemathesis is
# installed beside the build, once.
set -euo pipefail
cd "$(dirname "$0")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
gateway=$(realpath -m "${1:-$target/debug/tiketi-gateway}")
venv=$target/contract-venv
seed=${SEED:-20261121}
examples=${EXAMPLES:-20}

# What the gateway leaves open on purpose is not checked: it ignores fields it does not know and
# takes numbers in either spelling where the contract says so (negative_data_rejection), and what
# the document cannot say of a body is a 400 (positive_data_acceptance).
checks=not_a_server_error,status_code_conformance,content_type_conformance
checks+=,response_headers_conformance,response_schema_conformance
checks+=,unsupported_method,allow_header_conformance,ignored_auth

[ -x "$gateway" ] || cargo build --locked -p tiketi-gateway --profile test
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'schemathesis>=4.32,<5'
fi

work=$(mktemp -d)
server=
stop() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port
"$gateway" --listen "127.0.0.1:$port" --data "$work/data" --rate-limit off >"$work/log" 2>&1 &
server=$!

# GET or POST with JSON; prints what an expression finds in the answer.
ask() {
    python3 - "$base$1" "$2" "${3:-}" <<'PYTHON'
import json, sys, urllib.request
url, expression, body = sys.argv[1:]
request = urllib.request.Request(url, body.encode() or None, {"Content-Type": "application/json"})
answer = json.load(urllib.request.urlopen(request, timeout=10))
print(eval(expression, {}, {"answer": answer}))
PYTHON
}

for _ in $(seq 100); do
    ask /readyz 'answer["status"]' >"$work/ready" 2>&1 && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
    sleep 0.2
done
token=$(ask /api/auth/login 'answer["token"]' '{"email": "admin@tiketi.gg", "password": "admin123"}')
echo >"$work/config.toml"

failed=0
hooks=$PWD/deploy
# In the directory that goes: it keeps a cache where it runs.
(cd "$work" && BASE=$base TOKEN=$token PYTHONPATH=$hooks PYTHONDONTWRITEBYTECODE=1 \
    SCHEMATHESIS_HOOKS=contract_ids "$venv/bin/schemathesis" --config-file "$work/config.toml" \
    run "$base/api-docs/openapi.json" --header "Authorization: Bearer $token" \
    --checks "$checks" --mode all --max-examples "$examples" --seed "$seed" \
    --generation-database none --request-timeout 20 --warnings off) || failed=1
# What was reached: an operation that never did anything was hardly tested.
python3 - "$base/metrics" <<'PYTHON'
import collections, re, sys, urllib.request
text = urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()
done, tried = collections.Counter(), set()
for line in re.finditer(r'^http_requests_total\{method="(\w+)",path="([^"]+)",status="(\d)\d\d"\}', text, re.M):
    tried.add(line[1] + " " + line[2])
    done[line[1] + " " + line[2]] += line[3] < "4"
missed = sorted(name for name in tried if not done[name] and "unmatched" not in name)
print(f"{len(tried) - len(missed)} of {len(tried)} methods and paths did what was asked; not:")
print("  " + "\n  ".join(missed))
PYTHON
grep -E '"level":"ERROR"|ERROR' "$work/log" >&2 && failed=1
kill -0 "$server" 2>/dev/null || { echo "contract.sh: the gateway ended" >&2; failed=1; }
exit "$failed"

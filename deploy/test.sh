#!/usr/bin/env bash
# Installs what the tests need, then runs formatting, lints and every test.
#
#   ./deploy/test.sh            everything
#   ./deploy/test.sh STEP...    only these: install fmt lint docs deny test contract loom benches
#
# The power-cut and disk tests need root and loop devices; where they cannot run they say so.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the fault tests start beside the gateway: system call faults, a false clock, a file system
# that is cut off; the browser that looks at pages; what schemathesis runs in.
packages=(strace faketime e2fsprogs mount util-linux coreutils perl-base procps chromium
    python3 python3-venv)
# The web frontend's own socket client runs in node.
frontend_client=gateway/tests/sockets/client

install() {
    local missing=()
    for package in "${packages[@]}"; do
        dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    # However node came here, Debian's would stand beside it.
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
    (cd "$frontend_client" && npm ci --no-audit --no-fund)
}

install_packages() {
    local missing=("$@")
    if ! command -v apt-get >/dev/null; then
        echo "test.sh: install these yourself: ${missing[*]}" >&2
        exit 1
    fi
    local sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" apt-get update -q
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        "${missing[@]}"
}

fmt() { cargo fmt --all --check; }

lint() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

docs() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked; }

# Needs `cargo install cargo-deny` and its advisory database.
deny() {
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny check bans licenses sources
    else
        echo "test.sh: cargo-deny is not installed; licences and bans are not checked" >&2
    fi
}

# The fault tests start the command line beside the gateway, the load tester's chaos both.
test() {
    cargo build --workspace --bins --locked --profile test
    cargo test --workspace --locked
}

# The gateway against its own OpenAPI document; about three minutes.
contract() {
    cargo build --locked -p tiketi-gateway --profile test
    ./deploy/contract.sh
}

# Models of every interleaving, and their wrong twins.
loom() {
    RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom \
        cargo test -p tiketi-engine --lib --locked loom_models
}

# Every bench once, so that none rots.
benches() { cargo test -p tiketi-benches --benches --locked; }

steps=("$@")
[ ${#steps[@]} -eq 0 ] && steps=(install fmt lint docs deny test contract loom benches)
for step in "${steps[@]}"; do
    case "$step" in
        install | fmt | lint | docs | deny | test | contract | loom | benches) ;;
        *)
            sed -n '2,7p' "$0"
            exit 2
            ;;
    esac
    echo "== $step"
    started=$SECONDS
    "$step"
    echo "== $step done in $((SECONDS - started)) s"
done

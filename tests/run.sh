#!/usr/bin/env bash
# Installs what the tests need and runs everything: format, lints, tests, documentation, licences.
# Stops at the first part that fails and names it.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

part=
say() { printf '\n=== %s\n' "$*"; }
fail() {
    printf '\n=== FAILED: %s\n' "${1:-$part}" >&2
    exit 1
}
run() {
    part=$1
    shift
    say "$part"
    local start=$SECONDS
    "$@" || fail
    printf -- '--- %s: %d s\n' "$part" "$((SECONDS - start))"
}
have() { command -v "$1" >/dev/null 2>&1; }

root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        printf 'not root and no sudo; run this and start again: %s\n' "$*" >&2
        return 1
    fi
}

# The service that a package may start is not used: the tests start servers of their own.
install_redis() {
    if have apt-get; then
        root apt-get update -q && root env DEBIAN_FRONTEND=noninteractive apt-get install -qy redis-server
    elif have dnf; then
        root dnf install -qy redis || root dnf install -qy valkey valkey-compat-redis
    elif have apk; then
        root apk add redis
    elif have brew; then
        brew install redis
    else
        echo "no apt-get, dnf, apk or brew here: install redis-server by hand" >&2
        return 1
    fi
    have redis-server
}

install_valkey() {
    if have apt-get; then
        root apt-get update -q
        if ! has_candidate valkey-server; then
            add_backports || return 1
        fi
        root env DEBIAN_FRONTEND=noninteractive apt-get install -qy ${backports:+-t "$backports"} valkey-server
    elif have dnf; then
        root dnf install -qy valkey
    elif have apk; then
        root apk add valkey
    elif have brew; then
        brew install valkey
    else
        echo "no apt-get, dnf, apk or brew here: install valkey-server by hand" >&2
        return 1
    fi
    have valkey-server
}

# Reads to the end: with pipefail, a listing that is cut off counts as a failure.
has_candidate() {
    apt-cache policy "$1" | grep '^  Candidate: [^(]' >/dev/null
}

# Debian 12 has Valkey in its backports only. They are added under the key that the machine's own
# sources are signed with.
backports=
add_backports() {
    local codename keyring
    codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    [ "$(. /etc/os-release && printf '%s' "$ID")" = debian ] && [ -n "$codename" ] || {
        echo "this distribution has no valkey-server: install it by hand" >&2
        return 1
    }
    keyring=$(sed -n 's/^Signed-By: *\(\/.*\)/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
    : "${keyring:=/usr/share/keyrings/debian-archive-keyring.gpg}"
    backports=$codename-backports
    printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$backports" "$keyring" | root tee "/etc/apt/sources.list.d/$backports.sources" >/dev/null
    root apt-get update -q && has_candidate valkey-server
}

install_compiler() {
    if have apt-get; then
        root apt-get update -q && root env DEBIAN_FRONTEND=noninteractive apt-get install -qy gcc libc6-dev
    elif have dnf; then
        root dnf install -qy gcc
    elif have apk; then
        root apk add build-base
    else
        echo "install a C compiler by hand" >&2
        return 1
    fi
}

install_ps() {
    if have apt-get; then
        root apt-get update -q && root env DEBIAN_FRONTEND=noninteractive apt-get install -qy procps
    elif have dnf; then
        root dnf install -qy procps-ng
    else
        echo "install 'ps' by hand" >&2
        return 1
    fi
}

component() { rustup component add "$1"; }

have cargo || fail "no cargo: install Rust from https://rustup.rs, then start again"
have cc || run "install a C compiler" install_compiler
have redis-server || run "install redis-server" install_redis
have valkey-server || run "install valkey-server" install_valkey
have ps || run "install ps" install_ps
cargo fmt --version >/dev/null 2>&1 || run "install rustfmt" component rustfmt
cargo clippy --version >/dev/null 2>&1 || run "install clippy" component clippy

say "versions"
cargo --version
redis-server --version
valkey-server --version

run "format" cargo fmt --check
run "lints" cargo clippy --all-targets --locked -- -D warnings
run "tests" cargo test --locked
run "documentation" env RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --locked
if cargo deny --version >/dev/null 2>&1; then
    run "licences and sources" cargo deny check licenses bans sources
else
    say "licences and sources: skipped, cargo-deny is not installed ('cargo install cargo-deny')"
fi

say "all passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"

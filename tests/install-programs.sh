#!/bin/sh
# Install what the tests use beside Python, where it is missing: Chromium, Java (for Spark), PostgreSQL, HAProxy, a C compiler
# (for power cuts), npm, and packages from npm.
# Each is installed by itself: NodeSource's nodejs brings its own npm and conflicts with Debian's package npm,
# so what is there already must never be asked for again.
set -eu

found() {
    for program in "$@"; do
        # Not every command on PATH is a program that runs: it may be a stub that says what to install.
        if "$program" --version >/dev/null 2>&1 || "$program" -v >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

updated=no
install() {
    if ! command -v apt-get >/dev/null; then
        echo "install-programs: $1 is missing, and there is no apt-get to install it with. Install it, then try again." >&2
        exit 1
    fi
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "install-programs: $1 is missing, only root can install it, and there is no sudo." \
            "As root, run: apt-get install -y $1" >&2
        exit 1
    fi
    if [ "$updated" = no ]; then
        # One source that does not answer is no reason to give up: the package may come from another.
        as_root apt-get update || echo "install-programs: apt-get update failed; trying with the lists there are." >&2
        updated=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y "$1"
}

found chromium chromium-browser google-chrome || install chromium
found java || install default-jre-headless
found haproxy || install haproxy
found cc || install gcc
# Debian keeps the programs of the server off the PATH; this one comes with them.
command -v initdb >/dev/null || command -v pg_createcluster >/dev/null || install postgresql

# A nodejs from NodeSource holds npm; Debian's does not, and has it in a package that conflicts with NodeSource's.
found npm || found node || install nodejs
found npm || install npm

found chromium chromium-browser google-chrome || { echo "install-programs: chromium does not run." >&2; exit 1; }
found npm || { echo "install-programs: npm does not run." >&2; exit 1; }

# And what the tests take from npm, and what builds the panel's script, unless it is there as the lock file says.
cd "$(dirname "$0")"
for place in . ../songbird_widgets/panels/js; do
    (
        cd "$place"
        if ! cmp -s package-lock.json node_modules/.installed; then
            npm ci
            cp package-lock.json node_modules/.installed
        fi
    )
done

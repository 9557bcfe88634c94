#!/usr/bin/env bash
# Installs what `make test-ui` drives, where it is missing: Chromium and PostgreSQL, by apt.
set -euo pipefail

die() {
    printf 'test-ui: %s\n' "$*" >&2
    exit 1
}

wanted=()
command -v chromium >/dev/null || command -v google-chrome >/dev/null || wanted+=(chromium)
command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    wanted+=(postgresql)
if [[ ${#wanted[@]} -eq 0 ]]; then exit 0; fi

command -v apt-get >/dev/null || die "install ${wanted[*]} by hand, then make again"
as_root=()
if [[ $(id -u) -ne 0 ]]; then
    sudo -n true 2>/dev/null ||
        die "run this, then make again: sudo apt-get install --no-install-recommends ${wanted[*]}"
    as_root=(sudo -n)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
printf 'test-ui: installing %s\n' "${wanted[*]}"
"${as_root[@]}" install -y --no-install-recommends "${wanted[@]}" >/dev/null 2>&1 ||
    { "${as_root[@]}" update &&
        "${as_root[@]}" install -y --no-install-recommends "${wanted[@]}" >/dev/null; } ||
    die "apt-get could not install ${wanted[*]}; the tests of the server and the pages did not run"

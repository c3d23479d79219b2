#!/usr/bin/env bash
# Installs the Debian packages of the sets named on the command line (base by default), where they
# are missing. With nothing missing it only asks dpkg, and needs neither root nor a network.
set -euo pipefail

base=(g++ make cmake ninja-build pkg-config liburing-dev libgtest-dev python3 git
      ca-certificates curl)
debian13=(debootstrap)
slow=(clang-19 libclang-rt-19-dev "${debian13[@]}")
tidy=(clang-format-19 clang-tidy-19)
bench=(wrk)
browser=(chromium)

packages=()
for set_name in "${@:-base}"; do
    case "$set_name" in
        base|debian13|slow|tidy|bench|browser)
            declare -n chosen="$set_name"
            packages+=("${chosen[@]}")
            ;;
        *) echo "usage: $0 [base|debian13|slow|tidy|bench|browser]..." >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query > /dev/null; then
    echo "install-deps: no Debian system, so nothing is installed; needed: ${packages[*]}" >&2
    exit 0
fi

# A package counts as installed under its own name, or where another one provides that name.
installed=$(dpkg-query -W -f '${db:Status-Status} ${binary:Package} ${Provides}\n' |
    sed -n 's/^installed //p' | sed 's/([^)]*)//g; s/:[a-z0-9]*//g; s/,/ /g' |
    tr -s ' ' '\n' | sort -u)
missing=$(comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(printf '%s\n' "$installed"))
if [ -z "$missing" ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
        echo "install-deps: as root, run: apt-get install" $missing >&2
        exit 1
    fi
    as_root=(sudo)
fi

echo "install-deps: installing" $missing
options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${as_root[@]}" apt-get "${options[@]}" update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get "${options[@]}" install -y -q --no-install-recommends $missing

#!/usr/bin/env bash
# Installs the Debian packages of the sets named on the command line (base by default), where they
# are missing. With nothing missing it only asks dpkg, and needs neither root nor a network.
set -euo pipefail

base=(g++ make cmake ninja-build pkg-config liburing-dev libsimdjson-dev libtomlplusplus-dev
      libsodium-dev zlib1g-dev libbrotli-dev libzstd-dev libxxhash-dev libkainjow-mustache-dev
      libdw-dev liblua5.4-dev libgtest-dev python3 python3-dev git ca-certificates curl)
debian13=(debootstrap)
# Clients and proxies that are tried on the server, and what looks at its pages.
clients=(curl wrk apache2-utils nghttp2-client slowhttptest python3-httpx nginx haproxy)
browser=(chromium nodejs npm)
# Applications and servers for Python that are tried with it, or compared.
python=(python3-fastapi python3-starlette python3-django python3-flask python3-uvicorn
        python3-uvloop python3-httptools python3-multipart python3-python-multipart gunicorn
        python3-httpx python3-requests
        python3-venv)
docs=(doxygen)
slow=(clang-19 libclang-rt-19-dev libboost-dev valgrind g++-aarch64-linux-gnu qemu-user
      "${debian13[@]}" "${clients[@]}" "${browser[@]}" "${docs[@]}" "${python[@]}")
tidy=(clang-format-19 clang-tidy-19)
# The servers and libraries that benchmarks compare with.
peers=(nginx libnginx-mod-http-lua lua-cjson haproxy libh2o-evloop-dev libssl-dev
       golang-github-valyala-fasthttp-dev cargo rustc librust-hyper-dev librust-tokio-dev
       librust-hyper-util-dev librust-http-body-util-dev librust-axum-dev)
bench=(wrk golang-go libboost-fiber-dev valgrind "${peers[@]}" "${python[@]}")
# Debian 12 or 13 lacks these: where they are unknown they are left out.
optional=(libh2o-evloop-dev librust-hyper-util-dev librust-http-body-util-dev librust-axum-dev
          python3-python-multipart)

packages=()
for set_name in "${@:-base}"; do
    case "$set_name" in
        base|debian13|docs|slow|tidy|bench|browser|python)
            declare -n chosen="$set_name"
            packages+=("${chosen[@]}")
            ;;
        *) echo "usage: $0 [base|debian13|docs|slow|tidy|bench|browser|python]..." >&2; exit 2 ;;
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

# The packages named, less the optional ones that this distribution does not have.
to_install() {
    local package
    for package in "$@"; do
        if [[ " ${optional[*]} " != *" $package "* ]] ||
            apt-cache show --no-all-versions "$package" > /dev/null 2>&1; then
            echo "$package"
        fi
    done
}
if [ -z "$(to_install $missing)" ]; then
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

options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
"${as_root[@]}" apt-get "${options[@]}" update -q
missing=$(to_install $missing)
echo "install-deps: installing" $missing

# Other servers run when a test or a benchmark starts them, not as services.
policy=/usr/sbin/policy-rc.d
if [[ " ${packages[*]} " == *" nginx "* ]] && [ ! -e "$policy" ]; then
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get "${options[@]}" install -y -qq --no-install-recommends $missing
for service in nginx haproxy; do
    if [[ " $(echo $missing) " == *" $service "* ]] && command -v systemctl > /dev/null; then
        "${as_root[@]}" systemctl --quiet disable "$service" || true
    fi
done

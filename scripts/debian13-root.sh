#!/usr/bin/env bash
# Runs a command in a Debian 13 tree of its own, on a copy of this source tree.
# usage: debian13-root.sh COMMAND...        (needs root, or sudo)
#
# The tree is made once, below build/debian13, and used again. Sources are copied afresh each time;
# what was built from them stays. All mounts live in a mount namespace that ends with this script,
# however it ends, so none is ever left behind.
set -euo pipefail
self=$(realpath "$0")
cd "$(dirname "$self")/.."

suite=trixie
state=$PWD/build/debian13
root=$state/root

if [ $# -eq 0 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$self" >&2
    exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
    exec sudo --preserve-env=http_proxy,https_proxy,no_proxy,CI,JOBS "$self" "$@"
fi
if [ "${1:-}" != --inside ]; then
    exec unshare --mount --pid --fork --kill-child --propagation private \
        "$self" --inside "$@"
fi
shift

# The mirror that this machine's own Debian packages come from, or else Debian's.
mirror() {
    local codename found
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    found=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | sed -n "s/^$codename main //p" | grep -v security | head -n 1)
    if [ "$(. /etc/os-release && echo "$ID")" = debian ] && [ -n "$found" ]; then
        echo "$found"
    else
        echo http://deb.debian.org/debian
    fi
}

# How this machine's apt reaches its mirror: proxies, certificates, credentials.
copy_apt_settings() {
    apt-config dump Acquire |
        grep -E '^Acquire::(http|https|ftp|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])' \
            > "$root/etc/apt/apt.conf.d/99host" || true
    local file
    while read -r file; do
        if [ -f "$file" ]; then
            install -D "$file" "$root$file"
        fi
    done < <(sed -n 's/^Acquire::.* "\(\/[^"]*\)";$/\1/p' "$root/etc/apt/apt.conf.d/99host")
    if compgen -G '/etc/apt/auth.conf*' > /dev/null; then
        cp -a /etc/apt/auth.conf* "$root/etc/apt/"
    fi
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
    local bundle=/etc/ssl/certs/ca-certificates.crt
    if [ -f "$bundle" ] && [ ! -e "$root$bundle" ]; then
        install -D -m 644 "$bundle" "$root$bundle"
    fi
}

make_root() {
    local from proxy
    from=$(mirror)
    echo "debian13: making a $suite tree from $from"
    proxy=$(apt-config shell proxy Acquire::http::Proxy | sed "s/^proxy='\(.*\)'$/\1/")
    if [ -n "$proxy" ]; then
        export http_proxy=${http_proxy:-$proxy}
    fi
    rm -rf --one-file-system "$root" "$state/complete"
    mkdir -p "$root"
    debootstrap --variant=minbase "$suite" "$root" "$from" > "$state/debootstrap.log" 2>&1 || {
        tail -n 20 "$state/debootstrap.log" >&2
        return 1
    }
    touch "$state/complete"
}

# Tracked files, and untracked ones that git does not ignore; without git, all but build/.
list_sources() {
    local git=(git -c safe.directory='*')
    if "${git[@]}" rev-parse --git-dir > /dev/null 2>&1; then
        "${git[@]}" ls-files -z --cached --others --exclude-standard
    else
        find . -mindepth 1 -maxdepth 1 ! -name build ! -name .git -printf '%P\0'
    fi | while IFS= read -r -d '' path; do
        if [ -e "$path" ] || [ -L "$path" ]; then printf '%s\0' "$path"; fi
    done
}

copy_sources() {
    mkdir -p "$root/src/weft"
    find "$root/src/weft" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
    list_sources | tar --create --null --files-from=- | tar --extract --directory="$root/src/weft"
}

[ -f "$state/complete" ] || make_root
copy_apt_settings
copy_sources
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"

# The sources carry no repository along, so the commit is told from here.
commit=$(git -c safe.directory='*' rev-parse --short=12 HEAD 2> /dev/null || echo unknown)
environment=(HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin "WEFT_COMMIT=$commit")
for name in http_proxy https_proxy no_proxy CI JOBS; do
    if [ -n "${!name:-}" ]; then environment+=("$name=${!name}"); fi
done

# A tree this small has no `make` yet; the first set of packages brings it.
chroot "$root" env -i "${environment[@]}" /src/weft/scripts/install-deps.sh base
chroot "$root" env -i "${environment[@]}" bash -c 'cd /src/weft && exec "$@"' bash "$@"

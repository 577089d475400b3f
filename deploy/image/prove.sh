#!/bin/sh
# What the Dockerfile does, without Docker: installs from the same files, then judges an image as the
# image's user on a root that cannot be written. Needs root (for the mounts), Python 3.11 and 7 GB:
#
#   deploy/image/prove.sh IMAGE [cuda|cpu]
set -eu

picture=$(realpath "$1")
torch=${2:-cuda}
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"

mkdir "$scratch/source"
# The files that .dockerignore lets through, of those that git keeps.
kept=$(sed -n 's/^!//p' "$root/.dockerignore")
# shellcheck disable=SC2086 # one word a name
git -C "$root" ls-files -z --cached --others --exclude-standard -- $kept |
  tar -C "$root" --null -T - -c | tar -x -C "$scratch/source"
"$scratch/source/deploy/image/install.sh" "$scratch/latentprint" "$torch"
cp "$picture" "$scratch/picture"
chmod -R a+rX "$scratch"

# A root of its own: all of it read-only, and the two places that a container has.
unshare --mount --propagation private sh -c '
  set -eu
  scratch=$1
  mkdir "$scratch/cache"
  mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs "$scratch/cache"
  mount --bind / /mnt && mount -o remount,bind,ro /mnt
  mount --bind /proc /mnt/proc && mount --rbind /dev /mnt/dev
  mount -t tmpfs -o mode=0755 tmpfs /mnt/root # closed to others, and Python may lie in it
  mkdir -p "/mnt$2" && mount --bind "$2" "/mnt$2" && mount -o remount,bind,ro "/mnt$2"
  mount --rbind "$scratch" "/mnt$scratch" && mount -o remount,bind,ro "/mnt$scratch"
  cd /
  exec chroot /mnt setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all env -i PATH="$scratch/latentprint/bin:/usr/bin:/bin" \
    HOME=/nonexistent NUMBA_CACHE_DIR="$scratch/cache" PYTHONDONTWRITEBYTECODE=1 sh -euc "
      if (: >/tmp/written) 2>/dev/null || (: >$scratch/latentprint/written) 2>/dev/null; then
        echo \"prove.sh: the root can be written\" >&2; exit 1
      fi
      latentprint --help
      latentprint scan --json $scratch/picture
      echo \"as \$(id -u), on a read-only root, kept by numba: \$(du -sk $scratch/cache | cut -f1) KiB\"
    "
' prove "$scratch" "$(python3 -c 'import sys; print(sys.base_prefix)')"

#!/bin/sh
# Makes a service of a wheelhouse, on a Debian without a network: docs/edge.md has all the steps.
#
#     sh edge/install.sh [--python PYTHON]
#
# As root, from the folder that `make wheelhouse` has made. It installs the program to /opt/biogpt-onnx, the wheelhouse's
# bundle to /srv/biogpt-onnx/bundle and the unit to /etc/systemd/system, all or nothing, and starts it where systemd runs.
set -eu
LC_ALL=C
export LC_ALL
umask 022
unset PYTHONPATH PYTHONHOME

program=/opt/biogpt-onnx
data=/srv/biogpt-onnx
units=/etc/systemd/system
unit=$units/biogpt-onnx.service
socket=/run/biogpt-onnx/server.socket
group=biogpt

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Whatever ends this before its end takes away what was made.
remove_all() {
    rm -rf -- "$program" "$data" "$unit" "$unit.d"
}

python=python3
if [ "${1:-}" = --python ] && [ $# -eq 2 ]; then
    python=$2
elif [ $# -gt 0 ]; then
    fail "sh edge/install.sh [--python PYTHON] takes no $1"
fi
CDPATH='' cd -- "$(dirname -- "$0")/.."
if [ ! -f wheelhouse.conf ] || [ ! -f install.sh ]; then
    fail "$PWD is no wheelhouse: make one by make wheelhouse, and copy the whole folder"
fi
[ "$(id -u)" -eq 0 ] || fail "only root can make a service: run it as root"
[ -f bundle/bundle.json ] || fail "$PWD/bundle is no bundle: copy the whole folder"
for made in "$program" "$data" "$unit" "$unit.d"; do
    [ ! -e "$made" ] || fail "$made is there already: docs/edge.md says how to remove what was installed"
done

trap remove_all EXIT
trap 'exit 2' HUP INT TERM
mkdir -p "$(dirname -- "$program")" "$data" "$unit.d"
# It compares the bundle, too, with SHA256SUMS.
sh install.sh --python "$python" "$program" cpu server
"$program/bin/biogpt-onnx" info bundle --check >/dev/null || exit 2
cp -R bundle "$data/bundle" || fail "the bundle could not be copied to $data"
chmod -R u=rwX,go=rX "$data"
cp edge/biogpt-onnx.service "$unit"
cp edge/edge.conf "$unit.d/edge.conf"
chmod 644 "$unit" "$unit.d/edge.conf"
getent group "$group" >/dev/null || groupadd --system "$group" || fail "the group $group could not be made"
trap - EXIT HUP INT TERM

if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --now biogpt-onnx
    printf 'the service biogpt-onnx runs; members of the group %s ask it at %s\n' "$group" "$socket"
else
    printf 'the service biogpt-onnx is installed; systemd does not run here, so it was not started\n'
fi

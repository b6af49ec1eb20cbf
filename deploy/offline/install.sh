#!/bin/sh
# Installs biogpt-onnx from the folder that this file is in, without a network. docs/offline.md has all the steps.
#
#     sh install.sh [--python PYTHON] FOLDER [EXTRA ...]
#
# FOLDER is made, as an environment of PYTHON (python3, if none is named), with the extras that are named (cpu, if none
# are). Every file is compared with SHA256SUMS and every wheel with its lock file. It is made whole or not at all.
set -eu
LC_ALL=C
export LC_ALL
# What lies on such a path would be taken for installed.
unset PYTHONPATH PYTHONHOME

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

usage='sh install.sh [--python PYTHON] FOLDER [EXTRA ...]'
python=python3
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) printf '%s\n' "$usage" && exit 0 ;;
    --python)
        [ $# -ge 2 ] || fail "--python needs a program, such as python3.12"
        python=$2
        shift 2
        ;;
    --) shift && break ;;
    -*) fail "$1 is no option: $usage" ;;
    *) break ;;
    esac
done
[ -n "${1:-}" ] || fail "name the folder to make: $usage"
case $1 in
/*) target=$1 ;;
*) target=$PWD/$1 ;;
esac
shift
[ $# -gt 0 ] || set -- cpu

# Pythons are named by how the caller finds them, the files of this folder from here on by their names in it.
program=$(command -v -- "$python") || fail "there is no program $python: install Python, or name it with --python"
case $program in
*/*) program=$(CDPATH='' cd -- "$(dirname -- "$program")" && pwd)/$(basename -- "$program") ;;
esac
CDPATH='' cd -- "$(dirname -- "$0")"
[ -f wheelhouse.conf ] || fail "$PWD is no wheelhouse: it has no wheelhouse.conf; copy the whole folder"

setting() {
    sed -n "s/^$1=//p" wheelhouse.conf
}

check_extras() {
    for extra; do
        case " $(setting extras) " in
        *" $extra "*) ;;
        *)
            [ "$extra" != export ] || fail "export needs torch, which is not in this folder: take export-safetensors"
            fail "$extra is none of the extras in this folder: $(setting extras)"
            ;;
        esac
    done
}

# Asked of Python itself, which may have 32 bits on a system of 64, or bring a C library of its own.
describe_python() {
    "$program" -c '
import os, platform, sys
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
except (AttributeError, IndexError, ValueError):
    libc = "none"
kind = platform.python_implementation()
if not getattr(sys, "_is_gil_enabled", lambda: True)():
    kind = kind + "-without-GIL"
machine = platform.machine() if sys.maxsize > 2**32 else platform.machine() + "-with-32-bits"
print("%s %d.%d %s %s" % (kind, sys.version_info[0], sys.version_info[1], machine, libc))
' 2>/dev/null
}

check_python() {
    described=$(describe_python) || fail "$program is no Python that can be used"
    read -r kind version machine libc <<END
$described
END
    [ "$kind" = CPython ] || fail "$program is $kind, and the wheels in this folder are for CPython"
    case " $(setting pythons) " in
    *" $version "*) ;;
    *) fail "$program is Python $version, and the wheels in this folder are for $(setting pythons): name another by --python" ;;
    esac
    [ "$machine" = "$(setting machine)" ] ||
        fail "this processor is $machine, and the wheels in this folder are for $(setting machine): make another with make wheelhouse MACHINE=$machine"
    oldest=$(setting glibc)
    minor=${libc#2.}
    case $minor in
    none) fail "this system has no glibc, which the wheels in this folder need, from $oldest on" ;;
    *[!0-9]*) minor=${minor%%[!0-9]*} ;;
    esac
    [ "$minor" -ge "${oldest#2.}" ] || fail "this system has glibc $libc, and the wheels in this folder need $oldest or later"
    "$program" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$program cannot make environments: install the package that has its venv (on Debian and Ubuntu, python3-venv)"
}

check_files() {
    [ -f SHA256SUMS ] || fail "there is no SHA256SUMS in $PWD: copy the whole folder"
    checked=$(sha256sum -c SHA256SUMS 2>/dev/null) && return 0
    damaged=$(printf '%s\n' "$checked" | sed -n 's/: FAILED.*//p' | sed -n 1p)
    fail "${damaged:-SHA256SUMS} is not what SHA256SUMS says: it was damaged or changed on the way; copy the folder again"
}

# Tells in one line why pip gave up.
fail_as_pip() {
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
        wheel=$(sed -n 's/^ *\([^ ]*\) from file:.*/\1/p' "$log" | sed -n 1p)
        fail "the wheel of $wheel is not the one that its lock file names: copy the folder again, from where it was made"
    fi
    reason=$(sed -n 's/^ERROR: //p' "$log" | sed -n '$p')
    fail "pip did not install: ${reason:-$(sed -n '$p' "$log")}"
}

install_wheels() {
    # No settings of this machine's: neither an index nor options of pip's.
    PIP_CONFIG_FILE=/dev/null "$target/bin/python" -m pip --isolated --no-input --disable-pip-version-check install \
        --no-index --find-links wheels --only-binary :all: --require-hashes --no-cache-dir "$@" >"$log" 2>&1 || fail_as_pip
}

# Whatever ends this before its end takes away what was made.
remove_all() {
    rm -rf -- "$target" "$log"
}

check_extras "$@"
check_python
if [ -e "$target" ] || [ -L "$target" ]; then
    fail "$target is there already: name another folder, or remove it first"
fi
[ -d "$(dirname -- "$target")" ] || fail "there is no folder $(dirname -- "$target"): make it first"
[ -w "$(dirname -- "$target")" ] || fail "you may not write into $(dirname -- "$target"): name another folder"
check_files

log=$(mktemp)
trap remove_all EXIT
trap 'exit 2' HUP INT TERM
"$program" -m venv -- "$target" >"$log" 2>&1 || fail "$program made no environment: $(sed -n '$p' "$log")"

extras=$*
for extra; do
    shift
    set -- "$@" -r "locks/$extra.txt"
done
install_wheels "$@"
# The last of all, so that there is no command before there is what it needs.
install_wheels --no-deps -r locks/biogpt-onnx.txt
"$target/bin/python" -m pip check >"$log" 2>&1 || fail "what was installed does not fit: $(sed -n 1p "$log")"

trap - EXIT HUP INT TERM
rm -f -- "$log"
printf 'biogpt-onnx %s with %s: %s\n' "$(setting version)" "$extras" "$target/bin/biogpt-onnx"

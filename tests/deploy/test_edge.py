"""The small appliance: installed in a bare Debian in a folder, by the lines of its page, up to the first answer."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from biogpt_onnx.server.settings import ServerSettings
from makers.deployment import DEPLOY, ROOT, Serve, served, unit_settings, values

PAGE = ROOT / "docs" / "edge.md"
UNITS = (DEPLOY / "systemd" / "biogpt-onnx.service", DEPLOY / "edge" / "edge.conf")
CARRIED = "/media/biogpt/wheelhouse"

IN_DEBIAN = """
mount -t tmpfs none "$3"
mkdir "$3/upper" "$3/work" "$3/root"
mount -t overlay none -o "lowerdir=$1,upperdir=$3/upper,workdir=$3/work" "$3/root"
mkdir -p "$3/root/media/biogpt/wheelhouse"
mount --bind "$2" "$3/root/media/biogpt/wheelhouse"
mount -t proc none "$3/root/proc"
mount --rbind /dev "$3/root/dev"
ip link set lo up
exec chroot "$3/root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root sh -euc "$4"
"""
"""Runs a program ($4) in a copy of a Debian ($1) that is gone when it ends, with a wheelhouse ($2), by way of $3."""

SERVING = """
trap 'cat /root/log >&2' EXIT
mkdir -m 0750 /run/biogpt-onnx
chown 64000:biogpt /run/biogpt-onnx
setpriv --reuid 64000 --regid biogpt --clear-groups --no-new-privs --bounding-set=-all {command} 2>/root/log &
server=$!
{ask}
echo
setpriv --reuid 64001 --regid 64001 --clear-groups {ask} >/root/stranger 2>&1 && exit 1
kill -TERM $server
wait $server
"""


def on_the_page(section: str) -> str:
    """The only block of shell in a section of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_service_listens_on_a_unix_socket_with_two_threads_and_no_keys(serve: Serve) -> None:
    settings = unit_settings(*UNITS)
    (command,) = values(settings, "ExecStart")
    options = serve(served(command))
    assert options.threads == 2
    # The server refuses bounds that contradict each other.
    bounds = ("max_rows", "max_waiting", "max_prompts")
    assert ServerSettings(**{name: getattr(options, name) for name in bounds}).capacity == 10
    assert options.api_key_file is None
    assert values(settings, "LoadCredential") == []
    assert f"--unix-socket {options.unix_socket}" in on_the_page("The first answer")
    (folder,) = values(settings, "RuntimeDirectory")
    assert Path(options.unix_socket).parent == Path("/run") / folder
    assert values(settings, "RuntimeDirectoryMode") == ["0750"]
    script = (DEPLOY / "edge" / "install.sh").read_text(encoding="utf-8")
    assert f"socket={options.unix_socket}\n" in script
    assert f"data={Path(options.bundle).parent}\n" in script
    assert f"program={Path(command.split()[0]).parents[1]}\n" in script
    assert f"group={values(settings, 'Group')[0]}\n" in script


@pytest.fixture
def debian(tmp_path: Path) -> list[str]:
    """The words before a program that runs in a bare Debian which has the wheelhouse."""
    root, wheelhouse = (os.environ.get(name) for name in ("BIOGPT_DEBIAN", "BIOGPT_WHEELHOUSE"))
    if not root or not wheelhouse:
        pytest.skip("BIOGPT_DEBIAN and BIOGPT_WHEELHOUSE do not name a Debian and a wheelhouse: `make test-edge` does")
    if not (Path(root) / "usr" / "bin" / "python3").exists():
        pytest.skip(f"{root} is no Debian with Python: debootstrap is not installed")
    if os.geteuid() or not all(map(shutil.which, ("unshare", "ip"))):
        pytest.skip("needs the rights of root, unshare and ip")
    between = tmp_path / "between"
    between.mkdir()
    namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--")
    return [
        *namespaces,
        "sh",
        "-euc",
        IN_DEBIAN,
        "sh",
        *(str(Path(each).resolve()) for each in (root, wheelhouse)),
        str(between),
    ]


def run(debian: list[str], code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*debian, code], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.offline
def test_a_bare_debian_answers_by_the_lines_of_the_page(debian: list[str]) -> None:
    (command,) = values(unit_settings(*UNITS), "ExecStart")
    ask = on_the_page("The first answer").replace("\\\n", " ").strip()
    code = on_the_page("Install it") + SERVING.format(command=shlex.join(shlex.split(command)), ask=ask)
    ended = run(debian, code)
    assert ended.returncode == 0, ended.stderr
    assert "the service biogpt-onnx is installed; systemd does not run here" in ended.stdout
    answer = json.loads(ended.stdout.splitlines()[-1])
    assert answer["choices"][0]["text"].strip()
    assert answer["usage"]["completion_tokens"] <= 16


@pytest.mark.offline
def test_an_appliance_that_is_there_is_not_written_over(debian: list[str]) -> None:
    ended = run(debian, "mkdir -p /srv/biogpt-onnx; sh /media/biogpt/wheelhouse/edge/install.sh")
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: /srv/biogpt-onnx is there already")
    assert ended.stderr.count("\n") == 1


@pytest.mark.offline
def test_an_installation_that_fails_leaves_nothing(debian: list[str]) -> None:
    damaged = (
        f"cp -r {CARRIED} /root/copy; echo >>/root/copy/bundle/config.json; status=0; "
        "sh /root/copy/edge/install.sh || status=$?; ls /opt /srv /etc/systemd/system; exit $status"
    )
    ended = run(debian, damaged)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: bundle/config.json is not what SHA256SUMS says")
    assert "biogpt" not in ended.stdout

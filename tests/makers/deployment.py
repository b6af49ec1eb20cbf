"""Readers of the files in deploy/: each gives back what its program would take from the file."""

import json
import re
import shlex
import subprocess
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"

Tool = Callable[..., "subprocess.CompletedProcess[str]"]
"""Runs a program with arguments, if it is installed, and returns what it printed."""

Serve = Callable[[Sequence[str]], Namespace]
"""Reads the words behind `biogpt-onnx serve` as the command line does; a word that it refuses fails the test."""

Instructions = list[tuple[str, str]]
Settings = list[tuple[str, str, str]]


def instructions(path: Path) -> Instructions:
    """The instructions of a Containerfile with what they are given, lines that go on joined."""
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#")).replace("\\\n", " ")
    pairs = (line.partition(" ") for line in text.splitlines() if line.strip())
    return [(name, " ".join(rest.split())) for name, _, rest in pairs]


def last_stage(path: Path) -> Instructions:
    """The instructions of the image itself, without those of the stages that build its parts."""
    found = instructions(path)
    place = max(index for index, (name, _) in enumerate(found) if name == "FROM")
    return found[place:]


def exec_form(given: str) -> list[str]:
    """The words of an instruction in exec form, which no shell takes apart."""
    words = json.loads(given)
    assert isinstance(words, list)
    return [str(word) for word in words]


def unit_settings(*paths: Path) -> Settings:
    """The settings of a unit and its drop-ins: section, name and value; an empty value takes back those before it."""
    settings: Settings = []
    for path in paths:
        section = ""
        text = re.sub(r"^[#;].*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for line in text.replace("\\\n", " ").splitlines():
            if found := re.fullmatch(r"\[(\w+)\]", line):
                section = found[1]
            elif line.strip():
                name, _, value = line.partition("=")
                if not value:
                    settings = [setting for setting in settings if setting[:2] != (section, name)]
                settings.append((section, name, " ".join(value.split())))
    return settings


def values(settings: Settings, name: str) -> list[str]:
    """The values of a setting that are not taken back."""
    return [value for _, known, value in settings if known == name and value]


def served(command: str) -> list[str]:
    """The words behind `biogpt-onnx serve` in a unit's command, as the service gets them."""
    words = shlex.split(command.replace("${CREDENTIALS_DIRECTORY}", "/run/credentials/biogpt-onnx.service"))
    place = words.index("serve")
    assert words[place - 1].endswith("/biogpt-onnx")
    return words[place + 1 :]


@dataclass
class Directive:
    """A directive of nginx with its arguments and, where it is a block, those inside."""

    name: str
    arguments: list[str]
    block: list["Directive"] = field(default_factory=list)

    def every(self, name: str) -> "Iterator[Directive]":
        """The directives of a name in the block, at any depth."""
        for directive in self.block:
            if directive.name == name:
                yield directive
            yield from directive.every(name)

    def value(self, name: str) -> str:
        """The arguments of the only directive of a name in the block."""
        (found,) = (directive for directive in self.block if directive.name == name)
        return " ".join(found.arguments)


def nginx_directives(path: Path) -> Directive:
    """The directives of a file of nginx, in a block without a name."""
    words = re.findall(r"#[^\n]*|[{};]|'[^']*'|\"[^\"]*\"|[^\s{};]+", path.read_text(encoding="utf-8"))
    stack = [Directive("", [])]
    line: list[str] = []
    for word in (word for word in words if not word.startswith("#")):
        if word in {";", "{"}:
            directive = Directive(line[0], [part.strip("'\"") for part in line[1:]])
            stack[-1].block.append(directive)
            if word == "{":
                stack.append(directive)
            line = []
        elif word == "}":
            stack.pop()
        else:
            line.append(word)
    assert len(stack) == 1, "a block is not closed"
    assert line == [], "a directive is not ended"
    return stack[0]


SUFFIXES = ("_bucket", "_sum", "_count")
METRIC = re.compile(r"\bbiogpt_\w+")


def metrics_in(expression: str) -> set[str]:
    """The metrics of ours that an expression of Prometheus asks for, by the names under which they are registered."""
    return {re.sub(f"(?:{'|'.join(SUFFIXES)})$", "", name) for name in METRIC.findall(expression)}


def dashboard_expressions(path: Path) -> list[str]:
    """The expressions of a dashboard's panels, with values in place of Grafana's variables."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [
        expression.replace("$__rate_interval", "1m").replace("$model", ".*").replace("$instance", ".*")
        for expression in found
    ]

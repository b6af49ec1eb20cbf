import re
import tomllib
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any

import pytest

from makers.deployment import DEPLOY, ROOT, Serve, Tool, exec_form, instructions, last_stage

yaml = pytest.importorskip("yaml")

CONTAINERFILE = DEPLOY / "Containerfile"
IGNORED = ROOT / ".dockerignore"


@pytest.fixture
def image() -> dict[str, str]:
    """What the image says of itself, an instruction once."""
    return dict(last_stage(CONTAINERFILE))


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return content


def copied() -> list[str]:
    """What the image is built of, by its place in the checkout."""
    given = [given.split() for name, given in instructions(CONTAINERFILE) if name == "COPY"]
    return [source for words in given if not words[0].startswith("--from") for source in words[:-1]]


def test_the_image_is_built_of_all_code_and_nothing_else(project: dict[str, Any]) -> None:
    assert [source for source in copied() if not (ROOT / source).exists()] == []
    rooms = project["tool"]["setuptools"]["package-dir"]
    folders = {"biogpt_onnx", *rooms.values()}
    assert {source for source in copied() if (ROOT / source).is_dir()} == folders
    wanted = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert {source for source in copied() if (ROOT / source).is_file()} == wanted


def test_the_build_is_given_what_it_copies_and_nothing_else() -> None:
    lines = [line for line in IGNORED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert sorted(line.removeprefix("!") for line in lines if line.startswith("!")) == sorted(copied())
    cache = PurePath("runtime/decoding/__pycache__")
    assert any(fnmatch(str(cache), line) for line in lines[1:] if not line.startswith("!"))


def test_the_image_has_the_extras_of_the_server(project: dict[str, Any]) -> None:
    (run,) = (given for name, given in instructions(CONTAINERFILE) if name == "RUN")
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', run)
    assert set(extras.split(",")) == {"cpu", "server"}
    assert set(extras.split(",")) <= set(project["project"]["optional-dependencies"])


def test_the_image_runs_the_server_itself_as_a_numbered_user(image: dict[str, str]) -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image["USER"])
    assert exec_form(image["ENTRYPOINT"])[:2] == ["biogpt-onnx", "serve"]
    assert image["STOPSIGNAL"] == "SIGTERM"


def test_the_image_starts_the_server_with_options_that_it_has(image: dict[str, str], serve: Serve) -> None:
    options = serve(exec_form(image["ENTRYPOINT"])[2:] + exec_form(image["CMD"]))
    assert (options.host, options.port) == ("0.0.0.0", int(image["EXPOSE"]))  # noqa: S104 -- inside a container
    assert str(options.api_key_file) == "/etc/biogpt-onnx/keys"


def test_the_health_check_is_a_program_that_asks_the_right_address(image: dict[str, str]) -> None:
    python, option, code = exec_form(image["HEALTHCHECK"].partition(" CMD ")[2])
    assert (python, option) == ("python3", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert f"'127.0.0.1', {image['EXPOSE']}" in code
    assert "'/health'" in code


def test_a_registry_is_named_and_no_image_is_the_latest() -> None:
    services = compose()["services"].values()
    named = [service["image"] for service in services if "build" not in service]
    named += [given.partition("=")[2] for name, given in instructions(CONTAINERFILE) if name == "ARG"]
    assert len(named) == 3
    assert [image for image in named if not re.fullmatch(r"docker\.io/[\w/-]+:v?\d[\w.-]+", image)] == []


def test_the_compose_file_starts_the_server_with_options_that_it_has(image: dict[str, str], serve: Serve) -> None:
    service = compose()["services"]["server"]
    options = serve(["/bundle", *service["command"]])
    assert (options.host, str(options.port)) == ("0.0.0.0", image["EXPOSE"])  # noqa: S104 -- inside a container
    (secret,) = service["secrets"]
    assert str(options.api_key_file) == secret["target"]
    assert float(service["stop_grace_period"].removesuffix("s")) > options.drain_seconds
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    (target,) = scraped["scrape_configs"][0]["static_configs"][0]["targets"]
    name, _, port = target.partition(":")
    assert (name, port) == ("server", image["EXPOSE"])
    assert name in options.allow_host


def test_the_compose_file_builds_and_confines_the_server(image: dict[str, str]) -> None:
    service = compose()["services"]["server"]
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).resolve() == CONTAINERFILE
    assert service["user"] == image["USER"]
    assert service["read_only"] is True
    assert service["mem_limit"] == service["memswap_limit"]
    (bundle,) = service["volumes"]
    assert (bundle["target"], bundle["read_only"]) == (exec_form(image["ENTRYPOINT"])[2], True)


def test_every_service_is_without_privileges_and_published_to_this_machine_alone() -> None:
    for name, service in compose()["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["user"].partition(":")[0]) > 0, name
        assert [port for port in service.get("ports", ()) if not port.startswith("127.0.0.1:")] == [], name


def test_what_the_compose_file_names_is_there() -> None:
    content = compose()
    files = {f"./secrets/{name}" for name in content["secrets"]}
    assert {secret["file"] for secret in content["secrets"].values()} == files
    for service in content["services"].values():
        secrets = {name if isinstance(name, str) else name["source"] for name in service.get("secrets", ())}
        assert secrets <= set(content["secrets"])
        assert set(service["networks"]) <= set(content["networks"])
        for volume in service["volumes"]:
            source = volume.partition(":")[0] if isinstance(volume, str) else volume["source"]
            known = source in content["volumes"] or source.startswith("${") or (DEPLOY / source).exists()
            assert known, source


def test_secrets_are_in_no_commit_and_no_image() -> None:
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "deploy" not in copied()


def test_the_servers_network_leads_nowhere_for_prometheus() -> None:
    content = compose()
    assert content["networks"]["inside"] == {"internal": True}
    assert content["services"]["prometheus"]["networks"] == ["inside"]


def test_grafana_asks_the_prometheus_of_the_compose_file_and_shows_the_dashboard() -> None:
    grafana = compose()["services"]["grafana"]
    (source,) = yaml.safe_load((DEPLOY / "grafana" / "datasource.yml").read_text(encoding="utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((DEPLOY / "grafana" / "dashboards.yml").read_text(encoding="utf-8"))["providers"]
    targets = [volume.split(":")[1] for volume in grafana["volumes"]]
    assert f"{provider['options']['path']}/biogpt-onnx.json" in targets


def test_a_container_tool_can_read_the_file(tool: Tool) -> None:
    # A base image that no one has: a fault in the file is found before it is asked for, and nothing is built.
    base = "PYTHON_IMAGE=localhost/none:0"
    run = tool(
        *("buildah", "--storage-driver", "vfs", "build", "--pull-never"),
        *("--build-arg", base, "--file", CONTAINERFILE, ROOT),
    )
    if "namespace" in run.stderr:
        pytest.skip("buildah may make no user namespace here")
    assert "STEP 1/" in run.stdout + run.stderr
    assert "localhost/none:0" in run.stderr

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from makers.deployment import DEPLOY, Tool, dashboard_expressions, metrics_in

yaml = pytest.importorskip("yaml")

FOLDER = DEPLOY / "prometheus"
ALERTS = FOLDER / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
WANTED = {
    *("biogpt_num_requests_running", "biogpt_num_requests_waiting", "biogpt_kv_cache_usage_perc"),
    *("biogpt_prompt_tokens_total", "biogpt_generation_tokens_total", "biogpt_requests_rejected_total"),
    *("biogpt_time_to_first_token_seconds", "biogpt_inter_token_latency_seconds"),
    *("biogpt_e2e_request_latency_seconds", "biogpt_request_queue_time_seconds", "biogpt_http_requests_total"),
}


EVERYWHERE = {"instance", "job", "le"}
"""Labels that Prometheus itself puts on what it reads, and that of a histogram's buckets."""


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def test_prometheus_reads_its_configuration(tool: Tool) -> None:
    run = tool("promtool", "check", "config", "--syntax-only", FOLDER / "prometheus.yml")
    assert run.returncode == 0, run.stderr


def test_prometheus_reads_the_alerts(tool: Tool) -> None:
    run = tool("promtool", "check", "rules", ALERTS)
    assert run.returncode == 0, run.stderr
    assert f"{len(alert_rules())} rules found" in run.stdout


def test_each_alert_fires_when_it_must_and_only_then(tool: Tool) -> None:
    run = tool("promtool", "test", "rules", FOLDER / "alerts.test.yml")
    assert run.returncode == 0, run.stdout


def test_no_alert_is_without_a_case() -> None:
    cases = yaml.safe_load((FOLDER / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {check["alertname"] for case in cases for check in case["alert_rule_test"] if check.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in alert_rules()}


def test_the_configuration_reads_the_alerts_that_are_there() -> None:
    names = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))["rule_files"]
    assert [name for name in names if not (FOLDER / name).is_file()] == []


def test_prometheus_reads_every_expression_of_the_dashboard(tool: Tool, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(dashboard_expressions(DASHBOARD))
    ]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    run = tool("promtool", "check", "rules", path)
    assert run.returncode == 0, run.stderr
    assert f"{len(rules)} rules found" in run.stdout


def test_the_dashboard_shows_what_an_operator_asks_for() -> None:
    shown = set().union(*map(metrics_in, dashboard_expressions(DASHBOARD)))
    assert shown >= WANTED


def test_the_panels_do_not_overlap_and_say_what_they_show() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert [panel["title"] for panel in panels if panel["type"] != "row" and not panel["description"]] == []


def metrics_of_the_server() -> dict[str, set[str]]:
    """The names of the server's metrics with their labels."""
    parser = pytest.importorskip("prometheus_client.parser")
    module = importlib.import_module("biogpt_onnx.server.observation.metrics")
    outcome = importlib.import_module("biogpt_onnx.server.observation.outcome")
    metrics = module.Metrics("mini")
    metrics.note_answer(3, "eos")
    metrics.note_rejection("queue_full")
    metrics.note_request(outcome.Outcome("an-id", "GET"))
    text = metrics.text().decode()
    labels = {name: {"model_name"} for name in re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)}
    for family in parser.text_string_to_metric_families(text):
        labels |= {sample.name: set(sample.labels) for sample in family.samples}
    return labels


def labels_in(expression: str) -> set[str]:
    """The labels by which an expression selects and groups."""
    groups = re.findall(r"by \(([\w, ]+)\)", expression)
    return {
        *re.findall(r"(\w+)(?:=~|!~|!=|=)\"", expression),
        *(label for group in groups for label in group.split(", ")),
    }


EXPRESSIONS = [
    *(dashboard_expressions(DASHBOARD) if DASHBOARD.is_file() else ()),
    *(rule["expr"] for rule in (alert_rules() if ALERTS.is_file() else ())),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_asks_for_metrics_and_labels_that_the_server_has(expression: str) -> None:
    known = metrics_of_the_server()
    asked = metrics_in(expression)
    assert asked - set(known) == set()
    assert labels_in(expression) - EVERYWHERE - set().union(*(known[name] for name in asked)) == set()


def test_a_metric_or_label_that_does_not_exist_is_noticed() -> None:
    known = metrics_of_the_server()
    assert metrics_in("sum(rate(biogpt_prompt_token_total[5m]))") - set(known)
    assert labels_in('sum by (why, le) (biogpt_num_requests_running{modle="a"})') == {"why", "le", "modle"}
    assert known["biogpt_requests_rejected_total"] == {"model_name", "reason"}

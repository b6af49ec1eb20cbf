import json
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

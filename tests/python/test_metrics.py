"""`/metrics` as Prometheus reads it: names that stay, both formats, what is measured, and the shipped rules and dashboard."""

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.parse

import pytest
from harness import ROOT, Pool, eventually, free_port, send
from test_stratum import STEADY, mining

OPEN_METRICS = "application/openmetrics-text"
PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARD = ROOT / "deploy/grafana/dwarves.json"


@pytest.fixture(scope="module")
def pool():
    with Pool(**STEADY) as pool:
        yield pool


def page(pool, accept="text/plain"):
    answer = pool.get("/metrics", {"Accept": accept})
    assert answer.status == 200, answer
    return answer.body.decode()


def figures(text):
    """Every sample's value by its name and labels."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_every_figure_of_0_2_has_its_name_type_and_labels(pool):
    then = (ROOT / "tests/fixtures/metrics-of-0.2.txt").read_text().splitlines()
    text = page(pool)
    types = set(re.findall(r"^# TYPE .*$", text, re.MULTILINE))
    samples = figures(text)
    for line in then:
        assert line in (types if line.startswith("#") else samples), f"{line} is gone"
    assert len(then) > 150


def test_both_formats_say_the_same(pool):
    plain, open_metrics = page(pool), page(pool, OPEN_METRICS)
    assert open_metrics.endswith("# EOF\n") and "# EOF" not in plain
    # OpenMetrics writes bounds as `1.0`, and puts them first.
    def normal(text):
        samples = figures(text)
        return {re.sub(r'le="([\d.e-]+)"', lambda bound: f'le="{float(bound[1])}"', name) for name in samples}

    in_any_order = [{(name.split("{")[0], *sorted(re.findall(r'\w+="[^"]*"', name))) for name in normal(text)}
                    for text in (plain, open_metrics)]  # fmt: skip
    assert in_any_order[0] == in_any_order[1]


def test_labels_are_bounded(pool):
    """No miner, worker or client is in a label, whoever mines."""
    miner = pool.miner("//Labels")
    miner.accepted("a-worker-with-a-name")
    text = page(pool)
    assert miner.hotkey not in text and "a-worker-with-a-name" not in text
    labels = set(re.findall(r"(\w+)=\"", text))
    assert labels <= {
        "actor", "hold", "kind", "le", "listener", "node", "protocol", "reason", "state", "verdict",
    }  # fmt: skip


def test_what_miners_do_is_measured(pool):
    before = figures(page(pool))
    miner = pool.miner("//Measured")
    for _ in range(3):
        miner.accepted("rig")
    with mining(pool) as client:
        client.accepted(client.work.find())
        after = figures(page(pool))
        grown = {name: value - before.get(name, 0) for name, value in after.items()}
        assert grown['dwarves_acknowledgement_seconds_count{protocol="http"}'] >= 3
        assert grown['dwarves_acknowledgement_seconds_count{protocol="stratum"}'] >= 1
        assert grown['dwarves_acknowledgement_seconds_sum{protocol="http"}'] > 0
        assert grown['dwarves_jobs_total{protocol="http"}'] >= 3
        assert grown['dwarves_jobs_total{protocol="stratum"}'] >= 1
        assert grown["dwarves_commit_seconds_count"] >= 4
        assert grown["dwarves_commit_writes_sum"] >= 4
        assert grown['dwarves_actor_handling_seconds_count{actor="miner_manager"}'] >= 4
        (listener,) = pool.listen["stratum"]
        assert after[f'dwarves_connections{{protocol="stratum",listener="{listener}"}}'] == 1
        assert after['dwarves_connections{protocol="http",listener="http"}'] >= 1
    eventually(
        "the connection is gone",
        lambda: figures(page(pool))[f'dwarves_connections{{protocol="stratum",listener="{listener}"}}'] == 0,
    )
    eventually("a round closed", lambda: figures(page(pool))["dwarves_round_duration_seconds_count"] >= 1)
    now = figures(page(pool))
    assert 0 <= now["dwarves_template_age_seconds"] < 600
    # Nobody is asked anything but by the page itself.
    waiting = [value for name, value in now.items() if name.startswith("dwarves_actor_mailbox{")]
    assert len(waiting) >= 10 and all(0 <= value < 10 for value in waiting)
    buckets = [value for name, value in now.items() if name.startswith("dwarves_commit_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == now["dwarves_commit_seconds_count"]


def test_the_process_is_as_the_system_says(pool):
    now = figures(page(pool))
    assert abs(now["process_resident_memory_bytes"] / pool.rss_bytes() - 1) < 0.2
    assert abs(now["process_open_fds"] - pool.open_files()) <= 5
    assert now["process_max_fds"] > now["process_open_fds"]
    assert now["process_cpu_seconds_total"] > 0
    assert abs(time.time() - now["process_start_time_seconds"]) < 600


def promtool(*arguments, given=None):
    """Debian's promtool, which must find nothing wrong."""
    tool = shutil.which("promtool")
    assert tool, "promtool is missing: apt-get install prometheus"
    done = subprocess.run([tool, *map(str, arguments)], input=given, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def test_promtool_finds_nothing_wrong_with_the_page(pool):
    said = promtool("check", "metrics", given=page(pool).encode())
    assert said == "", said


def test_promtool_finds_nothing_wrong_with_rules_and_settings():
    promtool("check", "config", PROMETHEUS / "prometheus.yml")
    assert "SUCCESS" in promtool("test", "rules", PROMETHEUS / "rules_test.yml")


def asked_by_the_dashboard():
    """Every expression of the dashboard, with what Grafana puts for its variables."""
    board = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    found += [note["expr"] for note in board["annotations"]["list"]]
    for variable, value in {"$job": ".*", "$instance": ".*", "$__rate_interval": "1m"}.items():
        found = [expression.replace(variable, value) for expression in found]
    assert len(found) > 60 and not any("$" in expression for expression in found)
    return found


def test_the_dashboard_is_whole():
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, f"{panel['title']} lies on another"
        taken |= cells


@contextlib.contextmanager
def prometheus(pool, folder):
    """Debian's Prometheus, which reads the pool with the shipped rules. Gives what asks it."""
    program = shutil.which("prometheus")
    assert program, "prometheus is missing: apt-get install prometheus"
    settings = (PROMETHEUS / "prometheus.yml").read_text()
    settings = settings.replace("127.0.0.1:8080", "{}:{}".format(*pool.address)).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(settings)
    shutil.copy(PROMETHEUS / "rules.yml", folder)
    address = ("127.0.0.1", free_port())
    arguments = [f"--web.listen-address={address[0]}:{address[1]}", f"--config.file={folder}/prometheus.yml"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, *arguments, f"--storage.tsdb.path={folder}/data"], stdout=log, stderr=log)

    def ask(path, **query):
        try:
            answer = send(address, "GET", f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
        except OSError:
            return None
        return answer.json["data"] if answer.status == 200 else None

    try:
        eventually("Prometheus answers", lambda: ask("status/runtimeinfo"), 30)
        yield ask
    except BaseException:
        print((folder / "log").read_text()[-4000:])
        raise
    finally:
        process.terminate()
        process.wait(20)


def test_prometheus_reads_the_pool_and_what_is_shipped_for_it_works(pool, tmp_path):
    pool.miner("//Scraped").accepted("rig")
    with prometheus(pool, tmp_path) as ask:

        def value(expression):
            data = ask("query", query=expression)
            return [float(sample["value"][1]) for sample in data["result"]] if data else []

        eventually("it has read the pool", lambda: value('up{job="dwarves"}') == [1.0])
        # In the format that it likes best, without a word against it.
        (target,) = ask("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert value("dwarves_shares_accepted_total")[0] >= 1
        kinds = ask("metadata", limit=10_000)
        assert kinds["dwarves_acknowledgement_seconds"][0]["type"] == "histogram"
        eventually(
            "every rule was asked",
            lambda: all(rule["health"] == "ok" for group in ask("rules")["groups"] for rule in group["rules"]),
        )
        firing = [alert["labels"]["alertname"] for alert in ask("alerts")["alerts"] if alert["state"] == "firing"]
        assert firing == [], "a pool that is well gives no alarm"
        eventually("rates can be told", lambda: value("dwarves:commit_seconds:p50"))
        silent = [expression for expression in asked_by_the_dashboard() if value(expression) == []]
        # A devnet has no nodes, a ledger in a file no fronts and no standby, and nothing has gone wrong or ended here.
        expected = {"dwarves_node_", "dwarves_front", "dwarves_relay", "dwarves_store_standby", "ALERTS", "changes(", "delta(", "shares_stale"}
        assert not [one for one in silent if not any(part in one for part in expected)], silent

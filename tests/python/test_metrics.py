"""`/metrics` as Prometheus reads it: names that stay, both formats, what is measured, and the shipped rules and dashboard."""

import re
import time

import pytest
from harness import ROOT, Pool, eventually
from test_stratum import STEADY, mining

OPEN_METRICS = "application/openmetrics-text"


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

"""The log: text as it is, and JSON in which one share, session, round, block or order can be followed."""

import json
import re

import pytest
from harness import Miner, Pool, eventually, is_instant
from stratum import Client
from test_cli import run

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
LEVELS = {"ERROR", "WARN", "INFO", "DEBUG", "TRACE"}
TEXT = re.compile(r"\[(\S+Z) (ERROR|WARN |INFO |DEBUG|TRACE) ([a-z0-9_:]+)\] (.+)")


def live(pool):
    """Everything once: a share by HTTP that is a block, a Stratum session, rounds, and an order. Gives what is looked for."""
    miner = Miner(pool)
    assert miner.register().status == 201
    miner.open_session()
    _, share_id, _ = miner.accepted(worker="rig", block=True)
    with Client(pool.listen["stratum"][0]) as client:
        client.subscribe().authorize(f"{ADDRESS}.rig")
        peer = "%s:%d" % client.socket.getsockname()
        extranonce1 = client.extranonce1
    pool.must_control("paymaster", "pause")
    eventually("a round is told", lambda: "round closed" in pool.log())
    eventually("the session's end is told", lambda: "session ended" in pool.log())
    return miner.hotkey, share_id, peer, extranonce1


def spans(line, name):
    """The spans of a line with this name."""
    return [span for span in line.get("spans", []) if span["name"] == name]


def test_every_line_of_the_json_log_is_an_object_that_says_what_it_belongs_to(monkeypatch):
    monkeypatch.setenv("RUST_LOG", "debug")
    with Pool(log__format="json", stratum__listen="127.0.0.1:0") as pool:
        hotkey, share_id, peer, extranonce1 = live(pool)
        assert pool.stop() == 0
        lines = [json.loads(line) for line in pool.log_lines()]
    assert len(lines) > 20
    for line in lines:
        assert is_instant(line["timestamp"]) and line["level"] in LEVELS, line
        assert line["target"] and line["message"], line

    def said(text, **fields):
        found = [line for line in lines if text in line["message"] and fields.items() <= line.items()]
        assert found, (text, fields)
        return found

    # What is said through `log` alone is there, too.
    assert said("ready for miners on http://", target="dwarves::wiring::listen_file", level="INFO")
    # A share, by its name, from its proof to its row.
    for text in ("share is proven", "share is stored and counts"):
        (line,) = said(text, share=share_id)
        assert line["miner"] == hotkey and line["level"] == "DEBUG", line
    assert spans(said("share is proven", share=share_id)[0], "shares")[0]["miner"] == hotkey
    # A request.
    request = said("request is answered", path="/v1/work", method="POST", status=200)[0]
    (span,) = spans(request, "request")
    assert (span["method"], span["route"], span["client"]) == ("POST", "/v1/work", "127.0.0.1"), request
    # A session: all of its lines carry its peer.
    of_session = [line for line in lines if spans(line, "session")]
    assert {spans(line, "session")[0]["peer"] for line in of_session} == {peer}
    assert [line["message"].split(" ip=")[0] for line in of_session][0] == "session begins"
    last = spans(of_session[-1], "session")[0]
    assert "session ended" in of_session[-1]["message"]
    assert (last["session"], last["worker"]) == (extranonce1, f"{ADDRESS}.rig"), last
    # A block, a round, an order.
    for text in ("block found", "block accepted"):
        (line,) = (line for line in said(text) if share_id in line["message"])
        assert [span["block"] for span in spans(line, "block")] == [share_id], line
    for line in said("round closed"):
        (span,) = spans(line, "round")
        assert f"round={span['round']} " in line["message"], line
    (line,) = said("payouts paused")
    (span,) = spans(line, "order")
    assert (span["who"], span["actor"], span["order"]) == ("token", "paymaster", "pause"), line


def test_a_filter_may_name_a_span_of_which_everything_is_told(monkeypatch):
    monkeypatch.setenv("RUST_LOG", "warn,[session]=debug")
    with Pool(log__format="json", stratum__listen="127.0.0.1:0") as pool:
        with Client(pool.listen["stratum"][0]) as client:
            client.subscribe().authorize(f"{ADDRESS}.rig")
        eventually("the session's end is told", lambda: "session ended" in pool.log())
        lines = [json.loads(line) for line in pool.log_lines()]
    assert [line["message"] for line in lines if line["message"].startswith("session ended")]
    for line in lines:
        assert line["level"] in ("WARN", "ERROR") or spans(line, "session"), line


def test_the_text_log_is_as_it_was_at_every_level(monkeypatch):
    monkeypatch.setenv("RUST_LOG", "trace")
    with Pool(stratum__listen="127.0.0.1:0") as pool:
        _, share_id, _, _ = live(pool)
        assert pool.stop() == 0
        lines = pool.log().splitlines()
    own = [TEXT.fullmatch(line) for line in lines if " dwarves" in line]
    assert len(own) > 20 and all(own)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line[1]) for line in own)
    told = [(line[2].strip(), line[3], line[4]) for line in own]
    for level, target, text in [
        ("INFO", "dwarves_actors::block_tracker", rf"block found height=\d+ hash={share_id} finder=\w+"),
        ("INFO", "dwarves_actors::block_tracker", rf"block accepted hash={share_id}"),
        ("DEBUG", "dwarves_actors::miner_manager::judge", rf"share is stored and counts share={share_id} .*"),
        ("WARN", "dwarves_actors::paymaster::switches", "payouts paused"),
        ("DEBUG", "dwarves_stratum::session", r"session ended ip=127.0.0.1 why=\w+"),
    ]:
        assert any((level, target) == line[:2] and re.fullmatch(text, line[2]) for line in told), (level, target, text)
    rounds = [line for line in told if line[2].startswith("round closed round=")]
    assert rounds and {line[1] for line in rounds} == {"dwarves_actors::reward_distributor::closing"}
    # Spans are for JSON: none of them begins or ends here.
    assert not [line for line in told if re.match(r"(\+\+|--|->|<-) ", line[2])]


@pytest.mark.parametrize("place", ["file", "environment"])
def test_why_the_pool_does_not_start_is_told_in_the_format_that_is_set(tmp_path, place):
    """The settings are wrong elsewhere; the format is known all the same."""
    (tmp_path / "config.toml").write_text(
        ('[log]\nformat = "json"\n' if place == "file" else "") + "[http]\nlisten = 5\n"
    )
    settings = {"log__format": "json"} if place == "environment" else {}
    done = run("serve", "--data-dir", tmp_path / "data", cwd=tmp_path, **settings)
    assert done.returncode == 1
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["level"] == "ERROR" and "http.listen" in line["message"], line


@pytest.mark.parametrize("command", [["serve"], ["check"], ["demo"], ["hotkey", "new", "x.key"], ["admin", "pool_manager", "status"]])
def test_a_format_that_is_none_is_refused_with_what_would_be_right(tmp_path, command):
    done = run(*command, cwd=tmp_path, log__format="xml")
    assert done.returncode == 1
    assert "DWARVES__LOG__FORMAT" in done.stderr and '"text" or "json"' in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_all_commands_log_json_if_the_environment_says_so(tmp_path):
    key = tmp_path / "x.key"
    assert run("hotkey", "new", key, cwd=tmp_path, log__format="json").returncode == 0
    key.chmod(0o644)
    done = run("hotkey", "show", key, cwd=tmp_path, log__format="json")
    for line in map(json.loads, done.stderr.splitlines()):
        assert line["message"] and line["target"] and is_instant(line["timestamp"])
    done = run("admin", "pool_manager", "status", "--data-dir", tmp_path, cwd=tmp_path, log__format="json")
    (line,) = map(json.loads, done.stderr.splitlines())
    assert done.returncode == 1 and "no admin token" in line["message"] and line["because"], line
    done = run("demo", "--duration-secs", "1", cwd=tmp_path, log__format="json")
    assert done.returncode == 0, done
    for line in done.stderr.splitlines():
        json.loads(line)

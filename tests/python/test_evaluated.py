"""Evaluated work through the whole binary: evaluators that fail, are slow, answer late, twice or garbage; kill -9 in between."""

import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest
from harness import ROOT, Pool, binary, environment, eventually

EVALUATOR = ROOT / "examples/evaluator.py"


class Evaluator:
    """An evaluator whose `behaviour` gets each task and the number of times that it was asked for it."""

    def __init__(self, behaviour=None):
        self.asked = []
        self.behaviour = behaviour or (lambda task, times: (200, {"loss": task["work"]["loss"]}))
        evaluator = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                task = json.loads(self.rfile.read(int(self.headers["content-length"])))
                assert self.headers["idempotency-key"] == task["id"]
                evaluator.asked.append(task)
                times = sum(1 for asked in evaluator.asked if asked["id"] == task["id"])
                answer = evaluator.behaviour(task, times)
                if answer is None:
                    self.close_connection = True
                    return
                status, body = answer
                body = body if isinstance(body, bytes) else json.dumps(body).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    # The pool did not wait so long.
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/evaluate"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def evaluated(*urls, **settings):
    """The settings of a pool that has work evaluated there."""
    return {
        "work.kind": "evaluated",
        "evaluator.urls": json.dumps(list(urls)),
        "evaluator.timeout_secs": "2",
        "evaluator.retry_after_secs": "0.1",
        "pool.unit": "TAO",
        "pool.decimals": "9",
        "rewards.scheme": "inverse_loss",
        "rewards.source": "emission",
        "rewards.emission_sats": "1000000",
        "rewards.run_interval_secs": "3600",
        "rewards.fee_bps": "0",
        **{key.replace("__", "."): value for key, value in settings.items()},
    }


def submit(miner, work, **more):
    answer = miner.request("POST", "/v1/work", {"work": work, **more})
    assert answer.status == 200, answer
    return answer.json


def submission(miner, name):
    answer = miner.pool.get(f"/v1/miners/{miner.hotkey}/submissions/{name}")
    assert answer.status == 200, answer
    return answer.json


def settled(miner, name, secs=20):
    return eventually("it is evaluated", lambda: (s := submission(miner, name))["state"] != "queued" and s, secs)


def payable(miner):
    return miner.pool.get(f"/v1/miners/{miner.hotkey}").json["balance_sats"]["payable"]


def distribute(pool):
    return pool.must_control("reward_distributor", "distribute_now")


def test_a_result_comes_back_and_is_paid_by_its_inverse():
    with Evaluator() as evaluator, Pool(**evaluated(evaluator.url)) as pool:
        miners = [pool.miner(f"//Evaluated{n}") for n in range(3)]
        for miner, loss in zip(miners, (0.5, 0.25, 1)):
            answer = submit(miner, {"loss": loss}, worker="gpu-1")
            assert (answer["state"], answer["loss"], answer["score"]) == ("evaluated", loss, None), answer
            assert answer["worker"] == "gpu-1" and answer["hotkey"] == miner.hotkey
        assert "\"loss\":0.25," in miners[1].pool.get(f"/v1/miners/{miners[1].hotkey}/submissions").body.decode()
        distribute(pool)
        assert [payable(miner) for miner in miners] == [285714, 571429, 142857]
        round = pool.get("/v1/rounds/1").json
        assert round["credited_sats"] == 1000000 and round["kept_sats"] == 0
        assert round["emission"] == {"amount_sats": 1000000, "brought_sats": 0, "carried_sats": 0, "burnt_sats": 0}
        assert sorted(credit["units"] for credit in round["credits"]) == ["1", "2", "4"]
        shown = pool.pool()
        assert (shown["unit"], shown["unit_decimals"], shown["chain"], shown["ledger_sum_sats"]) == ("TAO", 9, "none", 0)
        assert shown["evaluated"]["pays_by"] == "loss"
        status = pool.get(f"/v1/miners/{miners[0].hotkey}").json
        assert status["results"]["best"]["loss"] == 0.5 and status["results"]["waiting"] == 0
        assert miners[0].fetch().json["pays_by"] == "loss"
        # The same again is the same submission, and nobody is asked.
        again = submit(miners[0], {"loss": 0.5})
        assert again["submission_id"] == status["results"]["best"]["submission_id"] and len(evaluator.asked) == 3


def test_what_takes_longer_than_its_miner_waits_is_queued_and_found_later():
    go = threading.Event()

    def slow(task, times):
        go.wait(10)
        return 200, {"loss": 3, "metadata": {"seen": times}}

    settings = evaluated("", evaluator__answer_within_secs="0.3", evaluator__timeout_secs="15")
    with Evaluator(slow) as evaluator, Pool(**{**settings, "evaluator.urls": json.dumps([evaluator.url])}) as pool:
        miner = pool.miner()
        answer = submit(miner, {"slow": 1})
        assert (answer["state"], answer["detail"], answer["loss"]) == ("queued", "queued", None)
        assert pool.get(f"/v1/miners/{miner.hotkey}").json["results"]["waiting"] == 1
        go.set()
        later = settled(miner, answer["submission_id"])
        assert later["loss"] == 3 and later["metadata"] == {"seen": 1} and later["detail"] == ""


@pytest.mark.parametrize(
    "answer, fault, asked",
    [
        ((200, b'{"loss": NaN}'), "not_a_number", 1),
        ((200, b'{"loss": Infinity}'), "infinite", 1),
        ((200, b'{"loss": -0.1}'), "negative", 1),
        ((200, b'{"loss": 1e300}'), "absurd", 1),
        ((422, {"error": "no model in it"}), "refused", 1),
        ((200, {"error": "no model in it"}), "refused", 1),
        ((200, {"score": 4}), "missing", 2),
        ((200, b"<html>garbage</html>"), "malformed", 2),
        ((200, b"x" * 100_000), "malformed", 2),
        ((500, {"loss": 1}), "failed", 2),
        (None, "failed", 2),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_bad_answer_breaks_a_rule_and_is_paid_nothing(answer, fault, asked):
    with Evaluator(lambda task, times: answer) as evaluator, Pool(**evaluated(evaluator.url, evaluator__tries="2")) as pool:
        miner = pool.miner()
        first = submit(miner, {"bad": 1})
        told = settled(miner, first["submission_id"])
        assert (told["state"], told["fault"], told["loss"]) == ("failed", fault, None), told
        assert len(evaluator.asked) == asked and len({task["id"] for task in evaluator.asked}) == 1
        distribute(pool)
        assert payable(miner) == 0
        # Nobody earned it: the next round has it.
        assert pool.get("/v1/rounds/1").json["emission"]["carried_sats"] == 1000000
        evaluator.behaviour = lambda task, times: (200, {"loss": 1})
        again = submit(miner, {"bad": 1})
        assert again["submission_id"] != first["submission_id"] and again["loss"] == 1
        distribute(pool)
        assert payable(miner) == 2000000


def test_a_late_answer_is_thrown_away_and_asked_for_again():
    def late_once(task, times):
        if times == 1:
            time.sleep(2.5)
            return 200, {"loss": 9}
        return 200, {"loss": 2}

    with Evaluator(late_once) as evaluator, Pool(**evaluated(evaluator.url)) as pool:
        miner = pool.miner()
        answer = settled(miner, submit(miner, {"late": 1})["submission_id"])
        assert answer["loss"] == 2 and len(evaluator.asked) == 2
        time.sleep(1)
        assert submission(miner, answer["submission_id"])["loss"] == 2


def test_what_waits_is_limited_and_told_so():
    go = threading.Event()

    def slow(task, times):
        go.wait(20)
        return 200, {"loss": 1}

    settings = evaluated("", evaluator__answer_within_secs="0", evaluator__timeout_secs="30", evaluator__waiting_per_miner="2", evaluator__waiting="3")
    with Evaluator(slow) as evaluator, Pool(**{**settings, "evaluator.urls": json.dumps([evaluator.url])}) as pool:
        one, two = pool.miner("//One"), pool.miner("//Two")
        for n in range(2):
            submit(one, {"n": n})
        refused = one.request("POST", "/v1/work", {"work": {"n": 2}})
        assert (refused.status, refused.code) == (503, "too_many_waiting"), refused
        assert submit(one, {"n": 1})["state"] == "queued", "the same again needs no room"
        submit(two, {"n": 0})
        assert two.request("POST", "/v1/work", {"work": {"n": 1}}).code == "busy"
        go.set()
        eventually("there is room again", lambda: one.request("POST", "/v1/work", {"work": {"n": 2}}).status == 200)


def test_bad_requests_change_nothing():
    with Evaluator() as evaluator, Pool(**evaluated(evaluator.url, evaluator__work_bytes="1000")) as pool:
        miner = pool.miner()
        for body, code in [
            ({"work": [1]}, "body_invalid"),
            ({"work": "text"}, "body_invalid"),
            ({}, "body_invalid"),
            ({"shares": []}, "body_invalid"),
            ({"work": {}, "more": 1}, "body_invalid"),
            ({"work": {"x": "y" * 1000}}, "body_too_large"),
            ('{"work": {', "body_invalid"),
        ]:
            assert miner.request("POST", "/v1/work", body).code == code, body
        stranger = type(miner)(pool, "//Stranger")
        assert stranger.signed("POST", "/v1/work", {"work": {}}).code == "miner_unknown"
        pool.must_control("pool_manager", "pause")
        assert miner.request("POST", "/v1/work", {"work": {"loss": 1}}).code == "paused"
        pool.must_control("pool_manager", "resume")
        assert pool.get(f"/v1/miners/{miner.hotkey}/submissions").json["submissions"] == []
        assert pool.get(f"/v1/miners/{miner.hotkey}/submissions/{'0' * 32}").code == "submission_unknown"
        assert evaluator.asked == []


def test_submissions_are_listed_and_removed_by_their_owner_and_by_an_admin():
    with Evaluator() as evaluator, Pool(**evaluated(evaluator.url)) as pool:
        miner, other = pool.miner("//Owner"), pool.miner("//Other")
        names = [submit(miner, {"loss": loss})["submission_id"] for loss in (3, 2, 1)]
        path = f"/v1/miners/{miner.hotkey}/submissions"
        page = pool.get(path + "?limit=2").json
        assert [row["submission_id"] for row in page["submissions"]] == names[:0:-1]
        rest = pool.get(f"{path}?cursor={page['next_cursor']}").json
        assert [row["submission_id"] for row in rest["submissions"]] == names[:1] and rest["next_cursor"] is None
        assert other.request("DELETE", f"{path}/{names[2]}").code == "forbidden"
        assert miner.request("DELETE", f"{path}/{names[2]}").json == {"removed": True}
        assert miner.request("DELETE", f"{path}/{names[2]}").code == "submission_unknown"
        pool.must_control("work_evaluator", "remove_submission", submission=names[1])
        assert pool.audit()["audit"][0]["message"] == "remove_submission"
        assert pool.get(f"/v1/miners/{miner.hotkey}").json["results"]["best"]["loss"] == 3
        pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="copies")
        distribute(pool)
        assert payable(miner) == 0


def test_nothing_that_was_acknowledged_is_lost_or_paid_twice_by_kill_9():
    go = threading.Event()

    def slow(task, times):
        go.wait(60)
        return 200, {"loss": task["work"]["loss"]}

    settings = evaluated("", evaluator__answer_within_secs="0", evaluator__timeout_secs="60", evaluator__waiting_per_miner="50", evaluator__at_once="3")
    with Evaluator(slow) as evaluator, Pool(**{**settings, "evaluator.urls": json.dumps([evaluator.url])}) as pool:
        miner = pool.miner()
        names = [submit(miner, {"loss": n + 1})["submission_id"] for n in range(10)]
        eventually("some are being evaluated", lambda: len(evaluator.asked) >= 3)
        pool.restart(kill=True)
        assert pool.get(f"/v1/miners/{miner.hotkey}").json["results"]["waiting"] == 10
        go.set()
        for n, name in enumerate(names):
            assert settled(miner, name, 60)["loss"] == n + 1
        asked = {}
        for task in evaluator.asked:
            asked[task["id"]] = asked.get(task["id"], 0) + 1
        assert set(asked) == set(names) and max(asked.values()) <= 2
        distribute(pool)
        pool.restart(kill=True)
        assert payable(miner) == 1000000
        distribute(pool)
        assert payable(miner) == 2000000 and pool.pool()["ledger_sum_sats"] == 0
        assert len(pool.get(f"/v1/miners/{miner.hotkey}/submissions").json["submissions"]) == 10


def test_nothing_speaks_of_hashrate_shares_blocks_or_a_chain():
    settings = {"pool.name": "Models", "miner_notifications.enabled": "true"}
    with Evaluator() as evaluator, Pool(**{**evaluated(evaluator.url), **settings}) as pool:
        miner = pool.miner()
        submit(miner, {"loss": 0.5})
        status = subprocess.run([binary(), "status", "--once", "--data-dir", pool.data_dir], capture_output=True, text=True, timeout=60, check=True).stdout
        assert "0.001000000 TAO a round, by loss" in status and "1 results, 0 count for nothing" in status, status
        for word in ("hashrate", "share", "block", "chain", "effort", "payouts"):
            assert word not in status, status
        figures = pool.get("/metrics").body.decode()
        assert "dwarves_submissions_evaluated_total 1" in figures
        for name in ("dwarves_chain_synced", "dwarves_blocks_waiting", "dwarves_template_", "dwarves_node_"):
            assert name not in figures, name
        # What never happens nobody can ask to be told of; who asks for everything is told of the rest.
        path = f"/v1/miners/{miner.hotkey}/notifications"
        wanted = {"channels": [{"name": "hook", "kind": "webhook", "url": "https://example.com/"}]}
        refused = miner.request("PUT", path, {**wanted, "events": ["hashrate_low"]})
        assert refused.code == "notifications_invalid", refused
        assert "expected one of worker_offline, no_payout_address" in refused.json["detail"], refused
        assert set(miner.request("PUT", path, wanted).json["events"]) == {"worker_offline", "no_payout_address"}


def test_while_the_evaluator_is_away_work_waits_and_the_breaker_is_shown():
    with Evaluator() as evaluator:
        url = evaluator.url
    with Pool(**evaluated(url, evaluator__answer_within_secs="0", evaluator__tries="1")) as pool:
        miner = pool.miner()
        name = submit(miner, {"loss": 4})["submission_id"]
        figure = f'dwarves_evaluator_breaker{{evaluator="http://127.0.0.1:{evaluator.port}",state="open"}} 1'
        eventually("the breaker opens", lambda: figure in pool.get("/metrics").body.decode(), 30)
        ready = pool.get("/readyz")
        assert ready.status == 200 and any(text.startswith("evaluator_away: ") for text in ready.json["hindrances"])
        again = Evaluator.__new__(Evaluator)
        again.__init__()
        again.server.server_close()
        again.server = http.server.ThreadingHTTPServer(("127.0.0.1", evaluator.port), again.server.RequestHandlerClass)
        with again:
            assert settled(miner, name, 60)["loss"] == 4


def test_the_example_evaluates_as_a_command_and_as_a_server(tmp_path):
    good, work = {"coefficients": [0, 3, 0, -4.5, 0, 2.025, 0, -0.43]}, {"coefficients": [0, 3]}
    settings = evaluated("", evaluator__timeout_secs="20", evaluator__answer_within_secs="30")
    command = json.dumps([sys.executable, str(EVALUATOR)])
    with Pool(**{**settings, "evaluator.urls": "[]", "evaluator.command": command}) as pool:
        miner = pool.miner()
        losses = [submit(miner, task)["loss"] for task in (good, work)]
        assert losses[0] < 0.001 < losses[1]
        assert submit(miner, {"coefficients": "none"})["fault"] == "refused"
    server = subprocess.Popen([sys.executable, EVALUATOR, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        url = server.stdout.readline().split()[-1]
        with Pool(**{**settings, "evaluator.urls": json.dumps([url])}) as pool:
            miner = pool.miner()
            assert [submit(miner, task)["loss"] for task in (good, work)] == losses
            assert submit(miner, {"coefficients": []})["fault"] == "refused"
    finally:
        server.kill()
        server.wait()


def test_the_emission_is_changed_while_the_pool_runs_and_stays_so():
    with Evaluator() as evaluator, Pool(**evaluated(evaluator.url)) as pool:
        miner = pool.miner()
        submit(miner, {"loss": 1})
        pool.must_control("reward_distributor", "set_emission", emission_sats=7)
        distribute(pool)
        assert payable(miner) == 7
        pool.restart()
        distribute(pool)
        assert payable(miner) == 14
        assert pool.control("paymaster", "pay_now").code == "control_refused"


def test_a_ledger_is_of_one_kind_of_pool(tmp_path):
    with Evaluator() as evaluator:
        with Pool(tmp_path / "data", **evaluated(evaluator.url)) as pool:
            submit(pool.miner(), {"loss": 1})
        with pytest.raises(AssertionError, match="work.kind"):
            Pool(tmp_path / "data").start()


def test_settings_that_do_not_fit_are_refused_by_name(tmp_path):
    right = evaluated("http://127.0.0.1:1/")
    for wrong, said in [
        ({"rewards.scheme": "pplns"}, "rewards.scheme"),
        ({"rewards.source": "blocks"}, "rewards.source"),
        ({"evaluator.urls": "[]"}, "evaluator.urls"),
        ({"pool.unit": ""}, "pool.unit"),
        ({"stratum.listen": "127.0.0.1:0"}, "stratum"),
        ({"work.kind": "proof_of_work"}, "rewards.scheme"),
        ({"rewards.loss_floor": "0"}, "rewards.loss_floor"),
        ({"evaluator.task": "{"}, "evaluator.task"),
    ]:
        settings = environment({**right, **wrong})
        ended = subprocess.run([binary(), "serve", "--data-dir", tmp_path / "data"], env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0 and said in ended.stderr, (wrong, ended.stderr)


def test_payout_addresses_are_of_the_kind_that_is_configured():
    for kind, good, bad in [
        ("ss58", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "0x52908400098527886E0F7030069857D2E4169EE7"),
        ("evm", "0x52908400098527886E0F7030069857D2E4169EE7", "bcrt1q66acvwhw7fe08r0w06fjq6k0n3pngy8g4ehp8a"),
        ("none", None, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
    ]:
        with Pool(**evaluated("http://127.0.0.1:1/", pool__payout_addresses=kind)) as pool:
            miner = pool.miner()
            if good is not None:
                assert miner.register(payout_address=good).json["payout_address"] == good
            assert miner.register(payout_address=bad).code == "payout_address_invalid"


def test_the_demo_pays_three_miners_by_their_losses(tmp_path):
    assert shutil.which("python3"), "the demo's evaluator is a command in Python"
    ended = subprocess.run(
        [binary(), "demo", "--work", "evaluated", "--duration-secs", "25"], cwd=tmp_path, env=environment({}), capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout
    assert "round 1 paid 10.000000000 DEMO" in told.replace("9.900000000", "10.000000000"), told
    last = told.rsplit("best loss", 1)[1]
    standing = {line.split()[0]: line.split() for line in last.splitlines() if line.split()[:1] and line.split()[0] in ("fast", "middle", "slow")}
    assert set(standing) == {"fast", "middle", "slow"}, told
    losses = [float(standing[name][1]) for name in ("fast", "middle", "slow")]
    paid = [float(standing[name][3]) for name in ("fast", "middle", "slow")]
    assert losses == sorted(losses) and paid == sorted(paid, reverse=True) and paid[0] > 0, told


def test_the_evaluator_needs_no_numpy():
    task = json.dumps({"id": "1", "work": {"coefficients": [0, 3, 0, -4.5]}})
    blocked = "import sys; sys.modules['numpy'] = None; sys.argv = ['evaluator.py']; import runpy; runpy.run_path(%r, run_name='__main__')"
    answers = [
        json.loads(subprocess.run([sys.executable, *arguments], input=task, capture_output=True, text=True, check=True).stdout)["loss"]
        for arguments in (["-c", blocked % str(EVALUATOR)], [str(EVALUATOR)])
    ]
    assert answers[0] == pytest.approx(answers[1], rel=1e-12)
    assert pathlib.Path(EVALUATOR).is_file()

"""Links that show a miner to others: handed out by a signed request, and taken back for good."""

import concurrent.futures
import json
import os
import subprocess

import pytest
from harness import Pool, binary, eventually, problem

PRIVATE = {"privacy__balances": "owner", "privacy__worker_names": "owner"}
NAME = "cellar-rig"


@pytest.fixture(scope="module")
def pool():
    with Pool(http__workers=3, **PRIVATE) as pool:
        pool.alice, pool.bob = pool.miner("//Alice"), pool.miner("//Bob")
        pool.alice.accepted(NAME)
        yield pool


def watches(miner):
    return f"/v1/miners/{miner.hotkey}/watches"


def hand_out(miner, **body):
    answer = miner.signed("POST", watches(miner), body)
    assert answer.status == 201, answer
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["path"] == f"/watch/{answer.json['token']}"
    return answer.json


def take_back(miner, watch):
    return miner.signed("DELETE", f"{watches(miner)}/{watch['id']}")


def by(token):
    return {"Authorization": f"Watch {token}"}


def shown(pool, miner, token):
    return pool.get(f"/v1/miners/{miner.hotkey}", by(token))


def test_a_link_shows_one_miner_and_changes_nothing(pool):
    alice, bob = pool.alice, pool.bob
    watch = hand_out(alice, name="office")
    token = watch["token"]
    assert pool.get(f"/v1/watch/{token}").json == {"hotkey": alice.hotkey, "expires_at": None}
    told = shown(pool, alice, token).json
    assert told["balance_sats"] and NAME in [worker["name"] for worker in told["workers"]] and "hidden" not in told
    assert set(told) == set(pool.get(f"/v1/miners/{alice.hotkey}", alice.bearer()).json)
    for rest in ("/credits", "/payouts", "/earnings", f"/history?worker={NAME}"):
        assert pool.get(f"/v1/miners/{alice.hotkey}{rest}", by(token)).status == 200, rest
    assert shown(pool, bob, token).json["balance_sats"] is None
    problem(pool.get(f"/v1/miners/{bob.hotkey}/credits", by(token)), 403, "hidden")
    # It reads, and that is all.
    problem(pool.get(watches(alice), by(token)), 403, "forbidden")
    for method, path in (("POST", watches(alice)), ("DELETE", f"{watches(alice)}/{watch['id']}"), ("POST", "/v1/miners"), ("GET", "/v1/work"), ("POST", "/v1/sessions")):
        assert pool.request(method, path, None, by(token)).status == 401, (method, path)
    problem(pool.get("/v1/admin/state", by(token)), 401, "signature_missing")
    listed = pool.get(watches(alice), alice.bearer()).json["watches"]
    assert [one["id"] for one in listed] == [watch["id"]] and listed[0]["name"] == "office"
    assert token not in json.dumps(listed)
    assert take_back(alice, watch).json == {"id": watch["id"], "taken_back": True}


def test_what_is_taken_back_shows_nothing_at_once_on_every_thread_and_after_a_crash(pool):
    alice = pool.alice
    kept, gone = hand_out(alice), hand_out(alice)
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        # Connections are shared out among the workers.
        many = list(threads.map(lambda _: shown(pool, alice, gone["token"]).status, range(24)))
        assert set(many) == {200}
        assert take_back(alice, gone).status == 200
        many = list(threads.map(lambda _: shown(pool, alice, gone["token"]), range(24)))
    for answer in many:
        assert "taken back" in problem(answer, 401, "watch_invalid")["detail"]
    problem(pool.get(f"/v1/watch/{gone['token']}"), 404, "watch_unknown")
    problem(take_back(alice, gone), 404, "watch_unknown", "id")
    pool.restart(kill=True)
    problem(shown(pool, alice, gone["token"]), 401, "watch_invalid")
    assert shown(pool, alice, kept["token"]).json["balance_sats"] is not None
    assert take_back(alice, kept).status == 200


def test_only_the_miner_and_the_operator_order_anything(pool):
    alice, bob = pool.alice, pool.bob
    watch = hand_out(alice)
    path = watches(alice)
    problem(bob.signed("POST", path, {}), 403, "forbidden")
    problem(bob.signed("DELETE", f"{path}/{watch['id']}"), 403, "forbidden")
    problem(bob.signed("DELETE", f"{watches(bob)}/{watch['id']}"), 404, "watch_unknown")
    problem(bob.signed("GET", path), 403, "forbidden")
    problem(pool.get(path), 401, "signature_missing")
    for method in ("POST", "DELETE"):
        route = path if method == "POST" else f"{path}/{watch['id']}"
        problem(pool.request(method, route, None, alice.bearer()), 401, "token_invalid")
    assert shown(pool, alice, watch["token"]).status == 200
    operator = {"Authorization": f"Bearer {pool.admin_token()}"}
    made = pool.request("POST", path, {"name": "asked for"}, operator)
    assert made.status == 201 and shown(pool, alice, made.json["token"]).json["balance_sats"] is not None
    assert pool.request("DELETE", f"{path}/{watch['id']}", None, operator).status == 200
    orders = [(row["who"], row["actor"], row["message"]) for row in pool.audit()["audit"][:2]]
    assert orders == [("token", "watch_keeper", "take_back"), ("token", "watch_keeper", "hand_out")]
    assert made.json["token"] not in json.dumps(pool.audit())
    assert take_back(alice, made.json).status == 200


def test_a_miner_has_ten_at_most_and_those_that_are_over_count_no_more(pool):
    miner = pool.miner("//Many")
    short = hand_out(miner, expires_in_secs=1)
    more = [hand_out(miner) for _ in range(9)]
    eventually("its time is over", lambda: shown(pool, miner, short["token"]).status == 401)
    more.append(hand_out(miner))
    problem(miner.signed("POST", watches(miner), {}), 409, "watches_full")
    assert take_back(miner, more[0]).status == 200
    hand_out(miner)


def test_a_banned_miners_links_go_on_and_it_hands_out_no_more(pool):
    miner = pool.miner("//Banned")
    watch, other = hand_out(miner), hand_out(miner)
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="a test")
    assert shown(pool, miner, watch["token"]).json["balance_sats"] is not None
    problem(miner.signed("POST", watches(miner), {}), 403, "banned")
    assert take_back(miner, other).status == 200
    problem(shown(pool, miner, other["token"]), 401, "watch_invalid")
    pool.must_control("miner_manager", "unban", hotkey=miner.hotkey)
    pool.must_control("miner_manager", "remove_miner", hotkey=miner.hotkey)
    problem(pool.get(f"/v1/watch/{watch['token']}"), 404, "watch_unknown")


def test_hostile_tokens_and_bodies_are_refused_by_name_and_guesses_are_counted():
    with Pool(**PRIVATE) as pool:
        alice = pool.miner("//Alice")
        token = hand_out(alice)["token"]
        for wrong in ("x", token[:-1], token + "0", token.upper() if token.upper() != token else "X", "é".encode().hex(), "0" * 48, "f" * 7_000):
            problem(pool.get(f"/v1/watch/{wrong}"), 404, "watch_unknown")
        for wrong in ("junk", "0" * 48, alice.token, pool.admin_token(), "f" * 7_000):
            problem(shown(pool, alice, wrong), 401, "watch_invalid")
        # Of one kind for another.
        problem(pool.get(f"/v1/miners/{alice.hotkey}", {"Authorization": f"Bearer {token}"}), 401, "session_invalid")
        for body in ({"name": "x" * 65}, {"name": "a\nb"}, {"name": 1}, {"expires_in_secs": 0}, {"expires_in_secs": "1"}, {"token": "x"}, []):
            problem(alice.signed("POST", watches(alice), body), 400, "body_invalid")
        for _ in range(40):
            answer = pool.get("/v1/watch/guess")
        problem(answer, 429, "too_many_guesses")
        assert int(answer.headers["retry-after"]) > 0
        assert shown(pool, alice, token).json["balance_sats"] is not None, "who has one is served"
        assert len(pool.get(watches(alice), alice.bearer()).json["watches"]) == 1


def test_no_token_is_in_the_log_the_figures_or_the_ledger(monkeypatch):
    monkeypatch.setenv("RUST_LOG", "debug")
    with Pool(**PRIVATE) as pool:
        alice = pool.miner("//Alice")
        token = hand_out(alice, name="office")["token"]
        for path in (f"/v1/watch/{token}", f"/watch/{token}", f"/watch/{token}/rounds/1", f"/watch/{token}/workers/a", f"/v1/miners/{alice.hotkey}"):
            answer = pool.get(path, by(token))
            assert answer.status == 200
        assert pool.get(f"/watch/{token}").headers["referrer-policy"] == "no-referrer"
        # The end of the tag, which a secret alone makes.
        secret = token[16:]
        assert "request is answered" in pool.log() and secret not in pool.log()
        assert secret not in pool.get("/metrics").body.decode()
        for file in pool.data_dir.iterdir():
            if file.is_file():
                content = file.read_bytes()
                assert secret.encode() not in content and bytes.fromhex(secret) not in content, file


def test_the_command_makes_lists_and_takes_back_links(pool, tmp_path):
    key = tmp_path / "miner.key"
    subprocess.run([binary(), "hotkey", "new", key], check=True, capture_output=True)
    hotkey = subprocess.run([binary(), "hotkey", "show", key], check=True, capture_output=True, text=True).stdout.strip()

    def run(*arguments, code=0):
        command = [binary(), "watch", *arguments, "--hotkey", key, "--pool", pool.url]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "RUST_LOG": "warn"})
        assert done.returncode == code, done
        return json.loads(done.stdout) if code == 0 else done.stderr

    assert "not registered" in run("list", code=1)
    subprocess.run([binary(), "mine", "--hotkey", key, "--pool", pool.url, "--duration-secs", "1", "--threads", "1"], check=True, capture_output=True)
    assert run("list") == {"watches": []}
    made = run("create", "--name", "office", "--expires-in-secs", "3600")
    assert made["link"] == f"{pool.url}/watch/{made['token']}" and made["name"] == "office"
    assert pool.get(f"/v1/watch/{made['token']}").json["hotkey"] == hotkey
    (listed,) = run("list")["watches"]
    assert listed["id"] == made["id"] and "token" not in listed
    assert "--name" in run("create", "--name", "x" * 65, code=2)
    assert run("remove", made["id"])["taken_back"] is True
    assert "no watch token with this number" in run("remove", made["id"], code=1)
    assert "16 lower-case hex digits" in run("remove", "nothing", code=2)
    assert pool.get(f"/v1/watch/{made['token']}").status == 404


def test_a_miner_sees_its_own_balance_where_it_is_hidden_from_others(pool, tmp_path):
    key = tmp_path / "miner.key"
    subprocess.run([binary(), "hotkey", "new", key], check=True, capture_output=True)
    done = subprocess.run([binary(), "mine", "--hotkey", key, "--pool", pool.url, "--duration-secs", "3", "--threads", "1"], check=True, capture_output=True, text=True)
    assert "immature" in done.stdout or "payable" in done.stdout, done.stdout

"""Control messages: who may send them, what each does, that settings outlive a restart, and the audit trail."""

import stat
import time
from datetime import datetime, timedelta, timezone

import pytest
from harness import Miner, Pool, eventually, is_instant, problem
from test_pool import rows, wait_for_round_with

CONTROL = "/v1/admin/control"
STATUS = {"actor": "pool_manager", "message": "status"}
ADMIN_URI = "//Operator"


def in_seconds(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def governed():
    """A pool with one admin hotkey."""
    from bittensor.keyfiles import Keypair

    # The list as TOML, as the environment writes it.
    hotkey = Keypair.create_from_uri(ADMIN_URI).ss58_address
    with Pool(admin__hotkeys=f'["{hotkey}"]') as pool:
        yield pool


# Who may.


def test_the_admin_token_is_written_for_its_owner_alone(pool):
    for name in ("admin.token", "pool.key"):
        mode = stat.S_IMODE((pool.data_dir / name).stat().st_mode)
        assert mode == 0o600, f"{name}: {mode:o}"


def test_the_admin_token_and_the_pools_key_outlive_a_restart(own_pool):
    token, hotkey = own_pool.admin_token(), own_pool.hotkey
    own_pool.restart(kill=True)
    assert (own_pool.admin_token(), own_pool.hotkey) == (token, hotkey)
    own_pool.must_control("pool_manager", "status")


def test_without_proof_of_who_asks_nothing_is_told(pool):
    problem(pool.request("POST", CONTROL, STATUS), 401, "signature_missing")
    problem(pool.get("/v1/admin/audit"), 401, "signature_missing")


@pytest.mark.parametrize("token", ["x", "0" * 64, "a" * 5000])
def test_a_wrong_token_is_refused(pool, token):
    answer = pool.control("pool_manager", "status", token=token)
    problem(answer, 401, "token_invalid")
    assert pool.get("/v1/admin/audit", {"Authorization": f"Bearer {token}"}).status == 401


def test_parts_of_the_token_are_not_enough(pool):
    token = pool.admin_token()
    for wrong in (token[:-1], token[1:], token + "0", token.upper() if token != token.upper() else token.lower()):
        assert pool.control("pool_manager", "status", token=wrong).status == 401


def test_a_miners_session_is_no_admin_token(pool, uri):
    miner = pool.miner(uri)
    assert miner.request("POST", CONTROL, STATUS).status == 401
    assert miner.request("GET", "/v1/admin/audit").status == 401


def test_a_hotkey_that_is_no_admins_is_forbidden(governed, uri):
    miner = governed.miner(uri)
    problem(miner.signed("POST", CONTROL, STATUS), 403, "forbidden")
    problem(miner.signed("GET", "/v1/admin/audit"), 403, "forbidden")


def test_an_admins_hotkey_may(governed):
    admin = Miner(governed, ADMIN_URI)
    answer = admin.signed("POST", CONTROL, STATUS)
    assert answer.status == 200, answer
    answer = admin.signed("GET", "/v1/admin/audit?limit=1")
    assert answer.status == 200, answer
    assert answer.json["audit"][0]["who"] == admin.hotkey


def test_an_admins_signature_is_good_once(governed):
    import json

    admin = Miner(governed, ADMIN_URI)
    body = json.dumps({"actor": "work_manager", "message": "refresh"}).encode()
    headers = admin.sign("POST", CONTROL, body)
    assert governed.request("POST", CONTROL, body, headers).status == 200
    problem(governed.request("POST", CONTROL, body, headers), 401, "replayed")
    forged = body.replace(b"refresh", b"refuse!")
    problem(governed.request("POST", CONTROL, forged, admin.sign("POST", CONTROL, body)), 401, "signature_invalid")


# What is no message.


@pytest.mark.parametrize(
    "body, status, code, field",
    [
        ({"actor": "nobody", "message": "status"}, 422, "control_unknown", "actor"),
        ({"actor": "pool_manager", "message": "explode"}, 422, "control_unknown", "message"),
        ({"actor": "pool_manager"}, 400, "body_invalid", "message"),
        ({"message": "status"}, 400, "body_invalid", "actor"),
        ({"actor": 1, "message": "status"}, 400, "body_invalid", "actor"),
        ([], 400, "body_invalid", None),
        ({"actor": "pool_manager", "message": "status", "extra": 1}, 422, "control_field_invalid", "extra"),
        (
            {"actor": "reward_distributor", "message": "set_run_interval"},
            422, "control_field_invalid", "run_interval_secs",
        ),
        *(
            (
                {"actor": "reward_distributor", "message": "set_run_interval", "run_interval_secs": value},
                422, "control_field_invalid", "run_interval_secs",
            )
            for value in (0, -1, 1.5, "60", None, 1e300, True, [60])
        ),
        *(
            (
                {"actor": "reward_distributor", "message": "set_fee", "fee_bps": value},
                422, "control_field_invalid", "fee_bps",
            )
            for value in (-1, 10001, "1%", None, 2.5)
        ),
        ({"actor": "miner_manager", "message": "ban", "hotkey": "x", "reason": "r"}, 422, "control_field_invalid", "hotkey"),
        ({"actor": "miner_manager", "message": "ban", "reason": "r"}, 422, "control_field_invalid", "hotkey"),
        ({"actor": "miner_manager", "message": "unban", "hotkey": 5}, 422, "control_field_invalid", "hotkey"),
    ],
)
def test_what_is_no_message_is_refused_by_field(pool, body, status, code, field):
    answer = pool.request("POST", CONTROL, body, {"Authorization": f"Bearer {pool.admin_token()}"})
    problem(answer, status, code, field)


def test_a_field_given_twice_is_refused(pool):
    body = b'{"actor":"reward_distributor","message":"set_fee","fee_bps":1,"fee_bps":2}'
    answer = pool.request("POST", CONTROL, body, {"Authorization": f"Bearer {pool.admin_token()}"})
    assert answer.status in (400, 422), answer
    assert "fee_bps" in str(answer.json), answer
    assert pool.pool()["fee_bps"] == 100


# pool_manager


def test_status_tells_how_the_pool_is(pool):
    status = pool.must_control("pool_manager", "status")
    assert status["state"] == "running", status


def test_a_paused_pool_takes_no_shares_and_a_resumed_one_does(own_pool, uri):
    pool = own_pool
    miner = pool.miner(uri)
    job = miner.job()
    share, share_id = job.find(block=False)
    pool.must_control("pool_manager", "pause")
    problem(miner.submit(share), 503, "paused")
    answer = miner.fetch()
    assert answer.status == 503 and "retry-after" in answer.headers, answer
    answer = pool.get("/readyz")
    problem(answer, 503, "not_ready")
    assert pool.pool()["shares"]["accepted"] == 0
    # It stays paused over a restart: an operator who paused it wants it so.
    pool.restart(kill=True, ready=False)
    problem(miner.submit(share), 503, "paused")
    assert pool.must_control("pool_manager", "status")["state"] == "paused"
    pool.must_control("pool_manager", "resume")
    (verdict,) = miner.verdicts(share)
    assert verdict.get("share_id") == share_id or verdict["reason"] == "stale", verdict
    assert pool.get("/readyz").status == 200
    pool.restart()
    assert pool.must_control("pool_manager", "status")["state"] == "running"


def test_a_draining_pool_takes_no_shares(own_pool, uri):
    miner = own_pool.miner(uri)
    share, _ = miner.job().find(block=False)
    own_pool.must_control("pool_manager", "drain")
    eventually("no share is taken any more", lambda: miner.submit(share).status == 503)
    assert own_pool.get("/readyz").status == 503
    assert own_pool.is_alive()
    # Draining is not kept: a restart begins anew.
    own_pool.restart()
    miner.accepted()


def test_shutdown_ends_the_process_in_order(own_pool, uri):
    miner = own_pool.miner(uri)
    _, _, verdict = miner.accepted()
    own_pool.must_control("pool_manager", "shutdown")
    process = own_pool.process
    assert process.wait(30) == 0
    assert not (own_pool.data_dir / "listen.json").exists(), "nobody listens there any more"
    own_pool.process = None
    own_pool.start()
    assert miner.status()["shares"]["accepted"] == verdict["sequence"]


# miner_manager


def test_a_banned_miner_is_refused_everywhere_until_it_is_unbanned(pool, uri):
    miner = pool.miner(uri)
    share, _ = miner.job().find(block=False)
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="sends stale shares")
    refused = [
        miner.register(),
        miner.signed("POST", "/v1/sessions", {}),
        miner.fetch(),
        miner.submit(share),
    ]
    for answer in refused:
        body = problem(answer, 403, "banned")
        assert "sends stale shares" in body["detail"], body
    pool.must_control("miner_manager", "unban", hotkey=miner.hotkey)
    assert miner.register().status == 200
    miner.accepted()


def test_a_ban_outlives_a_restart(own_pool, uri):
    miner = own_pool.miner(uri)
    own_pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="for good")
    own_pool.restart(kill=True)
    problem(miner.register(), 403, "banned")
    problem(miner.fetch(), 403, "banned")
    own_pool.must_control("miner_manager", "unban", hotkey=miner.hotkey)
    own_pool.restart(kill=True)
    miner.accepted()


def test_a_ban_with_an_end_ends_by_itself(pool, uri):
    miner = pool.miner(uri)
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="cool down", until=in_seconds(3))
    problem(miner.fetch(), 403, "banned")
    eventually("the ban is over", lambda: miner.fetch().status == 200, secs=10)


def test_a_ban_cuts_a_long_poll_short_or_refuses_its_answer(pool, uri):
    import threading

    miner = pool.miner(uri)
    job = miner.job()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(miner.fetch(longpoll=job.id)))
    waiting.start()
    time.sleep(0.3)
    pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="now")
    pool.miner(uri + "//finder").block()
    waiting.join(20)
    problem(answers[0], 403, "banned")


def test_closed_registration_refuses_new_miners_only(own_pool, uri):
    known = own_pool.miner(uri)
    own_pool.must_control("miner_manager", "close_registration")
    problem(Miner(own_pool, uri + "//new").register(), 403, "registration_closed")
    assert known.register().status == 200
    known.accepted()
    own_pool.restart(kill=True)
    problem(Miner(own_pool, uri + "//new").register(), 403, "registration_closed")
    own_pool.must_control("miner_manager", "open_registration")
    assert Miner(own_pool, uri + "//new").register().status == 201
    own_pool.restart()
    assert Miner(own_pool, uri + "//newer").register().status == 201


def test_a_fixed_share_difficulty_holds_until_it_is_lifted(uri):
    # A block must be harder than the difficulty that is fixed: a share is never harder than its block.
    with Pool(chain__devnet_block_hashes=1_000_000_000_000) as pool:
        miner = pool.miner(uri)
        before = miner.job("rig-1").work["share_difficulty"]
        miner.job("rig-2")
        # A worker's own setting goes before its miner's.
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=0.5)
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, worker="rig-1", difficulty=0.25)

        def difficulties():
            return [miner.job(worker).work["share_difficulty"] for worker in ("rig-1", "rig-2")]

        near = lambda found, wanted: all(abs(f / w - 1) < 1e-4 for f, w in zip(found, wanted))
        assert near(difficulties(), [0.25, 0.5]), difficulties()
        pool.restart(kill=True)
        assert near(difficulties(), [0.25, 0.5]), difficulties()
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, worker="rig-1", difficulty=None)
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=None)
        assert difficulties()[0] < 0.1 and before < 0.1, difficulties()


@pytest.mark.parametrize("difficulty", [0, -1, "1", [1], True])
def test_a_difficulty_that_is_none_is_refused(pool, uri, difficulty):
    miner = pool.miner(uri)
    answer = pool.control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=difficulty)
    problem(answer, 422, "control_field_invalid", "difficulty")


def test_a_missing_difficulty_is_refused(pool, uri):
    miner = pool.miner(uri)
    answer = pool.control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey)
    problem(answer, 422, "control_field_invalid", "difficulty")


def test_what_concerns_an_unknown_miner_or_worker_is_refused(pool, uri):
    miner, stranger = pool.miner(uri), Miner(pool, "//Stranger")
    answer = pool.control("miner_manager", "set_share_difficulty", hotkey=stranger.hotkey, difficulty=1)
    problem(answer, 409, "control_refused")
    for message in ("ban", "unban"):
        fields = {"reason": "r"} if message == "ban" else {}
        problem(pool.control("miner_manager", message, hotkey=stranger.hotkey, **fields), 409, "control_refused")
    answer = pool.control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, worker="none", difficulty=1)
    problem(answer, 409, "control_refused")


# work_manager


def test_refresh_makes_new_work_and_wakes_long_polls(pool, uri):
    import threading

    miner = pool.miner(uri)
    job = miner.job()
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(miner.fetch(longpoll=job.id)))
    waiting.start()
    time.sleep(0.3)
    pool.must_control("work_manager", "refresh")
    waiting.join(20)
    assert answers and answers[0].status == 200, answers
    # The tip is the same, so the older job still counts.
    if answers[0].json["height"] == job.work["height"]:
        share, _ = job.find(block=False)
        (verdict,) = miner.verdicts(share)
        assert verdict["verdict"] == "accepted", verdict


# reward_distributor


def test_the_run_interval_changes_at_once_and_outlives_a_restart(own_pool):
    pool = own_pool
    pool.must_control("reward_distributor", "set_run_interval", run_interval_secs=3600)
    assert pool.pool()["run_interval_secs"] == 3600
    time.sleep(0.5)
    before = len(rows(pool, "/v1/rounds", "rounds"))
    time.sleep(2.5)
    assert len(rows(pool, "/v1/rounds", "rounds")) == before, "no round is due for an hour"
    pool.restart(kill=True)
    assert pool.pool()["run_interval_secs"] == 3600
    pool.must_control("reward_distributor", "set_run_interval", run_interval_secs=1)
    eventually("rounds close every second again", lambda: len(rows(pool, "/v1/rounds", "rounds")) >= before + 2)


def test_distribute_now_closes_a_round_between_two_ticks(uri):
    with Pool(rewards__run_interval_secs=86400) as pool:
        miner = pool.miner(uri)
        block = miner.block()
        # The chain takes the block a moment before the pool's books know it.
        eventually("the block is immature", lambda: pool.get("/v1/blocks").json["blocks"][0]["state"] == "immature")
        before = len(rows(pool, "/v1/rounds", "rounds"))
        answer = pool.must_control("reward_distributor", "distribute_now")
        assert answer, answer
        assert len(rows(pool, "/v1/rounds", "rounds")) == before + 1
        round_ = wait_for_round_with(pool, block)
        assert round_["credited_sats"] > 0
        pool.must_control("reward_distributor", "distribute_now")
        assert len(rows(pool, "/v1/rounds", "rounds")) == before + 2
        assert pool.pool()["ledger_sum_sats"] == 0


def test_paused_rounds_do_not_close_and_are_made_up_for(own_pool, uri):
    pool = own_pool
    miner = pool.miner(uri)
    pool.must_control("reward_distributor", "pause")
    time.sleep(0.5)
    block = miner.block()
    before = rows(pool, "/v1/rounds", "rounds")
    time.sleep(2.5)
    assert rows(pool, "/v1/rounds", "rounds") == before
    pool.restart(kill=True)
    time.sleep(1.5)
    assert rows(pool, "/v1/rounds", "rounds") == before, "it stays paused over a restart"
    pool.must_control("reward_distributor", "resume")
    wait_for_round_with(pool, block)


def test_the_fee_changes_for_the_next_round_and_outlives_a_restart(own_pool, uri):
    pool = own_pool
    miner = pool.miner(uri)
    answer = pool.must_control("reward_distributor", "set_fee", fee_bps=250)
    assert answer["fee_bps"] == 250
    round_ = wait_for_round_with(pool, miner.block())
    assert round_["fee_sats"] == 5_000_000_000 * 250 // 10_000
    pool.restart(kill=True)
    assert pool.pool()["fee_bps"] == 250
    pool.must_control("reward_distributor", "set_fee", fee_bps=0)
    round_ = wait_for_round_with(pool, miner.block())
    assert round_["fee_sats"] == 0
    pool.must_control("reward_distributor", "set_fee", fee_bps=10000)
    round_ = wait_for_round_with(pool, miner.block())
    assert (round_["fee_sats"], round_["credited_sats"]) == (5_000_000_000, 0)


# The audit trail.


def test_every_message_lands_in_the_audit_trail(own_pool, uri):
    pool = own_pool
    miner = pool.miner(uri)
    sent = [
        ("pool_manager", "status", {}),
        ("miner_manager", "ban", {"hotkey": miner.hotkey, "reason": "r"}),
        ("miner_manager", "unban", {"hotkey": miner.hotkey}),
        ("reward_distributor", "set_fee", {"fee_bps": 7}),
        ("work_manager", "refresh", {}),
    ]
    for actor, message, fields in sent:
        pool.must_control(actor, message, **fields)
    refused = pool.control("miner_manager", "set_share_difficulty", hotkey=Miner(pool, "//X").hotkey, difficulty=1)
    assert refused.status == 409
    trail = pool.audit()["audit"]
    for entry in trail:
        assert {"id", "at", "who", "actor", "message", "fields", "outcome"} <= set(entry)
        assert is_instant(entry["at"]) and entry["who"] == "token"
    assert [(e["actor"], e["message"], e["fields"]) for e in reversed(trail)][: len(sent)] == sent
    assert trail[0]["message"] == "set_share_difficulty" and "refused" in str(trail[0]["outcome"])
    ids = [entry["id"] for entry in trail]
    assert ids == sorted(ids, reverse=True)
    pool.restart(kill=True)
    assert pool.audit()["audit"] == trail, "the trail outlives a kill"
    # By pages it is the same.
    paged, cursor = [], ""
    while cursor is not None:
        page = pool.audit(f"?limit=2{cursor and '&cursor=' + cursor}")
        paged += page["audit"]
        cursor = page["next_cursor"]
    assert paged == trail


def test_a_message_that_nobody_understands_is_in_the_trail_too(own_pool):
    # "Every message lands in an append-only audit trail": also what was refused for its form.
    own_pool.control("nobody", "explode", what=1)
    trail = own_pool.audit()["audit"]
    assert trail and (trail[0]["actor"], trail[0]["message"]) == ("nobody", "explode"), trail


def test_nobody_elses_words_are_in_the_trail(own_pool):
    assert own_pool.control("pool_manager", "status", token="wrong").status == 401
    assert own_pool.audit()["audit"] == []


# paymaster


def test_payouts_are_paused_and_resumed_and_stay_so_over_a_restart(own_pool):
    assert own_pool.must_control("paymaster", "pause") == {"paused": True}
    own_pool.restart(kill=True)
    assert own_pool.must_control("pool_manager", "status")["payouts"]["paused"] is True
    assert own_pool.must_control("paymaster", "resume") == {"paused": False}


def test_a_dry_run_says_what_would_be_sent_and_sends_nothing(own_pool, uri):
    miner = own_pool.miner(uri)
    plan = own_pool.must_control("paymaster", "pay_now", dry_run=True)
    assert plan["dry_run"] is True and plan["total_sats"] == 0 and plan["outputs"] == []
    answer = own_pool.get(f"/v1/miners/{miner.hotkey}/payouts")
    assert answer.json == {"payouts": [], "next_cursor": None}


def test_a_threshold_is_never_below_what_the_network_carries(own_pool):
    problem(own_pool.control("paymaster", "set_threshold", threshold_sats=5), 409, "control_refused")
    own_pool.must_control("paymaster", "set_threshold", threshold_sats=250_000)
    problem(own_pool.control("paymaster", "set_threshold"), 422, "control_field_invalid", "threshold_sats")
    problem(own_pool.control("paymaster", "empty_the_wallet"), 422, "control_unknown", "message")

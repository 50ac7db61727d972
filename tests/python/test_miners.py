"""Registration, sessions, and what anyone may know of a miner."""

import pytest
from harness import Miner, is_instant, problem, ss58, base58_decode

# Addresses of the devnet, which writes them as Bitcoin's regtest does.
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
OTHER_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
MAIN_ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def test_registering_answers_201_once_and_200_from_then_on(pool, uri):
    miner = Miner(pool, uri)
    first = miner.register()
    assert first.status == 201, first
    body = first.json
    assert set(body) == {"hotkey", "registration_success", "registered_at", "payout_address"}
    assert body["hotkey"] == miner.hotkey
    assert body["registration_success"] is True
    assert is_instant(body["registered_at"])
    assert body["payout_address"] is None
    again = miner.register()
    assert again.status == 200, again
    assert again.json == body


def test_a_payout_address_is_kept_changed_and_left_alone(pool, uri):
    miner = Miner(pool, uri)
    assert miner.register(payout_address=ADDRESS).json["payout_address"] == ADDRESS
    assert miner.register().json["payout_address"] == ADDRESS
    assert miner.register(payout_address=OTHER_ADDRESS).json["payout_address"] == OTHER_ADDRESS
    assert miner.status()["payout_address"] == OTHER_ADDRESS


@pytest.mark.parametrize("address", ["", "nonsense", MAIN_ADDRESS, ADDRESS[:-1] + "q", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "a" * 10000, "bcrt1\u00e9"])
def test_an_address_that_the_chain_can_not_pay_is_refused(pool, uri, address):
    miner = Miner(pool, uri)
    problem(miner.register(payout_address=address), 422, "payout_address_invalid", "payout_address")
    # A refused registration registers nobody.
    problem(miner.signed("POST", "/v1/sessions", {}), 404, "miner_unknown")


@pytest.mark.parametrize(
    "body, field",
    [
        (b"{", None),
        (b"", "ok"),
        (b"[]", None),
        (b"null", None),
        (b'"x"', None),
        (b"{} {}", None),
        (b'{"payout_address": 1}', "payout_address"),
        (b'{"payout_address": ["x"]}', "payout_address"),
        (b'{"payoutAddress": "x"}', "payoutAddress"),
        (b'{"payout_address": null, "extra": 1}', "extra"),
        (b'{"payout_address": null, "payout_address": null}', "payout_address"),
        (b"\xff\xfe", None),
        (b'{"a":' * 5000, "a"),
    ],
)
def test_a_body_of_another_shape_is_refused(pool, uri, body, field):
    miner = Miner(pool, uri)
    answer = miner.signed("POST", "/v1/miners", body)
    if field == "ok":
        # Nothing at all is an empty object: there is nothing that must be said.
        assert answer.status == 201, answer
        return
    problem(answer, 400, "body_invalid", field)
    problem(miner.signed("POST", "/v1/sessions", {}), 404, "miner_unknown")


def test_opening_a_session_answers_token_and_end(pool, uri):
    miner = Miner(pool, uri)
    miner.register()
    answer = miner.signed("POST", "/v1/sessions", {})
    assert answer.status == 201, answer
    assert set(answer.json) == {"token", "expires_at"}
    assert is_instant(answer.json["expires_at"])
    problem(miner.signed("POST", "/v1/sessions", {"ttl": 5}), 400, "body_invalid", "ttl")


MINER_FIELDS = {
    "hotkey", "registered_at", "payout_address", "hashrate", "shares", "performance", "balance_sats", "workers",
}


def test_a_miner_has_exactly_the_documented_fields(pool, uri):
    miner = pool.miner(uri)
    miner.accepted("rig-1")
    miner.accepted("rig-2")
    status = miner.status()
    # Beyond what is promised there are the miner's record (the blocks that it found and those to be expected), hashrates
    # from the ledger, its place in the window and its next payout.
    assert set(status) == MINER_FIELDS | {"blocks", "hashrates", "next_payout", "window"}
    assert status["hotkey"] == miner.hotkey
    assert is_instant(status["registered_at"])
    assert set(status["shares"]) == {"accepted", "rejected"}
    assert status["shares"]["accepted"] == 2
    assert set(status["performance"]) == {"units", "window_units"}
    for units in status["performance"].values():
        assert isinstance(units, str) and float(units) >= 0
    assert set(status["balance_sats"]) == {"immature", "payable", "in_flight", "paid"}
    assert all(isinstance(sats, int) for sats in status["balance_sats"].values())
    assert isinstance(status["hashrate"], (int, float))
    assert [worker["name"] for worker in sorted(status["workers"], key=lambda w: w["name"])] == ["rig-1", "rig-2"]
    for worker in status["workers"]:
        fields = {"name", "hashrate", "hashrates", "share_difficulty", "last_share_at", "last_share_age_secs", "shares", "rejected"}
        assert set(worker) == fields
        assert worker["shares"] == 1
        assert is_instant(worker["last_share_at"])
        assert worker["share_difficulty"] > 0


def test_a_worker_that_has_not_mined_yet_has_no_last_share(pool, uri):
    miner = pool.miner(uri)
    miner.job("idle")
    (worker,) = miner.status()["workers"]
    assert (worker["name"], worker["shares"], worker["last_share_at"]) == ("idle", 0, None)


def test_rejected_shares_are_counted_by_reason(pool, uri):
    miner = pool.miner(uri)
    share, _, _ = miner.accepted()
    (verdict,) = miner.verdicts(share)
    reasons = {verdict["reason"]}
    (verdict,) = miner.verdicts({**share, "job_id": "f" * 56})
    reasons.add(verdict["reason"])
    rejected = miner.status()["shares"]["rejected"]
    for reason in reasons:
        assert rejected[reason] == 1, rejected
    assert sum(rejected.values()) == 2, rejected


def test_an_unknown_miner_is_not_found(pool):
    stranger = Miner(pool, "//Stranger")
    for page in ("", "/credits", "/payouts"):
        problem(pool.get(f"/v1/miners/{stranger.hotkey}{page}"), 404, "miner_unknown")


def test_a_text_that_is_no_hotkey_is_nobody(pool, uri):
    key = base58_decode(Miner(pool, uri).hotkey)[1:33]
    for text in ("x", "5" * 48, ss58(key, 0), "%20", "a" * 3000):
        answer = pool.get(f"/v1/miners/{text}")
        assert answer.status == 404 and answer.code == "miner_unknown", answer


def test_a_miner_outlives_a_restart(own_pool, uri):
    miner = own_pool.miner(uri)
    miner.register(payout_address=ADDRESS)
    miner.accepted("rig-1")
    before = miner.status()
    own_pool.restart(kill=True)
    after = miner.status()
    for field in ("hotkey", "registered_at", "payout_address"):
        assert after[field] == before[field]
    assert after["shares"]["accepted"] == 1
    assert [worker["name"] for worker in after["workers"]] == ["rig-1"]
    assert miner.register().status == 200


def test_every_one_of_a_miners_shares_is_counted_after_a_kill(own_pool, uri):
    miner = own_pool.miner(uri)
    for _ in range(5):
        miner.accepted("a")
    for _ in range(3):
        miner.accepted("b")
    own_pool.restart(kill=True)
    status = miner.status()
    assert status["shares"]["accepted"] == 8
    assert {worker["name"]: worker["shares"] for worker in status["workers"]} == {"a": 5, "b": 3}


def test_there_are_no_payouts_yet_and_the_page_has_its_shape(pool, uri):
    miner = pool.miner(uri)
    answer = pool.get(f"/v1/miners/{miner.hotkey}/payouts?limit=5")
    assert answer.status == 200 and answer.json == {"payouts": [], "next_cursor": None}, answer

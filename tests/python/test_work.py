"""Work and shares: what is given out, what is taken, and every reason for which a share does not count."""

import http.client
import json
import re
import threading
import time

import pytest
from harness import TARGET_ONE, Job, Miner, Pool, eventually, is_instant, problem

WORK_FIELDS = {
    "job_id", "algorithm", "height", "header", "version_mask", "time_min", "time_max", "share_target",
    "share_difficulty", "network_target", "expires_at",
}


def rejected(verdict, reason):
    assert verdict["verdict"] == "rejected", verdict
    assert verdict["reason"] == reason, verdict
    assert verdict["detail"], verdict
    allowed = {"verdict", "reason", "detail"} | ({"sequence"} if reason == "duplicate" else set())
    assert set(verdict) == allowed, verdict


def test_work_has_exactly_the_documented_fields(miner):
    work = miner.job("rig-1").work
    assert set(work) == WORK_FIELDS
    assert isinstance(work["job_id"], str) and work["job_id"]
    assert work["algorithm"] == "sha256d"
    assert work["height"] == miner.pool.pool()["height"] + 1
    assert re.fullmatch("[0-9a-f]{160}", work["header"])
    assert work["header"].endswith("00000000"), "the nonce is the miner's to choose"
    assert re.fullmatch("[0-9a-f]{8}", work["version_mask"]), "a byte string: hex, as Stratum writes it"
    for target in ("share_target", "network_target"):
        assert re.fullmatch("[0-9a-f]{64}", work[target])
    difficulty = TARGET_ONE / int(work["share_target"], 16)
    assert abs(work["share_difficulty"] / difficulty - 1) < 1e-9
    assert int(work["share_target"], 16) >= int(work["network_target"], 16)
    assert work["time_min"] <= Job(work).time <= work["time_max"]
    assert is_instant(work["expires_at"])


def test_no_two_jobs_have_the_same_header(pool, miner, uri):
    other = pool.miner(uri + "//other")
    jobs = [m.job(worker) for m in (miner, other) for worker in ("a", "b") for _ in range(10)]
    assert len({job.header[4:68] for job in jobs}) == len(jobs)
    assert len({job.id for job in jobs}) == len(jobs)


def test_a_share_is_accepted_with_its_documented_fields(miner):
    share, share_id, verdict = miner.accepted("rig-1", block=False)
    assert set(verdict) == {"verdict", "share_id", "share_difficulty", "sequence", "block"}
    assert verdict["share_id"] == share_id
    assert verdict["block"] is False
    assert isinstance(verdict["sequence"], int) and verdict["sequence"] > 0
    assert verdict["share_difficulty"] > 0


@pytest.mark.parametrize("lanes", ["auto", "plain", "avx2", "avx512", "sha-extensions"])
def test_every_way_to_hash_takes_the_same_shares(lanes):
    """What the machine does not have is told, and another way is taken."""
    with Pool(hashing__lanes=lanes) as pool:
        said = re.search(r"SHA-256d is hashed by (\S+)", pool.log())[1]
        assert lanes in ("auto", said) or f'hashing.lanes = "{lanes}": this processor has none' in pool.log()
        miner = pool.miner()
        for count in (1, 2, 3, 9, 17):
            jobs = [miner.job("rig") for _ in range(count)]
            found = [job.find(block=False)[0] for job in jobs]
            missed = [job.find(above_target=True)[0] for job in jobs]
            verdicts = miner.verdicts(*(share for pair in zip(found, missed, strict=True) for share in pair))
            assert [verdict["verdict"] for verdict in verdicts] == ["accepted", "rejected"] * count
            assert {verdict["reason"] for verdict in verdicts[1::2]} == {"low_difficulty"}


def test_credit_comes_from_the_issued_target_not_from_the_hash(miner):
    # A share that happens to be a block counts for no more than any other share of its job.
    _, _, verdict = miner.accepted(block=True)
    assert verdict["block"] is True
    assert verdict["share_difficulty"] < 1e-6


def test_sequences_grow_by_one(own_pool, uri):
    miner = own_pool.miner(uri)
    sequences = [miner.accepted(block=False)[2]["sequence"] for _ in range(20)]
    assert sequences == list(range(1, 21))


def test_a_batch_is_answered_in_order(miner):
    for _ in range(20):
        job = miner.job()
        good = [job.find(block=False) for _ in range(3)]
        low, _ = job.find(above_target=True)
        shares = [good[0][0], low, good[1][0], good[0][0], {**low, "job_id": "0" * 56}, good[2][0]]
        verdicts = miner.verdicts(*shares)
        if all(verdict.get("reason") == "stale" for verdict in verdicts[:4]):
            continue
        assert [verdict.get("share_id") for verdict in verdicts] == [
            good[0][1], None, good[1][1], None, None, good[2][1],
        ]
        rejected(verdicts[1], "low_difficulty")
        rejected(verdicts[3], "duplicate")
        rejected(verdicts[4], "unknown_job")
        assert verdicts[3]["sequence"] == verdicts[0]["sequence"]
        first = verdicts[0]["sequence"]
        assert [verdicts[2]["sequence"], verdicts[5]["sequence"]] == [first + 1, first + 2]
        return
    raise AssertionError("every one of 20 jobs was stale at once")


def test_no_shares_is_no_mistake(miner):
    answer = miner.submit()
    assert answer.status == 200 and answer.json == {"results": []}, answer


def test_the_time_may_be_rolled_within_its_bounds(miner):
    for time_of in (lambda work: work["time_min"], lambda work: work["time_max"], lambda work: Job(work).time + 1):
        for _ in range(20):
            job = miner.job()
            rolled = time_of(job.work)
            share, share_id = job.find(time=rolled)
            (verdict,) = miner.verdicts(share)
            if verdict["verdict"] == "accepted":
                assert verdict["share_id"] == share_id
                break
            assert verdict["reason"] == "stale", verdict
        else:
            raise AssertionError("every job was stale at once")


def test_a_time_outside_its_bounds_is_refused(miner):
    job = miner.job()
    for bad in (job.work["time_min"] - 1, job.work["time_max"] + 1, 0, (1 << 32) - 1):
        share, _ = job.find(time=bad)
        (verdict,) = miner.verdicts(share)
        rejected(verdict, "time_out_of_range")


def test_the_masked_bits_of_the_version_may_be_rolled(miner):
    mask = int(miner.job().work["version_mask"], 16)
    bits = [1 << bit for bit in range(32) if mask >> bit & 1]
    assert len(bits) == 24, "the mask of BIP323"
    for flip in (bits[0], bits[-1], mask):
        for _ in range(20):
            job = miner.job()
            share, share_id = job.find(version=job.version ^ flip, time=job.time + 1)
            (verdict,) = miner.verdicts(share)
            if verdict["verdict"] == "accepted":
                assert verdict["share_id"] == share_id
                break
            assert verdict["reason"] == "stale", verdict
        else:
            raise AssertionError("every job was stale at once")


def test_a_bit_outside_the_mask_is_refused(miner):
    job = miner.job()
    mask = int(job.work["version_mask"], 16)
    for bit in (bit for bit in range(32) if not mask >> bit & 1):
        share, _ = job.find(version=job.version ^ (1 << bit))
        (verdict,) = miner.verdicts(share)
        rejected(verdict, "version_out_of_mask")


def test_numbers_may_be_hex_as_stratum_writes_them(miner):
    for _ in range(20):
        job = miner.job()
        share, share_id = job.find(time=job.time, version=job.version)
        written = {key: value if key == "job_id" else f"{value:08x}" for key, value in share.items()}
        (verdict,) = miner.verdicts(written)
        if verdict["verdict"] == "accepted":
            assert verdict["share_id"] == share_id
            return
    raise AssertionError("every job was stale at once")


def test_a_repeat_is_a_duplicate_with_the_sequence_of_the_first(miner):
    share, _, first = miner.accepted("rig-1", block=False)
    for again in (share, share):
        (verdict,) = miner.verdicts(again, worker="rig-1")
        if verdict["reason"] != "stale":
            rejected(verdict, "duplicate")
            assert verdict["sequence"] == first["sequence"]


def test_the_same_header_written_differently_is_a_duplicate(miner):
    for _ in range(20):
        job = miner.job()
        share, _ = job.find(block=False)
        spelled_out = {**share, "time": job.time, "version": job.version}
        first, second = miner.verdicts(share, spelled_out)
        if first["verdict"] == "accepted":
            rejected(second, "duplicate")
            assert second["sequence"] == first["sequence"]
            return
    raise AssertionError("every job was stale at once")


def test_the_same_share_from_many_connections_at_once_counts_once(own_pool, uri):
    miner = own_pool.miner(uri)
    for _ in range(10):
        share, _ = miner.job().find(block=False)
        verdicts = []
        threads = [threading.Thread(target=lambda: verdicts.extend(miner.verdicts(share))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted = [verdict for verdict in verdicts if verdict["verdict"] == "accepted"]
        assert len(verdicts) == 8 and len(accepted) == 1, verdicts
        for verdict in verdicts:
            if verdict is not accepted[0]:
                rejected(verdict, "duplicate")
                assert verdict["sequence"] == accepted[0]["sequence"]


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_repeat_after_a_restart_is_a_duplicate_with_the_sequence_of_the_first(own_pool, uri, kill):
    miner = own_pool.miner(uri)
    job = miner.job("rig-1")
    shares = [job.find(block=False) for _ in range(3)]
    firsts = miner.verdicts(*(share for share, _ in shares))
    assert all(verdict["verdict"] == "accepted" for verdict in firsts), firsts
    own_pool.restart(kill=kill)
    for verdict, first in zip(miner.verdicts(*(share for share, _ in shares)), firsts):
        rejected(verdict, "duplicate")
        assert verdict["sequence"] == first["sequence"]
    # The job outlives the restart too: what is new counts.
    share, share_id = job.find(block=False)
    (verdict,) = miner.verdicts(share)
    assert (verdict["verdict"], verdict["share_id"]) == ("accepted", share_id)
    assert verdict["sequence"] == firsts[-1]["sequence"] + 1


def test_a_hash_above_the_target_is_refused(miner):
    share, _ = miner.job().find(above_target=True)
    (verdict,) = miner.verdicts(share)
    rejected(verdict, "low_difficulty")


def test_a_job_that_the_pool_did_not_give_is_unknown(pool, miner, uri):
    job = miner.job()
    share, _ = job.find()
    altered = job.id[:-1] + ("0" if job.id[-1] != "0" else "1")
    harder_to_see = job.id[:2] + ("0" if job.id[2] != "0" else "1") + job.id[3:]
    for job_id in ("", "x", "0" * len(job.id), altered, harder_to_see, job.id + "00", job.id[:-2], "\u00e9" * 10, "a" * 50_000):
        (verdict,) = miner.verdicts({**share, "job_id": job_id})
        rejected(verdict, "unknown_job")
    other = pool.miner(uri + "//other")
    (verdict,) = other.verdicts(share)
    rejected(verdict, "unknown_job")


def test_a_target_can_not_be_made_easier_by_editing_the_job_id(miner):
    job = miner.job()
    share, _ = job.find(above_target=True)
    for place in range(0, len(job.id)):
        for digit in "0f":
            if job.id[place] != digit:
                (verdict,) = miner.verdicts({**share, "job_id": job.id[:place] + digit + job.id[place + 1 :]})
                rejected(verdict, "unknown_job")


def test_a_job_given_to_another_worker_is_refused_for_this_one(miner):
    miner.job("rig-2")
    share, _ = miner.job("rig-1").find(block=False)
    (verdict,) = miner.verdicts(share, worker="rig-2")
    rejected(verdict, "unknown_job")
    assert "worker" in verdict["detail"]
    (verdict,) = miner.verdicts(share, worker="never-seen")
    rejected(verdict, "unknown_job")
    (verdict,) = miner.verdicts(share, worker="rig-1")
    assert verdict["verdict"] == "accepted" or verdict["reason"] == "stale"


def test_a_job_is_stale_once_its_block_was_found(miner):
    job = miner.job()
    share, _ = job.find(block=False)
    miner.block()
    eventually("the handler has the new work", lambda: miner.job().work["height"] > job.work["height"])
    (verdict,) = miner.verdicts(share)
    rejected(verdict, "stale")


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("worker=", "worker"),
        ("worker=a%20b", "worker"),
        ("worker=" + "a" * 65, "worker"),
        ("worker=%C3%A9", "worker"),
        ("worker=a&worker=b", "worker"),
        ("longpoll=", "longpoll"),
        ("longpoll=x", "longpoll"),
        ("longpol=x", "longpol"),
        ("worker=a&extra=1", "extra"),
    ],
)
def test_a_wrong_query_is_refused_by_name(miner, query, parameter):
    problem(miner.request("GET", "/v1/work?" + query), 400, "query_invalid", parameter)


def test_worker_names_of_every_allowed_kind_are_taken(miner):
    for name in ("a", "Z9", "rig-1.card_2", "a" * 64):
        assert miner.fetch(name).status == 200


def test_a_thousand_shares_are_taken_and_one_more_is_refused(own_pool, uri):
    miner = own_pool.miner(uri)
    job = miner.job()
    shares = [job.find(block=False)[0] for _ in range(1000)]
    answer = miner.submit(*shares, job.find(block=False)[0])
    problem(answer, 422, "too_many_shares", "shares")
    assert own_pool.pool()["shares"]["accepted"] == 0, "nothing of a refused request counts"
    verdicts = miner.verdicts(*shares)
    assert [verdict["verdict"] for verdict in verdicts] == ["accepted"] * 1000
    assert [verdict["sequence"] for verdict in verdicts] == list(range(1, 1001))


def test_an_oversized_body_is_refused(pool, miner):
    limit = 1_048_576
    body = b'{"shares": [' + b" " * limit + b"]}"
    problem(miner.request("POST", "/v1/work", body), 413, "body_too_large")
    # Nothing but the length is wrong with it.
    body = b'{"shares": [' + b" " * (limit - 20) + b"]}"
    assert miner.request("POST", "/v1/work", body).status == 200


def test_an_oversized_body_in_chunks_is_refused(pool, miner):
    connection = http.client.HTTPConnection(*pool.address, timeout=20)
    pieces = (b" " * 65536 for _ in range(64))
    try:
        connection.request("POST", "/v1/work", body=pieces, headers=miner.bearer(), encode_chunked=True)
        response = connection.getresponse()
        assert response.status == 413, response.read()
    except (BrokenPipeError, ConnectionResetError):
        pass  # The pool answered and closed before all of it was sent, which is its right.
    finally:
        connection.close()
    assert pool.get("/readyz").status == 200

WRONG = [
    ('{"shares": [{"job_id": "x", "nonce": "x"}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": -1}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": 4294967296}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": 1.5}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": 1e3}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": true}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": null}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": [1]}]}', "nonce"),
    ('{"shares": [{"job_id": "x", "nonce": NaN}]}', None),
    ('{"shares": [{"job_id": "x"}]}', "nonce"),
    ('{"shares": [{"nonce": 1}]}', "job_id"),
    ('{"shares": [{"job_id": 7, "nonce": 1}]}', "job_id"),
    ('{"shares": [{"job_id": null, "nonce": 1}]}', "job_id"),
    ('{"shares": [{"job_id": "x", "nonce": 1, "time": "now"}]}', "time"),
    ('{"shares": [{"job_id": "x", "nonce": 1, "time": -5}]}', "time"),
    ('{"shares": [{"job_id": "x", "nonce": 1, "version": 4294967296}]}', "version"),
    ('{"shares": [{"job_id": "x", "nonce": 1, "difficulty": 9}]}', "difficulty"),
    ('{"shares": [{"job_id": "x", "nonce": 1, "nonce": 2}]}', "nonce"),
    ('{"shares": [7]}', "shares"),
    ('{"shares": {}}', "shares"),
    ('{"shares": null}', "shares"),
    ("{}", "shares"),
    ('{"share": []}', "share"),
    ('{"shares": [], "hotkey": "x"}', "hotkey"),
    ('{"shares": [], "worker": ""}', "worker"),
    ('{"shares": [], "worker": 1}', "worker"),
    ('{"shares": [], "worker": "a b"}', "worker"),
    ('{"shares": []', None),
    ('{"shares": []} x', None),
    ("[]", None),
    ("[null, []]", None),
    ('{"shares": [["x", 1, null, null]]}', "shares"),
    ("", None),
    ("[" * 100_000, None),
    ('{"shares": ' * 5_000, None),
]


@pytest.mark.parametrize("body, field", WRONG, ids=[body[:60] for body, _ in WRONG])
def test_a_body_of_another_shape_is_refused_by_field(miner, body, field):
    problem(miner.request("POST", "/v1/work", body), 400, "body_invalid", field)


def test_the_wrong_share_of_a_batch_is_named_by_its_place(miner):
    body = {"shares": [{"job_id": "x", "nonce": 1}, {"job_id": "x", "nonce": "one"}]}
    body = problem(miner.request("POST", "/v1/work", body), 400, "body_invalid")
    assert "shares[1].nonce" in body["detail"] + body.get("field", ""), body


def test_only_json_is_read(pool, miner):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {**miner.bearer(), "Content-Type": kind}
        problem(pool.request("POST", "/v1/work", b'{"shares": []}', headers), 415, "unsupported_media_type")
    for kind in ("application/json", "application/json; charset=utf-8", "APPLICATION/JSON"):
        headers = {**miner.bearer(), "Content-Type": kind}
        assert pool.request("POST", "/v1/work", b'{"shares": []}', headers).status == 200


def test_one_worker_more_than_the_limit_counts_for_default(uri):
    def shares(miner):
        # A name that found no place is shown while it has no work of its own.
        return {worker["name"]: worker["shares"] for worker in miner.status()["workers"] if worker["shares"]}

    with Pool(limits__workers_per_miner=3) as pool:
        miner = pool.miner(uri)
        for n in range(3):
            miner.accepted(f"rig-{n}")
        miner.accepted("rig-3")
        assert shares(miner) == {"rig-0": 1, "rig-1": 1, "rig-2": 1, "default": 1}
        pool.restart(kill=True)
        miner.accepted("rig-4")
        miner.accepted("rig-2")
        assert shares(miner) == {"rig-0": 1, "rig-1": 1, "rig-2": 2, "default": 2}
        pool.must_control("miner_manager", "remove_worker", hotkey=miner.hotkey, worker="rig-0")
        miner.accepted("rig-4")
        assert shares(miner) == {"rig-1": 1, "rig-2": 2, "rig-4": 1, "default": 2}
        assert miner.status()["shares"]["accepted"] == 7, "what it came to stays its miner's"


def test_miners_without_work_give_way_and_others_stay(uri):
    with Pool(limits__miners=2) as pool:
        workers = [pool.miner(f"{uri}//{n}") for n in range(2)]
        workers[0].accepted()
        # Miner 1 never had a share: it makes room, and the next newcomer for the one after.
        late = Miner(pool, f"{uri}//2")
        assert late.register().status == 201
        assert pool.get(f"/v1/miners/{workers[1].hotkey}").status == 404
        late.open_session()
        late.accepted()
        problem(Miner(pool, f"{uri}//3").register(), 403, "registration_closed")
        assert Miner(pool, f"{uri}//0").register().status == 200


def test_one_place_registers_so_many_hotkeys_in_an_hour(uri):
    with Pool(limits__new_miners_per_hour=3) as pool:
        for n in range(3):
            assert Miner(pool, f"{uri}//{n}").register().status == 201
        answer = Miner(pool, f"{uri}//3").register()
        problem(answer, 429, "too_many_new_miners")
        assert 0 < int(answer.headers["retry-after"]) <= 1200, answer.headers
        assert Miner(pool, f"{uri}//0").register().status == 200


def test_requests_may_follow_each_other_on_one_connection(pool, miner):
    connection = http.client.HTTPConnection(*pool.address, timeout=10)
    for _ in range(50):
        connection.request("GET", "/v1/work?worker=kept", headers=miner.bearer())
        response = connection.getresponse()
        assert response.status == 200
        work = json.loads(response.read())
        share, _ = Job(work).find()
        body = json.dumps({"shares": [share], "worker": "kept"})
        connection.request("POST", "/v1/work", body=body, headers=miner.bearer())
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()
    connection.close()


def test_a_workers_difficulty_follows_its_pace(uri):
    with Pool(work__share_interval_secs="0.5", chain__devnet_block_hashes=1_000_000_000) as pool:
        miner = pool.miner(uri)
        begin = miner.job().work["share_difficulty"]
        end = time.monotonic() + 4
        while time.monotonic() < end:
            miner.accepted(block=False)
        assert miner.job().work["share_difficulty"] > 50 * begin


def test_a_worker_with_mostly_wrong_shares_is_kept_out_alone_and_an_admin_lifts_it(uri):
    with Pool(http__reject_window=10, http__ban_secs=300, chain__devnet_block_hashes=1_000_000_000) as pool:
        miner = pool.miner(uri)
        job = miner.job("broken")
        wrong, _ = job.find(above_target=True)
        # Connections go to several handlers, each of which counts what it sees.
        for _ in range(40):
            answer = miner.submit(*[wrong] * 10, worker="broken")
            if answer.status != 200:
                break
        problem(answer, 503, "kept_out")
        assert 0 < int(answer.headers["retry-after"]) <= 300, answer.headers
        eventually("every handler knows", lambda: miner.submit(wrong, worker="broken").status == 503)
        miner.accepted("honest")
        (kept_out,) = pool.must_control("pool_manager", "status")["http"]["kept_out"]
        assert (kept_out["hotkey"], kept_out["worker"]) == (miner.hotkey, "broken"), kept_out
        assert "dwarves_http_kept_out 1\n" in pool.get("/metrics").body.decode()
        assert pool.must_control("http_gate", "lift", address="127.0.0.1") == {"lifted": 1}
        assert pool.control("http_gate", "lift", address="127.0.0.1").code == "control_refused"
        eventually("it may come again", lambda: miner.submit(wrong, worker="broken").status == 200)

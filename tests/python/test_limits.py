"""Every limit is a visible refusal: 503 `busy` with Retry-After, and what was refused did not happen."""

import socket
import threading
import time

import pytest
from harness import Miner, Pool, eventually, problem


def busy(answer):
    problem(answer, 503, "busy")
    assert int(answer.headers["retry-after"]) >= 1, answer.headers


def test_more_signed_requests_than_the_limit_are_refused_and_good_later(uri):
    with Pool(http__signed_requests_per_sec=2, http__workers=1) as pool:
        miner = Miner(pool, uri)
        refused = None
        for _ in range(20):
            headers = miner.sign("POST", "/v1/miners", b"{}")
            answer = pool.request("POST", "/v1/miners", b"{}", headers)
            if answer.status == 503:
                refused = headers
                break
            assert answer.status in (200, 201), answer
        assert refused, "20 signed requests at once passed a limit of 2 a second"
        busy(answer)
        # The nonce was not used up: the very same request is good a moment later.
        eventually(
            "the same request is taken", lambda: pool.request("POST", "/v1/miners", b"{}", refused).status in (200, 201),
            secs=8, every=0.3,
        )
        problem_or_busy = pool.request("POST", "/v1/miners", b"{}", refused)
        assert problem_or_busy.status in (401, 503), problem_or_busy


def test_more_nonces_than_the_guard_holds_are_refused_not_forgotten(uri):
    with Pool(limits__used_nonces=100) as pool:
        miner = Miner(pool, uri)
        first = miner.sign("POST", "/v1/miners", b"{}")
        assert pool.request("POST", "/v1/miners", b"{}", first).status == 201
        answers = [miner.register() for _ in range(110)]
        assert [answer.status for answer in answers].count(503) >= 10, [answer.status for answer in answers]
        busy(answers[-1])
        problem(pool.request("POST", "/v1/miners", b"{}", first), 401, "replayed")
        # They are too old after 10 s, and then there is room again.
        eventually("there is room again", lambda: miner.register().status == 200, secs=20, every=0.5)


def test_more_live_shares_than_are_remembered_are_refused_whole(uri):
    with Pool(limits__recent_shares=1000, chain__devnet_block_hashes=10**6) as pool:
        miner = pool.miner(uri)
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-9)
        job = miner.job()
        for _ in range(9):
            assert {v["verdict"] for v in miner.verdicts(*(job.find(block=False)[0] for _ in range(100)))} == {"accepted"}
        more = [job.find(block=False)[0] for _ in range(200)]
        answer = miner.submit(*more)
        busy(answer)
        assert pool.pool()["shares"]["accepted"] == 900, "nothing of a refused request counts"
        # What fits still counts, and so does what was refused before.
        assert {v["verdict"] for v in miner.verdicts(*more[:100])} == {"accepted"}
        busy(miner.submit(more[150]))
        (verdict,) = miner.verdicts(more[0])
        assert verdict["reason"] == "duplicate"


def test_a_job_that_brings_far_too_much_is_over_and_the_next_is_harder(uri):
    settings = {"limits__recent_shares_per_job_times": 1, "work__share_interval_secs": "120", "chain__devnet_block_hashes": 10**9}
    with Pool(**settings) as pool:
        miner = pool.miner(uri)
        job = miner.job()
        said = []
        for _ in range(11):
            said += miner.verdicts(*(job.find(block=False)[0] for _ in range(100)))
        assert [v["verdict"] for v in said[:1000]] == ["accepted"] * 1000
        assert {v["reason"] for v in said[1000:]} == {"stale"} and "recent_shares_per_job_times" in said[-1]["detail"]
        assert miner.job().work["share_difficulty"] > 19 * job.work["share_difficulty"]
        # Others are not touched, and neither is the miner itself with its next job.
        pool.miner(f"{uri}//other").accepted(block=False)
        miner.accepted(block=False)


def test_one_miner_can_not_fill_the_room_for_shares(uri):
    settings = {"limits__recent_shares": 1000, "limits__recent_shares_per_miner_percent": 50, "chain__devnet_block_hashes": 10**9}
    with Pool(**settings) as pool:
        miner = pool.miner(uri)
        pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-9)
        job = miner.job()
        for _ in range(5):
            assert {v["verdict"] for v in miner.verdicts(*(job.find(block=False)[0] for _ in range(100)))} == {"accepted"}
        answer = miner.submit(job.find(block=False)[0])
        busy(answer)
        assert "recent_shares_per_miner_percent" in answer.json["detail"], answer
        pool.miner(f"{uri}//other").accepted(block=False)
        pool.restart(kill=True)
        busy(miner.submit(job.find(block=False)[0]))
        pool.miner(f"{uri}//third").accepted(block=False)


def test_tiny_queues_refuse_and_lose_nothing(uri):
    small = {
        "limits__handler_mailbox": 1,
        "limits__manager_mailbox": 1,
        "limits__ledger_mailbox": 1,
        "http__requests_in_flight": 2,
        "http__workers": 2,
        "chain__devnet_block_hashes": 10**9,
    }
    with Pool(**small) as pool:
        acknowledged, statuses, failures = {}, {}, []

        def patiently(ask):
            for _ in range(1000):
                answer = ask()
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                if answer.status != 503:
                    return answer
                assert answer.code in ("busy", "unavailable", "no_work"), answer
                assert "retry-after" in answer.headers, answer.headers
            raise AssertionError("refused a thousand times")

        def mine(number):
            try:
                from harness import Job

                miner = Miner(pool, f"{uri}//{number}")
                assert patiently(miner.register).status == 201
                miner.token = patiently(lambda: miner.signed("POST", "/v1/sessions", {})).json["token"]
                job = Job(patiently(miner.fetch).json)
                for _ in range(30):
                    found = [job.find(block=False) for _ in range(3)]
                    answer = patiently(lambda: miner.submit(*(share for share, _ in found)))
                    assert answer.status == 200, answer
                    for (_, share_id), verdict in zip(found, answer.json["results"]):
                        # An answer that said "perhaps" is made good by asking again.
                        assert verdict["verdict"] == "accepted" or verdict["reason"] == "duplicate", verdict
                        acknowledged[share_id] = verdict["sequence"]
            except BaseException as failure:  # noqa: BLE001
                failures.append(failure)

        threads = [threading.Thread(target=mine, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        print(statuses)
        assert not failures, failures
        assert len(acknowledged) == 12 * 90
        assert sorted(acknowledged.values()) == list(range(1, 12 * 90 + 1))
        eventually("the pool counts them", lambda: pool.get("/v1/pool").status == 200)
        assert pool.pool()["shares"]["accepted"] == 12 * 90
        assert statuses.get(503, 0) > 0, "queues of 1 were never full"


def test_a_client_that_asks_ahead_and_never_reads_holds_less_than_a_megabyte():
    with Pool(http__workers=1) as pool:
        host, port = pool.url.split("//")[1].split(":")

        def held():
            with open(f"/proc/{pool.process.pid}/status") as status:
                return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

        assert pool.get("/openapi.json").status == 200
        before, lines = held(), []
        for path in ["/openapi.json", "/v1/pool"] * 5:
            line = socket.create_connection((host, int(port)))
            line.setblocking(False)
            ahead = memoryview(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 40_000)
            until = time.monotonic() + 0.5
            while ahead and time.monotonic() < until:
                try:
                    ahead = ahead[line.send(ahead[:65536]):]
                except BlockingIOError:
                    time.sleep(0.02)
            lines.append(line)
        assert (held() - before) / len(lines) < 1024
        assert pool.get("/healthz").status == 200
        for line in lines:
            line.close()


def test_idle_connections_hold_neither_health_nor_the_operator_out():
    with Pool(http__max_connections=20, http__workers=1) as pool:
        host, port = pool.url.split("//")[1].split(":")
        lines = []
        for _ in range(60):
            line = socket.create_connection((host, int(port)), timeout=5)
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            lines.append(line)
        for _ in range(5):
            assert pool.get("/healthz").status == 200
            assert pool.must_control("pool_manager", "status")
            assert pool.get("/v1/pool").status == 200
        for line in lines:
            line.close()


def test_places_of_long_polls_that_were_closed_come_back():
    with Pool(http__max_connections=60, chain__devnet_block_hashes=10**9) as pool:
        miner = pool.miner("//Waiting")
        job = miner.job("rig").id
        head = f"GET /v1/work?worker=rig&longpoll={job} HTTP/1.1\r\nHost: pool\r\n"
        request = f"{head}Authorization: Bearer {miner.token}\r\n\r\n".encode()
        polls = []
        for client in range(60):
            # Each from another address, so that no client's share is the limit. The second half is closed at once.
            poll = socket.socket()
            poll.bind((f"127.0.{client + 1}.1", 0))
            poll.connect(pool.address)
            poll.sendall(request)
            if client < 30:
                polls.append(poll)
            else:
                poll.close()
        time.sleep(1)
        for poll in polls:
            poll.close()
        eventually("there is room again", lambda: miner.fetch("rig").status == 200, 5)


def test_a_long_poll_hears_at_once_what_an_operator_decided(own_pool, uri):
    miner = own_pool.miner(uri)
    job = miner.job("rig")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(miner.fetch("rig", longpoll=job.id)))
    waiting.start()
    time.sleep(0.5)
    begin = time.monotonic()
    own_pool.must_control("miner_manager", "set_share_difficulty", hotkey=miner.hotkey, difficulty=1e-6)
    waiting.join(10)
    assert time.monotonic() - begin < 2
    assert answers[0].status == 200 and answers[0].json["share_difficulty"] == pytest.approx(1e-6, rel=1e-3), answers

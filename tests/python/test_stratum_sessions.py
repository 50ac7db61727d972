"""Stratum sessions over their life: new blocks, coming back, answers that come late, a clean stop, thousands of them."""

import concurrent.futures
import contextlib
import resource
import socket
import time

import pytest
from harness import Pool, eventually, free_port
from stratum import Client, Closed
from test_stratum import ADDRESS, STEADY, address_of, port

FREE = {**STEADY, "work.min_difficulty": "0.000000005", "work.max_difficulty": "1000"}


def mining(pool, user=f"{ADDRESS}.rig", password="x", number=0, **kwargs):
    client = Client(port(pool, number), **kwargs).subscribe().authorize(user, password)
    client.current_work()
    return client


@pytest.fixture(scope="module", autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_extranonce2_may_be_smaller_for_old_proxies():
    with Pool(**{**STEADY, "stratum.extranonce2_bytes": "4"}) as pool:
        with mining(pool) as client:
            assert client.extranonce2_size == 4
            share = client.work.find(extranonce2=0xDEADBEEF)
            client.accepted(share)
            assert client.rejected(share) == (22, "Duplicate share")


def test_what_an_operator_decides_reaches_open_sessions_at_once():
    with Pool(**FREE) as pool:
        address, identity = address_of(20)
        with mining(pool, f"{address}.rig") as client, mining(pool, f"{ADDRESS}.other") as other:
            before = len(other.works)
            begin = time.monotonic()
            pool.must_control("miner_manager", "set_share_difficulty", hotkey=identity, worker=None, difficulty=0.000001)
            assert client.next_work().difficulty == 0.000001
            client.ok("mining.ping")
            pool.must_control("miner_manager", "ban", hotkey=identity, reason="test")
            assert client.is_closed()
            assert time.monotonic() - begin < 5, "not within the minute in which sessions ask by themselves"
            other.ok("mining.ping")
            assert len(other.works) == before, "it is nothing to others"


def test_a_new_block_reaches_everyone_and_ends_the_work_before():
    settings = {**STEADY, "chain.devnet_block_hashes": "20000"}
    with Pool(**settings) as pool:
        clients = [mining(pool, f"{ADDRESS}.{number}") for number in range(20)]
        old = clients[0].work
        share = old.find(extranonce2=3, block=False)
        clients[0].accepted(old.find(extranonce2=4, block=True))
        for client in clients:
            assert client.work_after(old).clean is True
        assert clients[0].rejected(share) == (21, "Stale share")
        clients[0].accepted(clients[0].work.find(extranonce2=5))
        eventually("the block is the pool's", lambda: pool.get("/v1/blocks").json["blocks"])
        for client in clients:
            client.close()


def test_a_block_of_a_miner_that_rolled_everything_is_taken_by_the_chain():
    settings = {**STEADY, "chain.devnet_block_hashes": "20000"}
    with Pool(**settings) as pool:
        with Client(port(pool)) as client:
            client.ok("mining.configure", ["version-rolling"], {"version-rolling.mask": "1fffe000"})
            client.subscribe().authorize(f"{ADDRESS}.all")
            work = client.current_work()
            bits = client.messages and 0x00012000
            version = work.version & ~0x1FFFE000 | bits
            share = work.find(extranonce2=0x0102030405060708, time=work.time + 5, version=version, block=True)
            client.accepted(share, bits=f"{bits:08x}")
        (block,) = eventually("the block is known", lambda: pool.get("/v1/blocks").json["blocks"])
        assert block["state"] != "refused", block


def test_a_session_comes_back_after_kill_9_with_its_extranonce_and_difficulty():
    number = free_port()
    settings = {**FREE, "stratum.listen": f"127.0.0.1:{number}", "work.share_interval_secs": "4"}
    with Pool(**settings) as pool:
        with mining(pool, f"{ADDRESS}.back") as client:
            first, extranonce2 = client.difficulty, 0
            while client.difficulty < first * 4:
                client.accepted(client.work.find(extranonce2=extranonce2))
                extranonce2 += 1
                time.sleep(0.01)
            difficulty = client.work.difficulty
        with Client(port(pool)).subscribe(session=client.session).authorize(f"{ADDRESS}.back") as again:
            assert again.current_work().difficulty == difficulty
        # What sessions issue is saved every ten seconds.
        time.sleep(11)
        pool.restart(kill=True)
        with Client(port(pool)).subscribe(session=client.session).authorize(f"{ADDRESS}.back") as again:
            assert again.extranonce1 == client.extranonce1
            assert again.current_work().difficulty == difficulty
            fresh = mining(pool, f"{ADDRESS}.fresh")
            assert fresh.extranonce1 != client.extranonce1 and fresh.difficulty == first
            fresh.close()


def test_a_thousand_sessions_come_back_after_kill_9_and_nothing_acknowledged_is_lost():
    number = free_port()
    settings = {**STEADY, "stratum.listen": f"127.0.0.1:{number}", "limits.workers_per_miner": "2000"}

    def begin(at, session=None):
        client = Client(("127.0.0.1", number)).subscribe(session=session)
        client.authorize(f"{ADDRESS}.{at % 100}")
        return client

    with Pool(**settings) as pool:
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            clients = list(threads.map(begin, range(1_000)))

            def mine(client):
                share = client.current_work().find()
                client.accepted(share)
                return share

            shares = list(threads.map(mine, clients))
            # More is on its way when the pool dies.
            for client in clients:
                client.post("mining.submit", client.user, *client.work.find(extranonce2=1))
            pool.restart(kill=True)
            for client in clients:
                client.close()
            again = list(threads.map(lambda at: begin(at, clients[at].session), range(1_000)))
            assert [client.extranonce1 for client in again] == [client.extranonce1 for client in clients]
            assert len({client.extranonce1 for client in again}) == 1_000

            def repeated(at):
                # A share that was acknowledged is known; a job from before the crash is still a job.
                return again[at].rejected(shares[at], user=again[at].user)

            assert set(threads.map(repeated, range(1_000))) == {(22, "Duplicate share")}
            list(threads.map(mine, again))
        for client in again:
            client.close()


def test_a_thousand_sessions_are_let_go_and_nobody_waits_for_it():
    with Pool(**{**STEADY, "work.let_go_after_secs": "1"}) as pool:
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            clients = list(threads.map(lambda at: mining(pool, f"{ADDRESS}.{at % 50}"), range(1_000)))
            gate = pool.must_control("stratum_gate", "status")
            assert (gate["connections"], gate["let_go"]) == (1_000, 0), gate
            pool.must_control("pool_manager", "pause")
            closed = [threads.submit(client.is_closed) for client in clients]
            slowest = 0
            while not all(one.done() for one in closed):
                begin = time.monotonic()
                assert pool.get("/healthz").status == 200
                slowest = max(slowest, time.monotonic() - begin)
            assert all(one.result() for one in closed)
        assert slowest < 3, slowest
        told = [client.messages[-1] for client in clients]
        assert all(message["method"] == "client.show_message" for message in told)
        gate = pool.must_control("stratum_gate", "status")
        assert (gate["connections"], gate["let_go"]) == (0, 1_000), gate
        with Client(port(pool)) as newcomer:
            assert newcomer.is_closed()
        assert pool.must_control("stratum_gate", "status")["sent_away"] == 1
        pool.must_control("pool_manager", "resume")
        eventually("miners are taken back", lambda: can_mine(pool), 5, 0.1)


def can_mine(pool):
    try:
        with mining(pool) as client:
            client.accepted(client.work.find())
            return True
    except (Closed, OSError):
        return False


def test_a_slow_reader_is_dropped_and_the_others_do_not_notice():
    settings = {**STEADY, "stratum.unread_output_bytes": "16384"}
    with Pool(**settings) as pool:
        with mining(pool, f"{ADDRESS}.good") as good:
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            host, number = port(pool).rsplit(":", 1)
            slow.connect((host, int(number)))
            slow.sendall(b'{"id":1,"method":"mining.subscribe","params":[]}\n')
            slow.sendall(b'{"id":2,"method":"mining.authorize","params":["%s.slow","x"]}\n' % ADDRESS.encode())
            slow.setblocking(False)
            memory = pool.rss_bytes()
            ping = b'{"id":3,"method":"mining.ping","params":[]}\n' * 100
            with contextlib.suppress(BlockingIOError, ConnectionError):
                for _ in range(100_000):
                    slow.sendall(ping)
            end = time.monotonic() + 60
            dropped = False
            while not dropped and time.monotonic() < end:
                pool.must_control("work_manager", "refresh")
                good.next_work()
                good.accepted(good.work.find())
                dropped = is_reset(slow)
            assert dropped, "the slow reader is still there"
            assert pool.rss_bytes() < memory + 50_000_000


def is_reset(connection):
    """Whether the other end closed the connection, seen without reading what it sent."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0] != 1  # TCP_ESTABLISHED


def test_a_clean_stop_answers_what_was_submitted():
    with Pool(**STEADY) as pool:
        client = mining(pool)
        shares = [client.work.find(extranonce2=number) for number in range(200)]
        client.send(*[{"id": 4, "method": "mining.submit", "params": [client.user, *share]} for share in shares])
        client.answer(4)
        assert pool.stop() == 0
        answered = 1
        with pytest.raises(Closed):
            while True:
                client.answer(4)
                answered += 1
        assert answered == 200


def test_stratum_is_off_unless_it_is_asked_for():
    with Pool() as pool:
        assert pool.listen["stratum"] == []


def test_the_same_nonce_under_another_job_of_the_template_is_a_duplicate():
    with Pool(**FREE) as pool:
        with mining(pool) as client:
            first = client.work
            client.authorize(client.user, "md=0.00000002")
            # It may have come before the answer.
            second = client.work if client.work is not first else client.next_work()
            assert second.difficulty > first.difficulty and second.previous == first.previous
            # Good enough for either job; the header is the same, whatever the job is called.
            share = first.find(extranonce2=5, target=second.target)
            client.accepted([second.id, *share[1:]])
            assert client.rejected(share) == (22, "Duplicate share")


def test_thousands_of_sessions_take_little_memory_and_all_hear_of_new_work():
    count = 3_000
    with Pool(**{**STEADY, "work.share_interval_secs": "600", "limits.workers_per_miner": "5000"}) as pool:
        before = pool.rss_bytes()
        with concurrent.futures.ThreadPoolExecutor(32) as threads:
            clients = list(threads.map(lambda at: mining(pool, f"{ADDRESS}.{at}"), range(count)))
            time.sleep(1)
            idle = (pool.rss_bytes() - before) / count
            pool.must_control("work_manager", "refresh")
            works = list(threads.map(lambda client: client.next_work(), clients))
        after = (pool.rss_bytes() - before) / count
        assert len({work.time for work in works}) <= 3
        # Measured: 4.7 kB, a worker's place in the registry and the allocator's own rounding included.
        assert idle < 8_000 and after < 10_000, (idle, after)
        for client in clients:
            client.close()
        eventually("the sockets are given back", lambda: pool.open_files() < 200)


def test_a_miner_that_reads_late_gets_every_answer_and_soon():
    count = 20_000
    with Pool(**STEADY) as pool:
        with mining(pool) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            line = b'{"id":"late","method":"mining.ping","params":[]}\n'
            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                sending = threads.submit(client.socket.sendall, line * count)
                # More is on its way than the pool writes ahead: it stops reading, and goes on when this does.
                time.sleep(1)
                begin = time.monotonic()
                for _ in range(count):
                    assert client.answer("late")["result"] == "pong"
                sending.result()
            # Measured: below a second. A pool that forgot to go on would be reminded every five.
            assert time.monotonic() - begin < 30

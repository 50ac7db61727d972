"""Which difficulty a Stratum session works at: by its pace, its wishes, its listener, and what is its own."""

import time

import pytest
from harness import Pool, eventually, free_port
from stratum import Client
from test_stratum import ADDRESS, address_of, port
from test_stratum_sessions import FREE, mining


def test_difficulty_follows_the_pace_and_work_in_flight_counts_as_it_was_issued():
    settings = {**FREE, "work.share_interval_secs": "0.05"}
    with Pool(**settings) as pool:
        address, identity = address_of(10)
        with mining(pool, f"{address}.fast") as client:
            first = client.work
            late = first.find(extranonce2=1_000)
            number = 0
            while client.work is first:
                client.accepted(first.find(extranonce2=number))
                number += 1
                assert number < 200, "the difficulty was never raised"
            names = [message["method"] for message in client.messages[2:]]
            assert names[:2] == ["mining.set_difficulty", "mining.notify"]
            assert client.work.difficulty > first.difficulty
            assert client.work.clean is False, "the work before is still good"
            assert client.work.id != first.id and client.work.time > first.time
            # Power of two: what old firmware reads best.
            assert client.work.difficulty.hex().startswith("0x1.0000")
            before = float(pool.get(f"/v1/miners/{identity}").json["performance"]["units"])
            client.accepted(late)
            after = float(pool.get(f"/v1/miners/{identity}").json["performance"]["units"])
            network = pool.pool()["network_difficulty"]
            assert after - before == pytest.approx(first.difficulty / network, rel=1e-3)
            # A share of the new job must meet the new difficulty.
            weak = next(
                share
                for share in (client.work.find(extranonce2=n, target=first.target) for n in range(10_000))
                if not meets(client.work, share)
            )
            assert client.rejected(weak) == (23, "Low difficulty share")


def meets(work, share):
    from stratum import sha256d

    header = work.header(share[1], int(share[3], 16), int(share[2], 16))
    return int.from_bytes(sha256d(header), "little") <= work.target


def test_a_silent_miner_gets_easier_work():
    with Pool(**{**FREE, "work.start_difficulty": "0.5", "work.share_interval_secs": "0.5"}) as pool:
        with mining(pool) as client:
            assert client.difficulty <= 0.5
            first = client.difficulty
            eventually("the difficulty falls", lambda: client.next_work().difficulty < first, 30)


def test_the_passwords_wishes_raise_the_difficulty_and_never_the_credit():
    with Pool(**FREE) as pool:
        for password, at_least in [("d=0.001", 0.001), ("md=0.0005,x", 0.0005), ("x", 5e-9)]:
            with mining(pool, password=password) as client:
                assert client.difficulty >= at_least * 0.999
        # What is asked for beyond the block's own difficulty is not issued: a block is always a share.
        with mining(pool, password="md=1e30,d=999999") as client:
            network = pool.pool()["network_difficulty"]
            assert client.difficulty == pytest.approx(network, rel=1e-6)
            assert client.difficulty <= network


def test_listeners_have_difficulties_of_their_own(tmp_path):
    config = tmp_path / "pool.toml"
    config.write_text(
        """
        [[stratum.listeners]]
        listen = "127.0.0.1:0"
        start_difficulty = 0.0625
        min_difficulty = 0.0625
        max_difficulty = 1024
        """
    )
    with Pool(config=config, **FREE) as pool:
        assert len(pool.listen["stratum"]) == 2
        with mining(pool, number=1, password="d=0.00001") as large, mining(pool) as small:
            assert large.difficulty >= 0.0625
            assert small.difficulty < 0.001
            assert large.extranonce1 != small.extranonce1


def test_what_a_stranger_asks_for_under_a_rigs_name_is_not_what_the_rig_gets():
    number = free_port()
    settings = {**FREE, "stratum.listen": f"127.0.0.1:{number}"}
    with Pool(**settings) as pool:
        with mining(pool, f"{ADDRESS}.rig1") as rig:
            first = rig.difficulty
        with mining(pool, f"{ADDRESS}.rig1", password="d=1000000000000") as stranger:
            stranger.ok("mining.suggest_difficulty", 1e12)
            assert stranger.difficulty > first
        time.sleep(11)
        pool.restart(kill=True)
        with Client(port(pool)).subscribe(session=rig.session).authorize(f"{ADDRESS}.rig1") as again:
            assert again.extranonce1 == rig.extranonce1
            assert again.current_work().difficulty == first

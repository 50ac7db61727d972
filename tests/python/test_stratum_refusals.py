"""Who is put out of Stratum, kept out, or not let in, and that nobody else suffers for it."""

import time

from harness import Pool, eventually
from stratum import Client
from test_json_rpc import call
from test_stratum import ADDRESS, STEADY, address_of, port
from test_stratum_sessions import mining


def test_the_ladder_climbs_by_ratio_and_keeps_the_worker_out_not_its_farm():
    with Pool(**{**STEADY, "stratum.reject_window": "10", "stratum.ban_secs": "3"}) as pool:

        def misbehave():
            with mining(pool) as client:
                work = client.work
                bad = work.find(above=True)
                for _ in range(10):
                    assert client.rejected(bad) == (23, "Low difficulty share")
                assert client.next_work().clean is True
                for _ in range(10):
                    client.rejected(bad)
                client.ok("mining.ping")
                reconnect = [message for message in client.messages if message["method"] == "client.reconnect"]
                assert [message["params"] for message in reconnect] == [[]], "no host: to the same place"
                for _ in range(10):
                    client.post("mining.submit", client.user, *bad)
                assert client.is_closed()

        # Half of them wrong is not too many.
        with mining(pool) as client:
            for number in range(40):
                client.accepted(client.work.find(extranonce2=number))
                client.rejected(client.work.find(extranonce2=number, above=True))
            assert all(message["method"] != "client.reconnect" for message in client.messages)
        misbehave()
        mining(pool).close()
        misbehave()
        time.sleep(0.2)
        for _ in range(20):
            with Client(port(pool)).subscribe() as kept_out:
                code, text = kept_out.refused("mining.authorize", f"{ADDRESS}.rig", "x")
                assert code == 24 and "most of its shares were refused" in text, text
                assert kept_out.is_closed()
            # The rig beside it gets in every time.
            with mining(pool, f"{ADDRESS}.honest") as honest:
                honest.accepted(honest.work.find())
        (one,) = pool.must_control("pool_manager", "status")["stratum"]["kept_out"]
        assert (one["address"], one["worker"]) == ("127.0.0.1", "rig"), one
        assert 'dwarves_stratum_kept_out{kind="worker"} 1' in pool.get("/metrics").body.decode()
        assert pool.must_control("stratum_gate", "lift", address="127.0.0.1") == {"lifted": 1}
        assert pool.control("stratum_gate", "lift", address="127.0.0.1").code == "control_refused"
        mining(pool).close()
        misbehave()
        misbehave()
        time.sleep(0.2)
        # It is over by itself, too.
        eventually("it may come again", lambda: pool.must_control("stratum_gate", "status")["kept_out"] == [], 20, 0.5)
        mining(pool).close()


def test_an_address_is_kept_out_only_if_nobody_honest_is_there():
    with Pool(**{**STEADY, "stratum.reject_window": "10", "stratum.ban_secs": "30"}) as pool:

        def misbehave(name):
            with mining(pool, f"{ADDRESS}.{name}") as client:
                bad = client.work.find(above=True)
                for _ in range(20):
                    client.rejected(bad)
                for _ in range(10):
                    client.post("mining.submit", client.user, *bad)
                assert client.is_closed()

        with mining(pool, f"{ADDRESS}.honest") as honest:
            honest.accepted(honest.work.find())
        for number in range(10):
            misbehave(f"early{number}")
        # Nobody is connected any more, as after an outage of the line: the honest rig gets in.
        with mining(pool, f"{ADDRESS}.honest") as honest:
            honest.accepted(honest.work.find(extranonce2=1))
    with Pool(**{**STEADY, "stratum.reject_window": "10", "stratum.ban_secs": "30"}) as pool:
        for number in range(8):
            misbehave(f"late{number}")
        time.sleep(0.2)
        with Client(port(pool)) as kept_out:
            assert kept_out.is_closed()
        kept_out = pool.must_control("stratum_gate", "status")["kept_out"]
        assert [one["worker"] for one in kept_out] == [None], kept_out
        assert pool.must_control("stratum_gate", "lift", address="127.0.0.1") == {"lifted": 1}
        mining(pool).close()


def test_a_banned_miner_is_refused():
    with Pool(**STEADY) as pool:
        miner = pool.miner("//Banned")
        with mining(pool, f"{miner.hotkey}.rig") as client:
            pool.must_control("miner_manager", "ban", hotkey=miner.hotkey, reason="for the test")
            assert client.is_closed(), "at once, not within a minute"
            assert client.messages[-1]["method"] == "client.show_message"
        with Client(port(pool)).subscribe() as client:
            code, text = client.refused("mining.authorize", f"{miner.hotkey}.rig", "x")
            assert code == 24 and "banned" in text


def test_without_address_login_only_registered_miners_get_in():
    with Pool(**{**STEADY, "stratum.allow_address_login": "false"}) as pool:
        miner = pool.miner("//Strict")
        mining(pool, f"{miner.hotkey}.rig").close()
        with Client(port(pool)).subscribe() as client:
            assert client.refused("mining.authorize", f"{ADDRESS}.rig", "x")[0] == 24


def refused_addresses(pool):
    """How many logins of new addresses were refused, by reason."""
    lines = pool.get("/metrics").body.decode().splitlines()
    name = "dwarves_new_addresses_refused_total"
    return {line.split('"')[1]: int(line.split()[-1]) for line in lines if line.startswith(name)}


def test_one_place_brings_so_many_new_addresses_and_known_ones_always_get_in():
    settings = {**STEADY, "limits.new_addresses_per_hour": "5", "limits.miners": "20", "limits.address_miners_percent": "40"}
    with Pool(**settings) as pool, Client(port(pool)).subscribe() as flood:
        known = [address_of(1_000 + number)[0] for number in range(5)]
        for address in known:
            # Several machines of one newcomer are one newcomer.
            for worker in "ab":
                flood.authorize(f"{address}.{worker}")
        for number in range(5, 10):
            code, text = flood.refused("mining.authorize", f"{address_of(1_000 + number)[0]}.rig", "x")
            assert code == 24
            assert text == "Unauthorized worker: too many new addresses from here, please try again in 12 minutes"
        assert refused_addresses(pool) == {"rate_limit": 5, "no_room": 0}
        # The same holds over JSON-RPC, and for whoever opens more connections.
        answer = call(pool, f"{address_of(1_010)[0]}.rig", "getwork", [])
        assert answer.status == 429 and 0 < int(answer.headers["retry-after"]) <= 720, answer
        with Client(port(pool)).subscribe() as again:
            assert again.refused("mining.authorize", f"{address_of(1_011)[0]}.rig", "x")[0] == 24
        # Who is known, or registered, mines on.
        with mining(pool, f"{known[0]}.c") as client:
            client.accepted(client.work.find())
        assert call(pool, f"{known[1]}.d", "getwork", []).status == 200
        miner = pool.miner("//Registered")
        with mining(pool, f"{miner.hotkey}.rig") as client:
            client.accepted(client.work.find())

        pool.settings["limits.new_addresses_per_hour"] = "1000"
        pool.restart()
        # Addresses may have eight of the twenty places. Those with work keep theirs, and that outlives a restart.
        working = known + [address_of(1_000 + number)[0] for number in range(20, 23)]
        for address in working[:7]:
            with mining(pool, f"{address}.rig") as client:
                client.accepted(client.work.find())
        with Client(port(pool)).subscribe() as flood:
            # The last place is that of whoever came last without work.
            for number in range(24, 30):
                flood.authorize(f"{address_of(1_000 + number)[0]}.rig")
            with mining(pool, f"{working[7]}.rig") as client:
                client.accepted(client.work.find())
            code, text = flood.refused("mining.authorize", f"{address_of(1_030)[0]}.rig", "x")
            assert code == 24 and "register a hotkey" in text
            assert call(pool, f"{address_of(1_031)[0]}.rig", "getwork", []).status == 403
            assert refused_addresses(pool) == {"rate_limit": 0, "no_room": 2}
            flood.authorize(f"{known[4]}.rig")
        pool.miner("//RegisteredLater")

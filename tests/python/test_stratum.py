"""Stratum V1 as miners speak it, against the real binary."""

import hashlib
import json
import sqlite3
import time
from contextlib import closing

import pytest
from harness import Miner, Pool, base58_encode, ss58
from journals import shares_of
from stratum import Client, Work, sha256d

# Shares take some twenty hashes whatever the pace, and blocks some ten million: nothing happens by chance.
STEADY = {
    "stratum.listen": "127.0.0.1:0",
    "work.start_difficulty": "0.000000005",
    "work.min_difficulty": "0.000000005",
    "work.max_difficulty": "0.000000005",
    "work.share_interval_secs": "1",
    "chain.devnet_block_hashes": "1000000000",
}
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
MASK = 0x1FFFE000


@pytest.fixture(scope="module")
def pool():
    with Pool(**STEADY) as pool:
        yield pool


def port(pool, number=0):
    return pool.listen["stratum"][number]


def mining(pool, user=None, password="x", number=0):
    """A client that has work."""
    client = Client(port(pool, number)).subscribe().authorize(user or f"{ADDRESS}.rig", password)
    client.current_work()
    return client


@pytest.fixture
def client(pool):
    with mining(pool) as client:
        yield client


def test_a_session_begins_with_difficulty_and_then_work(client):
    methods = [message["method"] for message in client.messages]
    assert methods == ["mining.set_difficulty", "mining.notify"]
    assert client.work.clean is True
    assert client.extranonce2_size == 8
    assert len(bytes.fromhex(client.extranonce1)) == 4
    assert len(client.work.id) <= 32
    assert all(message["id"] is None for message in client.messages)


def test_a_share_is_accepted_once(client):
    share = client.work.find()
    client.accepted(share)
    assert client.rejected(share) == (22, "Duplicate share")


def address_of(number):
    """A regtest address (P2PKH) of its own, and the identity that the pool keeps its account under."""
    hash160 = hashlib.sha256(b"%d" % number).digest()[:20]
    payload = b"\x6f" + hash160
    text = base58_encode(payload + sha256d(payload)[:4])
    script = b"\x76\xa9\x14" + hash160 + b"\x88\xac"
    return text, ss58(hashlib.sha256(b"dwarves/address-identity/1" + script).digest())


def test_shares_count_for_the_address_that_logged_in(pool):
    address, identity = address_of(1)
    with mining(pool, f"{address}_rig7") as client:
        for number in range(5):
            client.accepted(client.work.find(extranonce2=number))
    status = pool.get(f"/v1/miners/{identity}").json
    assert status["payout_address"] == address
    assert [(worker["name"], worker["shares"]) for worker in status["workers"]] == [("rig7", 5)]


def test_nobody_can_register_as_an_addresss_identity(pool):
    """An address's identity has no secret key, so no signed request can ever change where it is paid."""
    address, identity = address_of(2)
    with mining(pool, address):
        pass
    thief = Miner(pool, "//Thief")
    body = json.dumps({"payout_address": ADDRESS}).encode()
    headers = thief.sign("POST", "/v1/miners", body)
    forged = {name: value.replace(thief.hotkey, identity) for name, value in headers.items()}
    assert pool.request("POST", "/v1/miners", body, forged).status == 401
    assert pool.get(f"/v1/miners/{identity}").json["payout_address"] == address


def test_a_registered_miner_mines_over_both_ways(pool):
    miner = pool.miner("//Both")
    with mining(pool, f"{miner.hotkey}.asic") as client:
        client.accepted(client.work.find())
    miner.accepted(worker="asic")
    workers = {worker["name"]: worker for worker in miner.status()["workers"]}
    assert workers["asic"]["shares"] == 2


def test_a_hotkey_that_is_not_registered_and_nonsense_are_refused(pool):
    stranger = Miner(pool, "//Stranger")
    with Client(port(pool)).subscribe() as client:
        for user in [f"{stranger.hotkey}.rig", "nobody", "", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"]:
            code, text = client.refused("mining.authorize", user, "x")
            assert code == 24 and text.startswith("Unauthorized worker"), text
        assert client.refused("mining.submit", "nobody", "00", "00" * 8, "65000000", "00000000") == (24, "Unauthorized worker")


def test_submitting_before_subscribing_is_refused(pool):
    with Client(port(pool)) as client:
        share = ["nobody", "00", "00" * 8, "65000000", "00000000"]
        assert client.refused("mining.submit", *share) == (25, "Not subscribed")


def test_any_order_of_the_opening_is_taken(pool):
    with Client(port(pool)) as client:
        client.ok("mining.suggest_difficulty", 0.0001)
        client.authorize(f"{ADDRESS}.order")
        client.ok("mining.configure", ["version-rolling"], {"version-rolling.mask": "1fffe000"})
        client.ok("mining.extranonce.subscribe")
        client.subscribe()
        client.accepted(client.current_work().find())


def test_pipelined_partial_and_joined_lines(pool):
    with Client(port(pool)) as client:
        client.send(
            {"id": "a", "method": "mining.subscribe", "params": ["x"]},
            {"id": None, "method": "mining.authorize", "params": [f"{ADDRESS}.pipe", "x"]},
            {"id": 7.5, "method": "mining.ping", "params": []},
        )
        assert client.answer("a")["error"] is None
        assert client.answer(None)["result"] is True
        assert client.answer(7.5)["result"] == "pong"
        line = json.dumps({"id": 9, "method": "mining.ping"}).encode()
        for part in (line[:5], line[5:], b"\r", b"\n" + line + b"\r\n" + line + b"\n"):
            client.socket.sendall(part)
            time.sleep(0.02)
        for _ in range(3):
            assert client.answer(9)["result"] == "pong"


def test_many_submits_in_one_packet_are_answered_in_order_with_the_same_id(client):
    shares = [client.work.find(extranonce2=number) for number in range(20)]
    messages = []
    for share in shares:
        messages.append({"id": 4, "method": "mining.submit", "params": [client.user, *share]})
        messages.append({"id": 4, "method": "mining.submit", "params": [client.user, *share]})
    messages.append({"id": 4, "method": "mining.ping", "params": []})
    client.send(*messages)
    for _ in shares:
        assert client.answer(4)["result"] is True
        assert client.answer(4)["error"] == [22, "Duplicate share", None]
    assert client.answer(4)["result"] == "pong"


def test_unknown_methods_and_malformed_lines_keep_the_connection(client):
    assert client.refused("mining.frobnicate") == (20, "Unknown method")
    assert client.refused("mining.get_transactions", client.work.id)[0] == 20
    client.socket.sendall(b'{"id": 1, "method": "mining.submit", "params": [\n')
    assert client.answer(None)["error"][0] == 20
    client.socket.sendall(b'{"id":77,"result":"cpuminer/2.5.1","error":null}\n')
    assert client.ok("mining.ping") == "pong"


def test_each_reject_has_its_code_and_text(client):
    work = client.work
    job, extranonce2, ntime, nonce = work.find(extranonce2=50)
    assert client.rejected(["ff" + job[2:], extranonce2, ntime, nonce]) == (21, "Job not found")
    assert client.rejected(["", extranonce2, ntime, nonce]) == (21, "Job not found")
    assert client.rejected(work.find(extranonce2=51, above=True)) == (23, "Low difficulty share")
    assert client.rejected([job, extranonce2[2:], ntime, nonce]) == (20, "Incorrect size of extranonce2")
    assert client.rejected([job, extranonce2 + "00", ntime, nonce]) == (20, "Incorrect size of extranonce2")
    assert client.rejected([job, extranonce2, ntime + "0", nonce]) == (20, "Incorrect size of ntime")
    assert client.rejected([job, extranonce2, ntime, nonce + "00"]) == (20, "Incorrect size of nonce")
    assert client.rejected([job, extranonce2, ntime, "0x" + nonce[2:]]) == (20, "Incorrect size of nonce")
    assert client.rejected(work.find(time=work.time + 100_000)) == (20, "Ntime out of range")
    assert client.rejected(work.find(time=1_000_000_000)) == (20, "Ntime out of range")
    assert client.refused("mining.submit", client.user, job)[0] == 20
    client.accepted([job, extranonce2, ntime, nonce])


def test_hex_case_and_leading_zeros_make_no_second_share(client):
    job, extranonce2, ntime, nonce = client.work.find(extranonce2=0xABCDEF)
    client.accepted([job, extranonce2, ntime, nonce])
    for share in (
        [job, extranonce2.upper(), ntime, nonce],
        [job, extranonce2, ntime.upper(), nonce.upper()],
        [job, extranonce2, ntime, nonce.lstrip("0") or "0"],
    ):
        assert client.rejected(share) == (22, "Duplicate share")
    assert client.rejected([job.upper(), extranonce2, ntime, nonce])[0] == 21


def test_version_rolling_keeps_to_the_mask_that_was_agreed_on(pool):
    with Client(port(pool)) as client:
        result = client.ok(
            "mining.configure",
            ["version-rolling", "minimum-difficulty", "subscribe-extranonce", "info", "x-unknown"],
            {"version-rolling.mask": "00ffe000", "version-rolling.min-bit-count": 2, "minimum-difficulty.value": 1e-9},
        )
        assert result["version-rolling"] is True
        mask = int(result["version-rolling.mask"], 16)
        assert mask == MASK & 0x00FFE000
        assert result["minimum-difficulty"] is True and result["subscribe-extranonce"] is True
        assert result["info"] is True and result["x-unknown"] is False
        client.subscribe().authorize(f"{ADDRESS}.roll")
        work = client.current_work()
        rolled = work.version & ~mask | 0x00A0E000 & mask
        share = work.find(version=rolled)
        client.accepted(share, bits=f"{0x00A0E000 & mask:08x}")
        # The same nonce with other bits is another share, and without bits another header.
        assert client.rejected(share, bits=f"{0x00A0E000 & mask:08x}") == (22, "Duplicate share")
        outside = work.version ^ 0x10000000
        assert client.rejected(work.find(version=outside), bits="10000000") == (20, "Invalid version mask")
        assert client.rejected(share, bits="20000000") == (20, "Invalid version mask")


def test_bits_without_an_agreement_are_refused(client):
    share = client.work.find(version=client.work.version | 0x2000, extranonce2=3)
    assert client.rejected(share, bits="00002000") == (20, "Invalid version mask")
    client.accepted(client.work.find(extranonce2=4), bits="00000000")


def test_a_jobs_id_can_not_be_made_or_borrowed(pool, client):
    """Difficulty chosen after the fact, and another session's job."""
    job, extranonce2, ntime, nonce = client.work.find(extranonce2=77)
    # The share target lies in the id's second four bytes: any change breaks the pool's tag.
    for at in range(0, len(job), 3):
        digit = "0" if job[at] != "0" else "1"
        forged = job[:at] + digit + job[at + 1 :]
        assert client.rejected([forged, extranonce2, ntime, nonce])[0] == 21
    with mining(pool, f"{ADDRESS}.thief") as thief:
        assert thief.rejected([job, extranonce2, ntime, nonce])[0] == 21
    client.accepted([job, extranonce2, ntime, nonce])


def test_extranonces_are_unique_over_live_sessions(pool):
    clients = [Client(port(pool)).subscribe() for _ in range(50)]
    try:
        assert len({client.extranonce1 for client in clients}) == 50
    finally:
        for client in clients:
            client.close()


def test_a_session_is_resumed_with_its_extranonce_and_the_old_one_ends(pool):
    with mining(pool, f"{ADDRESS}.resume") as first:
        with Client(port(pool)).subscribe(session=first.session) as second:
            assert second.extranonce1 == first.extranonce1
            assert second.session == first.session
            second.authorize(f"{ADDRESS}.resume")
            # Work from before still counts, once.
            share = first.work.find(extranonce2=5)
            second.accepted(share)
            assert second.rejected(share) == (22, "Duplicate share")
            assert first.is_closed()
        forged = first.session[:-1] + ("0" if first.session[-1] != "0" else "1")
        with Client(port(pool)).subscribe(session=forged) as stranger:
            assert stranger.extranonce1 != first.extranonce1


def test_several_workers_share_a_connection(pool):
    miner = pool.miner("//Farm")
    users = [f"{miner.hotkey}.a", f"{miner.hotkey}.b", f"{ADDRESS}.c"]
    with Client(port(pool)).subscribe() as client:
        for user in users:
            client.authorize(user)
        work = client.current_work()
        messages = []
        for number in range(9):
            share = work.find(extranonce2=number)
            messages.append({"id": number, "method": "mining.submit", "params": [users[number % 3], *share]})
        client.send(*messages)
        for number in range(9):
            assert client.answer(number)["result"] is True
    shares = {worker["name"]: worker["shares"] for worker in miner.status()["workers"]}
    assert shares == {"a": 3, "b": 3}


def test_a_huge_line_and_other_protocols_end_the_connection(pool):
    with Client(port(pool)) as client:
        client.socket.sendall(b'{"id":1,"method":"' + b"x" * 20_000)
        assert client.is_closed()
    for bytes_ in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00" * 10):
        with Client(port(pool)) as client:
            client.socket.sendall(bytes_)
            assert client.is_closed()


def test_wishes_for_less_than_the_listeners_least_are_not_granted(pool):
    with Client(port(pool)).subscribe() as client:
        client.ok("mining.suggest_difficulty", 1e-12)
        client.ok("mining.suggest_target", "f" * 64)
        client.authorize(f"{ADDRESS}.tiny", "d=0.000000000001,md=0")
        client.current_work()
        assert client.difficulty == pytest.approx(5e-9, rel=1e-6)


def test_work_of_the_wrong_worker_is_not_credited(pool, client):
    share = client.work.find(extranonce2=123)
    assert client.rejected(share, user=f"{ADDRESS}.other") == (24, "Unauthorized worker")
    client.accepted(share)


def test_a_shares_header_is_built_again_from_its_row(pool, client):
    """Nothing of the share but its row, and of its template what every job of it has: another program finds its hash."""
    client.accepted(client.work.find(extranonce2=0x0102030405060708))
    with closing(sqlite3.connect(pool.data_dir / "dwarves.db")) as ledger:
        shares = [share for share in shares_of(ledger) if share.extranonce.hex().startswith(client.extranonce1)]
    share = shares[-1]
    full = share.extranonce.hex()
    assert full == client.extranonce1 + "0102030405060708"
    rebuilt = client.work.header(full[8:], share.nonce, time=share.time, version=share.version)
    assert sha256d(rebuilt) == share.hash


def test_the_header_that_the_client_makes_is_that_of_the_genesis_block():
    """The client is right: a notify made from the genesis block's own bytes gives its hash."""
    coinbase = (
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff001d0104455468652054"
        "696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e6b206f66207365636f6e64206261696c6f757420"
        "666f722062616e6b73ffffffff0100f2052a01000000434104678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61"
        "deb649f6bc3f4cef38c4f35504e51ec112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
    )
    params = ["j", "00" * 32, coinbase[:100], coinbase[124:], [], "00000001", "1d00ffff", "495fab29", True]
    work = Work(params, 1, coinbase[100:108], 8)
    header = work.header(coinbase[108:124], 2083236893)
    assert sha256d(header)[::-1].hex() == "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"

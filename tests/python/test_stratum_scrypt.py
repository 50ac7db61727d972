"""Stratum for miners of scrypt: their own scale of difficulty, and proofs of work that are not the block's name."""

import hashlib
import struct

import pytest
from harness import Pool, eventually
from standin_node import StandInNode, bech32
from stratum import DIFFICULTY_ONE, Client, sha256d
from test_stratum import STEADY, port

ADDRESS = bech32("rltc", hashlib.sha256(b"pool").digest()[:20])
MINER = bech32("rltc", hashlib.sha256(b"miner").digest()[:20])


def scrypt(header):
    return int.from_bytes(hashlib.scrypt(header, salt=header, n=1024, r=1, p=1, dklen=32), "little")


def find(work, extranonce2, target, above=None):
    """Submit params for a hash that meets `target` (and does not meet `above`)."""
    extranonce2 = work.extranonce2(extranonce2)
    for nonce in range(1 << 20):
        number = scrypt(work.header(extranonce2, nonce))
        if number <= target and (above is None or number > above):
            return [work.id, extranonce2, f"{work.time:08x}", f"{nonce:08x}"]
    raise AssertionError("no nonce meets the target")


@pytest.fixture(scope="module")
def node():
    with StandInNode("litecoin") as node:
        yield node


@pytest.fixture(scope="module")
def pool(node):
    settings = {
        **STEADY,
        "chain.kind": "node",
        "chain.algorithm": "scrypt",
        "chain.url": node.url,
        "chain.payout_address": ADDRESS,
    }
    with Pool(**settings) as pool:
        yield pool


@pytest.fixture
def client(pool):
    with Client(port(pool)).subscribe("cpuminer/2.5.1").authorize(f"{MINER}.cpu") as client:
        client.current_work()
        yield client


def target_of(client):
    """Difficulty 1 of scrypt miners is 65,536 times easier."""
    return int(DIFFICULTY_ONE * 65_536 / client.difficulty)


def test_difficulty_is_told_in_the_miners_own_steps(client):
    assert client.difficulty == pytest.approx(5e-9 * 65_536, rel=1e-6)


def test_scrypt_shares_are_judged_by_scrypt(client):
    work, target = client.work, target_of(client)
    share = find(work, 1, target, above=work.network_target)
    client.accepted(share)
    assert client.rejected(share) == (22, "Duplicate share")
    assert client.rejected(find(work, 2, 1 << 256, above=target)) == (23, "Low difficulty share")
    # A nonce whose SHA-256d would be good enough is no share here.
    extranonce2 = work.extranonce2(3)
    for nonce in range(1 << 20):
        header = work.header(extranonce2, nonce)
        if int.from_bytes(sha256d(header), "little") <= target < scrypt(header):
            break
    assert client.rejected([work.id, extranonce2, f"{work.time:08x}", f"{nonce:08x}"])[0] == 23


def test_a_block_goes_to_the_node_whole_and_new_work_comes(client, node):
    work = client.work
    share = find(work, 4, work.network_target)
    client.accepted(share)
    block = eventually("the node has the block", lambda: node.submitted and node.submitted[-1])
    header = block[:80]
    assert scrypt(header) <= work.network_target
    assert struct.unpack("<I", header[76:])[0] == int(share[3], 16)
    # Its coinbase holds what the miner rolled.
    assert bytes.fromhex(client.extranonce1 + share[1]) in block[80:400]
    assert client.work_after(work).clean is True
    assert client.rejected(find(work, 5, target_of(client), above=work.network_target)) == (21, "Stale share")

"""Every block that the pool makes for Bitcoin, judged by Bitcoin Core's own validation.

The node is `kernel_node.py`: it runs on CPython 3.11 with PyPI's `py-bitcoinkernel`, which `tests/all` brings. Name the
interpreter in KERNEL_PYTHON; without one these tests fail rather than pass unseen.
"""

import hashlib
import json
import os
import pathlib
import struct
import subprocess
import urllib.request

import pytest
from harness import ROOT, Pool, double_sha256, eventually
from standin_node import bech32
from stratum import Client
from test_json_rpc import GBT, block_of, call, header_of, result, solved

ADDRESS = bech32("bcrt", hashlib.sha256(b"pool").digest()[:20])
SCRIPT = b"\x00\x14" + hashlib.sha256(b"pool").digest()[:20]
MINER = bech32("bcrt", hashlib.sha256(b"miner").digest()[:20])
MASK = 0x1FFFFFE0
HERE = pathlib.Path(__file__).resolve().parent


def interpreter():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    named = os.environ.get("KERNEL_PYTHON") or target / "tests/kernel/bin/python"
    probe = [str(named), "-c", "import pbk"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        pytest.fail(f"{named} has no py-bitcoinkernel: run tests/all, or name one in KERNEL_PYTHON")
    return str(named)


class KernelNode:
    def __init__(self, directory):
        command = [interpreter(), str(HERE / "kernel_node.py"), str(directory)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method, *params):
        scheme, rest = self.url.split("://")
        url = f"{scheme}://{rest.split('@')[1]}"
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        with urllib.request.urlopen(url, body, timeout=30) as answer:
            return json.load(answer)["result"]

    @property
    def said(self):
        """Every block that was submitted, and what the kernel said."""
        return [(bytes.fromhex(block), word) for block, word in self.ask("test.said")["said"]]

    @property
    def height(self):
        return self.ask("getblockchaininfo")["blocks"]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = KernelNode(tmp_path_factory.mktemp("kernel"))
    yield node
    node.stop()


@pytest.fixture(scope="module")
def pool(node):
    settings = {
        "chain.kind": "node",
        "chain.url": node.url,
        "chain.payout_address": ADDRESS,
        "stratum.listen": "127.0.0.1:0",
        "work.share_interval_secs": "10",
    }
    with Pool(**settings) as pool:
        yield pool


def coinbase_of(block):
    """Height in the script, lock time, sequence, whether there is a witness, and the outputs, read from the bytes."""
    at = 80
    count = block[at]
    assert count < 0xFD
    at += 1 + 4
    has_witness = block[at : at + 2] == b"\x00\x01"
    at += 2 if has_witness else 0
    assert block[at] == 1 and block[at + 1 : at + 37] == bytes(32) + b"\xff" * 4
    at += 37
    length = block[at]
    script = block[at + 1 : at + 1 + length]
    at += 1 + length
    (sequence,) = struct.unpack("<I", block[at : at + 4])
    at += 4
    outputs = []
    for _ in range(block[at]):
        (value,) = struct.unpack("<q", block[at + 1 : at + 9])
        size = block[at + 9]
        outputs.append((value, block[at + 10 : at + 10 + size]))
        at += 9 + size
    at += 1
    if has_witness:
        assert block[at : at + 2] == b"\x01\x20" and block[at + 2 : at + 34] == bytes(32)
        at += 34
    (lock_time,) = struct.unpack("<I", block[at : at + 4])
    height = int.from_bytes(script[1 : 1 + script[0]], "little") if script[0] < 0x50 else script[0] - 0x50
    return {
        "height": height,
        "lock_time": lock_time,
        "sequence": sequence,
        "has_witness": has_witness,
        "outputs": outputs,
        "transactions": count,
    }


def accepted(node, header):
    """The block with this header: the kernel has taken it, and it is of BIP54's form."""
    found = eventually(
        "the kernel's word", lambda: next(((raw, word) for raw, word in node.said if raw[:80] == header), None)
    )
    raw, word = found
    assert word is None, f"Bitcoin Core's validation says: {word}"
    coinbase = coinbase_of(raw)
    assert coinbase["lock_time"] == coinbase["height"] - 1
    assert coinbase["sequence"] == 0xFFFFFFFE
    assert coinbase["has_witness"] and coinbase["outputs"][0][1] == SCRIPT
    assert coinbase["outputs"][1][1].startswith(b"\x6a\x24\xaa\x21\xa9\xed")
    assert coinbase["transactions"] == 4, "the template's transactions are in it"
    return coinbase


def over_http(pool, node, version=None, time=None):
    miner = pool.miner("//Kernel")
    job = miner.job()
    share, _ = job.find(block=True, version=version, time=time)
    header = bytearray(job.header)
    header[76:80] = share["nonce"].to_bytes(4, "little")
    if version is not None:
        header[0:4] = version.to_bytes(4, "little")
    if time is not None:
        header[68:72] = time.to_bytes(4, "little")
    (verdict,) = miner.verdicts(share)
    assert verdict["verdict"] == "accepted" and verdict["block"] is not None, verdict
    return accepted(node, bytes(header))


def test_blocks_found_over_http_are_valid(pool, node):
    height = node.height
    for _ in range(3):
        over_http(pool, node)
        eventually("new work", lambda: pool.pool()["height"] == node.height)
    assert node.height == height + 3


def test_every_version_bit_that_is_told_may_be_rolled(pool, node):
    work = pool.miner("//Kernel").job().work
    mask = int(work["version_mask"], 16)
    assert mask == MASK
    base = int.from_bytes(bytes.fromhex(work["header"])[:4], "little")
    assert base & mask == 0, "bits put in and bits flipped are the same"
    for bits in (mask, 1 << 5, 1 << 28, 0x00AAAAA0):
        over_http(pool, node, version=base | bits & mask)
        eventually("new work", lambda: pool.pool()["height"] == node.height)


def test_the_first_and_the_last_time_that_are_told_are_valid(pool, node):
    for key in ("time_min", "time_max"):
        eventually("new work", lambda: pool.pool()["height"] == node.height)
        work = pool.miner("//Kernel").job().work
        # A time at the end of what is allowed moves the median time but little.
        over_http(pool, node, time=work[key])


def test_blocks_found_over_stratum_are_valid_with_rolled_extranonces_and_versions(pool, node):
    address = pool.listen["stratum"][0]
    with Client(address) as client:
        answer = client.ok("mining.configure", ["version-rolling"], {"version-rolling.mask": "ffffffff"})
        assert int(answer["version-rolling.mask"], 16) == MASK
        client.subscribe("test/1").authorize(f"{MINER}.rig")
        for extranonce2, bits in ((0, 0), (1, MASK), ((1 << 32) - 1, 0x1FFFE000)):
            wanted = node.height + 1
            while True:
                work = client.current_work()
                if coinbase_height(work) == wanted:
                    break
                client.next_work()
            version = work.version ^ bits
            share = work.find(extranonce2=extranonce2, version=version, block=True)
            header = work.header(share[1], int(share[3], 16), version=version)
            client.accepted(share, bits=f"{bits:08x}" if bits else None)
            accepted(node, header)


def coinbase_height(work):
    script = bytes.fromhex(work.coinb1)[42:]
    return int.from_bytes(script[1 : 1 + script[0]], "little")


def test_blocks_found_over_getblocktemplate_are_valid(pool, node):
    for _ in range(2):
        eventually("new work", lambda: pool.pool()["height"] == node.height)
        template = result(call(pool, MINER, "getblocktemplate", GBT))
        network = 0x7FFFFF << (8 * (0x20 - 3))
        template["target"] = f"{min(int(template['target'], 16), network):064x}"
        header = solved(template)
        params = [block_of(template, header), {"workid": template["workid"]}]
        assert result(call(pool, MINER, "submitblock", params)) is None
        accepted(node, header)


def test_bits_on_vote_and_bits_set_by_hand_are_not_rolled(pool, node):
    node.ask("test.vote", {"odd": 9}, 0x20800000 | 1 << 9)
    try:
        miner = pool.miner("//Kernel")

        def changed():
            pool.must_control("work_manager", "refresh")
            work = miner.job().work
            return work if int(work["version_mask"], 16) != MASK else None

        work = eventually("the new mask", changed, every=0.5)
        mask = int(work["version_mask"], 16)
        assert mask == MASK & ~0x00800000 & ~(1 << 9)
        base = int.from_bytes(bytes.fromhex(work["header"])[:4], "little")
        assert base == 0x20800200
        over_http(pool, node, version=base ^ mask)
    finally:
        node.ask("test.vote", {}, 0x20000000)


def test_the_pools_own_block_was_judged_before_any_work(node):
    judged = node.ask("test.said")["judged"]
    assert judged and all(word is None for _, word in judged)
    first = bytes.fromhex(judged[0][0])
    # It was the block that differs most from the template: every version bit flipped.
    assert struct.unpack("<I", first[:4])[0] == 0x20000000 | MASK
    assert coinbase_of(first)["sequence"] == 0xFFFFFFFE


def test_the_judge_refuses_what_is_wrong(node):
    """A judge that takes everything proves nothing."""
    raw, word = node.said[-1]
    assert word is None
    template = node.ask("getblocktemplate", {})
    good = bytearray(proposed(template))
    assert node.ask("test.propose", bytes(good).hex()) is None
    too_much = proposed(template, more=1)
    assert node.ask("test.propose", too_much.hex()) == "consensus"
    wrong_commitment = proposed(template, commitment=bytes.fromhex(template["default_witness_commitment"])[:-1] + b"\0")
    assert node.ask("test.propose", wrong_commitment.hex()) is not None
    not_final = proposed(template, lock_time=template["height"])
    assert node.ask("test.propose", not_final.hex()) == "consensus"
    assert node.ask("test.submit", raw.hex()) == "duplicate"
    assert node.ask("test.submit", "00" * 100) is not None


def proposed(template, more=0, commitment=None, lock_time=None):
    """A block of this template, made here and nowhere else."""
    height = template["height"]
    raw = height.to_bytes((height.bit_length() + 8) // 8, "little")
    script = bytes([len(raw)]) + raw + b"\x00"
    commitment = commitment or bytes.fromhex(template["default_witness_commitment"])
    lock = struct.pack("<I", height - 1 if lock_time is None else lock_time)
    body = b"\x01" + bytes(32) + b"\xff" * 4 + bytes([len(script)]) + script + b"\xfe\xff\xff\xff\x02"
    body += struct.pack("<q", template["coinbasevalue"] + more) + bytes([len(SCRIPT)]) + SCRIPT
    body += struct.pack("<q", 0) + bytes([len(commitment)]) + commitment
    version = struct.pack("<i", 2)
    coinbase = version + b"\x00\x01" + body + b"\x01\x20" + bytes(32) + lock
    tree = {**template, "coinbasetxn": {"data": (version + body + lock).hex()}}
    assert double_sha256(version + body + lock)
    transactions = b"".join(bytes.fromhex(tx["data"]) for tx in template["transactions"])
    return header_of(tree, 0) + bytes([1 + len(template["transactions"])]) + coinbase + transactions

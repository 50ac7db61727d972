"""getblocktemplate and getwork, spoken as minerd speaks them, against the running pool."""

import base64
import json
import struct
import threading
import time

from harness import Miner, double_sha256, send

TIMES_TRIED = 200_000


def headers(user, password="x"):
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {
        "Authorization": f"Basic {credentials}",
        "Content-Type": "application/json",
        "User-Agent": "cpuminer/2.5.1",
        "X-Mining-Extensions": "midstate",
        "Accept-Encoding": "deflate, gzip",
    }


def call(pool, user, method, params, path="/", **kwargs):
    body = json.dumps({"method": method, "params": params, "id": 0}) + "\r\n"
    return send(pool.address, "POST", path, body.encode(), headers(user), **kwargs)


def result(answer):
    assert answer.status == 200, answer
    document = answer.json
    assert document["error"] is None and document["id"] == 0, answer
    return document["result"]


GBT = [{"capabilities": ["coinbasetxn", "coinbasevalue", "longpoll", "workid"], "rules": ["segwit"]}]


def header_of(template, nonce):
    """The header of a template, put together as minerd does it."""
    tree = [double_sha256(bytes.fromhex(template["coinbasetxn"]["data"]))]
    tree += [bytes.fromhex(tx["txid"])[::-1] for tx in template["transactions"]]
    while len(tree) > 1:
        if len(tree) % 2:
            tree.append(tree[-1])
        tree = [double_sha256(tree[at] + tree[at + 1]) for at in range(0, len(tree), 2)]
    return (
        struct.pack("<I", template["version"])
        + bytes.fromhex(template["previousblockhash"])[::-1]
        + tree[0]
        + struct.pack("<I", template["curtime"])
        + bytes.fromhex(template["bits"])[::-1]
        + struct.pack("<I", nonce)
    )


def value(header):
    return int.from_bytes(double_sha256(header), "little")


def solved(template, above=False):
    """A header of this template that meets the target (or does not), with nothing else changed."""
    target = int(template["target"], 16)
    for nonce in range(TIMES_TRIED):
        header = header_of(template, nonce)
        if (value(header) > target) == above:
            return header
    raise AssertionError("no share found")


def block_of(template, header):
    # With submit/coinbase: the header, how many transactions, and the coinbase.
    return (header + b"\x01").hex() + template["coinbasetxn"]["data"]


def accepted_of(pool, hotkey):
    workers = pool.get(f"/v1/miners/{hotkey}").json["workers"]
    return {worker["name"]: worker["shares"] for worker in workers}


def test_a_share_of_a_template_counts_for_its_worker(pool, miner):
    user = f"{miner.hotkey}.gbt"
    template = result(call(pool, user, "getblocktemplate", GBT))
    assert "submit/coinbase" in template["mutable"] and template["noncerange"] == "00000000ffffffff"
    header = solved(template)
    submit = [block_of(template, header), {"workid": template["workid"]}]
    assert result(call(pool, user, "submitblock", submit)) is None
    assert result(call(pool, user, "submitblock", submit)) == "duplicate"
    low = [block_of(template, solved(template, above=True)), {"workid": template["workid"]}]
    assert result(call(pool, user, "submitblock", low)) == "high-hash"
    assert accepted_of(pool, miner.hotkey)["gbt"] == 1


def test_every_template_has_a_coinbase_of_its_own(pool, miner):
    templates = [result(call(pool, f"{miner.hotkey}.{name}", "getblocktemplate", GBT)) for name in "aabb"]
    assert len({template["coinbasetxn"]["txid"] for template in templates}) == 4
    for template in templates:
        assert double_sha256(bytes.fromhex(template["coinbasetxn"]["data"]))[::-1].hex() == template["coinbasetxn"]["txid"]


def test_a_share_of_getwork_counts_without_a_name(pool, miner):
    user = f"{miner.hotkey}_getwork"
    answer = call(pool, user, "getwork", [])
    assert answer.headers["x-long-polling"] == "/rpc/longpoll"
    work = result(answer)
    data = b"".join(bytes.fromhex(work["data"])[at:at + 4][::-1] for at in range(0, 128, 4))
    target = int.from_bytes(bytes.fromhex(work["target"]), "little")
    nonce = next(n for n in range(TIMES_TRIED) if value(data[:76] + struct.pack("<I", n)) <= target)
    data = data[:76] + struct.pack("<I", nonce) + data[80:]
    turned = b"".join(data[at:at + 4][::-1] for at in range(0, 128, 4)).hex()
    assert result(call(pool, user, "getwork", [turned])) is True
    again = call(pool, user, "getwork", [turned])
    assert result(again) is False and again.headers["x-reject-reason"] == "duplicate"
    stranger = call(pool, f"{pool.miner('//Stranger').hotkey}.x", "getwork", [turned])
    assert result(stranger) is False and stranger.headers["x-reject-reason"] == "unknown-work"
    assert accepted_of(pool, miner.hotkey)["getwork"] == 1


def test_a_template_and_a_share_over_http_are_told_apart(pool, miner):
    # The same extranonce space and the same duplicate sets: a header counts once, whichever way it comes in.
    template = result(call(pool, f"{miner.hotkey}.both", "getblocktemplate", GBT))
    header = solved(template)
    nonce = struct.unpack("<I", header[76:])[0]
    verdict = miner.verdicts({"job_id": template["workid"], "nonce": nonce})[0]
    assert verdict["verdict"] == "accepted", verdict
    submit = [block_of(template, header), {"workid": template["workid"]}]
    assert result(call(pool, f"{miner.hotkey}.both", "submitblock", submit)) == "duplicate"


def test_a_long_poll_wakes_with_a_new_block_and_old_work_is_stale(own_pool, uri):
    miner = own_pool.miner(uri)
    user = f"{miner.hotkey}.poll"
    old = result(call(own_pool, user, "getblocktemplate", GBT))
    woken = {}

    def wait(name, method, params, path):
        begin = time.monotonic()
        woken[name] = result(call(own_pool, user, method, params, path)), time.monotonic() - begin

    waits = [
        ("template", "getblocktemplate", [{**GBT[0], "longpollid": old["longpollid"]}], old["longpolluri"]),
        ("getwork", "getwork", [], "/rpc/longpoll"),
    ]
    threads = [threading.Thread(target=wait, args=arguments) for arguments in waits]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert not woken, "nobody has found a block yet"
    miner.block()
    for thread in threads:
        thread.join(20)
    new, waited = woken["template"]
    assert new["height"] == old["height"] + 1 and new["submitold"] is False
    assert waited < 20 and woken["getwork"][1] < 20
    submit = [block_of(old, solved(old)), {"workid": old["workid"]}]
    assert result(call(own_pool, user, "submitblock", submit)) == "stale-work"


def test_an_address_mines_without_registering(pool):
    address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    template = result(call(pool, f"{address}.rig", "getblocktemplate", GBT))
    submit = [block_of(template, solved(template)), {"workid": template["workid"]}]
    assert result(call(pool, f"{address}.rig", "submitblock", submit)) is None


def test_who_is_not_known_and_what_is_not_served_get_the_answers_that_miners_understand(pool, miner):
    for user in ("nobody.x", f"{Miner(pool, '//Unregistered').hotkey}.x"):
        answer = call(pool, user, "getblocktemplate", GBT)
        assert answer.status == 401 and answer.json["error"]["message"], answer
        assert answer.headers["www-authenticate"].startswith("Basic")
    answer = call(pool, f"{miner.hotkey}.x", "getmininginfo", [])
    assert answer.status == 200 and answer.json["error"]["code"] == -32601
    for body in (b"", b"{", b"[]", b"\xff" * 1000, b'{"method":"getwork","params":[[[[]]]],"id":0}'):
        answer = send(pool.address, "POST", "/rpc", body, headers(f"{miner.hotkey}.x"))
        assert answer.status == 400 and answer.json["error"]["message"], answer

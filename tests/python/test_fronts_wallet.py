"""Payouts of a real litecoind's wallet while fronts take over from each other: each front has a node of its own, both pay from one
wallet, and whatever dies or stands still between two steps of a payout, the miner's own wallet gets it once."""

import contextlib
import subprocess
import threading
import time

import pytest
from fronts import freeze, two, wait_for_lead
from harness import binary, environment, eventually, free_port
from litecoin import PROGRAM, Node, sats
from postgres import Postgres
from rigs import FROM
from stratum import Client
from test_pool import rows
from test_postgres import check_books
from test_stratum import port
from test_stratum_scrypt import find, target_of

# Seconds between the order to pay and the end of the front that got it: before, amid and after the steps of a payout.
MOMENTS = (0.0, 0.03, 0.08, 0.25)


@pytest.fixture
def nodes(tmp_path):
    """A node for each front. litecoind gives no work without a peer."""
    peer = free_port()
    with Node(tmp_path / "one", peer) as one, Node(tmp_path / "two") as two_:
        two_("addnode", f"127.0.0.1:{peer}", "add")
        one("createwallet", "pool")
        two_("createwallet", "miner")
        yield one, two_


def settings(server, nodes, own):
    """What both fronts are set to; `own` is what coinbases pay."""
    return {
        "store__kind": "postgres",
        "store__url": server.url("wallet"),
        "front__peers": '["127.0.0.1"]',
        "chain__kind": "node",
        "chain__algorithm": "scrypt",
        "chain__wallet": "pool",
        "chain__wallet_node": nodes[0].url,
        "chain__payout_address": own,
        "chain__maturity_confirmations": "2",
        "chain__poll_interval_secs": "0.2",
        # Some twelve hashes, of which every other one is a block.
        "work__start_difficulty": "0.000000005",
        "work__min_difficulty": "0.000000005",
        "rewards__run_interval_secs": "1",
        "payouts__confirmations": "2",
        "payouts__threshold_sats": "100000",
        # Nothing is paid but by order.
        "payouts__interval_secs": "3600",
    }


def node_of(node, other):
    """The nodes of one front, its own first."""
    fallback = f'[{{ url = "{other.url}", cookie_file = "{other.cookie}" }}]'
    return {"chain__url": node.url, "chain__cookie_file": str(node.cookie), "chain__fallbacks": fallback}


def earn(front, node, to):
    """Lets a miner find a block and a round take it, so that it is owed its reward. Gives what it is owed then."""
    before = balance(front, to)
    height = front.pool()["height"]
    with Client(port(front), first=FROM).subscribe("cpuminer/2.5.1").authorize(f"{to}.cpu") as client:
        client.current_work()
        client.accepted(find(client.work, 1, min(target_of(client), client.work.network_target)))
    eventually("the node has the block", lambda: front.pool()["height"] > height)
    node("generatetoaddress", 3, to)
    eventually("it is owed its reward", lambda: balance(front, to) > before, 20)
    return balance(front, to)


def balance(front, address):
    answer = front.get(f"/v1/miners/{address}")
    return answer.json["balance_sats"]["payable"] if answer.status == 200 else 0


def pay(front):
    """Orders a payout of a front that is about to end, which may not come to answer."""

    def order():
        with contextlib.suppress(OSError):
            front.control("paymaster", "pay_now")

    thread = threading.Thread(target=order)
    thread.start()
    return thread


# tests/all installs litecoind before this runs.
@pytest.mark.skipif(not PROGRAM.exists(), reason="needs litecoind (apt-get install litecoind, or LITECOIND)")
def test_a_wallet_pays_once_whichever_front_ends_amid_a_payout(tmp_path, nodes):
    one, other = nodes
    own = one("getnewaddress", "", "bech32", wallet="pool")
    to = other("getnewaddress", "", "bech32", wallet="miner")
    elsewhere = other("getnewaddress", "", "bech32", wallet="miner")
    # Coins of blocks can be spent after 100 more.
    one("generatetoaddress", 120, own)
    eventually("the second node follows", lambda: other("getblockcount") == 120, 30)
    with Postgres() as server:
        server.sql("CREATE DATABASE wallet", database="postgres")
        with two(tmp_path, settings(server, nodes, own), own=(node_of(one, other), node_of(other, one))) as (leader, heir):
            said = subprocess.run(
                [binary(), "check", "--data-dir", heir.data_dir], env=environment(heir.settings), capture_output=True, text=True, timeout=60
            ).stdout
            assert '"pool" is loaded' in said and "is the wallet's own" in said, said
            for number, moment in enumerate(MOMENTS):
                owed = earn(leader, other, elsewhere if number % 2 else to)
                assert owed > 0
                ordered = pay(leader)
                time.sleep(moment)
                since = time.monotonic()
                freeze(leader) if number % 2 else leader.kill()
                wait_for_lead(heir, since)
                if number % 2:
                    leader.kill()
                ordered.join(20)
                leader.start(ready=False)
                leader, heir = heir, leader
                # One that was not begun is ordered again, and pays nothing that was.
                leader.must_control("paymaster", "pay_now")

                def is_settled():
                    other("generatetoaddress", 1, own)
                    found = rows(leader, "/v1/payouts", "payouts")
                    return found and all(payout["state"] == "confirmed" for payout in found)

                eventually("every payout is deep", is_settled, 30, every=0.5)
                eventually("the other one stands by", lambda: heir.get("/readyz").status == 200, 20)
            payouts = rows(leader, "/v1/payouts", "payouts")
            assert len(payouts) == len(MOMENTS), payouts
            # What the miner's own wallet says of the very transactions, and that the pool's wallet sent no others.
            paid = 0
            for payout in payouts:
                paid += sats(other("gettransaction", payout["txid"], wallet="miner")["amount"])
            sent = {line["txid"] for line in one("listtransactions", "*", 1000, wallet="pool") if line["category"] == "send"}
            assert sent == {payout["txid"] for payout in payouts}
            credited = [leader.get(f"/v1/miners/{address}").json["balance_sats"] for address in (to, elsewhere)]
            assert sum(of["paid"] for of in credited) == paid > 0, (credited, paid)
            assert all(of["in_flight"] == 0 for of in credited), credited
            assert leader.pool()["ledger_sum_sats"] == 0
            check_books(server, "wallet")

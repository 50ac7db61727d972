"""Unmodified dendrites against the real binary."""

import asyncio
import http.client
import json
import os
import re
import subprocess
import sys
import time

import bittensor as bt
from dwarves_synapse import GetWork, MinerStatus, Register, SubmitWork, find_shares, work_text
from pool import ROOT, Call, Pool, forward, keypair, post_on


def test_a_miner_registers_mines_and_is_told_of_it(pool, uri):
    answer = forward(pool, Register(worker="rig1", payout_address=""), uri)
    assert answer.is_success and answer.registration_success is True and answer.detail == "registered", answer
    assert answer.worker == "rig1" and answer.action == "register" and answer.timeout == 12.0
    assert answer.axon.status_code == 200 and answer.axon.status_message == "Success"
    assert forward(pool, Register(), uri).detail == "known"

    work = forward(pool, GetWork(worker="rig1"), uri)
    assert work.is_success and work.detail == "", work
    assert json.loads(work.work)["algorithm"] == "sha256d"
    shares = find_shares(work.work, 3)
    submitted = forward(pool, SubmitWork(worker="rig1", work=work_text(shares)), uri)
    assert submitted.is_success and submitted.accepted == 3 and submitted.loss is None, submitted
    results = json.loads(submitted.result)["results"]
    assert [result["verdict"] for result in results] == ["accepted"] * 3
    again = forward(pool, SubmitWork(worker="rig1", work=work_text(shares[:1])), uri)
    assert again.is_success and again.accepted == 0 and again.detail, again
    assert json.loads(again.result)["results"][0]["reason"] == "duplicate"

    status = forward(pool, MinerStatus(), uri)
    assert status.is_success
    hotkey = keypair(uri).ss58_address
    told = json.loads(status.status)
    assert told["hotkey"] == hotkey and told["shares"]["accepted"] == 3
    assert told["shares"] == pool.get(f"/v1/miners/{hotkey}")["shares"]
    assert [worker["name"] for worker in told["workers"]] == ["rig1"]


def test_the_ten_lines_of_the_documents_mine(pool, tmp_path):
    """docs/bittensor.md as it stands, but for the wallet's place, the pool's address and hotkey, and where to be paid."""
    (lines,) = re.findall(r"```python\n(import asyncio, bittensor\n.*?)```", (ROOT / "docs/bittensor.md").read_text(), re.DOTALL)
    assert len(lines.splitlines()) <= 12
    wallet = bt.Wallet(name="miner", path=str(tmp_path))
    wallet.set_hotkey(bt.Keypair.create_from_mnemonic(bt.Keypair.generate_mnemonic()), encrypt=False)
    host, port = pool.address
    for placeholder, value in [
        ('"203.0.113.5", 8091, "5..."', f'"{host}", {port}, "{pool.hotkey}"'),
        ('payout_address="bc1q..."', 'payout_address=""'),
        ('name="miner"', f'name="miner", path={str(tmp_path)!r}'),
    ]:
        assert lines.count(placeholder) == 1, placeholder
        lines = lines.replace(placeholder, value)
    quiet = "from bittensor.utils import networking\nnetworking.get_external_ip = lambda: '203.0.113.7'\n"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python"), "PYTHONUNBUFFERED": "1"}
    miner = subprocess.Popen([sys.executable, "-c", quiet + lines], env=env, stdout=subprocess.PIPE, text=True)
    try:
        said = [miner.stdout.readline().strip() for _ in range(4)]
    finally:
        miner.kill()
        miner.wait()
    assert said[0] == "True" and all(int(accepted) > 0 for accepted in said[1:]), said
    told = pool.get(f"/v1/miners/{wallet.hotkey.ss58_address}")
    assert told["shares"]["accepted"] >= sum(map(int, said[1:])), told


def test_a_ping_comes_back_and_needs_no_registration(pool, uri):
    answer = forward(pool, bt.Synapse(), uri)
    assert answer.is_success and answer.dendrite.status_code == 200


def test_what_the_pool_does_not_do_is_told_with_status_and_reason(pool, uri):
    unknown = forward(pool, GetWork(), uri)
    assert not unknown.is_success and unknown.axon.status_code == 404
    assert unknown.axon.status_message.startswith("miner_unknown: ")
    wrong = forward(pool, Register(payout_address="nowhere"), uri)
    assert wrong.is_success and wrong.registration_success is False
    assert wrong.detail.startswith("payout_address_invalid: ")
    bad = forward(pool, SubmitWork(work="{"), uri)
    assert bad.axon.status_code == 400 and "work: " in bad.axon.status_message
    bad = forward(pool, GetWork(worker="a b"), uri)
    assert bad.axon.status_code == 400 and "worker: " in bad.axon.status_message


def test_a_name_that_stands_for_anothers_hotkey_is_refused(pool, uri):
    other = f"{uri}/other"
    for one in (uri, other):
        assert forward(pool, Register(), one).registration_success
    hotkey = keypair(uri).ss58_address
    for name in (hotkey[:4] + hotkey[-4:], f"rig1.{hotkey}"):
        assert forward(pool, GetWork(worker=name), uri).is_success
        refused = forward(pool, GetWork(worker=name), other)
        assert refused.axon.status_code == 403, refused
        assert refused.axon.status_message.startswith("worker_foreign: worker: "), refused


def test_a_banned_miner_is_told_so_and_nobody_else(pool, uri):
    assert forward(pool, Register(), uri).registration_success
    hotkey = keypair(uri).ss58_address
    pool.control("miner_manager", "ban", hotkey=hotkey, reason="spam")
    for synapse in (Register(), GetWork(), SubmitWork(work=work_text([])), MinerStatus(), bt.Synapse()):
        answer = forward(pool, synapse, uri)
        assert answer.axon.status_code == 403 and answer.is_blacklist, answer
        assert answer.axon.status_message == "banned: this miner is banned: spam"
    # Who has not its key learns nothing of it.
    call = Call(pool.axon, GetWork(), uri)
    call.headers["bt_header_dendrite_nonce"] += "0"
    assert call.send().status == 401
    pool.control("miner_manager", "unban", hotkey=hotkey)
    assert forward(pool, GetWork(), uri).is_success


def test_one_dendrite_has_many_calls_under_way(pool, uri):
    async def run():
        dendrite = bt.Dendrite(wallet=keypair(uri))
        try:
            await dendrite.forward(pool.axon, Register(), deserialize=False)
            return await dendrite.forward([pool.axon] * 40, GetWork(worker="rig"), deserialize=False, timeout=60.0)
        finally:
            await dendrite.aclose_session()

    answers = asyncio.run(run())
    assert [answer.axon.status_code for answer in answers] == [200] * 40
    jobs = {json.loads(answer.work)["job_id"] for answer in answers}
    assert len(jobs) == 40


def test_an_idle_connection_is_kept_for_longer_than_a_dendrite_keeps_it(pool, uri):
    dendrite = bt.Dendrite(wallet=keypair(uri))
    connection = http.client.HTTPConnection(*pool.address, timeout=30)
    for pause in (16, 0):
        call = Call(pool.axon, bt.Synapse(), dendrite=dendrite)
        assert post_on(connection, call.path, call.headers, call.body).status == 200
        # http.client does not open another one by itself, if it is not told to.
        connection.auto_open = 0
        time.sleep(pause)
    connection.close()


def test_an_answer_comes_within_the_callers_time(pool, uri):
    forward(pool, Register(), uri)
    began = time.monotonic()
    answer = forward(pool, GetWork(), uri, timeout=3.0)
    assert answer.is_success and time.monotonic() - began < 3.0


def test_no_call_is_taken_again_after_a_restart(uri):
    with Pool() as pool:
        assert forward(pool, Register(), uri).registration_success
        dendrite = bt.Dendrite(wallet=keypair(uri))
        taken = [Call(pool.axon, GetWork(), dendrite=dendrite) for _ in range(20)]
        answers = [call.send() for call in taken]
        assert [answer.status for answer in answers] == [200] * 20
        assert [call.send().status for call in taken] == [401] * 20
        # It was signed before the restart and not sent: it is good once.
        kept = Call(pool.axon, GetWork(), dendrite=dendrite)
        work = answers[-1].json["work"]
        pool.kill()
        pool.start()
        again = [call.send(pool.address) for call in taken]
        assert [answer.status for answer in again] == [401] * 20
        assert all(answer.message.startswith("replayed: ") for answer in again)
        assert [kept.send(pool.address).status for _ in range(2)] == [200, 401]
        # Work outlives it, too.
        submitted = forward(pool, SubmitWork(work=work_text(find_shares(work))), uri)
        assert submitted.accepted == 1, submitted
        pool.stop()
        pool.start()
        assert kept.send(pool.address).status == 401
        assert forward(pool, MinerStatus(), uri).is_success


def test_the_operators_list_and_metagraph_decide_who_may_call(tmp_path):
    listed, staked, poor, stranger = (keypair(f"//Guest{n}").ss58_address for n in range(4))
    metagraph = tmp_path / "metagraph.json"

    def write(rows):
        beside = tmp_path / "metagraph.new"
        beside.write_text(rows if isinstance(rows, str) else json.dumps(rows))
        beside.rename(metagraph)

    def row(uid, hotkey, stake):
        return {"uid": uid, "hotkey": hotkey, "stake": stake}

    def status(pool, number):
        return forward(pool, bt.Synapse(), f"//Guest{number}").axon

    def told(pool):
        return pool.control("pool_manager", "status")

    write([row(0, staked, 10.5), row(1, poor, 1)])
    rules = {"bittensor__metagraph": metagraph, "bittensor__min_stake": "5", "bittensor__require_registration": "true"}
    with Pool(**rules) as pool:
        assert status(pool, 1).status_code == 200
        assert status(pool, 2).status_message.startswith("stake_too_low: ")
        refused = status(pool, 3)
        assert refused.status_code == 403 and refused.status_message.startswith("not_registered: ")
        assert stranger not in metagraph.read_text()
        # A bad file changes nothing, and is told of.
        write("[")
        end = time.monotonic() + 20
        while not any("metagraph: " in line for line in told(pool)["hindrances"]):
            assert time.monotonic() < end
            time.sleep(0.2)
        assert told(pool)["metagraph"]["neurons"] == 2 and told(pool)["metagraph"]["trouble"]
        assert any("metagraph: " in line for line in pool.get("/readyz")["hindrances"])
        assert status(pool, 1).status_code == 200
        write([row(0, stranger, 7)])
        while status(pool, 3).status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert status(pool, 1).status_code == 403
        assert told(pool)["metagraph"]["trouble"] is None
    with Pool(bittensor__allow_hotkeys=json.dumps([listed])) as pool:
        assert status(pool, 0).status_code == 200
        assert status(pool, 1).status_message.startswith("not_allowed: ")


def test_the_example_miner_mines(pool, tmp_path):
    # It looks its own address up, which a machine without a network cannot.
    (tmp_path / "sitecustomize.py").write_text(
        "from bittensor.utils import networking\nnetworking.get_external_ip = lambda: '203.0.113.7'\n"
    )
    host, port = pool.address
    command = [sys.executable, ROOT / "clients/python/example_miner.py", "--ip", host, "--port", str(port)]
    command += ["--pool-hotkey", pool.hotkey, "--uri", "//Example", "--shares", "4", "--batch", "2"]
    ran = subprocess.run(
        command, env={"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran
    assert "registered: registered" in ran.stdout and "accepted in all: 4" in ran.stdout, ran

"""kill -9 at random moments while work is submitted and evaluated by an evaluator that fails, dawdles and changes its mind.

Nothing that was acknowledged is lost, each submission gets one result, which is one that the evaluator gave, and every
round's emission is issued, carried or burnt to the last unit. The simulation (`testkit/tests/simulation/evaluated`) does
the same with far more crashes, but not with the disk, the sockets and the processes.
"""

import collections
import json
import random
import threading
import time

from harness import Pool, eventually
from test_evaluated import Evaluator, evaluated

KILLS = 8
EMISSION = 1_000_003
# What counts for nothing by what the evaluator says, and is not asked again.
FAULTS = {b'{"loss": NaN}': "not_a_number", b'{"loss": -1}': "negative", b'{"error": "no"}': "refused"}


class Opinion:
    """What the evaluator says: mostly a loss, another one each time that it is asked."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.said = collections.defaultdict(set)
        self.is_good = False

    def __call__(self, task, times):
        choice = 0.5 if self.is_good else self.random.random()
        time.sleep(0 if self.is_good else self.random.choice([0, 0, 0.05, 0.4]))
        if choice < 0.1:
            return None
        if choice < 0.2:
            return 500, {"loss": 1}
        if choice < 0.3:
            body, fault = self.random.choice([*FAULTS.items()])
            self.said[task["id"]].add(fault)
            return 200, body
        loss = task["work"]["n"] + times / 1000
        self.said[task["id"]].add(loss)
        return 200, {"loss": loss}


class Sender(threading.Thread):
    """A miner that submits without pause. What is not answered it sends again."""

    def __init__(self, pool, number, seed):
        super().__init__(name=f"sender-{number}", daemon=True)
        self.pool = pool
        self.miner = pool.miner(f"//Sender{number}")
        self.random = random.Random(seed * 100 + number)
        self.stopping = threading.Event()
        # What it was told of each work: the names under which it was known, and each name's result.
        self.names = collections.defaultdict(list)
        self.results = {}
        self.lost = 0
        self.failure = None

    def run(self):
        try:
            n = 0
            while not self.stopping.is_set():
                # Some of it once more.
                work = self.random.randrange(1, n + 1) if n > 0 and self.random.random() < 0.2 else n + 1
                if self.submit(work) and work > n:
                    n = work
        except Exception as error:  # the test tells
            self.failure = error

    def submit(self, n):
        try:
            answer = self.miner.request("POST", "/v1/work", {"work": {"n": n}})
        except (OSError, ValueError, KeyError, json.JSONDecodeError):
            self.lost += 1
            time.sleep(0.02)
            return False
        except Exception as error:
            # The pool is gone, or not there yet: http.client has names of its own for that.
            if type(error).__module__ != "http.client":
                raise
            self.lost += 1
            time.sleep(0.02)
            return False
        if answer.status != 200:
            assert answer.code in ("too_many_waiting", "busy", "unavailable", "session_invalid"), answer
            time.sleep(0.05)
            return False
        told = answer.json
        name = told["submission_id"]
        if name not in self.names[n]:
            # The same work has another name only once what came of it counts for nothing.
            assert all(self.results.get(known, ("failed",))[0] != "evaluated" for known in self.names[n]), (n, told)
            self.names[n].append(name)
        self.learn(told)
        return True

    def learn(self, told):
        if told["state"] == "queued":
            assert told["submission_id"] not in self.results, told
            return
        result = (told["state"], told["loss"], told.get("fault"))
        assert self.results.setdefault(told["submission_id"], result) == result, (told, self.results[told["submission_id"]])


def test_whenever_it_is_killed_each_submission_has_one_result_and_each_round_adds_up():
    seed = random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}")
    moments = random.Random(seed)
    opinion = Opinion(seed)
    with Evaluator(opinion) as evaluator:
        settings = evaluated(
            evaluator.url,
            evaluator__answer_within_secs="0.2",
            evaluator__waiting_per_miner="20",
            evaluator__tries="2",
            rewards__run_interval_secs="1",
            rewards__emission_sats=str(EMISSION),
            rewards__fee_bps="250",
        )
        with Pool(**settings) as pool:
            senders = [Sender(pool, number, seed) for number in range(3)]
            for sender in senders:
                sender.start()
            for _ in range(KILLS):
                time.sleep(moments.uniform(0.1, 1.2))
                pool.restart(kill=True)
            time.sleep(1.2)
            for sender in senders:
                sender.stopping.set()
            for sender in senders:
                sender.join(30)
                assert sender.failure is None, repr(sender.failure)
            opinion.is_good = True
            waiting = lambda: pool.get("/v1/pool").json["evaluated"]  # noqa: E731
            eventually("nothing waits", lambda: waiting()["waiting"] == 0 and waiting()["at_work"] == 0, 60)
            acknowledged = 0
            for sender in senders:
                for name in (name for names in sender.names.values() for name in names):
                    told = pool.get(f"/v1/miners/{sender.miner.hotkey}/submissions/{name}")
                    # Of each miner the newest hundred are kept, and those that may still be paid.
                    if told.code == "submission_unknown":
                        assert name in opinion.said or name in sender.results, name
                        continue
                    assert told.status == 200 and told.json["hotkey"] == sender.miner.hotkey, told
                    assert told.json["state"] != "queued", told
                    sender.learn(told.json)
                    if told.json["state"] == "evaluated":
                        assert told.json["loss"] in opinion.said[name], (told, opinion.said[name])
                    elif told.json["fault"] not in ("failed", "late"):
                        assert told.json["fault"] in opinion.said[name], (told, opinion.said[name])
                    acknowledged += 1
            lost, twice = sum(sender.lost for sender in senders), sum(1 for said in opinion.said.values() if len(said) > 1)
            print(f"{acknowledged} submissions are there, {lost} answers were lost, {twice} were given several results")
            assert acknowledged > 20 and lost >= KILLS // 2, (acknowledged, lost)
            pool.must_control("reward_distributor", "pause")
            check_rounds(pool, [sender.miner.hotkey for sender in senders])


def check_rounds(pool, hotkeys):
    rounds, cursor = [], ""
    while cursor is not None:
        page = pool.get(f"/v1/rounds?limit=100{cursor and '&cursor='}{cursor}").json
        rounds, cursor = rounds + page["rounds"], page["next_cursor"]
    rounds.reverse()
    assert [row["id"] for row in rounds] == list(range(1, len(rounds) + 1)) and len(rounds) >= KILLS // 2
    brought, owed = 0, collections.Counter()
    for row in rounds:
        emission = row["emission"]
        assert (emission["amount_sats"], emission["brought_sats"], emission["burnt_sats"]) == (EMISSION, brought, 0), row
        brought = emission["carried_sats"]
        assert row["reward_sats"] + brought == EMISSION + emission["brought_sats"], row
        assert row["fee_sats"] == row["reward_sats"] * 250 // 10_000 and row["kept_sats"] == 0, row
        assert row["fee_sats"] + row["credited_sats"] == row["reward_sats"], row
        credits = pool.get(f"/v1/rounds/{row['id']}").json["credits"]
        assert sum(credit["amount_sats"] for credit in credits) == row["credited_sats"], row
        for credit in credits:
            owed[credit["hotkey"]] += credit["amount_sats"]
    payable = {hotkey: pool.get(f"/v1/miners/{hotkey}").json["balance_sats"]["payable"] for hotkey in hotkeys}
    assert payable == {hotkey: owed[hotkey] for hotkey in hotkeys} and sum(payable.values()) > 0
    assert pool.pool()["ledger_sum_sats"] == 0

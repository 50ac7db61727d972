"""Who looks at a pool that is killed again and again and gives it orders, and remembers all that was shown and done."""

import collections
import http.client
import json
import threading
import time

from harness import base58_decode


class Operator(threading.Thread):
    """Pays, changes settings, and reads what everybody may read, without pause."""

    def __init__(self, pool, miners, idle):
        super().__init__(name="operator", daemon=True)
        self.pool = pool
        self.miners = miners
        # A miner that does nothing: what is set for it disturbs nobody.
        self.idle = idle
        self.stopping = threading.Event()
        # What was shown: heights of blocks by hash, sums of rounds by id, how many of each credit, and of each payout
        # and hotkey transaction, state and amount.
        self.blocks, self.rounds, self.credits, self.payouts = {}, {}, {}, {}
        # Orders that were answered: actor, message, fields as sorted JSON, and how their outcome begins.
        self.orders = []
        self.numbers = 0
        self.lost = 0
        self.rounds_gone = 0
        self.cancelled = 0
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.go_round()
                except (OSError, http.client.HTTPException):
                    # The pool was killed before it answered, or has not begun.
                    self.lost += 1
                    time.sleep(0.05)
        except BaseException as failure:  # noqa: BLE001: told by the main thread, whatever it is
            self.failure = failure

    def go_round(self):
        self.numbers += 1
        self.order("miner_manager", "set_share_difficulty", hotkey=self.idle, difficulty=self.numbers)
        status = self.order("pool_manager", "status")
        if status is not None:
            self.lift_holds(status["payouts"])
        self.order("paymaster", "pay_now")
        self.look()
        self.rounds_gone += 1
        time.sleep(0.05)

    def wait_for_a_round(self, secs=3):
        """Waits until it has gone round once more, or is not able to."""
        seen, end = self.rounds_gone, time.monotonic() + secs
        # The one under way may have begun before.
        while self.rounds_gone < seen + 2 and time.monotonic() < end:
            time.sleep(0.02)

    def order(self, actor, message, **fields):
        """An order, which is in the audit trail once it is answered. Gives what was done, if it was."""
        answer = self.pool.control(actor, message, **fields)
        if answer.status not in (200, 409):
            # Not ready, or too much to do: nobody promised anything.
            return None
        outcome = '{"done"' if answer.status == 200 else '{"refused"'
        self.orders.append((actor, message, json.dumps(fields, sort_keys=True), outcome))
        return answer.json if answer.status == 200 else None

    def is_numbered(self, row):
        """Whether a row of the audit trail is of an order that was given once."""
        return row[1] == "set_share_difficulty" and json.loads(row[2])["hotkey"] == self.idle

    def lift_holds(self, payouts):
        """What an operator does who has put an older ledger back, or has started with payouts held."""
        holds = [hold["hold"] for hold in payouts["holds"]]
        if "restored" in holds:
            self.order("paymaster", "adopt")
            self.order("paymaster", "release", hold="restored")
        if "start" in holds:
            for payout in payouts["open"]:
                if payout["state"] == "reserved" and self.order("paymaster", "cancel", payout=payout["payout"]):
                    self.cancelled += 1
            self.order("paymaster", "release", hold="start")

    def look(self):
        """The newest page of everything."""
        for block in self.read("/v1/blocks?limit=50", "blocks"):
            self.blocks[block["hash"]] = block["height"]
        for one in self.read("/v1/rounds?limit=50", "rounds"):
            self.rounds[one["id"]] = (one["reward_sats"], one["fee_sats"], one["credited_sats"], one["kept_sats"])
        for miner in self.miners:
            hotkey = base58_decode(miner.hotkey)[1:33].hex()
            credits = collections.Counter(
                (hotkey, one["round_id"], one["units"], abs(one["amount_sats"]), one["kind"])
                for one in self.read(f"/v1/miners/{miner.hotkey}/credits?limit=50", "credits")
            )
            for credit, times in credits.items():
                self.credits[credit] = max(times, self.credits.get(credit, 0))
            for one in self.read(f"/v1/miners/{miner.hotkey}/payouts?limit=50", "payouts"):
                shown = (one["txid"], one["state"], one["debited_sats"])
                self.payouts[one["payout_id"], hotkey] = shown

    def read(self, path, what):
        answer = self.pool.get(path)
        if answer.status == 503:
            return []
        assert answer.status == 200, (path, answer)
        return answer.json[what]

    def remembered(self):
        """All that it knows, to be given back to `forget_after`."""
        return dict(self.blocks), dict(self.rounds), dict(self.credits), dict(self.payouts), list(self.orders)

    def forget_after(self, remembered):
        """An older ledger was put back: what was shown and done after its copy is lost with the newer one."""
        self.blocks, self.rounds, self.credits, self.payouts, self.orders = remembered

#!/usr/bin/env python3
"""A complete miner in one file: Python's own library, and PyPI's `bittensor` for the signatures.

    pip install bittensor==11.3.0
    dwarves hotkey new miner.key
    python examples/miner.py --key miner.key --pool http://127.0.0.1:8080 --worker rig1

It registers, opens a session, fetches work, looks for nonces with hashlib, and submits what it finds. A pool that is away is
tried again; a session that ended is opened anew; work that is over is left at once, since a thread waits for newer work all
the time. It is for reading, not for earning: one core makes some 500,000 hashes a second here.
"""

import argparse
import hashlib
import http.client
import json
import threading
import time
import urllib.parse

from bittensor import http_auth
from bittensor.keyfiles import Keyfile

# Nonces that are tried between two looks at whether there is newer work.
AT_ONCE = 20_000
# Seconds between two tries of a pool that is away, and for which a long poll may take.
RETRY_AFTER = 2
LONG_POLL = 75


class Refused(Exception):
    """The pool says no, and why (RFC 9457)."""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('detail') or problem.get('title') or 'no reason'} ({status} {problem.get('code')})")
        self.status, self.code = status, problem.get("code")


class Pool:
    """A pool's API as one miner uses it."""

    def __init__(self, url, keypair, worker):
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        self.connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.host, self.prefix = parts.netloc, parts.path.rstrip("/")
        self.keypair, self.worker = keypair, worker
        self.token = None

    def send(self, method, path, body=b"", headers=None, timeout=15):
        """One request and its answer as JSON."""
        connection = self.connection(self.host, timeout=timeout)
        try:
            headers = {**(headers or {}), **({"Content-Type": "application/json"} if body else {})}
            connection.request(method, self.prefix + path, body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        finally:
            connection.close()
        if response.status >= 400:
            raise Refused(response.status, answer or {})
        return answer

    def signed(self, path, body):
        """A request signed by the hotkey, for this pool alone (btauth/1)."""
        body = json.dumps(body).encode()
        receiver = self.send("GET", "/v1/pool")["hotkey"]
        headers = http_auth.sign(
            self.keypair, method="POST", path=self.prefix + path, body=body, receiver_ss58=receiver
        )
        return self.send("POST", path, body, headers)

    def open(self, payout_address=None):
        """Registers and opens a session, whose token stands in for signatures from now on."""
        self.signed("/v1/miners", {"payout_address": payout_address} if payout_address else {})
        self.token = self.signed("/v1/sessions", {})["token"]

    def with_session(self, method, path, body=b"", timeout=15):
        """A request with the session's token; a session that ended is opened again."""
        for attempt in range(2):
            try:
                return self.send(method, path, body, {"Authorization": f"Bearer {self.token}"}, timeout)
            except Refused as refused:
                if refused.status != 401 or attempt == 1:
                    raise
                self.open()

    def work(self, after=None):
        """The present work, or that which comes after a job as soon as there is some."""
        query = urllib.parse.urlencode({"worker": self.worker, **({"longpoll": after} if after else {})})
        return self.with_session("GET", f"/v1/work?{query}", timeout=LONG_POLL)

    def submit(self, shares):
        """Hands in shares, and gives the verdict on each."""
        body = json.dumps({"worker": self.worker, "shares": shares}).encode()
        return self.with_session("POST", "/v1/work", body)["results"]


class Watch(threading.Thread):
    """Waits for newer work in a thread of its own."""

    def __init__(self, pool):
        super().__init__(daemon=True)
        self.pool, self.work = pool, None

    def run(self):
        while True:
            try:
                self.work = self.pool.work(after=self.work["job_id"] if self.work else None)
            except (OSError, http.client.HTTPException, ValueError, Refused) as error:
                print(f"no work: {error}; trying again", flush=True)
                time.sleep(RETRY_AFTER)


def search(header, target, first, count):
    """The nonces from `first` on, of so many, whose double SHA-256 is at or below the target."""
    # The first 64 bytes are the same for every nonce.
    middle = hashlib.sha256(header[:64])
    tail = header[64:76]
    for nonce in range(first, min(first + count, 1 << 32)):
        once = middle.copy()
        once.update(tail + nonce.to_bytes(4, "little"))
        if int.from_bytes(hashlib.sha256(once.digest()).digest(), "little") <= target:
            yield nonce


def mine(pool, secs):
    """Mines for so many seconds, or for good."""
    watch = Watch(pool)
    watch.start()
    accepted = rejected = blocks = hashes = 0
    begin = told = time.monotonic()
    job, nonce = None, 0
    while secs is None or time.monotonic() - begin < secs:
        work = watch.work
        if work is None:
            time.sleep(0.05)
            continue
        if work["job_id"] != job or nonce >= 1 << 32:
            job, nonce = work["job_id"], 0
        header, target = bytes.fromhex(work["header"]), int(work["share_target"], 16)
        found = [{"job_id": job, "nonce": one} for one in search(header, target, nonce, AT_ONCE)]
        nonce += AT_ONCE
        hashes += AT_ONCE
        # At most 1,000 shares go into one request.
        for at in range(0, len(found), 1_000):
            try:
                for verdict in pool.submit(found[at : at + 1_000]):
                    accepted += verdict["verdict"] == "accepted"
                    rejected += verdict["verdict"] != "accepted"
                    blocks += bool(verdict.get("block"))
            except (OSError, http.client.HTTPException, ValueError, Refused) as error:
                # A share that counted and whose answer was lost would be answered `duplicate`; here it is let go.
                print(f"not submitted: {error}", flush=True)
                time.sleep(RETRY_AFTER)
        if time.monotonic() - told > 5:
            told = time.monotonic()
            print(f"{hashes / (told - begin) / 1000:.0f} kH/s  accepted {accepted}  rejected {rejected}  blocks {blocks}", flush=True)
    print(f"stopped: accepted {accepted}  rejected {rejected}  blocks {blocks}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Mines on a Dwarves pool.")
    parser.add_argument("--pool", default="http://127.0.0.1:8080", metavar="URL")
    parser.add_argument("--key", required=True, metavar="FILE", help="a key file of Bittensor, or of `dwarves hotkey new`")
    parser.add_argument("--worker", default="default", metavar="NAME")
    parser.add_argument("--payout-address", metavar="ADDRESS")
    parser.add_argument("--secs", type=float, help="stop after so many seconds")
    arguments = parser.parse_args()
    pool = Pool(arguments.pool, Keyfile(arguments.key).get_keypair(), arguments.worker)
    pool.open(arguments.payout_address)
    print(f"mining as {pool.keypair.ss58_address}", flush=True)
    try:
        mine(pool, arguments.secs)
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()

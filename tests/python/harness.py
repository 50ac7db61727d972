"""Runs the real binary and speaks to it as a miner does.

Nothing of the pool's own code is used here: requests are signed by `bittensor.http_auth` as it comes from PyPI,
sent with `http.client`, and work is hashed with `hashlib`.
"""

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import tempfile
import time

from bittensor import http_auth
from bittensor.keyfiles import Keypair

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The target of difficulty 1 (bdiff), and the largest number that a hash can be.
TARGET_ONE = 0xFFFF << 208
ED25519 = 0

# A pool on which a share takes about four hashes and a block some ten thousand: everything that happens in a
# pool's life happens within seconds.
QUICK = {
    "http.listen": "127.0.0.1:0",
    "work.start_difficulty": "0.000000001",
    "work.min_difficulty": "0.000000001",
    "work.share_interval_secs": "0.01",
    "chain.devnet_block_hashes": "20000",
    "chain.maturity_confirmations": "3",
    "rewards.run_interval_secs": "1",
    # Every nonce in four is a share here, and all miners are at one address: what keeps a pool from such is tested by
    # itself.
    "limits.recent_shares_per_job_times": "0",
    "limits.recent_shares_per_miner_percent": "100",
    "limits.new_miners_per_hour": "100000",
}

# Payouts every second, deep after one block, of whatever there is.
PAYING = {
    "chain.devnet_block_hashes": "300",
    "payouts.interval_secs": "1",
    "payouts.confirmations": "1",
    "payouts.threshold_sats": "1000",
    "payouts.threshold_min_sats": "1000",
}


def binary():
    """The binary under test: DWARVES_BIN, else the newest that was built."""
    named = os.environ.get("DWARVES_BIN")
    if named:
        return pathlib.Path(named).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for path in (target / "release/dwarves", target / "debug/dwarves") if path.is_file()]
    if not built:
        raise SystemExit("there is no binary to test: run `cargo build --release` first, or set DWARVES_BIN")
    return max(built, key=lambda path: path.stat().st_mtime)


def variable(key):
    """The environment variable of a setting: `http.listen` is DWARVES__HTTP__LISTEN."""
    return "DWARVES__" + key.upper().replace(".", "__")


def free_port():
    """A port that is free, below those that systems give to connections: one of these may be taken again at once."""
    while True:
        port = random.randrange(12_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def environment(settings):
    """This process's environment with these settings alone."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DWARVES__")}
    env.setdefault("RUST_LOG", "info")
    for key, value in settings.items():
        env[variable(key)] = str(value)
    return env


class Answer:
    """An HTTP answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a refusal."""
        return self.json.get("code")

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


def send(address, method, path, body=None, headers=None, timeout=75):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    with contextlib.closing(connection):
        return send_on(connection, method, path, body, headers)


def send_on(connection, method, path, body=None, headers=None):
    """One request on a connection that stays open."""
    connection.request(method, path, body=body, headers=headers or {})
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


def encode(body):
    """A body's bytes: text and bytes as they are, anything else as JSON."""
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    return json.dumps(body).encode()


def eventually(what, check, secs=20.0, every=0.05):
    """Waits until `check` gives something true, and gives it; fails with `what` if it never does."""
    end = time.monotonic() + secs
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {secs} s: {what}")
        time.sleep(every)


class Pool:
    """A running `dwarves serve` and its data directory."""

    # The command that runs it, if it is not run as it is.
    under = ()

    def __init__(self, data_dir=None, config=None, log_path=None, **settings):
        self._own_dir = None
        if data_dir is None:
            self._own_dir = tempfile.TemporaryDirectory(prefix="dwarves-test-")
            data_dir = pathlib.Path(self._own_dir.name) / "data"
        self.data_dir = pathlib.Path(data_dir)
        self.settings = {**QUICK, **{key.replace("__", "."): value for key, value in settings.items()}}
        self.config = config
        self.process = None
        self.log_path = log_path or self.data_dir.parent / f"{self.data_dir.name}.log"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            print(f"--- the end of the pool's log ({self.log_path})")
            print(self.log()[-6000:])
        if self.process is not None:
            self.kill()
        if self._own_dir is not None:
            self._own_dir.cleanup()

    def start(self, secs=30.0, ready=True):
        """Starts the pool and waits until it is ready (or, if told, only until it listens). Gives the pool."""
        assert self.process is None, "it runs already"
        listen = self.data_dir / "listen.json"
        listen.unlink(missing_ok=True)
        begin = time.monotonic()
        self.spawn()
        while not listen.exists():
            if self.process.poll() is not None:
                code, self.process = self.process.returncode, None
                raise AssertionError(f"the pool ended with {code}:\n{self.log()[-3000:]}")
            if time.monotonic() - begin > secs:
                raise AssertionError(f"the pool was not ready within {secs} s:\n{self.log()[-3000:]}")
            time.sleep(0.005)
        self.listen = json.loads(listen.read_text())
        host, port = re.fullmatch(r"http://([^/:]+):(\d+)", self.listen["http"]).groups()
        self.address = (host, int(port))
        self.url = self.listen["http"]
        self.secs_to_listen = time.monotonic() - begin
        if ready:
            eventually("/readyz answers 200", self.is_ready, secs, 0.005)
        self.secs_to_ready = time.monotonic() - begin
        self.hotkey = self.get("/v1/pool").json["hotkey"]
        return self

    def is_ready(self):
        # A front that takes the lead lets those go whom it passed on.
        with contextlib.suppress(ConnectionError):
            return self.get("/readyz").status == 200
        return False

    def spawn(self, *arguments):
        """Starts the process without waiting for anything."""
        command = [*self.under, binary(), "serve", "--data-dir", self.data_dir, *arguments]
        if self.config is not None:
            command += ["--config", self.config]
        # A working directory without a config.toml: only the defaults and these settings count.
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.data_dir,
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self):
        """kill -9."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def stop(self, secs=30.0):
        """Asks the pool to stop as an operator does (SIGTERM), and gives its exit code."""
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(secs)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"SIGTERM did not stop the pool within {secs} s")

    def restart(self, kill=False, ready=True):
        """Stops (or kills) the pool and starts it on the same data."""
        if kill:
            self.kill()
        else:
            code = self.stop()
            assert code == 0, f"a pool that is stopped ends with 0, not {code}"
        return self.start(ready=ready)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self):
        """The lines of its log that are whole: the last one may be on its way into the file."""
        whole, _, _begun = self.log().rpartition("\n")
        return whole.splitlines()

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def rss_bytes(self):
        """Resident memory of the process."""
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def open_files(self):
        """How many files and sockets the process holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def request(self, method, path, body=None, headers=None, timeout=75):
        return send(self.address, method, path, encode(body), headers, timeout)

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def pool(self):
        answer = self.get("/v1/pool")
        assert answer.status == 200, answer
        return answer.json

    def admin_token(self):
        return (self.data_dir / "admin.token").read_text().strip()

    def control(self, actor, message, token=None, **fields):
        """Sends one control message with the admin token."""
        token = self.admin_token() if token is None else token
        body = {"actor": actor, "message": message, **fields}
        return self.request("POST", "/v1/admin/control", body, {"Authorization": f"Bearer {token}"})

    def must_control(self, actor, message, **fields):
        """As `control`, and it must be done."""
        answer = self.control(actor, message, **fields)
        assert answer.status == 200, answer
        return answer.json

    def audit(self, query=""):
        token = self.admin_token()
        answer = self.get("/v1/admin/audit" + query, {"Authorization": f"Bearer {token}"})
        assert answer.status == 200, answer
        return answer.json

    def miner(self, uri="//Miner", **kwargs):
        """A miner that is registered and has a session."""
        miner = Miner(self, uri, **kwargs)
        answer = miner.register()
        assert answer.status in (200, 201), answer
        miner.open_session()
        return miner


def double_sha256(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


class Job:
    """Work as the pool gave it, and what can be made of it."""

    def __init__(self, work):
        self.work = work
        self.id = work["job_id"]
        self.header = bytes.fromhex(work["header"])
        self.share_target = int(work["share_target"], 16)
        self.network_target = int(work["network_target"], 16)
        self.next_nonce = 0

    def rolled(self, nonce, time=None, version=None):
        """The header with these changes, and its hash as a number and as explorers write it."""
        header = bytearray(self.header)
        header[76:80] = nonce.to_bytes(4, "little")
        if time is not None:
            header[68:72] = time.to_bytes(4, "little")
        if version is not None:
            header[0:4] = version.to_bytes(4, "little")
        digest = double_sha256(bytes(header))
        return int.from_bytes(digest, "little"), digest[::-1].hex()

    def find(self, time=None, version=None, block=None, above_target=False):
        """The next share (a dict ready to be submitted) and its hash.

        `block`: True for one that is a block too, False for one that is not. `above_target`: one that does
        not meet the share target.
        """
        # All but the last 64 bytes' block of the header is the same for every nonce.
        header = bytearray(self.header)
        if time is not None:
            header[68:72] = time.to_bytes(4, "little")
        if version is not None:
            header[0:4] = version.to_bytes(4, "little")
        middle = hashlib.sha256(header[:64])
        tail = bytes(header[64:76])
        for nonce in range(self.next_nonce, 1 << 32):
            first = middle.copy()
            first.update(tail + nonce.to_bytes(4, "little"))
            digest = hashlib.sha256(first.digest()).digest()
            number = int.from_bytes(digest, "little")
            if (number > self.share_target) != above_target:
                continue
            if block is not None and (number <= self.network_target) != block:
                continue
            self.next_nonce = nonce + 1
            share = {"job_id": self.id, "nonce": nonce}
            if time is not None:
                share["time"] = time
            if version is not None:
                share["version"] = version
            return share, digest[::-1].hex()
        raise AssertionError("no nonce meets the target")

    @property
    def time(self):
        return int.from_bytes(self.header[68:72], "little")

    @property
    def version(self):
        return int.from_bytes(self.header[0:4], "little")


class Miner:
    """A miner with a hotkey of its own."""

    def __init__(self, pool, uri="//Miner", crypto=None, keypair=None):
        self.pool = pool
        if keypair is not None:
            self.keypair = keypair
        elif crypto is None:
            self.keypair = Keypair.create_from_uri(uri)
        else:
            self.keypair = Keypair.create_from_uri(uri, crypto_type=crypto)
        self.token = None

    @property
    def hotkey(self):
        return self.keypair.ss58_address

    def sign(self, method, path, body=b"", **kwargs):
        kwargs.setdefault("receiver_ss58", self.pool.hotkey)
        return http_auth.sign(self.keypair, method=method, path=path, body=body, **kwargs)

    def signed(self, method, path, body=None, **kwargs):
        """A request signed by `bittensor.http_auth.sign`."""
        body = encode(body)
        return self.pool.request(method, path, body, self.sign(method, path, body, **kwargs))

    def register(self, **body):
        return self.signed("POST", "/v1/miners", body)

    def open_session(self):
        answer = self.signed("POST", "/v1/sessions", {})
        assert answer.status == 201, answer
        self.token = answer.json["token"]
        return answer.json

    def bearer(self):
        return {"Authorization": f"Bearer {self.token}"}

    def request(self, method, path, body=None):
        """A request with the session token."""
        return self.pool.request(method, path, body, self.bearer())

    def fetch(self, worker=None, longpoll=None):
        query = [f"worker={worker}"] if worker is not None else []
        query += [f"longpoll={longpoll}"] if longpoll is not None else []
        return self.request("GET", "/v1/work" + ("?" + "&".join(query) if query else ""))

    def job(self, worker=None):
        answer = self.fetch(worker)
        assert answer.status == 200, answer
        return Job(answer.json)

    def submit(self, *shares, worker=None):
        body = {"shares": list(shares)}
        if worker is not None:
            body["worker"] = worker
        return self.request("POST", "/v1/work", body)

    def verdicts(self, *shares, worker=None):
        answer = self.submit(*shares, worker=worker)
        assert answer.status == 200, answer
        results = answer.json["results"]
        assert len(results) == len(shares), answer
        return results

    def accepted(self, worker=None, **find):
        """Mines one share and makes sure that it is accepted. Gives share, hash and verdict.

        A new block may end the job in between; then another is fetched.
        """
        for _ in range(20):
            share, share_id = self.job(worker).find(**find)
            (verdict,) = self.verdicts(share, worker=worker)
            if verdict["verdict"] == "accepted":
                assert verdict["share_id"] == share_id, verdict
                return share, share_id, verdict
            assert verdict["reason"] == "stale", verdict
        raise AssertionError("every one of 20 jobs was stale at once")

    def block(self, worker=None):
        """Mines a block and waits until the chain has it. Gives its hash."""
        height = self.pool.pool()["height"]
        _, block_id, verdict = self.accepted(worker, block=True)
        assert verdict["block"] is True, verdict
        eventually("the tip is higher", lambda: self.pool.pool()["height"] > height)
        return block_id

    def status(self):
        answer = self.pool.get(f"/v1/miners/{self.hotkey}")
        assert answer.status == 200, answer
        return answer.json


def problem(answer, status, code, field=None):
    """Makes sure that an answer is this refusal, in the form of RFC 9457. Gives its body."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    body = answer.json
    assert body["code"] == code, answer
    assert body["status"] == status, answer
    assert body["title"] and body["detail"] and body["type"], answer
    if field is not None:
        assert body.get("field") == field or field in body["detail"], answer
    return body


def is_instant(text):
    """Whether a text is an RFC 3339 instant in UTC."""
    return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text) is not None


def base58_decode(text):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = 0
    for letter in text:
        number = number * 58 + alphabet.index(letter)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def base58_encode(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = int.from_bytes(data, "big")
    text = ""
    while number:
        number, digit = divmod(number, 58)
        text = alphabet[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def ss58(key, prefix=42):
    """A key as an SS58 address with any prefix."""
    if prefix < 64:
        head = bytes([prefix])
    else:
        head = bytes([((prefix & 0xFC) >> 2) | 0x40, (prefix >> 8) | ((prefix & 3) << 6)])
    checksum = hashlib.blake2b(b"SS58PRE" + head + key).digest()[:2]
    return base58_encode(head + key + checksum)

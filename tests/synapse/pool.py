"""Runs the real binary for dendrites, and signs calls with Bittensor's own code.

It does not share `tests/python/harness.py`: that one signs with `bittensor` 11, which has no dendrites.
"""

import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients/python"))

from bittensor.utils import networking  # noqa: E402

# A dendrite looks its own address up in the Internet as soon as it is made.
networking.get_external_ip = lambda: "203.0.113.7"

import bittensor as bt  # noqa: E402
from dwarves_synapse import axon_of  # noqa: E402

SETTINGS = {
    "http.listen": "127.0.0.1:0",
    "bittensor.listen": "127.0.0.1:0",
    # One that has 40 calls under way opens its connections and then signs call after call before it sends any: on a busy
    # machine that takes longer than a pool waits for a head.
    "http.header_timeout_secs": "30",
    "work.start_difficulty": "0.000000001",
    "work.min_difficulty": "0.000000001",
    "work.share_interval_secs": "0.01",
    "chain.devnet_block_hashes": "20000",
    "limits.recent_shares_per_job_times": "0",
    "limits.recent_shares_per_miner_percent": "100",
    "limits.new_miners_per_hour": "100000",
}


def binary():
    """The binary under test: DWARVES_BIN, else the newest that was built."""
    named = os.environ.get("DWARVES_BIN")
    if named:
        return pathlib.Path(named).resolve()
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for path in (target / "release/dwarves", target / "debug/dwarves") if path.is_file()]
    return max(built, key=lambda path: path.stat().st_mtime)


class Pool:
    """A running pool and its data directory."""

    def __init__(self, **settings):
        self.settings = {**SETTINGS, **{key.replace("__", "."): value for key, value in settings.items()}}
        self.folder = tempfile.TemporaryDirectory(prefix="dwarves-synapse-")
        self.data_dir = pathlib.Path(self.folder.name) / "data"
        self.log_path = pathlib.Path(self.folder.name) / "log"
        self.process = None

    def __enter__(self):
        self.data_dir.mkdir()
        return self.start()

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.log_path.read_text(errors="replace")[-6000:])
        if self.process is not None:
            self.kill()
        self.folder.cleanup()

    def start(self):
        listen = self.data_dir / "listen.json"
        listen.unlink(missing_ok=True)
        env = {name: value for name, value in os.environ.items() if not name.startswith("DWARVES__")}
        env.setdefault("RUST_LOG", "info")
        env.update({"DWARVES__" + key.upper().replace(".", "__"): str(value) for key, value in self.settings.items()})
        with open(self.log_path, "ab") as log:
            command = [binary(), "serve", "--data-dir", self.data_dir]
            self.process = subprocess.Popen(command, cwd=self.data_dir, env=env, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + 60
        while not listen.exists():
            log = self.log_path.read_text(errors="replace")
            assert self.process.poll() is None and time.monotonic() < end, log[-3000:]
            time.sleep(0.02)
        self.listen = json.loads(listen.read_text())
        host, port = re.fullmatch(r"http://([^/:]+):(\d+)", self.listen["bittensor"]).groups()
        self.address = (host, int(port))
        self.hotkey = self.get("/v1/pool")["hotkey"]
        self.axon = axon_of(host, int(port), self.hotkey)
        return self

    def kill(self):
        """kill -9."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def stop(self):
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    def get(self, path):
        with urllib.request.urlopen(self.listen["http"] + path, timeout=30) as answer:
            return json.load(answer)

    def control(self, actor, message, **fields):
        """Sends one control message with the admin token."""
        body = json.dumps({"actor": actor, "message": message, **fields}).encode()
        token = (self.data_dir / "admin.token").read_text().strip()
        request = urllib.request.Request(self.listen["http"] + "/v1/admin/control", body)
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


class Answer:
    """An HTTP answer, and what every answer to a dendrite must be."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = dict(headers)
        self.json = json.loads(body)
        # Exactly in these letters, or a dendrite does not see them.
        assert self.headers["bt_header_axon_status_code"] == str(status), headers
        assert self.headers["bt_header_axon_status_message"].isprintable()
        assert self.headers["content-type"] == "application/json"
        assert isinstance(self.json, dict)
        if status != 200:
            assert list(self.json) == ["message"]

    @property
    def message(self):
        return self.json.get("message")

    def __repr__(self):
        return f"{self.status} {self.json}"


def post(address, path, headers, body):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(*address, timeout=30)
    with contextlib.closing(connection):
        return post_on(connection, path, headers, body)


def post_on(connection, path, headers, body):
    connection.request("POST", path, body=body, headers={"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


def keypair(uri="//Miner"):
    return bt.Keypair.create_from_uri(uri)


class Call:
    """A call, signed by Bittensor's own code, to be sent as it is or with something wrong."""

    def __init__(self, axon, synapse, uri="//Miner", dendrite=None, timeout=12.0):
        self.dendrite = dendrite or bt.Dendrite(wallet=keypair(uri))
        signed = self.dendrite.preprocess_synapse_for_request(axon, synapse, timeout)
        self.axon = axon
        self.path = "/" + type(synapse).__name__
        self.headers = {name: str(value) for name, value in signed.to_headers().items()}
        self.fields = signed.model_dump()

    def sign(self, **changes):
        """Signs anew what the headers say, with these changes."""
        names = {
            "nonce": "bt_header_dendrite_nonce",
            "hotkey": "bt_header_dendrite_hotkey",
            "uuid": "bt_header_dendrite_uuid",
            "body_hash": "computed_body_hash",
        }
        for name, value in changes.items():
            self.headers[names[name]] = str(value)
        nonce, hotkey, uuid, body_hash = (self.headers[names[name]] for name in ("nonce", "hotkey", "uuid", "body_hash"))
        message = f"{nonce}.{hotkey}.{self.axon.hotkey}.{uuid}.{body_hash}"
        self.headers["bt_header_dendrite_signature"] = "0x" + self.dendrite.keypair.sign(message).hex()
        return self

    @property
    def body(self):
        return json.dumps(self.fields)

    def send(self, address=None, path=None):
        return post(address or (self.axon.ip, self.axon.port), path or self.path, self.headers, self.body)


def forward(pool, synapse, uri="//Miner", **kwargs):
    """A call by a dendrite of its own."""

    async def run():
        dendrite = bt.Dendrite(wallet=keypair(uri))
        try:
            return await dendrite.forward(pool.axon, synapse, deserialize=False, **kwargs)
        finally:
            await dendrite.aclose_session()

    return asyncio.run(run())

"""Two real litecoinds on regtest for a test, with the pool's wallet on the first and a miner's on the second."""

import decimal
import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.request

from harness import eventually, free_port

# The program itself: Debian's /usr/bin/litecoind is a script that writes into the home directory.
PROGRAM = pathlib.Path(os.environ.get("LITECOIND", "/usr/lib/litecoin/litecoind"))


class Node:
    """One litecoind. `peer` is the port on which it listens for the other one, if it does."""

    def __init__(self, directory, peer=None):
        self.directory = directory
        self.port = free_port()
        directory.mkdir()
        listening = f"listen=1\nport={peer}\nbind=127.0.0.1:{peer}" if peer else "listen=0"
        (directory / "litecoin.conf").write_text(
            f"regtest=1\nserver=1\n[regtest]\n{listening}\ndnsseed=0\ndiscover=0\nrpcbind=127.0.0.1\nrpcallowip=127.0.0.1\n"
            f"rpcport={self.port}\nfallbackfee=0.0002\nrpcthreads=8\n"
        )
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def cookie(self):
        return self.directory / "regtest/.cookie"

    def __enter__(self):
        command = [PROGRAM, f"-datadir={self.directory}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually("litecoind answers", self.answers, 60)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def answers(self):
        try:
            return self("getblockcount") >= 0
        except (OSError, RuntimeError):
            return False

    def __call__(self, method, *parameters, wallet=None):
        """Calls the node, and gives the result; amounts are decimals."""
        password = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        password.add_password(None, self.url, *self.cookie.read_text().split(":"))
        opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(password))
        url = self.url + (f"/wallet/{wallet}" if wallet else "/")
        body = json.dumps({"id": 1, "method": method, "params": parameters}).encode()
        try:
            with opener.open(url, body, timeout=60) as answer:
                return json.load(answer, parse_float=decimal.Decimal)["result"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method}: {error.read().decode()}") from None


def sats(coins):
    return int(coins * 10**8)

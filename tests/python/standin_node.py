"""A stand-in for a node: answers over JSON-RPC what a pool asks, with templates whose difficulty the test chooses.

It checks nothing of what is submitted but takes it as the next block, and remembers it.
"""

import contextlib
import hashlib
import http.server
import json
import threading
import time

GENESIS = {
    "bitcoin": "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    "litecoin": "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
}


class StandInNode:
    """A node on the regtest of a coin."""

    def __init__(self, coin, bits="1f0fffff"):
        self.coin, self.bits = coin, bits
        self.height = 500
        self.submitted = []
        self.changed = threading.Condition()
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = {"result": None, "error": None, "id": request.get("id")}
                try:
                    answer["result"] = node.answer(request["method"], request.get("params") or [])
                    status = 200
                except KeyError as error:
                    answer["error"] = {"code": -32601, "message": f"no {error}"}
                    status = 404
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                # A pool that is killed reads no answer.
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://user:password@127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def hash_at(self, height):
        if height == 0:
            return GENESIS[self.coin]
        return hashlib.sha256(b"block %d" % height).hexdigest()

    def template(self):
        now = int(time.time())
        return {
            "capabilities": ["proposal"],
            "version": 0x20000000,
            "rules": ["csv", "!segwit"] + (["taproot", "mweb"] if self.coin == "litecoin" else ["taproot"]),
            "vbavailable": {},
            "previousblockhash": self.hash_at(self.height),
            "transactions": [{"data": "00" * 60, "txid": "%064x" % n, "fee": 1_000} for n in range(1, 6)],
            "coinbasevalue": 5_000_005_000,
            "longpollid": self.hash_at(self.height) + "1",
            "mintime": now - 3_600,
            "curtime": now,
            "bits": self.bits,
            "height": self.height + 1,
        }

    def answer(self, method, params):
        if method == "getblocktemplate":
            request = params[0]
            if request.get("mode") == "proposal":
                return None
            with self.changed:
                known = request.get("longpollid")
                if known is not None:
                    self.changed.wait_for(lambda: self.hash_at(self.height) + "1" != known, 30)
                return self.template()
        if method == "submitblock":
            with self.changed:
                self.submitted.append(bytes.fromhex(params[0]))
                self.height += 1
                self.changed.notify_all()
            return None
        if method == "getblockchaininfo":
            best = self.hash_at(self.height)
            return {
                "chain": "regtest",
                "blocks": self.height,
                "headers": self.height,
                "bestblockhash": best,
                "initialblockdownload": False,
            }
        if method == "getblockhash":
            return self.hash_at(params[0])
        if method == "getblockheader":
            return {"confirmations": 1}
        if method == "validateaddress":
            return {"isvalid": True}
        if method == "getaddressinfo":
            return {"ismine": True}
        raise KeyError(method)


def bech32(hrp, program):
    """A version 0 segwit address (BIP173)."""
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = int.from_bytes(program, "big") << (-len(program) * 8 % 5)
    count = (len(program) * 8 + 4) // 5
    data = [0] + [(bits >> (5 * (count - 1 - at))) & 31 for at in range(count)]

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for at, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= generator if (top >> at) & 1 else 0
        return check

    spread = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    checksum = polymod(spread + data + [0] * 6) ^ 1
    data += [(checksum >> (5 * (5 - at))) & 31 for at in range(6)]
    return hrp + "1" + "".join(letters[value] for value in data)

"""A Bitcoin node on regtest that judges by Bitcoin Core's own validation (PyPI's `py-bitcoinkernel`).

Run as a program with an interpreter that has the package (CPython 3.11): `kernel_node.py DIR`. It prints its address and
answers over JSON-RPC what a pool asks. `submitblock` is answered by the kernel with its own chain; `proposal` by a
second kernel that was given the same blocks, since the kernel judges no block without proof of work: there the block's
nonce is searched first, which on regtest takes two hashes. Nothing of the pool's code is used.

How the kernel's answers are read: `process_block` is true also for a block that lost or is not valid. The verdict comes
by the callback `block_checked`; where there is none, an exception says that the block was refused before it was stored,
and the active chain's tip says whether it is the best.
"""

import hashlib
import http.server
import json
import pathlib
import struct
import sys
import tempfile
import threading
import time

import pbk

BITS = 0x207FFFFF
TARGET = 0x7FFFFF << (8 * (0x20 - 3))
VERSION = 0x20000000
MATURITY = 100
# Anyone can spend it, with a witness: the hash of the script OP_TRUE.
OP_TRUE = b"\x51"
P2WSH = b"\x00\x20" + hashlib.sha256(OP_TRUE).digest()
FEE = 10_000


def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def compact(number):
    return bytes([number]) if number < 0xFD else b"\xfd" + struct.pack("<H", number)


def merkle_root(hashes):
    hashes = list(hashes)
    while len(hashes) > 1:
        if len(hashes) % 2:
            hashes.append(hashes[-1])
        hashes = [sha256d(hashes[at] + hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


class Tx:
    """A transaction with one input and one output."""

    def __init__(self, outpoint, script_sig, value, script, witness=(), more=()):
        outputs = [(value, script), *more]
        self.head, self.lock_time = struct.pack("<i", 2), struct.pack("<I", 0)
        self.middle = b"\x01" + outpoint + compact(len(script_sig)) + script_sig + b"\xff" * 4 + compact(len(outputs))
        for amount, out in outputs:
            self.middle += struct.pack("<q", amount) + compact(len(out)) + out
        self.witness = b"".join([compact(len(witness)), *[compact(len(item)) + item for item in witness]])
        bare = self.head + self.middle + self.lock_time
        self.whole = self.head + b"\x00\x01" + self.middle + self.witness + self.lock_time if witness else bare
        self.txid, self.wtxid = sha256d(bare), sha256d(self.whole)


def push_height(height):
    """BIP34."""
    if height <= 16:
        return bytes([0x50 + height])
    raw = height.to_bytes((height.bit_length() + 8) // 8, "little")
    return bytes([len(raw)]) + raw


def commitment(txs):
    root = merkle_root([bytes(32), *[tx.wtxid for tx in txs]])
    return b"\x6a\x24\xaa\x21\xa9\xed" + sha256d(root + bytes(32))


def solved(block):
    """The block with a nonce that meets regtest's target."""
    for nonce in range(1 << 32):
        header = block[:76] + struct.pack("<I", nonce)
        if int.from_bytes(sha256d(header), "little") <= TARGET:
            return header + block[80:]


def subsidy(height):
    return 50 * 100_000_000 >> height // 150


class Kernel:
    """One chain under the kernel's rules."""

    def __init__(self, directory):
        self.checked = {}
        callbacks = pbk.ValidationInterfaceCallbacks(block_checked=self.on_checked)
        self.callbacks = callbacks
        self.chainman = pbk.load_chainman(pathlib.Path(directory), pbk.ChainType.REGTEST, callbacks)

    def on_checked(self, _, block, state):
        valid = state.validation_mode == pbk.ValidationMode.VALID
        self.checked[bytes(block.block_hash)] = None if valid else state.block_validation_result.name.lower()

    def tip(self):
        chain = self.chainman.get_active_chain()
        return bytes(chain.block_tree_entries[chain.height].block_hash), chain.height

    def process(self, raw):
        """BIP22's word: None is accepted."""
        try:
            block = pbk.Block(raw)
        except Exception:
            return "Block decode failed"
        name = sha256d(raw[:80])
        try:
            is_new = self.chainman.process_block(block)
        except pbk.ProcessBlockException:
            return self.checked.get(name) or "rejected"
        if not is_new:
            return "duplicate"
        word = self.checked.get(name, "inconclusive")
        if word is None and self.tip()[0] != name:
            return "inconclusive"
        return word


class Node:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.kernel = Kernel(self.directory / "chain")
        # Of each height: block hash, raw block. Genesis has no bytes here.
        self.hashes, self.blocks, self.times = [self.kernel.tip()[0]], [b""], [1_296_688_602]
        self.said, self.judged, self.copies = [], [], 0
        self.votes, self.version = {}, VERSION
        self.changed = threading.Condition()
        self.copy = None
        self.spent = 0
        while len(self.hashes) <= MATURITY + 20:
            self.mine()

    @property
    def height(self):
        return len(self.hashes) - 1

    def median_time(self):
        last = sorted(self.times[-11:])
        return last[len(last) // 2]

    def mine(self, *_):
        """The node's own block, which pays whom everybody is."""
        height = self.height + 1
        coinbase = Tx(bytes(32) + b"\xff" * 4, push_height(height) + b"\x01\x00", subsidy(height), P2WSH)
        header = struct.pack("<i", VERSION) + self.hashes[-1] + coinbase.txid
        header += struct.pack("<III", self.median_time() + 1, BITS, 0)
        raw = solved(header + b"\x01" + coinbase.whole)
        word = self.take(raw)
        assert word is None, word

    def take(self, raw):
        word = self.kernel.process(raw)
        if word is None:
            self.hashes.append(sha256d(raw[:80]))
            self.blocks.append(raw)
            self.times.append(struct.unpack("<I", raw[68:72])[0])
        return word

    def transactions(self):
        """Two that spend an old coinbase one after the other, each with a witness and a fee."""
        height = 1 + self.height - MATURITY - 5
        block = self.blocks[height]
        if P2WSH not in block:
            return []
        value = subsidy(height)
        coinbase = Tx(bytes(32) + b"\xff" * 4, push_height(height) + b"\x01\x00", value, P2WSH)
        first = Tx(coinbase.txid + bytes(4), b"", value - FEE, P2WSH, [OP_TRUE])
        second = Tx(first.txid + bytes(4), b"", value - 3 * FEE, P2WSH, [OP_TRUE])
        third = Tx(second.txid + bytes(4), b"", value - 4 * FEE, P2WSH, [OP_TRUE])
        return [(first, FEE), (second, 2 * FEE), (third, FEE)]

    def template(self):
        txs = self.transactions()
        now, least = int(time.time()), self.median_time() + 1
        tip = self.hashes[-1][::-1].hex()
        return {
            "capabilities": ["proposal"],
            "version": self.version,
            "rules": ["csv", "!segwit", "taproot"],
            "vbavailable": self.votes,
            "vbrequired": 0,
            "previousblockhash": tip,
            "transactions": [
                {
                    "data": tx.whole.hex(),
                    "txid": tx.txid[::-1].hex(),
                    "hash": tx.wtxid[::-1].hex(),
                    "fee": fee,
                }
                for tx, fee in txs
            ],
            "coinbasevalue": subsidy(self.height + 1) + sum(fee for _, fee in txs),
            "default_witness_commitment": commitment([tx for tx, _ in txs]).hex(),
            "longpollid": tip + "1",
            "mintime": least,
            "curtime": max(now, least),
            "bits": f"{BITS:08x}",
            "height": self.height + 1,
        }

    def propose(self, raw):
        """What the kernel says to the block once it has proof of work, on a copy of the chain."""
        if raw[4:36] != self.hashes[-1]:
            return "inconclusive-not-best-prevblk"
        if self.copy is None or self.copy.tip()[0] != self.hashes[-1]:
            self.copies += 1
            self.copy = Kernel(self.directory / f"copy{self.copies}")
            for block in self.blocks[1:]:
                self.copy.process(block)
        return self.copy.process(solved(raw))

    def submit(self, raw):
        with self.changed:
            word = self.take(raw)
            self.said.append((raw.hex(), word))
            self.changed.notify_all()
        return word

    def answer(self, method, params):
        if method == "getblocktemplate":
            request = params[0]
            if request.get("mode") == "proposal":
                word = self.propose(bytes.fromhex(request["data"]))
                self.judged.append((request["data"], word))
                return word
            with self.changed:
                known = request.get("longpollid")
                if known is not None:
                    self.changed.wait_for(lambda: self.hashes[-1][::-1].hex() + "1" != known, 30)
                return self.template()
        if method == "submitblock":
            return self.submit(bytes.fromhex(params[0]))
        if method == "getblockchaininfo":
            return {
                "chain": "regtest",
                "blocks": self.height,
                "headers": self.height,
                "bestblockhash": self.hashes[-1][::-1].hex(),
                "initialblockdownload": False,
            }
        if method == "getblockhash":
            if not 0 <= params[0] <= self.height:
                raise RpcError(-8, "Block height out of range")
            return self.hashes[params[0]][::-1].hex()
        if method == "getblockheader":
            name = bytes.fromhex(params[0])[::-1]
            if name not in self.hashes:
                raise RpcError(-5, "Block not found")
            at = self.hashes.index(name)
            return {"confirmations": self.height - at + 1, "time": self.times[at]}
        if method == "validateaddress":
            return {"isvalid": True}
        if method == "getaddressinfo":
            return {"ismine": True}
        # What only the test asks.
        if method == "test.said":
            return {"said": self.said, "judged": self.judged}
        if method == "test.vote":
            self.votes, self.version = params
            return None
        if method == "test.propose":
            return self.propose(bytes.fromhex(params[0]))
        if method == "test.submit":
            return self.kernel.process(bytes.fromhex(params[0]))
        raise RpcError(-32601, f"no {method}")


class RpcError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


def serve(node):
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer, status = {"result": None, "error": None, "id": request.get("id")}, 200
            params = request.get("params") or []
            is_long = bool(params) and isinstance(params[0], dict) and "longpollid" in params[0]
            try:
                if is_long:
                    answer["result"] = node.answer(request["method"], params)
                else:
                    with lock:
                        answer["result"] = node.answer(request["method"], params)
            except RpcError as error:
                answer["error"], status = {"code": error.code, "message": error.message}, 500
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://user:password@127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1]) as directory:
        serve(Node(directory))

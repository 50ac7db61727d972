#!/usr/bin/env bash
# py-bitcoinkernel 0.1.0a5 (PyPI, CPython 3.11; Bitcoin Core's own validation): `process_block` answers True for a block whose
# coinbase pays one sat too much, as it does for a good one: True says only that the block was new and was stored. The verdict
# comes by the callback `block_checked` or shows at the tip, which stays where it was. A judge of blocks that goes by the answer
# calls a block good that no node takes. The callback in turn speaks of one block more than was given: genesis, in a new folder.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check py-bitcoinkernel==0.1.0a5
"$folder/venv/bin/python" - "$folder" << 'P'
import hashlib, struct, sys
import pbk

def sha256d(data):
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()

def block(previous, height, time, value):
    """A regtest block of a coinbase alone, that pays `value` sats to nobody in particular."""
    script = bytes([0x50 + height, 0x00])
    coinbase = (struct.pack("<I", 2) + b"\x01" + bytes(32) + b"\xff\xff\xff\xff" + bytes([len(script)]) + script + b"\xff\xff\xff\xff"
                + b"\x01" + struct.pack("<q", value) + b"\x01\x51" + bytes(4))
    for nonce in range(1 << 20):
        header = struct.pack("<I32s32sIII", 0x20000000, previous, sha256d(coinbase), time, 0x207FFFFF, nonce)
        if sha256d(header)[31] < 0x7F:
            return header + b"\x01" + coinbase

verdicts = []
callbacks = pbk.ValidationInterfaceCallbacks(
    block_checked=lambda data, block, state: verdicts.append((state.validation_mode.name, state.block_validation_result.name)))
node = pbk.load_chainman(sys.argv[1] + "/chain", pbk.ChainType.REGTEST, callbacks)
tip = lambda: (node.get_active_chain().height, bytes(node.get_active_chain().block_tree_entries[-1].block_hash))
genesis = tip()[1]
seen = []
for value in (50_0000_0001, 50_0000_0000):
    answer = node.process_block(pbk.Block(block(genesis, 1, 1296688602 + 600, value)))
    seen.append((value, answer, tip()[0]))
print("py-bitcoinkernel 0.1.0a5: (coinbase value, answer of process_block, height of the tip):", seen)
print("what block_checked said:", verdicts)
assert seen == [(50_0000_0001, True, 0), (50_0000_0000, True, 1)], "CHANGED"
assert [verdict[0] for verdict in verdicts] == ["VALID", "INVALID", "VALID"], "CHANGED"  # genesis first
P

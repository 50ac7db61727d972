#!/usr/bin/env bash
# litecoind 0.21.2.1 (Debian 0.21.2.1-1+b1): `validateaddress` calls an address of witness version 9 with 32 bytes valid and no
# MWEB address, but no payment to it can be mined: that script marks peg-ins. `testmempoolaccept` refuses the
# transaction without naming the output, and `sendtoaddress` answers a transaction id although the mempool refused it;
# the coin it chose is gone from `listunspent` until the transaction is abandoned.
# A payer that trusts `validateaddress` and batches many outputs has every batch refused for one address.
source "$(dirname "$0")/lib/litecoin.bash"
start_nodes
activate_mweb

# Bech32m of version 9 and the 32 bytes 00 01 02 ... 1f.
address=$(python3 - <<'P'
words = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
def polymod(values):
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1ffffff) << 5 ^ value
        for bit, generator in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            check ^= generator if top >> bit & 1 else 0
    return check
bits = "".join(f"{byte:08b}" for byte in range(32)) + "0000"
data = [9] + [int(bits[at:at + 5], 2) for at in range(0, 260, 5)]
hrp = [ord(c) >> 5 for c in "rltc"] + [0] + [ord(c) & 31 for c in "rltc"]
check = polymod(hrp + data + [0] * 6) ^ 0x2bc830a3
print("rltc1" + "".join(words[value] for value in data + [check >> 5 * (5 - at) & 31 for at in range(6)]))
P
)
expect 'validateaddress isvalid' "$(a validateaddress "$address" | field isvalid)" true
expect 'validateaddress ismweb' "$(a validateaddress "$address" | field ismweb)" false

raw=$(a createrawtransaction '[]' "{\"$address\":\"1\"}")
signed=$(a signrawtransactionwithwallet "$(a fundrawtransaction "$raw" | field hex)" | field hex)
expect 'testmempoolaccept allowed' "$(a testmempoolaccept "[\"$signed\"]" | field 0.allowed)" false
expect 'its reason' "$(a testmempoolaccept "[\"$signed\"]" | field 0.reject-reason)" pegin-count-mismatch

before=$(a listunspent 1 | grep -c '"txid"')
txid=$(a sendtoaddress "$address" 1)
expect 'sendtoaddress answers an id of so many digits' "${#txid}" 64
expect 'transactions in the mempool' "$(a getmempoolinfo | field size)" 0
expect 'coins that listunspent lost' "$((before - $(a listunspent 1 | grep -c '"txid"')))" 1
a abandontransaction "$txid"
expect 'coins back after abandontransaction' "$(a listunspent 1 | grep -c '"txid"')" "$before"

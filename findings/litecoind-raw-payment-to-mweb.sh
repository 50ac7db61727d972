#!/usr/bin/env bash
# litecoind 0.21.2.1 (Debian 0.21.2.1-1+b1): `createrawtransaction` takes an MWEB address and makes an output that has the full
# amount and an EMPTY script, while `sendtoaddress` pays the same address well. `fundrawtransaction` and `signrawtransactionwithwallet`
# ("complete") say nothing; only the mempool refuses, with `scriptpubkey`, which names neither the address nor MWEB.
# Payers that build raw transactions must refuse such addresses by themselves.
source "$(dirname "$0")/lib/litecoin.bash"
start_nodes
activate_mweb

address=$(a getnewaddress '' mweb)
expect 'validateaddress isvalid' "$(a validateaddress "$address" | field isvalid)" true
raw=$(a createrawtransaction '[]' "{\"$address\":\"1.5\"}")
output() { a decoderawtransaction "$1" | python3 -c 'import json,sys
out = [o for o in json.load(sys.stdin)["vout"] if float(o["value"]) == 1.5][0]
print(out["value"], repr(out["scriptPubKey"]["hex"]), out["scriptPubKey"]["type"])'; }
expect 'its output' "$(output "$raw")" "1.5 '' nonstandard"
funded=$(a fundrawtransaction "$raw" | field hex)
expect 'its output once funded' "$(output "$funded")" "1.5 '' nonstandard"
signed=$(a signrawtransactionwithwallet "$funded")
expect 'signed completely' "$(field complete <<< "$signed")" true
expect 'what the mempool says' "$(a testmempoolaccept "[\"$(field hex <<< "$signed")\"]" | field 0.reject-reason)" scriptpubkey

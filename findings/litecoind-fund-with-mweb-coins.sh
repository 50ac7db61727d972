#!/usr/bin/env bash
# litecoind 0.21.2.1 (Debian 0.21.2.1-1+b1): in a wallet whose coins are all in MWEB, `fundrawtransaction` reports success and a fee, but
# its transaction has NO inputs, and `signrawtransactionwithwallet` then cannot decode it (-22). `getbalances` calls those coins
# trusted, and `listunspent` lists them as spendable without `vout`, so that they can be neither chosen nor locked.
# One `sendtoaddress` to an MWEB address of its own takes a wallet there, change and all.
source "$(dirname "$0")/lib/litecoin.bash"
start_nodes
activate_mweb
cli 1 createwallet inside > /dev/null
inside() { cli 1 -rpcwallet=inside "$@"; }

a sendtoaddress "$(inside getnewaddress '' mweb)" 20 > /dev/null
mine 1
expect 'getbalance' "$(inside getbalance)" 20.00000000
expect 'coins of listunspent' "$(inside listunspent | python3 -c 'import json,sys; print(len(json.load(sys.stdin)))')" 1
expect 'the coin is spendable, its vout' "$(inside listunspent | python3 -c 'import json,sys
coin = json.load(sys.stdin)[0]; print(coin["spendable"], coin.get("vout"))')" 'True None'

raw=$(a createrawtransaction '[]' "{\"$(a getnewaddress '' bech32)\":\"1\"}")
funded=$(inside fundrawtransaction "$raw")
inputs() { python3 -c 'import json,sys; print(len(json.load(sys.stdin)["vin"]))'; }
expect 'inputs of the funded transaction' "$(a decoderawtransaction "$(field hex <<< "$funded")" false | inputs)" 0
expect 'its fee' "$(field fee <<< "$funded")" 2.82e-05
expect 'signing it' "$(inside signrawtransactionwithwallet "$(field hex <<< "$funded")" 2>&1 | grep -o 'error code: -22' || true)" 'error code: -22'

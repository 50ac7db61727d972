#!/usr/bin/env bash
# litecoind 0.21.2.1 (Debian 0.21.2.1-1+b1): two states of a sound regtest chain in which `getblocktemplate` fails for ever.
# 1. A node without peers answers -9 on regtest, too (Bitcoin Core asks for none there).
# 2. With the first block that may have extension blocks (432 on regtest) no template can be made, and `generatetoaddress`
#    fails as well, until somebody's peg-in waits in the mempool: -1 `bad-txns-vin-empty`. One peg-in ends it for good.
source "$(dirname "$0")/lib/litecoin.bash"
start_nodes

template() { cli 1 getblocktemplate '{"rules":["segwit","mweb"]}' 2>&1 | tr '\n' ' '; }
mine 431
expect 'height' "$(a getblockcount)" 431
expect 'template of block 432' "$(template | grep -o 'bad-txns-vin-empty')" bad-txns-vin-empty
expect 'mining of block 432' "$( (a generatetoaddress 1 "$(a getnewaddress)" 2>&1 || true) | grep -o bad-txns-vin-empty)" bad-txns-vin-empty
a sendtoaddress "$(a getnewaddress '' mweb)" 10 > /dev/null
mine 2
expect 'height after a peg-in' "$(a getblockcount)" 433
expect 'entries of an empty mempool' "$(a getmempoolinfo | field size)" 0
expect 'template of block 434 has an extension block' "$(cli 1 getblocktemplate '{"rules":["segwit","mweb"]}' | grep -c '"mweb": "')" 1

kill "$(cat "$folder/node2/regtest/litecoind.pid")"
until [ "$(cli 1 getconnectioncount)" -eq 0 ]; do sleep 0.2; done
expect 'template without a peer' "$(template | grep -o 'error code: -9')" 'error code: -9'

#!/usr/bin/env bash
# litecoind 0.21.2.1 (Debian 0.21.2.1-1+b1): `dumpwallet` of a wallet with coins in MWEB, then `importwallet` into another wallet and a
# rescan of the whole chain: the coins outside of MWEB are there, those inside are gone without a warning from any of the
# three. For a pool's wallet only `backupwallet` (the file itself) is a backup.
source "$(dirname "$0")/lib/litecoin.bash"
start_nodes
activate_mweb
for wallet in old new; do cli 1 createwallet $wallet > /dev/null; done

a sendtoaddress "$(cli 1 -rpcwallet=old getnewaddress '' mweb)" 20 > /dev/null
a sendtoaddress "$(cli 1 -rpcwallet=old getnewaddress '' bech32)" 3 > /dev/null
mine 1
expect 'balance of the wallet' "$(cli 1 -rpcwallet=old getbalance)" 23.00000000
cli 1 -rpcwallet=old dumpwallet "$folder/dump" > /dev/null
expect 'what importwallet says' "$(cli 1 -rpcwallet=new importwallet "$folder/dump" 2>&1)" ''
expect 'first height of the rescan' "$(cli 1 -rpcwallet=new rescanblockchain | field start_height)" 0
expect 'balance of the new wallet' "$(cli 1 -rpcwallet=new getbalance)" 3.00000000

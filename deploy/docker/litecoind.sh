#!/usr/bin/env bash
# A regtest of Litecoin in containers (compose.yaml): `node` is a node with the pool's wallet, `peer` one more, because
# litecoind gives no work without a peer, and `prepare` makes the wallet, the first block and the pool's settings, once.
set -euo pipefail

# Debian's /usr/bin/litecoind is a script that writes into the home directory.
litecoind=${LITECOIND:-/usr/lib/litecoin/litecoind}
cli=${LITECOIN_CLI:-/usr/bin/litecoin-cli}
password=${RPC_PASSWORD:?set RPC_PASSWORD}
node=${NODE:-node}
rpc_port=${NODE_RPC_PORT:-19332}

run() {
    exec "$litecoind" -regtest -server -printtoconsole -datadir="${DATADIR:-/var/lib/litecoin}" -dnsseed=0 -fallbackfee=0.0002 \
        -rpcuser=pool -rpcpassword="$password" -rpcbind="${RPC_BIND:-0.0.0.0}" -rpcallowip=0.0.0.0/0 -rpcthreads=8 -rpcworkqueue=64 "$@"
}

ask() { "$cli" -regtest -rpcconnect="$node" -rpcport="$rpc_port" -rpcuser=pool -rpcpassword="$password" "$@"; }

# prepare FILE: the pool's settings are written into FILE.
prepare() {
    local file=$1 address
    ask -rpcwait getblockcount > /dev/null
    if [ -e "$file" ]; then exit; fi
    ask -named createwallet wallet_name=pool load_on_startup=true > /dev/null
    address=$(ask -rpcwallet=pool getnewaddress "" bech32)
    # A new regtest counts as being in its initial download until its first block.
    ask generatetoaddress 1 "$address" > /dev/null
    cat > "$file.new" << END
[chain]
kind = "node"
algorithm = "scrypt"
url = "http://pool:$password@$node:$rpc_port"
wallet = "pool"
payout_address = "$address"

[stratum]
listen = "0.0.0.0:3333"
END
    mv "$file.new" "$file"
}

case "${1:-}" in
    node) run -listen "${@:2}" ;;
    peer) run -listen -disablewallet -connect="$node:${NODE_PORT:-19444}" "${@:2}" ;;
    prepare) prepare "${2:?where the settings are to be written}" ;;
    *)
        echo "litecoind.sh node [ARGUMENT...] | peer [ARGUMENT...] | prepare FILE" >&2
        exit 2
        ;;
esac

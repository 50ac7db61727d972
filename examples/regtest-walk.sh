#!/usr/bin/env bash
# The whole way of a coin on real nodes, in some three minutes: two litecoinds on a regtest chain of their own, a pool, a
# miner that finds a block, a round, and a payout that the miner's own wallet on the other node receives.
#
#   examples/regtest-walk.sh               in a temporary directory, which is removed at the end
#   KEEP=1 examples/regtest-walk.sh        which is kept
#
# It needs `dwarves` (named in DWARVES_BIN, or built, or in PATH), `litecoind` (named in LITECOIND, or installed: apt-get
# install litecoind), curl and Python 3. Nothing outside the directory is touched, and only this machine listens.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
first_of() { # the first of these that can be run
    local candidate
    for candidate in "$@"; do
        if [ -n "$candidate" ] && command -v "$candidate" > /dev/null; then echo "$candidate" && return; fi
    done
    echo "none of these is here: $*" >&2 && return 1
}
dwarves=$(first_of "${DWARVES_BIN:-}" "$here/target/release/dwarves" "$here/target/debug/dwarves" dwarves)
# Debian's /usr/bin/litecoind is a script that writes into the home directory; this is the program.
litecoind=$(first_of "${LITECOIND:-}" /usr/lib/litecoin/litecoind litecoind)

dir=$(mktemp -d "${TMPDIR:-/tmp}/dwarves-walk.XXXXXX")
pids=()
clean_up() {
    local status=$? pid
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2> /dev/null || true; done
    if [ "$status" -ne 0 ]; then
        echo "it failed; the end of the pool's log:" >&2
        tail -n 20 "$dir/pool.log" >&2 || true
    fi
    if [ -n "${KEEP:-}" ]; then echo "kept: $dir"; else rm -rf "$dir"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }
free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# field NAME: of the JSON on standard input, by its path: payouts.0.state
field() {
    python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    value = value[int(name)] if isinstance(value, list) else value.get(name)
print("" if value is None else value)' "$1"
}
# until SECONDS WHAT COMMAND...: waits until the command succeeds
until_done() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" > /dev/null 2>&1; do
        if [ "$SECONDS" -gt "$end" ]; then echo "it took too long: $what" >&2 && return 1; fi
        sleep 0.5
    done
}

# rpc NODE METHOD [PARAMETERS as JSON] [WALLET]: a call to a node, and its result
rpc() {
    local answer
    answer=$(curl --silent --max-time 60 --user "$(cat "$dir/$1/regtest/.cookie")" \
        --data "{\"id\":1,\"method\":\"$2\",\"params\":${3:-[]}}" \
        "http://127.0.0.1:$(cat "$dir/$1/rpcport")/${4:+wallet/$4}")
    python3 -c '
import json, sys
answer = json.loads(sys.argv[1])
if answer["error"]:
    sys.exit("the node says: " + answer["error"]["message"])
result = answer["result"]
print(result if isinstance(result, str) else json.dumps(result))' "$answer"
}

# start_node NAME [PORT]: a node, which listens for the other one if it has a port
start_node() {
    local name=$1 peers=listen=0
    mkdir -p "$dir/$name"
    free_port > "$dir/$name/rpcport"
    if [ -n "${2:-}" ]; then peers=$(printf 'listen=1\nport=%s\nbind=127.0.0.1:%s' "$2" "$2"); fi
    cat > "$dir/$name/litecoin.conf" << END
regtest=1
server=1
[regtest]
$peers
dnsseed=0
discover=0
rpcbind=127.0.0.1
rpcallowip=127.0.0.1
rpcport=$(cat "$dir/$name/rpcport")
fallbackfee=0.0002
rpcthreads=8
END
    "$litecoind" -datadir="$dir/$name" > "$dir/$name.log" 2>&1 &
    pids+=($!)
    until_done 60 "$name answers" rpc "$name" getblockcount
}

say "two nodes, and a wallet on each"
peer_port=$(free_port)
start_node one "$peer_port"
start_node two
rpc two addnode "[\"127.0.0.1:$peer_port\", \"add\"]" > /dev/null
rpc one createwallet '["pool"]' > /dev/null
rpc two createwallet '["miner"]' > /dev/null
own=$(rpc one getnewaddress '["", "bech32"]' pool)
mine_to=$(rpc two getnewaddress '["", "bech32"]' miner)
# Coins of blocks can be spent after 100 more; the pool pays from these until its own are as old.
rpc one generatetoaddress "[110, \"$own\"]" > /dev/null
same_tip() { [ "$(rpc two getblockcount)" = "$(rpc one getblockcount)" ]; }
until_done 60 "the second node has the blocks" same_tip
echo "height $(rpc one getblockcount); the pool is paid to $own, the miner to $mine_to"

say "a pool on the first node"
cat > "$dir/pool.toml" << END
[http]
listen = "127.0.0.1:0"
[chain]
kind = "node"
algorithm = "scrypt"
url = "http://127.0.0.1:$(cat "$dir/one/rpcport")"
cookie_file = "$dir/one/regtest/.cookie"
wallet = "pool"
payout_address = "$own"
fallbacks = [{ url = "http://127.0.0.1:$(cat "$dir/two/rpcport")", cookie_file = "$dir/two/regtest/.cookie" }]
maturity_confirmations = 2
[work]
# Every other hash is a block on regtest, so the first share is one.
start_difficulty = 0.00002
min_difficulty = 0.000004
[rewards]
run_interval_secs = 2
[payouts]
interval_secs = 2
confirmations = 1
threshold_sats = 100000
END
"$dwarves" check --config "$dir/pool.toml" --data-dir "$dir/data"
"$dwarves" serve --config "$dir/pool.toml" --data-dir "$dir/data" > "$dir/pool.log" 2>&1 &
pids+=($!)
until_done 60 "the pool is ready" test -s "$dir/data/listen.json"
pool=$(field http < "$dir/data/listen.json")
ready() { curl --silent --fail --output /dev/null "$pool/readyz"; }
until_done 60 "the pool has work" ready
echo "the pool is $pool"

say "a miner, until it has found a block"
# One hash a second: it is stopped before it finds many more.
hotkey=$("$dwarves" hotkey new "$dir/miner.key" 2> /dev/null)
"$dwarves" mine --pool "$pool" --hotkey "$dir/miner.key" --worker rig1 --threads 1 --throttle 1 \
    --payout-address "$mine_to" > "$dir/miner.log" 2>&1 &
miner=$!
pids+=("$miner")
found() { [ -n "$(curl --silent "$pool/v1/blocks" | field blocks.0.hash)" ]; }
until_done 90 "a block is found" found
kill -INT "$miner" && wait "$miner" || true
tail -n 1 "$dir/miner.log"
echo "block $(curl --silent "$pool/v1/blocks" | field blocks.0.hash) at height $(curl --silent "$pool/v1/blocks" | field blocks.0.height)"

say "blocks on top, so that the reward is payable; then a round, and a payout"
one_more() { rpc two generatetoaddress "[1, \"$(rpc two getnewaddress '[""]' miner)\"]" > /dev/null; }
payout() { curl --silent "$pool/v1/miners/$hotkey/payouts" | field payouts.0."$1" 2> /dev/null; }
paid() { [ "$(payout state)" = confirmed ] || { one_more && sleep 1 && false; }; }
until_done 120 "the payout is deep" paid
txid=$(payout txid)
"$dwarves" payouts --config "$dir/pool.toml" --data-dir "$dir/data"

say "what the miner's own wallet says"
amount=$(payout amount_sats)
received=$(rpc two gettransaction "[\"$txid\"]" miner | field amount)
echo "transaction $txid: the pool says $amount sats, the wallet got $received coins"
python3 -c 'import decimal, sys; sys.exit(decimal.Decimal(sys.argv[1]) != decimal.Decimal(sys.argv[2]) * 10**8)' "$amount" "$received"
curl --silent "$pool/v1/pool" | python3 -c 'import json, sys; pool = json.load(sys.stdin); assert pool["ledger_sum_sats"] == 0, pool'
say "done: every sat is where the books say"

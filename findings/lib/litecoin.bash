# Two regtest nodes of Debian's litecoind in a temporary folder, for the findings that need them. Nothing is installed:
# the pinned package and its libraries are unpacked beside the data. A lone node gives no block templates, hence two.
#
#   source "$(dirname "$0")/lib/litecoin.bash"
#   start_nodes            # then: a METHOD [ARGUMENT...]   asks the first node's wallet `pool`

readonly VERSION='0.21.2.1-1+b1'
set -euo pipefail
folder=$(mktemp -d)
port=$((20000 + RANDOM % 20000))

stop_nodes() {
    local node
    for node in "$folder"/node*; do
        [ ! -f "$node/regtest/litecoind.pid" ] || kill "$(cat "$node/regtest/litecoind.pid")" 2> /dev/null || true
    done
    sleep 1
    rm -rf "$folder"
}
trap stop_nodes EXIT

unpack() {
    local names
    names=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances litecoind | grep '^[a-z]' | grep -vE '^(litecoind|libc6|libgcc-s1|gcc-.*|libcrypt1|debconf.*|cdebconf)$' | sort -u)
    mkdir "$folder/packages" "$folder/root"
    # shellcheck disable=SC2086 # one word a package
    (cd "$folder/packages" && apt-get download -qq "litecoind=$VERSION" $names 2> /dev/null)
    local package
    for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/root"; done
    export LD_LIBRARY_PATH="$folder/root/usr/lib/x86_64-linux-gnu:$folder/root/lib/x86_64-linux-gnu"
}

cli() { # NODE ARGUMENT...
    local node=$1
    shift
    "$folder/root/usr/bin/litecoin-cli" -datadir="$folder/node$node" -regtest -rpcport=$((port + node * 2)) -rpcwait "$@"
}
a() { cli 1 -rpcwallet=pool "$@"; }

start_node() { # NODE: 1 or 2
    mkdir "$folder/node$1"
    "$folder/root/usr/lib/litecoin/litecoind" -datadir="$folder/node$1" -regtest -server -daemon -txindex -listen=1 \
        -bind="127.0.0.1:$((port + $1 * 2 + 1))" -rpcport=$((port + $1 * 2)) -dnsseed=0 -discover=0 -upnp=0 -fallbackfee=0.0002 \
        -pid="$folder/node$1/regtest/litecoind.pid" > /dev/null
}

start_nodes() {
    unpack
    start_node 1
    start_node 2
    cli 1 addnode "127.0.0.1:$((port + 5))" add
    cli 1 createwallet pool > /dev/null
    until [ "$(cli 1 getconnectioncount)" -ge 1 ]; do sleep 0.2; done
    echo "litecoind $VERSION, $(cli 1 getnetworkinfo | sed -n 's/.*"subversion": "\(.*\)",/\1/p'), regtest"
}

mine() { a generatetoaddress "$1" "$(a getnewaddress)" > /dev/null; }

# Mines until extension blocks (MWEB) are active: the first block with them, 432, needs a peg-in that waits.
activate_mweb() {
    mine 431
    a sendtoaddress "$(a getnewaddress '' mweb)" 10 > /dev/null
    mine 10
}

# expect WHAT SEEN WANTED: fails if what is seen is not what was seen with this version.
expect() {
    if [ "$2" = "$3" ]; then
        echo "seen: $1: $2"
    else
        echo "CHANGED: $1: now '$2', was '$3'"
        exit 1
    fi
}
field() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."): value = value[int(name) if name.isdigit() else name]
print(json.dumps(value) if not isinstance(value, str) else value)' "$1"; }

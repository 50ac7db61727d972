#!/usr/bin/env bash
# bittensor-wallet 4.1.1 (PyPI) writes `"cryptoType": 1` into every key file, also of the one kind that there was before
# (sr25519). 4.0.1 and 2.1.3 know no such key and refuse the whole file: "Failed to parse keyfile data". The file carries no
# version, and 4.1.1 reads old files. A hotkey that is made on one machine is no hotkey on another one whose packages are older
# (bittensor 10.3 pins 4.0.1), so whoever writes key files for others leaves the key out where its value is what is meant anyway.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 2.1.3 4.0.1 4.1.1; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "bittensor-wallet==$version"
done
cat > "$folder/make.py" << 'P'
import json, sys
from bittensor_wallet import Wallet
wallet = Wallet(name="owner", hotkey="rig", path=sys.argv[1])
wallet.create_new_hotkey(use_password=False, overwrite=True, suppress=True)
print(*sorted(json.load(open(wallet.hotkey_file.path))))
P
cat > "$folder/read.py" << 'P'
import sys
from bittensor_wallet import Wallet
try:
    Wallet(name="owner", hotkey="rig", path=sys.argv[1]).hotkey.ss58_address
    print("read")
except Exception as error:
    print("refused:", "Failed to parse keyfile data" in str(error))
P
expect() {
    echo "$1: $2"
    [ "$2" = "$3" ] || { echo "CHANGED: $3 before"; exit 1; }
}
names() { "$folder/$1/bin/python" "$folder/make.py" "$folder/of-$1" | tail -1; }
read_by() { "$folder/$1/bin/python" "$folder/read.py" "$folder/of-$2" | tail -1; }
expect 'keys in a file of 4.0.1' "$(names 4.0.1)" 'accountId privateKey publicKey secretPhrase secretSeed ss58Address'
expect 'keys in a file of 4.1.1' "$(names 4.1.1)" 'accountId cryptoType privateKey publicKey secretPhrase secretSeed ss58Address'
expect '4.0.1 reads the file of 4.1.1' "$(read_by 4.0.1 4.1.1)" 'refused: True'
expect '2.1.3 reads the file of 4.1.1' "$(read_by 2.1.3 4.1.1)" 'refused: True'
expect '4.1.1 reads the file of 4.0.1' "$(read_by 4.1.1 4.0.1)" 'read'

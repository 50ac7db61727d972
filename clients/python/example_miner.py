"""A small miner: registers its hotkey, and then fetches work, searches shares and submits them.

    python example_miner.py --ip 203.0.113.5 --port 8091 --pool-hotkey 5... --wallet miner --payout-address bc1q...

It hashes in Python, some hundred thousand times a second: enough for `dwarves demo`, and to see how it is done.
"""

import argparse
import asyncio
import json
import sys

import bittensor
from dwarves_synapse import GetWork, MinerStatus, Register, SubmitWork, axon_of, find_shares, work_text


class Refused(Exception):
    """The pool did not do it."""


def named(name):
    """A class of `bittensor`; before 8.0 they had lower-case names."""
    return getattr(bittensor, name, None) or getattr(bittensor, name.lower())


async def call(dendrite, pool, synapse):
    """One call. What the pool refuses is raised with its reason."""
    answer = await dendrite.forward(pool, synapse, timeout=12.0, deserialize=False)
    if not answer.is_success:
        raise Refused(f"{answer.axon.status_code}: {answer.axon.status_message or answer.dendrite.status_message}")
    return answer


async def mine(options, dendrite):
    pool = axon_of(options.ip, options.port, options.pool_hotkey)
    registered = await call(dendrite, pool, Register(worker=options.worker, payout_address=options.payout_address))
    if not registered.registration_success:
        raise Refused(registered.detail)
    print("registered:", registered.detail, flush=True)
    accepted = 0
    while options.shares is None or accepted < options.shares:
        work = await call(dendrite, pool, GetWork(worker=options.worker))
        # What takes long must not hold the loop up, in which the dendrite lives.
        shares = await asyncio.to_thread(find_shares, work.work, options.batch, 3_000_000)
        if shares:
            answer = await call(dendrite, pool, SubmitWork(worker=options.worker, work=work_text(shares)))
            accepted += answer.accepted
            print(f"{answer.accepted} of {len(shares)} shares accepted", answer.detail or "", flush=True)
    status = json.loads((await call(dendrite, pool, MinerStatus())).status)
    print("accepted in all:", status["shares"]["accepted"], flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ip", default="127.0.0.1", help="the pool's address")
    parser.add_argument("--port", type=int, required=True, help="the port of bittensor.listen")
    parser.add_argument("--pool-hotkey", required=True, help="as GET /v1/pool tells it")
    parser.add_argument("--wallet", help="name of a Bittensor wallet")
    parser.add_argument("--hotkey", default="default", help="name of its hotkey")
    parser.add_argument("--uri", help="instead of a wallet: a secret URI such as //Miner1, for tests")
    parser.add_argument("--worker", default="python", help="name of this machine")
    parser.add_argument("--payout-address", default="", help="where payouts go, on the chain that is mined")
    parser.add_argument("--batch", type=int, default=1, help="shares of one call")
    parser.add_argument("--shares", type=int, help="end after so many accepted shares")
    options = parser.parse_args()
    if (options.wallet is None) == (options.uri is None):
        parser.error("give --wallet or --uri")
    return options


def main():
    options = arguments()
    if options.uri is not None:
        signer = bittensor.Keypair.create_from_uri(options.uri)
    else:
        signer = named("Wallet")(name=options.wallet, hotkey=options.hotkey)
    dendrite = named("Dendrite")(wallet=signer)
    try:
        asyncio.run(mine(options, dendrite))
    except Refused as refused:
        sys.exit(f"the pool refused: {refused}")


if __name__ == "__main__":
    main()

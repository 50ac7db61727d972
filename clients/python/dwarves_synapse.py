"""The synapses of a Dwarves pool, for Bittensor's own dendrites (`bittensor` 7.2 to 10).

Needs nothing but `bittensor`. Every field that the pool reads is in `required_hash_fields`: a dendrite signs the hash of
these alone, and the pool refuses what is not signed. `action` says what the signature is for, since it does not cover the
path. What is structured goes as one JSON text.

    dendrite = bittensor.Dendrite(wallet=wallet)
    pool = axon_of("203.0.113.5", 8091, POOL_HOTKEY)
    answer = await dendrite.forward(pool, Register(payout_address="bc1q..."), deserialize=False)
    answer.is_success, answer.registration_success, answer.detail
"""

import hashlib
import json
from typing import ClassVar, Optional

import bittensor

__version__ = "0.2.0"
__all__ = ["GetWork", "MinerStatus", "Register", "SubmitWork", "axon_of", "find_shares", "work_text"]


class Register(bittensor.Synapse):
    """Registers the dendrite's hotkey as a miner, or changes where it is paid."""

    required_hash_fields: ClassVar[tuple[str, ...]] = ("action", "worker", "payout_address")

    action: str = "register"
    worker: str = ""
    payout_address: str = ""

    registration_success: Optional[bool] = None
    detail: Optional[str] = None


class GetWork(bittensor.Synapse):
    """Asks for work: `work` comes back as JSON."""

    required_hash_fields: ClassVar[tuple[str, ...]] = ("action", "worker")

    action: str = "get_work"
    worker: str = ""

    work: Optional[str] = None
    detail: Optional[str] = None


class SubmitWork(bittensor.Synapse):
    """Submits work, as JSON: `{"shares": [{"job_id", "nonce"}]}` (see `work_text`), or what the pool evaluates.

    Of evaluated work `loss` or `score` comes back. If that takes longer than this call waits, `detail` is "queued", and the
    `submission_id` in `result` is what `MinerStatus` and `GET /v1/miners/HOTKEY/submissions/ID` tell of later."""

    required_hash_fields: ClassVar[tuple[str, ...]] = ("action", "worker", "work")

    action: str = "submit_work"
    worker: str = ""
    work: str = ""

    result: Optional[str] = None
    accepted: Optional[int] = None
    loss: Optional[float] = None
    score: Optional[float] = None
    detail: Optional[str] = None


class MinerStatus(bittensor.Synapse):
    """Asks how this miner is: `status` comes back as JSON."""

    required_hash_fields: ClassVar[tuple[str, ...]] = ("action", "worker")

    action: str = "miner_status"
    worker: str = ""

    status: Optional[str] = None


def axon_of(ip: str, port: int, hotkey: str) -> bittensor.AxonInfo:
    """The pool as an axon. `hotkey` is the pool's own: every call is signed for it alone."""
    return bittensor.AxonInfo(version=0, ip=ip, port=port, ip_type=4, hotkey=hotkey, coldkey="")


def find_shares(work: str, count: int = 1, tries: int = 1 << 32) -> list[dict]:
    """Searches nonces of work (SHA-256d) on this processor, until there are `count` shares or `tries` are used up."""
    work = json.loads(work)
    header = bytearray.fromhex(work["header"])
    target = int(work["share_target"], 16)
    # The first 64 bytes are the same for every nonce.
    begun = hashlib.sha256(header[:64])
    shares = []
    for nonce in range(min(tries, 1 << 32)):
        header[76:80] = nonce.to_bytes(4, "little")
        first = begun.copy()
        first.update(header[64:])
        if int.from_bytes(hashlib.sha256(first.digest()).digest(), "little") <= target:
            shares.append({"job_id": work["job_id"], "nonce": nonce})
            if len(shares) >= count:
                break
    return shares


def work_text(shares: list[dict]) -> str:
    """Shares as `SubmitWork.work` has them."""
    return json.dumps({"shares": shares})

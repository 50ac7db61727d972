"""What schemathesis is told of the pool: which requests it must not make, and how operators and miners say who they are.

It is loaded by schemathesis, not by pytest: see test_schemathesis.py.
"""

import json
import os

import schemathesis
from bittensor import http_auth
from bittensor.keyfiles import Keypair
from requests.auth import AuthBase

# Control messages that end the run for everything that comes after them, with the reason.
NOT_SENT = {
    ("pool_manager", "shutdown"): "it ends the process",
    ("pool_manager", "drain"): "a drained pool takes nothing until it is started anew",
    ("pool_manager", "pause"): "a paused pool gives out no work, so that everything after it is refused",
    ("miner_manager", "close_registration"): "what asks for a registration after it is refused",
}


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what would end the run."""
    body = case.body
    return not (isinstance(body, dict) and [body.get("actor"), body.get("message")] in [list(message) for message in NOT_SENT])


class Bearer(AuthBase):
    """Sends a token."""

    def __init__(self, token):
        self.token = token

    def __call__(self, request):
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Signed(AuthBase):
    """Signs each request just before it is sent, as a miner does."""

    def __init__(self, uri, receiver):
        self.keypair = Keypair.create_from_uri(uri)
        self.receiver = receiver

    def __call__(self, request):
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        signature = http_auth.sign(self.keypair, method=request.method, path=request.path_url, body=body, receiver_ss58=self.receiver)
        request.headers.update(signature)
        return request


if "CREDENTIALS" in os.environ:
    given = json.loads(os.environ["CREDENTIALS"])
    schemathesis.auth.set_from_requests(Bearer(given["admin"])).apply_to(
        path_regex="^/v1/admin/(control|state|audit|withholding|batches|batches/.*|weights)$"
    )
    schemathesis.auth.set_from_requests(Bearer(given["admin"])).apply_to(path_regex="^/v1/miners/.*/watches")
    schemathesis.auth.set_from_requests(Bearer(given["session"])).apply_to(path_regex="^/v1/(work|miners/.*/(notifications|submissions).*)$")
    schemathesis.auth.set_from_requests(Signed(given["uri"], given["pool"])).apply_to(path_regex="^/v1/(miners|sessions)$")

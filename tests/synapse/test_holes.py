"""Ways past a signature, each of which the pool must close.

Each is a function that says whether it came through. The same call without it is answered, before and after.
"""

import contextlib
import hashlib
import http.client
import json
import random
import time

import bittensor as bt
import pytest
from dwarves_synapse import GetWork, MinerStatus, Register, SubmitWork, axon_of
from pool import Call, forward, keypair, post

EMPTY_HASH = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
VICTIM = keypair("//Victim").ss58_address
SECOND = 1_000_000_000


def raw(call, path=None):
    """The status of a call, whatever form its answer has."""
    connection = http.client.HTTPConnection(call.axon.ip, call.axon.port, timeout=30)
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json", **call.headers}
        connection.request("POST", path or call.path, body=call.body, headers=headers)
        return connection.getresponse().status


def anothers_hotkey_in_the_body(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.fields["dendrite"]["hotkey"] = VICTIM
    return raw(call) == 200


def one_paths_signature_on_another(axon, dendrite):
    # The two classes have the same fields: their hashes differ by the action alone.
    call = Call(axon, MinerStatus(), dendrite=dendrite)
    return raw(call, "/GetWork") == 200


def a_nonce_from_the_future(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.sign(nonce=time.time_ns() + 3_600 * SECOND, uuid="future-1")
    return raw(call) == 200


def an_old_call_with_a_long_timeout(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.sign(nonce=time.time_ns() - 3_600 * SECOND, uuid="old-1")
    call.headers["timeout"] = "1000000.0"
    return raw(call) == 200


def an_old_call_of_an_old_version(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.sign(nonce=5, uuid="old-2")
    call.headers["bt_header_dendrite_version"] = "7001000"
    return raw(call) == 200


def an_old_call_without_a_version(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.sign(nonce=7, uuid="old-3")
    del call.headers["bt_header_dendrite_version"]
    return raw(call) == 200


def a_nonce_that_python_alone_reads(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    nonce = time.time_ns()
    call.sign(nonce=nonce, uuid="plus-1")
    call.headers["bt_header_dendrite_nonce"] = f"+{nonce}"
    return raw(call) == 200


def a_hotkey_of_another_network(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    other = bt.Keypair(ss58_address=dendrite.keypair.ss58_address)
    public = bytes.fromhex(other.public_key.hex() if isinstance(other.public_key, bytes) else other.public_key)
    call.sign(hotkey=ss58(public, 0), uuid="prefix-1", nonce=time.time_ns())
    call.fields["dendrite"]["hotkey"] = call.headers["bt_header_dendrite_hotkey"]
    return raw(call) == 200


def ss58(public, prefix):
    """An address of this network."""
    digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    data = bytes([prefix]) + public
    data += hashlib.blake2b(b"SS58PRE" + data, digest_size=64).digest()[:2]
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = digits[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def no_signature(axon, dendrite):
    call = Call(axon, GetWork(), dendrite=dendrite)
    call.headers["bt_header_dendrite_uuid"] = "unsigned-1"
    del call.headers["bt_header_dendrite_signature"]
    return raw(call) == 200


HOLES = [
    anothers_hotkey_in_the_body,
    one_paths_signature_on_another,
    a_nonce_from_the_future,
    an_old_call_with_a_long_timeout,
    an_old_call_of_an_old_version,
    an_old_call_without_a_version,
    a_nonce_that_python_alone_reads,
    a_hotkey_of_another_network,
    no_signature,
]


@pytest.fixture(scope="module")
def dendrite(pool):
    uri = "//Attacker"
    assert forward(pool, Register(), uri).registration_success
    return bt.Dendrite(wallet=keypair(uri))


@pytest.mark.parametrize("attack", HOLES, ids=lambda attack: attack.__name__)
def test_the_pool_lets_no_attack_through(pool, dendrite, attack):
    assert Call(pool.axon, GetWork(), dendrite=dendrite).send().status == 200, "the same without the attack"
    assert not attack(pool.axon, dendrite)
    assert Call(pool.axon, GetWork(), dendrite=dendrite).send().status == 200, "and it changed nothing"


def test_whether_a_hotkey_is_banned_is_told_to_its_owner_alone(pool, uri):
    """Who is banned must not be found out by calls that nobody signed."""
    assert forward(pool, Register(), uri).registration_success
    pool.control("miner_manager", "ban", hotkey=keypair(uri).ss58_address, reason="spam")
    call = Call(pool.axon, GetWork(), uri)
    right = call.headers["bt_header_dendrite_signature"]
    for wrong in (right[:-2] + "00", "0x" + "11" * 63 + "8f"):
        call.headers["bt_header_dendrite_signature"] = wrong
        answer = call.send()
        assert answer.status == 401 and "ban" not in answer.message
    call.headers["bt_header_dendrite_signature"] = right
    assert call.send().status == 403


def test_a_signature_covers_every_declared_field_and_its_receiver(pool, dendrite):
    synapses = [
        Register(worker="w"),
        GetWork(worker="w"),
        SubmitWork(worker="w", work='{"shares": []}'),
        MinerStatus(worker="w"),
    ]
    for synapse in synapses:
        for field in type(synapse).required_hash_fields:
            call = Call(pool.axon, type(synapse)(**synapse.model_dump()), dendrite=dendrite)
            call.fields[field] = "other"
            assert call.send().status == 400, (call.path, field)
            del call.fields[field]
            assert call.send().status == 400, (call.path, field)
        # A class that declares nothing signs the hash of nothing.
        call = Call(pool.axon, type(synapse)(**synapse.model_dump()), dendrite=dendrite)
        call.sign(body_hash=EMPTY_HASH)
        answer = call.send()
        assert answer.status == 400 and "required_hash_fields" in answer.message, answer
        elsewhere = axon_of(*pool.address, VICTIM)
        elsewhere = Call(elsewhere, type(synapse)(**synapse.model_dump()), dendrite=dendrite)
        assert elsewhere.send().message.startswith("wrong_receiver: ")
        del elsewhere.headers["bt_header_axon_hotkey"]
        assert elsewhere.send().message.startswith("signature_invalid: ")


def test_every_path_to_every_other_is_closed(pool, dendrite):
    classes = [Register, GetWork, SubmitWork, MinerStatus, bt.Synapse]
    for one in classes:
        for other in classes:
            call = Call(pool.axon, one(), dendrite=dendrite)
            status = call.send(path="/" + other.__name__).status
            if one is not other:
                assert status == 400, (one, other)


def test_a_call_is_good_once_on_all_paths_and_connections_together(pool, dendrite):
    call = Call(pool.axon, GetWork(), dendrite=dendrite)
    assert [call.send().status for _ in range(3)] == [200, 401, 401]
    # What was not taken uses nothing up.
    call = Call(pool.axon, GetWork(worker="not a name"), dendrite=dendrite)
    assert [call.send().status for _ in range(2)] == [400, 400]
    # Calls that overtake each other are good, whichever comes first.
    calls = [Call(pool.axon, GetWork(), dendrite=dendrite) for _ in range(5)]
    assert [call.send().status for call in reversed(calls)] == [200] * 5
    # Two dendrites of one hotkey may sign at one moment.
    nonce = time.time_ns()
    twins = [Call(pool.axon, GetWork(), dendrite=dendrite).sign(nonce=nonce, uuid=f"twin-{n}") for n in range(2)]
    assert [call.send().status for call in twins] == [200, 200]
    assert [call.send().status for call in twins] == [401, 401]


@pytest.mark.parametrize(("secs", "status"), [(-17, 401), (-14, 200), (0, 200), (55, 200), (62, 401)])
def test_the_window_is_the_same_whatever_the_caller_says_of_its_timeout(pool, dendrite, secs, status):
    for timeout in ("12.0", "1.5", "3600.0"):
        call = Call(pool.axon, GetWork(), dendrite=dendrite)
        call.sign(nonce=time.time_ns() + secs * SECOND)
        call.headers["timeout"] = timeout
        assert call.send().status == status, timeout


def test_what_is_in_no_form_is_refused_in_that_of_every_answer(pool, dendrite):
    def changed(**headers):
        call = Call(pool.axon, GetWork(), dendrite=dendrite)
        for name, value in headers.items():
            if value is None:
                del call.headers[name]
            else:
                call.headers[name] = value
        return call.send().status

    assert changed(bt_header_dendrite_hotkey="5abc") == 401
    assert changed(bt_header_dendrite_hotkey=None) == 401
    assert changed(bt_header_dendrite_nonce="abc") == 400
    assert changed(bt_header_dendrite_nonce=None) == 401
    assert changed(bt_header_dendrite_uuid="x" * 65) == 400
    assert changed(timeout="soon") == 400
    upper = Call(pool.axon, GetWork(), dendrite=dendrite)
    right = upper.headers["bt_header_dendrite_signature"]
    upper.headers["bt_header_dendrite_signature"] = "0x" + right[2:].upper()
    assert upper.send().status == 200, "hex is hex"
    for body, status in [("", 400), ("[]", 400), ("null", 400), ("{", 400), ('{"a": NaN}', 400), ('{"a": 1, "a": 2}', 400)]:
        call = Call(pool.axon, GetWork(), dendrite=dendrite)
        assert post(pool.address, call.path, call.headers, body).status == status, body
    call = Call(pool.axon, GetWork(), dendrite=dendrite)
    call.fields["pad"] = "x" * 2_000_000
    assert call.send().status == 413
    assert post(pool.address, "/", {}, "").status == 404
    assert post(pool.address, "/register", {}, "").status == 404
    assert post(pool.address, "/Register/extra", {}, "").status == 404
    assert post(pool.address, "/v1/pool", {}, "").status == 404
    assert "Register" in post(pool.address, "/Withdraw", {}, "").message


def test_no_headers_and_no_body_harm_the_pool(pool, dendrite):
    """Right calls with pieces of them changed by chance: every answer is a refusal in its form, or an answer."""
    chance = random.Random(20261129)
    classes = [Register, GetWork, SubmitWork, MinerStatus, bt.Synapse]
    printable = [chr(code) for code in range(0x20, 0x7F)]
    # A dendrite of bittensor 9 takes ten times as long for a call.
    for _ in range(80 if bt.__version__.startswith("9.") else 400):
        call = Call(pool.axon, chance.choice(classes)(), dendrite=dendrite)
        for _ in range(chance.randrange(1, 4)):
            name = chance.choice(list(call.headers))
            value = list(call.headers[name])
            match chance.randrange(5):
                case 0:
                    value = []
                case 1:
                    value.insert(chance.randrange(len(value) + 1), chance.choice(printable))
                case 2 if value:
                    value[chance.randrange(len(value))] = chance.choice(printable)
                case 3:
                    value = value * 50
                case _:
                    value = value[: chance.randrange(len(value) + 1)]
            call.headers[name] = "".join(value)
        body = bytearray(call.body.encode())
        for _ in range(chance.randrange(3)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        answer = post(pool.address, call.path, call.headers, bytes(body))
        assert answer.status in (200, 400, 401, 403, 404), answer
    assert Call(pool.axon, GetWork(), dendrite=dendrite).send().status == 200


def test_what_is_echoed_is_what_was_sent(pool, dendrite):
    call = Call(pool.axon, GetWork(worker="w"), dendrite=dendrite)
    call.fields["own"] = {"nested": [1, 1e-05, None, "\u00e9"]}
    answer = call.send()
    assert answer.json["own"] == call.fields["own"] and answer.json["worker"] == "w"
    assert not {"dendrite", "computed_body_hash"} & set(answer.json)
    assert json.loads(answer.json["work"])["job_id"]

"""Who is asking: btauth/1 as PyPI's `bittensor` signs it, session tokens, and every way to be refused."""

import time

import pytest
from bittensor import http_auth
from bittensor.keyfiles import Keypair
from harness import ED25519, Miner, Pool, base58_decode, base58_encode, encode, problem, ss58

PATH = "/v1/miners"


def post(pool, headers, body=b"{}", path=PATH):
    return pool.request("POST", path, body, headers)


def test_a_request_signed_by_bittensor_is_taken(pool, uri):
    answer = Miner(pool, uri).register()
    assert answer.status == 201, answer


def test_a_request_signed_with_ed25519_is_taken_and_is_another_miner(pool, uri):
    sr25519, ed25519 = Miner(pool, uri), Miner(pool, uri, crypto=ED25519)
    assert ed25519.hotkey != sr25519.hotkey
    headers = ed25519.sign("POST", PATH, b"{}")
    assert headers["X-Bittensor-Crypto"] == "ed25519"
    answer = post(pool, headers)
    assert answer.status == 201, answer
    assert answer.json["hotkey"] == ed25519.hotkey
    ed25519.open_session()
    ed25519.accepted()


def test_an_ed25519_signature_declared_as_sr25519_is_invalid(pool, uri):
    headers = Miner(pool, uri, crypto=ED25519).sign("POST", PATH, b"{}")
    del headers["X-Bittensor-Crypto"]
    problem(post(pool, headers), 401, "signature_invalid")


def test_an_sr25519_signature_declared_as_ed25519_is_invalid(pool, uri):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    headers["X-Bittensor-Crypto"] = "ed25519"
    problem(post(pool, headers), 401, "signature_invalid")


def test_sr25519_may_be_named_too(pool, uri):
    # The header is only needed for other schemes, but naming this one is no mistake.
    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    headers["X-Bittensor-Crypto"] = "sr25519"
    assert post(pool, headers).status == 201


@pytest.mark.parametrize("method, path", [("POST", PATH), ("POST", "/v1/sessions"), ("GET", "/v1/work"), ("POST", "/v1/work")])
def test_a_request_without_signature_is_refused(pool, method, path):
    answer = pool.request(method, path, b"{}" if method == "POST" else b"")
    problem(answer, 401, "signature_missing")
    assert "www-authenticate" in answer.headers


def test_a_missing_signature_header_is_refused_though_the_others_are_there(pool, uri):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    del headers["X-Bittensor-Signature"]
    problem(post(pool, headers), 401, "signature_missing")


MALFORMED = [
    ("X-Bittensor-Version", None),
    ("X-Bittensor-Version", "2"),
    ("X-Bittensor-Version", ""),
    ("X-Bittensor-Version", "1.0"),
    ("X-Bittensor-Hotkey", None),
    ("X-Bittensor-Hotkey", ""),
    ("X-Bittensor-Hotkey", "not base58 0OIl"),
    ("X-Bittensor-Hotkey", "5" * 5000),
    ("X-Bittensor-Hotkey", "0x" + "ab" * 32),
    ("X-Bittensor-Nonce", None),
    ("X-Bittensor-Nonce", ""),
    ("X-Bittensor-Nonce", "-1"),
    ("X-Bittensor-Nonce", "+1795346881520539368"),
    ("X-Bittensor-Nonce", "1.5"),
    ("X-Bittensor-Nonce", "1e18"),
    ("X-Bittensor-Nonce", "0x18"),
    ("X-Bittensor-Nonce", "99999999999999999999999999"),
    ("X-Bittensor-Nonce", "18446744073709551616"),
    ("X-Bittensor-Signature", ""),
    ("X-Bittensor-Signature", "0x"),
    ("X-Bittensor-Signature", "0x" + "00" * 63),
    ("X-Bittensor-Signature", "0x" + "00" * 65),
    ("X-Bittensor-Signature", "00" * 64),
    ("X-Bittensor-Signature", "0x" + "zz" * 64),
    ("X-Bittensor-Crypto", "rsa"),
    ("X-Bittensor-Crypto", ""),
]


@pytest.mark.parametrize("header, value", MALFORMED, ids=[f"{header}={str(value)[:30]}" for header, value in MALFORMED])
def test_a_malformed_header_is_refused_by_name(pool, uri, header, value):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    if value is None:
        del headers[header]
    else:
        headers[header] = value
    body = problem(post(pool, headers), 401, "auth_malformed")
    assert header.lower() in (body.get("field", "") + body["detail"]).lower(), body


def test_a_nonce_with_a_leading_zero_is_refused(pool, uri):
    # bittensor signs the number's one spelling; another spelling of it would be another way around the guard.
    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    headers["X-Bittensor-Nonce"] = "0" + headers["X-Bittensor-Nonce"]
    problem(post(pool, headers), 401, "auth_malformed")


@pytest.mark.parametrize("receiver", [None, "//Other", "nonsense"])
def test_a_request_for_another_receiver_is_refused(pool, uri, receiver):
    miner = Miner(pool, uri)
    if receiver == "nonsense":
        headers = miner.sign("POST", PATH, b"{}", receiver_ss58="nonsense")
    elif receiver is None:
        headers = miner.sign("POST", PATH, b"{}", receiver_ss58=None)
        assert "X-Bittensor-Receiver" not in headers
    else:
        other = Keypair.create_from_uri(receiver).ss58_address
        headers = miner.sign("POST", PATH, b"{}", receiver_ss58=other)
    problem(post(pool, headers), 401, "wrong_receiver")


def test_a_receiver_changed_after_signing_is_refused(pool, uri):
    miner = Miner(pool, uri)
    other = Keypair.create_from_uri("//Other").ss58_address
    headers = miner.sign("POST", PATH, b"{}", receiver_ss58=other)
    headers["X-Bittensor-Receiver"] = pool.hotkey
    problem(post(pool, headers), 401, "signature_invalid")


def nonce_at(seconds_from_now):
    return time.time_ns() + int(seconds_from_now * 1e9)


@pytest.mark.parametrize("seconds", [-11, -60, -86400, 3, 3600, 10**9])
def test_a_request_from_outside_the_window_is_stale(pool, uri, seconds):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}", nonce_ns=nonce_at(seconds))
    problem(post(pool, headers), 401, "stale_request")


def test_a_request_signed_in_1970_is_stale(pool, uri):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}", nonce_ns=0)
    problem(post(pool, headers), 401, "stale_request")


def test_a_request_with_the_largest_nonce_is_stale(pool, uri):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}", nonce_ns=(1 << 64) - 1)
    problem(post(pool, headers), 401, "stale_request")


@pytest.mark.parametrize("seconds", [-8.5, 1.5])
def test_a_request_from_inside_the_window_is_taken(pool, uri, seconds):
    headers = Miner(pool, uri).sign("POST", PATH, b"{}", nonce_ns=nonce_at(seconds))
    answer = post(pool, headers)
    assert answer.status == 201, answer


def test_a_replay_is_refused_and_a_new_nonce_is_not(pool, uri):
    miner = Miner(pool, uri)
    headers = miner.sign("POST", PATH, b"{}")
    assert post(pool, headers).status == 201
    problem(post(pool, headers), 401, "replayed")
    problem(post(pool, headers), 401, "replayed")
    assert miner.register().status == 200


def test_the_same_nonce_is_good_for_two_hotkeys(pool, uri):
    nonce = time.time_ns()
    for miner in (Miner(pool, uri), Miner(pool, uri + "//second")):
        headers = miner.sign("POST", PATH, b"{}", nonce_ns=nonce)
        assert post(pool, headers).status == 201


def test_a_nonce_counts_once_over_all_routes(pool, uri):
    miner = Miner(pool, uri)
    nonce = time.time_ns()
    assert post(pool, miner.sign("POST", PATH, b"{}", nonce_ns=nonce)).status == 201
    headers = miner.sign("POST", "/v1/sessions", b"{}", nonce_ns=nonce)
    problem(post(pool, headers, path="/v1/sessions"), 401, "replayed")


def test_a_refused_signature_does_not_use_up_the_nonce(pool, uri):
    # Otherwise anybody could spoil another's requests by guessing nonces.
    miner = Miner(pool, uri)
    headers = miner.sign("POST", PATH, b"{}")
    forged = {**headers, "X-Bittensor-Signature": "0x" + "42" * 64}
    problem(post(pool, forged), 401, "signature_invalid")
    assert post(pool, headers).status == 201


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_replay_is_refused_across_a_restart(own_pool, uri, kill):
    pool = own_pool
    miner = Miner(pool, uri)
    headers = miner.sign("POST", PATH, b"{}", nonce_ns=nonce_at(1.5))
    assert post(pool, headers).status == 201
    hotkey = pool.hotkey
    pool.restart(kill=kill)
    assert pool.hotkey == hotkey, "the pool's own hotkey outlives a restart"
    problem(post(pool, headers), 401, "replayed")


def changed(headers, **changes):
    return {**headers, **changes}


def test_a_signature_covers_method_path_query_body_nonce_and_sender(pool, uri):
    miner = Miner(pool, uri)
    sign = lambda *args, **kwargs: miner.sign(*args, **kwargs)
    cases = {
        "method": (sign("PUT", PATH, b"{}"), PATH, b"{}"),
        "path": (sign("POST", "/v1/sessions", b"{}"), PATH, b"{}"),
        "query": (sign("POST", PATH + "?a=1", b"{}"), PATH, b"{}"),
        "query in the request only": (sign("POST", PATH, b"{}"), PATH + "?a=1", b"{}"),
        "body": (sign("POST", PATH, b"{}"), PATH, b"{ }"),
        "no body": (sign("POST", PATH, b"{}"), PATH, b""),
        "nonce": (changed(sign("POST", PATH, b"{}"), **{"X-Bittensor-Nonce": str(time.time_ns())}), PATH, b"{}"),
        "sender": (
            changed(sign("POST", PATH, b"{}"), **{"X-Bittensor-Hotkey": Miner(pool, "//Victim").hotkey}),
            PATH,
            b"{}",
        ),
    }
    for what, (headers, path, body) in cases.items():
        answer = post(pool, headers, body, path)
        assert (answer.status, answer.code) == (401, "signature_invalid"), f"{what}: {answer}"


def test_the_hotkey_must_be_a_right_ss58_address(pool, uri):
    miner = Miner(pool, uri)
    good = miner.sign("POST", PATH, b"{}")
    raw = base58_decode(miner.hotkey)
    key = raw[1:33]
    bad = {
        "checksum": base58_encode(raw[:-1] + bytes([raw[-1] ^ 1])),
        "one letter changed": miner.hotkey[:-1] + ("a" if miner.hotkey[-1] != "a" else "b"),
        "too short": miner.hotkey[:-1],
        "too long": miner.hotkey + "1",
        "prefix 0": ss58(key, 0),
        "prefix 2": ss58(key, 2),
        "prefix 13": ss58(key, 13),
        "prefix 1000": ss58(key, 1000),
        "31 bytes": ss58(key[:31]),
        "33 bytes": ss58(key + b"\0"),
    }
    assert ss58(key) == miner.hotkey, "this file's SS58 is that of bittensor"
    for what, hotkey in bad.items():
        # Signed for this very spelling, so that nothing but the spelling is wrong.
        nonce = time.time_ns()
        payload = http_auth.build_payload(
            scheme="sr25519", method="POST", path=PATH, body=b"{}", nonce_ns=nonce,
            sender_ss58=hotkey, receiver_ss58=pool.hotkey,
        )
        headers = {
            **good,
            "X-Bittensor-Hotkey": hotkey,
            "X-Bittensor-Nonce": str(nonce),
            "X-Bittensor-Signature": "0x" + bytes(miner.keypair.sign(payload)).hex(),
        }
        answer = post(pool, headers)
        assert (answer.status, answer.code) == (401, "auth_malformed"), f"{what}: {answer}"


def test_a_repeated_header_is_refused(pool, uri):
    import http.client

    headers = Miner(pool, uri).sign("POST", PATH, b"{}")
    connection = http.client.HTTPConnection(*pool.address, timeout=10)
    connection.putrequest("POST", PATH)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("X-Bittensor-Hotkey", Miner(pool, "//Victim").hotkey)
    connection.putheader("Content-Length", "2")
    connection.endheaders(b"{}")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 401 and b"auth_malformed" in body, body


def test_headers_may_be_written_in_any_case(pool, uri):
    headers = {name.lower(): value for name, value in Miner(pool, uri).sign("POST", PATH, b"{}").items()}
    assert post(pool, headers).status == 201


def test_every_request_of_a_miner_may_be_signed(pool, uri):
    miner = Miner(pool, uri)
    assert miner.register().status == 201
    answer = miner.signed("GET", "/v1/work?worker=rig-1")
    assert answer.status == 200, answer
    from harness import Job

    share, share_id = Job(answer.json).find()
    answer = miner.signed("POST", "/v1/work", {"worker": "rig-1", "shares": [share]})
    assert answer.status == 200, answer
    (verdict,) = answer.json["results"]
    assert (verdict["verdict"], verdict.get("share_id")) == ("accepted", share_id) or verdict["reason"] == "stale"


def test_a_session_token_stands_in_for_the_signature(pool, uri):
    miner = pool.miner(uri)
    assert miner.fetch().status == 200
    miner.accepted()


def test_a_session_token_does_not_stand_in_where_the_hotkey_itself_must_sign(pool, uri):
    miner = pool.miner(uri)
    for path in ("/v1/miners", "/v1/sessions"):
        answer = pool.request("POST", path, b"{}", miner.bearer())
        problem(answer, 401, "signature_missing")


@pytest.mark.parametrize("token", ["", "x", "ab" * 28, "0" * 112, "a" * 4000])
def test_a_wrong_token_is_refused(pool, token):
    answer = pool.get("/v1/work", {"Authorization": f"Bearer {token}"})
    assert answer.status == 401, answer
    assert answer.code in ("session_invalid", "signature_missing"), answer


def test_a_token_with_one_changed_letter_is_refused(pool, uri):
    miner = pool.miner(uri)
    for place in range(0, len(miner.token), 7):
        letter = "0" if miner.token[place] != "0" else "1"
        token = miner.token[:place] + letter + miner.token[place + 1 :]
        answer = pool.get("/v1/work", {"Authorization": f"Bearer {token}"})
        assert answer.status == 401, f"place {place}: {answer}"


def test_a_session_ends_when_it_said():
    with Pool(auth__session_secs=60) as pool:
        miner = pool.miner("//Short")
        opened = miner.open_session()
        from datetime import datetime, timedelta, timezone

        ends = datetime.fromisoformat(opened["expires_at"].replace("Z", "+00:00"))
        left = ends - datetime.now(timezone.utc)
        # The pool's clock is steered to the machine's and may be a moment ahead of it.
        assert timedelta(seconds=50) < left <= timedelta(seconds=60.1), opened


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_session_outlives_a_restart(own_pool, uri, kill):
    miner = own_pool.miner(uri)
    own_pool.restart(kill=kill)
    assert miner.fetch().status == 200
    miner.accepted()


def test_a_session_of_an_unregistered_hotkey_is_refused(pool, uri):
    answer = Miner(pool, uri).signed("POST", "/v1/sessions", {})
    problem(answer, 404, "miner_unknown")


def test_work_for_an_unregistered_hotkey_is_refused(pool, uri):
    miner = Miner(pool, uri)
    problem(miner.signed("GET", "/v1/work"), 404, "miner_unknown")
    problem(miner.signed("POST", "/v1/work", {"shares": []}), 404, "miner_unknown")


def test_the_body_is_signed_as_it_is_sent(pool, uri):
    # Any JSON layout is the miner's choice; what counts are the bytes.
    miner = Miner(pool, uri)
    body = b' {\n  "payout_address" : null } '
    answer = pool.request("POST", PATH, body, miner.sign("POST", PATH, body))
    assert answer.status == 201, answer
    assert encode({"a": 1}) == b'{"a": 1}'

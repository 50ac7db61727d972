"""The pool as a whole: rounds and credits, pages, readiness, and the document that describes all of it."""

import time

import pytest
from harness import Pool, eventually, is_instant, problem

POOL_FIELDS = {
    "name", "hotkey", "chain", "height", "network_difficulty", "miners", "workers", "hashrate", "scheme", "fee_bps",
    "run_interval_secs", "next_round_at", "luck", "shares", "ledger_sum_sats",
}
BLOCK_FIELDS = {"hash", "height", "state", "reward_sats", "found_by", "found_at", "confirmations", "effort"}
ROUND_FIELDS = {"id", "closed_at", "scheme", "source", "reward_sats", "fee_sats", "credited_sats", "blocks"}
CREDIT_FIELDS = {"hotkey", "units", "amount_sats"}
SUBSIDY = 5_000_000_000


def rows(pool, path, name):
    """All rows of a paged route, and no row twice."""
    found, cursor = [], None
    for _ in range(1000):
        separator = "&" if "?" in path else "?"
        answer = pool.get(path + (f"{separator}cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer
        assert set(answer.json) == {name, "next_cursor"}, answer
        found += answer.json[name]
        cursor = answer.json["next_cursor"]
        if cursor is None:
            return found
        assert isinstance(cursor, str)
    raise AssertionError("the pages do not end")


def wait_for_round_with(pool, block):
    def closed():
        found = [r for r in rows(pool, "/v1/rounds?limit=100", "rounds") if block in r["blocks"]]
        return found and found[0]

    return eventually(f"a round credits block {block}", closed)


def test_the_pool_has_the_documented_fields(pool, uri):
    miner = pool.miner(uri)
    miner.accepted()
    body = pool.pool()
    missing = POOL_FIELDS - set(body)
    assert not missing, missing
    assert body["name"] == "Dwarves"
    assert body["hotkey"].startswith("5") and len(body["hotkey"]) == 48
    assert body["chain"] == "devnet"
    assert body["scheme"] == "pplns"
    assert body["fee_bps"] == 100
    assert body["run_interval_secs"] == 1
    assert is_instant(body["next_round_at"])
    assert body["network_difficulty"] > 0
    assert body["miners"] >= 1 and body["workers"] >= 1
    assert body["hashrate"] >= 0
    assert set(body["shares"]) == {"accepted", "rejected"}
    assert body["shares"]["accepted"] >= 1
    assert body["ledger_sum_sats"] == 0


def test_a_block_is_credited_and_becomes_payable(own_pool, uri):
    pool = own_pool
    alice, bob = pool.miner(uri + "//a"), pool.miner(uri + "//b")
    for _ in range(30):
        alice.accepted(block=False)
    for _ in range(10):
        bob.accepted(block=False)
    block = alice.block()

    (found,) = rows(pool, "/v1/blocks", "blocks")
    assert BLOCK_FIELDS <= set(found)
    assert found["hash"] == block
    assert found["found_by"] == alice.hotkey
    assert found["reward_sats"] == SUBSIDY
    assert found["height"] == pool.pool()["height"]
    assert is_instant(found["found_at"])
    assert found["effort"] > 0
    round_ = wait_for_round_with(pool, block)
    assert ROUND_FIELDS <= set(round_)
    assert (round_["scheme"], round_["source"]) == ("pplns", "blocks")
    assert round_["reward_sats"] == SUBSIDY
    assert round_["fee_sats"] == SUBSIDY // 100
    assert is_instant(round_["closed_at"])

    answer = pool.get(f"/v1/rounds/{round_['id']}")
    assert answer.status == 200, answer
    details = answer.json
    assert {key: details[key] for key in round_} == round_
    assert details["credits"], "two miners worked for it"
    for credit in details["credits"]:
        assert CREDIT_FIELDS <= set(credit)
        assert isinstance(credit["units"], str) and isinstance(credit["amount_sats"], int)
    credited = {credit["hotkey"]: credit["amount_sats"] for credit in details["credits"]}
    assert sum(credited.values()) == round_["credited_sats"]
    kept = round_["reward_sats"] - round_["fee_sats"] - round_["credited_sats"]
    assert kept >= 0 and kept == round_.get("kept_sats", kept)
    # Whose shares are worth more depends on how quickly each came, for difficulty follows that: credit follows units.
    units = {credit["hotkey"]: float(credit["units"]) for credit in details["credits"]}
    for miner in (alice, bob):
        part = units[miner.hotkey] / sum(units.values())
        assert part > 0
        assert credited[miner.hotkey] == pytest.approx(round_["credited_sats"] * part, rel=1e-6)

    for miner in (alice, bob):
        (credit,) = rows(pool, f"/v1/miners/{miner.hotkey}/credits", "credits")
        assert credit["amount_sats"] == credited[miner.hotkey]
        assert is_instant(credit["closed_at"])
        balance = miner.status()["balance_sats"]
        assert balance == {"immature": credited[miner.hotkey], "payable": 0, "in_flight": 0, "paid": 0}
        assert float(miner.status()["performance"]["units"]) > 0
    assert pool.pool()["ledger_sum_sats"] == 0

    # Three confirmations make it mature: the pool finds the blocks itself.
    for _ in range(3):
        bob.block()
    eventually(
        "the first block is mature and what it brought is payable",
        lambda: alice.status()["balance_sats"]["payable"] >= credited[alice.hotkey],
    )
    states = {row["hash"]: row for row in rows(pool, "/v1/blocks", "blocks")}
    assert states[block]["state"] == "mature"
    assert states[block]["confirmations"] >= 3
    body = pool.pool()
    assert body["ledger_sum_sats"] == 0
    assert body["luck"] is not None and body["luck"] > 0

    # And all of it is the same after a kill.
    balances = [miner.status()["balance_sats"] for miner in (alice, bob)]
    pool.must_control("reward_distributor", "pause")
    balances = [miner.status()["balance_sats"] for miner in (alice, bob)]
    pool.restart(kill=True)
    assert [miner.status()["balance_sats"] for miner in (alice, bob)] == balances
    assert pool.pool()["ledger_sum_sats"] == 0


def test_rounds_close_by_the_clock_and_count_up(own_pool):
    eventually("three rounds closed", lambda: len(rows(own_pool, "/v1/rounds", "rounds")) >= 3)
    ids = [round_["id"] for round_ in rows(own_pool, "/v1/rounds", "rounds")]
    assert ids == sorted(ids, reverse=True) and ids[-1] == 1
    assert ids == list(range(ids[0], 0, -1)), "no round is missing"


def test_every_scheme_pays_a_block_out_exactly():
    for scheme in ("proportional", "pps", "fpps", "solo"):
        with Pool(rewards__scheme=scheme) as pool:
            miner, other = pool.miner("//One"), pool.miner("//Two")
            for _ in range(10):
                other.accepted(block=False)
            block = miner.block()
            round_ = wait_for_round_with(pool, block)
            assert round_["scheme"] == scheme
            details = pool.get(f"/v1/rounds/{round_['id']}").json
            amounts = {credit["hotkey"]: credit["amount_sats"] for credit in details["credits"]}
            assert sum(amounts.values()) == round_["credited_sats"], scheme
            if scheme == "solo":
                assert set(amounts) == {miner.hotkey} and amounts[miner.hotkey] == SUBSIDY - SUBSIDY // 100
            if scheme == "proportional":
                assert set(amounts) == {miner.hotkey, other.hotkey}
                assert sum(amounts.values()) == SUBSIDY - SUBSIDY // 100
            assert pool.pool()["ledger_sum_sats"] == 0
            assert pool.pool()["scheme"] == scheme


def test_emission_is_split_every_round():
    with Pool(rewards__source="emission", rewards__emission_sats=1_000_003, rewards__fee_bps=0) as pool:
        miner = pool.miner("//Emission")
        for _ in range(5):
            miner.accepted(block=False)

        def credited():
            return [row for row in rows(pool, "/v1/rounds", "rounds") if row["credited_sats"] > 0]

        round_ = eventually("a round credits the miner", credited)[0]
        assert round_["source"] == "emission"
        assert round_["reward_sats"] == 1_000_003
        eventually("what was emitted is payable", lambda: miner.status()["balance_sats"]["payable"] > 0)
        assert pool.pool()["ledger_sum_sats"] == 0


def test_pages_hold_every_row_once_newest_first(own_pool, uri):
    pool = own_pool
    miner = pool.miner(uri)
    for _ in range(7):
        miner.block()
    last = miner.block()
    wait_for_round_with(pool, last)
    eventually("eight rounds closed", lambda: len(rows(pool, "/v1/rounds", "rounds")) >= 8)
    pool.must_control("reward_distributor", "pause")
    credits = f"/v1/miners/{miner.hotkey}/credits"
    for path, name, key in (
        ("/v1/blocks", "blocks", "hash"),
        ("/v1/rounds", "rounds", "id"),
        (credits, "credits", None),
    ):
        whole = rows(pool, path, name)
        assert len(whole) >= 8 or name == "credits"
        for limit in (1, 2, 3, 100):
            assert rows(pool, f"{path}?limit={limit}", name) == whole, (path, limit)
        first = pool.get(f"{path}?limit=1").json
        assert len(first[name]) == 1
        if key:
            assert len({row[key] for row in whole}) == len(whole)
    heights = [block["height"] for block in rows(pool, "/v1/blocks", "blocks")]
    assert heights == sorted(heights, reverse=True)


@pytest.mark.parametrize("path", ["/v1/blocks", "/v1/rounds"])
@pytest.mark.parametrize(
    "query, name",
    [
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
        ("limit=1&limit=2", "limit"), ("cursor=x", "cursor"), ("cursor=-1", "cursor"),
        ("cursor=99999999999999999999", "cursor"), ("page=2", "page"), ("limit=1&x=%FF", "x"),
    ],
)
def test_a_wrong_page_is_refused_by_name(pool, path, query, name):
    problem(pool.get(f"{path}?{query}"), 400, "query_invalid", name)


@pytest.mark.parametrize("id", ["0", "999999999", "x", "-1", "1.0", "99999999999999999999", "%31%00", "1/2"])
def test_a_round_that_there_is_not_is_not_found(pool, id):
    answer = pool.get(f"/v1/rounds/{id}")
    assert answer.status == 404 and answer.code in ("round_unknown", "not_found"), answer


def test_the_pool_is_alive_and_ready(pool):
    assert pool.get("/healthz").status == 200
    assert pool.get("/readyz").status == 200


def test_a_path_that_there_is_not_is_not_found(pool):
    for path in ("/rpc", "/assets/", "/assets/../v1/pool", "/miners", "/v1", "/v1/", "/v2/pool", "/v1/pool/", "//v1/pool", "/v1/miners", "/v1/../v1/pool", "/%00"):
        answer = pool.get(path)
        assert answer.status in (404, 405), (path, answer)
        assert answer.code in ("not_found", "method_not_allowed"), (path, answer)


def test_a_method_that_a_path_does_not_take_is_refused_with_those_it_does(pool):
    for method, path in (("DELETE", "/v1/pool"), ("PUT", "/v1/work"), ("GET", "/v1/sessions"), ("PATCH", "/v1/miners"), ("POST", "/v1/blocks")):
        answer = pool.request(method, path, b"{}" if method != "GET" else b"")
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"], answer.headers


def test_routes_that_take_no_query_refuse_one(pool, uri):
    miner = pool.miner(uri)
    for path in ("/v1/pool", f"/v1/miners/{miner.hotkey}", "/v1/rounds/1", "/readyz", "/healthz"):
        problem(pool.get(path + "?extra=1"), 400, "query_invalid", "extra")


# What has tests of its own: notifications, links to look at a miner, epochs, evaluated work.
OF_THEIR_OWN = {
    ("get", "/v1/admin/batches"), ("get", "/v1/admin/batches/{batch}"), ("get", "/v1/admin/batches/{batch}/payouts"), ("get", "/v1/admin/weights"),
    ("get", "/v1/epochs"), ("get", "/v1/epochs/{id}"), ("delete", "/v1/miners/{hotkey}/notifications"),
    ("get", "/v1/miners/{hotkey}/notifications"), ("put", "/v1/miners/{hotkey}/notifications"),
    ("post", "/v1/miners/{hotkey}/notifications/confirm"), ("post", "/v1/miners/{hotkey}/notifications/test"),
    ("get", "/v1/miners/{hotkey}/submissions"), ("delete", "/v1/miners/{hotkey}/submissions/{id}"),
    ("get", "/v1/miners/{hotkey}/submissions/{id}"), ("get", "/v1/miners/{hotkey}/watches"),
    ("post", "/v1/miners/{hotkey}/watches"), ("delete", "/v1/miners/{hotkey}/watches/{id}"), ("get", "/v1/watch/{token}"),
}
DOCUMENTED = {
    ("post", "/v1/miners"), ("post", "/v1/sessions"), ("get", "/v1/work"), ("post", "/v1/work"),
    ("get", "/v1/miners/{hotkey}"), ("get", "/v1/miners/{hotkey}/credits"), ("get", "/v1/miners/{hotkey}/payouts"),
    ("get", "/v1/miners/{hotkey}/earnings"),
    ("get", "/v1/pool"), ("get", "/v1/blocks"), ("get", "/v1/rounds"), ("get", "/v1/rounds/{id}"),
    ("get", "/healthz"), ("get", "/readyz"), ("post", "/v1/admin/control"), ("get", "/v1/admin/audit"),
    ("get", "/v1/admin/withholding"), ("get", "/metrics"),
    ("get", "/v1/pool/history"), ("get", "/v1/miners/{hotkey}/history"), ("get", "/v1/miners/{hotkey}/rounds/{id}"),
    ("get", "/v1/events"), ("get", "/v1/chain"), ("get", "/v1/connect"), ("get", "/v1/blocks/{hash}"), ("get", "/v1/luck"),
    ("get", "/v1/payouts"), ("get", "/v1/payouts/{txid}"), ("get", "/v1/shares/{sequence}"),
    ("get", "/v1/admin/session"), ("post", "/v1/admin/session"), ("delete", "/v1/admin/session"), ("get", "/v1/admin/state"),
    *OF_THEIR_OWN,
}
# Streams, changes of an operator's session and what needs a history of its own: their tests are elsewhere.
ELSEWHERE = {
    *OF_THEIR_OWN,
    ("get", "/v1/events"), ("get", "/v1/miners/{hotkey}/rounds/{id}"), ("get", "/v1/payouts/{txid}"),
    ("get", "/v1/admin/session"), ("post", "/v1/admin/session"), ("delete", "/v1/admin/session"), ("get", "/v1/admin/state"),
}


def document(pool):
    answer = pool.get("/openapi.json")
    assert answer.status == 200, answer
    return answer.json


def test_the_openapi_document_is_valid_and_covers_every_route(pool):
    from openapi_spec_validator import validate

    doc = document(pool)
    validate(doc)
    described = {(method, path) for path, methods in doc["paths"].items() for method in methods}
    # The document may describe itself, too.
    assert described - {("get", "/openapi.json")} == DOCUMENTED


def resolve(doc, schema):
    while "$ref" in schema:
        node = doc
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        schema = node
    return schema


def test_answers_match_the_openapi_document(own_pool, uri):
    from openapi_schema_validator import OAS31Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    pool = own_pool
    miner = pool.miner(uri)
    wait_for_round_with(pool, miner.block())
    miner.accepted("rig-1")
    pool.must_control("work_manager", "refresh")
    doc = document(pool)
    assert doc["openapi"].startswith("3.1")
    resource = Resource(contents=doc, specification=DRAFT202012)
    registry = Registry().with_resource("urn:doc", resource)
    admin = {"Authorization": f"Bearer {pool.admin_token()}"}
    job = miner.job("rig-1")
    answers = {
        ("get", "/v1/pool"): pool.get("/v1/pool"),
        ("get", "/v1/blocks"): pool.get("/v1/blocks"),
        ("get", "/v1/rounds"): pool.get("/v1/rounds"),
        ("get", "/v1/rounds/{id}"): pool.get("/v1/rounds/1"),
        ("get", "/v1/miners/{hotkey}"): pool.get(f"/v1/miners/{miner.hotkey}"),
        ("get", "/v1/miners/{hotkey}/credits"): pool.get(f"/v1/miners/{miner.hotkey}/credits"),
        ("get", "/v1/miners/{hotkey}/payouts"): pool.get(f"/v1/miners/{miner.hotkey}/payouts"),
        ("get", "/v1/miners/{hotkey}/earnings"): pool.get(f"/v1/miners/{miner.hotkey}/earnings"),
        ("get", "/v1/work"): miner.fetch(),
        ("post", "/v1/work"): miner.submit(job.find()[0], {"job_id": "x", "nonce": 1}),
        ("post", "/v1/miners"): miner.register(),
        ("post", "/v1/sessions"): miner.signed("POST", "/v1/sessions", {}),
        ("get", "/healthz"): pool.get("/healthz"),
        ("get", "/readyz"): pool.get("/readyz"),
        ("post", "/v1/admin/control"): pool.control("pool_manager", "status"),
        ("get", "/v1/admin/audit"): pool.get("/v1/admin/audit", admin),
        ("get", "/v1/admin/withholding"): pool.get("/v1/admin/withholding", admin),
        ("get", "/metrics"): pool.get("/metrics"),
        ("get", "/v1/pool/history"): pool.get("/v1/pool/history?resolution=minute"),
        ("get", "/v1/miners/{hotkey}/history"): pool.get(f"/v1/miners/{miner.hotkey}/history?worker=rig-1"),
        ("get", "/v1/chain"): pool.get("/v1/chain"),
        ("get", "/v1/connect"): pool.get("/v1/connect"),
        ("get", "/v1/blocks/{hash}"): pool.get(f"/v1/blocks/{pool.get('/v1/blocks').json['blocks'][0]['hash']}"),
        ("get", "/v1/luck"): pool.get("/v1/luck"),
        ("get", "/v1/payouts"): pool.get("/v1/payouts"),
        ("get", "/v1/shares/{sequence}"): pool.get("/v1/shares/1"),
    }
    assert set(answers) == DOCUMENTED - ELSEWHERE
    refusals = {
        ("get", "/v1/rounds/{id}"): pool.get("/v1/rounds/0"),
        ("post", "/v1/work"): miner.request("POST", "/v1/work", "{}"),
        ("post", "/v1/admin/control"): pool.control("nobody", "status"),
    }
    for (method, path), answer in [*answers.items(), *refusals.items()]:
        operation = doc["paths"][path][method]
        response = operation["responses"].get(str(answer.status), operation["responses"].get("default"))
        assert response, f"{method} {path} says nothing of {answer.status}"
        content_type = answer.headers["content-type"]
        media = response["content"].get(content_type) or response["content"][content_type.partition(";")[0]]
        schema = {"$ref": media["schema"]["$ref"].replace("#", "urn:doc#")} if "$ref" in media["schema"] else media["schema"]
        is_json = "json" in content_type
        value = answer.json if is_json else answer.body.decode()
        errors = list(OAS31Validator(schema, registry=registry).iter_errors(value))
        assert not errors, f"{method} {path}: {errors[0].message}\n{answer}"


def test_every_code_of_a_refusal_is_in_the_document(pool):
    text = str(document(pool))
    for code in (
        "signature_missing", "auth_malformed", "wrong_receiver", "stale_request", "replayed", "signature_invalid",
        "registration_closed", "banned", "payout_address_invalid", "miner_unknown", "busy",
    ):
        assert code in text, code


def test_head_is_answered_like_get_without_a_body(pool):
    answer = pool.request("HEAD", "/v1/pool")
    assert answer.status == 200 and answer.body == b"", answer


def test_missed_rounds_are_made_up_for_after_a_stop(uri):
    with Pool() as pool:
        miner = pool.miner(uri)
        miner.accepted(block=False)
        eventually("a round closed", lambda: rows(pool, "/v1/rounds", "rounds"))
        before = rows(pool, "/v1/rounds?limit=1", "rounds")[0]["id"]
        pool.stop()
        time.sleep(3)
        pool.start()
        eventually("rounds close again", lambda: pool.get("/v1/rounds?limit=1").json["rounds"][0]["id"] > before)
        ids = [row["id"] for row in rows(pool, "/v1/rounds?limit=100", "rounds")]
        assert ids == list(range(ids[0], 0, -1)), "every round exactly once"

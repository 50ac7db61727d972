"""The operator's session in a browser, against the running pool."""

import json

from harness import Pool


def log_in(pool, token=None):
    body = {"token": pool.admin_token() if token is None else token}
    return pool.request("POST", "/v1/admin/session", body)


def test_the_cookie_needs_its_token_for_changes_and_ends_with_a_log_out_for_good():
    with Pool() as pool:
        answer = log_in(pool)
        assert answer.status == 200, answer
        cookie, _, attributes = answer.headers["set-cookie"].partition("; ")
        assert attributes == "Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"
        csrf = answer.json["csrf"]
        with_cookie = {"Cookie": cookie}
        assert pool.get("/v1/admin/audit", with_cookie).status == 200
        change = json.dumps({"actor": "work_manager", "message": "refresh"})

        def send(headers):
            return pool.request("POST", "/v1/admin/control", change, headers)

        refused = send(with_cookie)
        assert (refused.status, refused.code) == (403, "csrf_invalid"), refused
        right = {**with_cookie, "X-CSRF-Token": csrf}
        assert send(right).status == 200
        foreign = send({**right, "Origin": "https://evil.example"})
        assert (foreign.status, foreign.code) == (403, "csrf_invalid"), foreign
        host, port = pool.address
        assert send({**right, "Origin": f"http://{host}:{port}"}).status == 200
        # It outlives a restart, and a log-out does too.
        pool.restart()
        assert pool.get("/v1/admin/session", with_cookie).json["csrf"] == csrf
        assert pool.request("DELETE", "/v1/admin/session", None, right).status == 200
        assert pool.get("/v1/admin/audit", with_cookie).status == 401
        pool.restart(kill=True)
        assert pool.get("/v1/admin/audit", with_cookie).status == 401
        trail = [(row["actor"], row["message"]) for row in pool.audit()["audit"]]
        assert ("operator_door", "log_in") in trail and ("operator_door", "log_out") in trail
        # Another admin token ends it, too.
        cookie = log_in(pool).headers["set-cookie"].partition(";")[0]
        assert pool.get("/v1/admin/session", {"Cookie": cookie}).json["logged_in"] is True
        assert pool.stop() == 0
        (pool.data_dir / "admin.token").write_text("ab" * 32)
        pool.start()
        assert pool.get("/v1/admin/session", {"Cookie": cookie}).json["logged_in"] is False


def test_a_client_that_guesses_is_told_to_wait():
    with Pool() as pool:
        answers = [log_in(pool, "wrong") for _ in range(31)]
        assert {answer.code for answer in answers[:30]} == {"token_invalid"}
        assert (answers[30].status, answers[30].code) == (429, "too_many_logins")
        assert log_in(pool).status == 429
        assert pool.control("work_manager", "refresh").status == 200, "the token itself is served as ever"

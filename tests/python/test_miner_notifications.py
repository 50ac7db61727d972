"""What miners are told by the channels that they give: theirs alone, at least once, and nowhere but where the pool goes."""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import subprocess
import time

import pytest
from harness import Miner, Pool, binary, eventually, problem
from journals import notices_on_their_way
from test_notifications import MailServer, Receiver

SETTINGS = """
[miner_notifications]
enabled = true
allow_http = true
allow_private = true
ports = []
look_secs = 1
offline_after_min_secs = 1
"""


@contextlib.contextmanager
def pool_that_tells(folder, settings="", **more):
    config = folder / "config.toml"
    config.write_text(SETTINGS + settings)
    with Pool(data_dir=folder / "data", config=config, **more) as pool:
        yield pool


def path(miner, rest=""):
    return f"/v1/miners/{miner.hotkey}/notifications{rest}"


def webhook(url, name="hook", **more):
    return {"name": name, "kind": "webhook", "url": url, **more}


def put(miner, *channels, **wishes):
    """Says what the miner wants, signed. Gives the secret of each webhook that got one."""
    answer = miner.signed("PUT", path(miner), {"channels": list(channels), **wishes})
    assert answer.status == 200, answer
    return {channel["name"]: channel.get("secret") for channel in answer.json["channels"]}


def show(miner):
    answer = miner.request("GET", path(miner))
    assert answer.status == 200, answer
    return answer.json


def verified(secret, headers, body):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b"%s.%s.%s" % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
    digest = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{digest}" in headers["webhook-signature"].split(" ")


def test_a_block_is_told_to_its_finder_alone_signed_by_a_secret_that_is_shown_once(tmp_path):
    with Receiver() as mine, Receiver() as other, Receiver() as topic, pool_that_tells(tmp_path) as pool:
        finder, neighbour = pool.miner("//Finder"), pool.miner("//Neighbour")
        ntfy = {"name": "phone", "kind": "ntfy", "url": topic.url, "token": "tk_secret"}
        secret = put(finder, webhook(mine.url), ntfy)["hook"]
        put(neighbour, webhook(other.url))
        block = finder.block()
        eventually("it is told", lambda: mine.told("block_found") and topic.got)
        _, headers, body = mine.got[0]
        assert verified(secret, headers, body)
        told = json.loads(body)
        assert told["data"]["hash"] == block and told["data"]["hotkey"] == finder.hotkey
        _, headers, text = topic.got[0]
        assert headers["authorization"] == "Bearer tk_secret" and block in text.decode()
        shown = json.dumps(show(finder))
        assert secret not in shown and "tk_secret" not in shown and "/hook" not in shown
        assert put(finder, webhook(mine.url), {**ntfy, "token": None})["hook"] is None, "it is shown once"
        assert put(finder, webhook(mine.url, new_secret=True))["hook"] not in (None, secret)
        eventually("it is booked as told", lambda: notices_on_their_way(pool.data_dir) == 0)
        pool.restart(kill=True)
        time.sleep(2.5)
        assert len(mine.told("block_found")) == 1 and not other.got
        for word in (secret, "tk_secret", mine.url):
            assert word not in pool.log()


def test_what_does_not_arrive_is_told_again_under_the_same_id_also_after_a_kill(tmp_path):
    answers = {1: 500, 2: "hang up"}
    with Receiver(lambda number: answers.get(number, (2, 200))) as receiver, pool_that_tells(tmp_path) as pool:
        miner = pool.miner("//Again")
        secret = put(miner, webhook(receiver.url))["hook"]
        block = miner.block()
        eventually("the first try", lambda: len(receiver.got) == 1)
        # Its failure is in the ledger before long; wherever the pool is killed, it is told again.
        pool.restart(kill=True)
        eventually("the second try", lambda: len(receiver.got) >= 2, 20)
        pool.restart(kill=True)
        eventually("it arrives", lambda: len(receiver.got) >= 3, 60)
        assert len(set(receiver.ids())) == 1
        assert len({body for _, _, body in receiver.got}) == 1, "the same body at every try"
        assert all(verified(secret, headers, body) for _, headers, body in receiver.got)
        assert receiver.told("block_found")[0]["data"]["hash"] == block
        eventually("nothing waits", lambda: show(miner)["waiting"] == 0)


def test_one_miners_dead_receivers_delay_neither_another_miner_nor_the_operator(tmp_path):
    def hang(_):
        time.sleep(30)
        return 200

    with Receiver(hang) as slow, Receiver() as quick, Receiver() as ops:
        (tmp_path / "secret").write_text("whsec_" + base64.b64encode(bytes(32)).decode())
        operator = (
            "[notifications]\nsettle_secs = 0\ndigest_hour = -1\n[[notifications.channels]]\n"
            f'name = "ops"\nkind = "webhook"\nurl = "{ops.url}"\nsecret_file = "{tmp_path}/secret"\n'
        )
        with pool_that_tells(tmp_path, "at_once = 2\n" + operator) as pool:
            # Three miners whose receiver hangs, and two places.
            hanging = [pool.miner(f"//Hang{n}") for n in range(3)]
            living = pool.miner("//Living")
            for miner in hanging:
                put(miner, webhook(slow.url, "a"), webhook(slow.url + "?2", "b"))
            put(living, webhook(quick.url.replace("127.0.0.1", "localhost")))
            for miner in hanging:
                assert miner.signed("POST", path(miner, "/test")).status == 200
            eventually("one place is taken", lambda: slow.got)
            block = living.block()
            eventually("both are told", lambda: quick.told("block_found") and ops.told("block_found"), 8)
            assert quick.told("block_found")[0]["data"]["hash"] == block
            assert len(slow.got) == 1, "of one host half of the places"
            begin = time.monotonic()
            assert pool.stop() == 0
            assert time.monotonic() - begin < 15, "nor the pool's end"


def test_a_worker_that_is_away_is_told_and_so_is_its_return(tmp_path):
    with Receiver() as receiver, pool_that_tells(tmp_path) as pool:
        miner = pool.miner("//Away")
        put(miner, webhook(receiver.url), events=["worker_offline"], offline_after_secs=3)
        miner.accepted(worker="rig")
        eventually("it is away", lambda: receiver.told("worker_offline"), 30)
        told = receiver.told("worker_offline")[0]["data"]
        assert (told["state"], told["workers"]) == ("begins", ["rig"])
        eventually("it is booked as told", lambda: notices_on_their_way(pool.data_dir) == 0)
        pool.restart(kill=True)
        miner.accepted(worker="rig")
        eventually("it is back", lambda: len(receiver.told("worker_offline")) > 1, 30)
        assert [told["data"]["state"] for told in receiver.told("worker_offline")[:2]] == ["begins", "ends"]


def test_mail_goes_to_an_address_only_once_its_code_came_back(tmp_path):
    with MailServer(refused=1) as post:
        mail = f'mail_url = "{post.url}"\nmail_from = "Pool <pool@example.org>"\n'
        with pool_that_tells(tmp_path, mail) as pool:
            miner = pool.miner("//Mail")
            channel = {"name": "post", "kind": "mail", "address": "me@example.org"}
            put(miner, channel)
            eventually("the code is there", lambda: post.mails, 20)
            assert post.tries == 2, "it is mailed again until the server takes it"
            miner.block()
            problem(miner.signed("POST", path(miner, "/test")), 422, "notifications_invalid", "channel")
            text = post.mails[0].replace("=\r\n", "")
            code = re.search(r"code: ([a-z0-9]{10})", text)[1]
            assert miner.hotkey in text and "me@example.org" in text

            def confirm(code):
                return miner.signed("POST", path(miner, "/confirm"), {"channel": "post", "code": code})

            problem(confirm("x" * 10), 422, "code_invalid", "code")
            assert show(miner)["channels"][0]["state"] == "unconfirmed"
            assert len(post.mails) == 1, "nothing but the code"
            eventually("it is booked as told", lambda: notices_on_their_way(pool.data_dir) == 0)
            pool.restart(kill=True)
            assert confirm(code).status == 200
            block = miner.block()
            eventually("the block is mailed", lambda: len(post.mails) == 2, 20)
            assert block in post.mails[1].replace("=\r\n", "")
            # Another spelling of the same mailbox, by others: three codes a day, whoever asks.
            others = [pool.miner(f"//Mail{n}") for n in range(4)]
            statuses = []
            for n, other in enumerate(others):
                channel = {"name": "post", "kind": "mail", "address": f"ME+{n}@example.org"}
                statuses.append(other.signed("PUT", path(other), {"channels": [channel]}).status)
            assert statuses.count(429) >= 1, statuses


def test_the_pool_goes_nowhere_but_to_the_public_internet(tmp_path):
    with Receiver() as receiver:
        config = tmp_path / "config.toml"
        config.write_text("[miner_notifications]\nenabled = true\nallow_http = true\nports = []\n")
        with Pool(data_dir=tmp_path / "data", config=config) as pool:
            miner = pool.miner("//Guard")
            port = receiver.url.split(":")[2].split("/")[0]
            hosts = ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"]
            for host in hosts:
                put(miner, webhook(f"http://{host}:{port}/hook"))
                assert miner.signed("POST", path(miner, "/test")).status == 200
                eventually("it is decided", lambda: show(miner)["channels"][0]["state"] == "given_up", 20)
                assert "does not go" in show(miner)["channels"][0]["why"]
                answer = miner.signed("DELETE", path(miner))
                assert answer.status == 204, answer
            assert receiver.got == []
            # What is refused at once: no encryption and other ports, as they are by default.
            config.write_text("[miner_notifications]\nenabled = true\n")
            pool.restart()
            for url in ("http://example.org/", "https://example.org:22/", "https://a:b@example.org/", "gopher://x"):
                answer = miner.signed("PUT", path(miner), {"channels": [webhook(url)]})
                problem(answer, 422, "notifications_invalid", "channels[0].url")


def test_nobody_else_says_or_sees_what_a_miner_is_told(tmp_path):
    with Receiver() as receiver, pool_that_tells(tmp_path) as pool:
        miner, other = pool.miner("//Mine"), pool.miner("//Other")
        put(miner, webhook(receiver.url))
        before = show(miner)
        body = {"channels": [webhook("http://other.example/")]}
        requests = [
            ("GET", "", None),
            ("PUT", "", body),
            ("DELETE", "", None),
            ("POST", "/test", {}),
            ("POST", "/confirm", {"channel": "hook", "code": "x"}),
        ]
        admin = {"Authorization": f"Bearer {pool.admin_token()}"}
        for method, rest, sent in requests:
            problem(other.signed(method, path(miner, rest), sent), 403, "forbidden")
            problem(other.request(method, path(miner, rest), sent), 403, "forbidden")
            problem(pool.request(method, path(miner, rest), sent), 401, "signature_missing")
            assert pool.request(method, path(miner, rest), sent, admin).status == 401, "nor the operator"
        assert show(miner) == before
        problem(other.request("GET", path(other)), 404, "notifications_unknown")
        assert receiver.url not in json.dumps(pool.must_control("pool_manager", "status"))
        unknown = Miner(pool, "//Nobody")
        problem(unknown.signed("PUT", path(unknown), body), 404, "miner_unknown")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"channels":[]}',
        b'{"channels":null}',
        b'{"channels":[{}]}',
        b'{"channels":[{"name":"a","kind":"webhook","url":"http://x","url":"http://y"}]}',
        b'{"channels":[{"name":"\\u0000","kind":"webhook","url":"http://x"}]}',
        b'{"channels":[{"name":"a","kind":"webhook","url":"http://x/\\r\\nHost: y"}]}',
        b'{"channels":[{"name":"a","kind":"mail","address":"a@b.c\\r\\nBcc: d@e.f"}]}',
        b'{"channels":[{"name":"a","kind":"ntfy","url":"http://x","token":"a\\nb"}]}',
        b'{"channels":[' + b",".join([b'{"name":"a","kind":"webhook","url":"http://x"}'] * 5_000) + b"]}",
        b'{"channels":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"channels":[{"name":"a","kind":"webhook","url":"http://x"}],"digest_hour":1e400}',
        b'{"channels":[{"name":"a","kind":"webhook","url":"http://x"}],"offline_after_secs":18446744073709551616}',
        b'{"channels":[{"name":"a","kind":"webhook","url":"http://x"}],"utc_offset_minutes":-32768}',
        b"\xff\xfe" * 1_000,
    ],
)
def test_hostile_bodies_are_refused_and_change_nothing(body, hostile_pool):
    pool, miner = hostile_pool
    for method, rest in (("PUT", ""), ("POST", "/confirm")):
        answer = miner.request(method, path(miner, rest), body)
        assert 400 <= answer.status < 500, answer
        assert answer.headers["content-type"] == "application/problem+json"
    assert pool.is_alive()
    problem(miner.request("GET", path(miner)), 404, "notifications_unknown")


@pytest.fixture(scope="module")
def hostile_pool(tmp_path_factory):
    with pool_that_tells(tmp_path_factory.mktemp("hostile")) as pool:
        yield pool, pool.miner("//Hostile")


def test_where_it_is_not_turned_on_the_routes_say_so(tmp_path):
    with Pool(data_dir=tmp_path / "data") as pool:
        miner = pool.miner("//Off")
        problem(miner.signed("PUT", path(miner), {"channels": [webhook("https://x.org")]}), 404, "notifications_off")
        assert "dwarves_miner_notices" not in pool.get("/metrics").body.decode()


def test_what_miners_are_told_is_counted_without_their_names(tmp_path):
    with Receiver() as receiver, pool_that_tells(tmp_path) as pool:
        miner = pool.miner("//Counted")
        put(miner, webhook(receiver.url))
        assert miner.signed("POST", path(miner, "/test")).status == 200
        eventually("it arrived", lambda: receiver.told("test"))

        def figures():
            return pool.get("/metrics").body.decode()

        line = 'dwarves_miner_notices_total{kind="test",channel="webhook",outcome="arrived"} 1'
        eventually("it is counted", lambda: line in figures())
        assert "dwarves_miner_notices_waiting 0" in figures()
        assert "dwarves_miners_notified 1" in figures()
        assert miner.hotkey not in figures()


def test_the_command_line_says_shows_tries_and_ends_it(tmp_path):
    def dwarves(*arguments, fails=False):
        line = [binary(), "notifications", *arguments, "--pool", pool.url, "--hotkey", str(key)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=30)
        assert (done.returncode != 0) == fails, done
        return done.stdout + done.stderr

    key = tmp_path / "miner.key"
    subprocess.run([binary(), "hotkey", "new", str(key)], check=True, capture_output=True, timeout=30)
    with Receiver() as receiver, pool_that_tells(tmp_path) as pool:
        assert "not registered" in dwarves("set", "--webhook", f"hook={receiver.url}", fails=True)
        mine = [binary(), "mine", "--pool", pool.url, "--hotkey", str(key), "--duration-secs", "1", "--threads", "1"]
        subprocess.run(mine, check=True, capture_output=True, timeout=60)
        shown = json.loads(dwarves("set", "--webhook", f"hook={receiver.url}", "--events", "payout_sent"))
        assert shown["channels"][0]["secret"].startswith("whsec_") and shown["events"] == ["payout_sent"]
        assert "on its way by hook" in dwarves("test", "hook")
        eventually("the test is there", lambda: receiver.told("test"))
        assert "secret" not in json.loads(dwarves("show"))["channels"][0]
        assert "nothing is told" in dwarves("remove")
        assert "notifications_unknown" in dwarves("show", fails=True)

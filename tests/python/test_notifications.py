"""Notifications as their receivers get them: signed, at least once, under the same id, again when a receiver fails."""

import base64
import contextlib
import hashlib
import hmac
import http.server
import json
import socketserver
import threading
import time

import pytest
from harness import Pool, eventually
from journals import notices_on_their_way

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """An HTTP server that keeps what it gets, and answers as its `behaviour` says by the number of the request."""

    def __init__(self, behaviour=lambda number: 200):
        self.got = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((self.path, headers, body))
                answer = behaviour(len(receiver.got))
                if answer == "hang up":
                    self.close_connection = True
                    return
                if answer == "redirect":
                    self.send_response(302)
                    self.send_header("location", "/elsewhere")
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                times, status = answer if isinstance(answer, tuple) else (1, answer)
                for _ in range(times):
                    self.wfile.write(b"HTTP/1.1 %d Said\r\ncontent-length: 2\r\n\r\nok" % status)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/hook" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def ids(self):
        return [headers["webhook-id"] for _, headers, _ in self.got]

    def told(self, kind):
        bodies = [json.loads(body) for _, _, body in self.got]
        return [body for body in bodies if body["type"] == kind]


class MailServer:
    """An SMTP server that keeps what it gets, written from RFC 5321; it refuses the first `refused` mails for now."""

    def __init__(self, refused=0):
        self.mails = []
        self.tries = 0
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 mail.test\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b"".join(iter(self.rfile.readline, b".\r\n"))
                        server.tries += 1
                        if server.tries <= refused:
                            self.wfile.write(b"451 later\r\n")
                            continue
                        server.mails.append(text.decode())
                    elif verb == b"QUIT":
                        self.wfile.write(b"221 bye\r\n")
                        return
                    self.wfile.write(b"250 ok\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "smtp://127.0.0.1:%d" % self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_mail_is_sent_again_until_the_server_takes_it(tmp_path):
    with MailServer(refused=1) as post:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[[notifications.channels]]\nname = "post"\nkind = "mail"\nurl = "{post.url}"\n'
            'from = "Pool <pool@example.org>"\nto = ["me@example.org", "you@example.org"]\nevents = ["block_found"]\n'
        )
        with Pool(data_dir=tmp_path / "data", config=config) as pool:
            block = pool.miner("//Mail").block()
            eventually("the mail is there", lambda: post.mails, 20)
            (mail,) = post.mails
            assert post.tries == 2
            head, text = mail.split("\r\n\r\n", 1)
            assert "Subject: [pool] Block found" in head and "From: Pool <pool@example.org>" in head
            assert "me@example.org" in head and "you@example.org" in head
            assert block in text.replace("=\r\n", "")


def verified(headers, body):
    """Checks a signature as the specification says, with nothing of the pool's."""
    content = b"%s.%s.%s" % (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
    digest = base64.b64encode(hmac.new(KEY, content, hashlib.sha256).digest()).decode()
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    return f"v1,{digest}" in headers["webhook-signature"].split(" ")


@contextlib.contextmanager
def pool_that_tells(folder, *channels, **settings):
    (folder / "secret").write_text(SECRET + "\n")
    tables = ""
    for name, kind, url, events in channels:
        tables += f'[[notifications.channels]]\nname = "{name}"\nkind = "{kind}"\nurl = "{url}"\n'
        tables += f'secret_file = "{folder}/secret"\nevents = {json.dumps(events)}\n'
    config = folder / "config.toml"
    config.write_text("[notifications]\nsettle_secs = 0\ndigest_hour = -1\n" + tables)
    with Pool(data_dir=folder / "data", config=config, **settings) as pool:
        yield pool


def test_a_found_block_is_told_signed_and_once_if_it_arrives(tmp_path):
    with Receiver() as receiver, Receiver() as topic:
        channels = [("ops", "webhook", receiver.url, ["block_found"]), ("phone", "ntfy", topic.url, ["block_found"])]
        with pool_that_tells(tmp_path, *channels) as pool:
            miner = pool.miner("//Told")
            block = miner.block()
            eventually("it is told", lambda: receiver.told("block_found") and topic.got)
            (path, headers, body) = receiver.got[0]
            assert path == "/hook" and headers["content-type"] == "application/json"
            assert verified(headers, body)
            told = json.loads(body)
            assert told["data"]["hash"] == block and told["data"]["finder"] == miner.hotkey
            assert "Block" in told["data"]["text"]
            _, headers, text = topic.got[0]
            assert headers["title"] == "Block found" and block in text.decode()
            assert headers["authorization"] == f"Bearer {SECRET}"
            # It arrived, and that is in the ledger: neither time nor a restart tells it again.
            eventually("it is booked", lambda: notices_on_their_way(pool.data_dir) == 0)
            pool.restart(kill=True)
            time.sleep(2.5)
            assert [body["data"]["hash"] for body in receiver.told("block_found")].count(block) == 1
            # No secret is anywhere that people read.
            status = json.dumps(pool.must_control("pool_manager", "status"))
            assert SECRET not in pool.log() and SECRET not in status


def test_what_does_not_arrive_is_told_again_under_the_same_id_also_after_a_kill(tmp_path):
    answers = {1: 500, 2: "hang up", 3: "redirect"}
    with Receiver(lambda number: answers.get(number, 200)) as receiver:
        with pool_that_tells(tmp_path, ("ops", "webhook", receiver.url, ["block_found"])) as pool:
            pool.miner("//Again").block()
            eventually("the first try", lambda: len(receiver.got) == 1)
            eventually("it is in the outbox", lambda: "cannot be reached, again later" in pool.log())
            pool.restart(kill=True)
            eventually("the second try", lambda: len(receiver.got) == 2, 15)
            assert len(set(receiver.ids())) == 1
            assert len({body for _, _, body in receiver.got}) == 1, "the same body at every try"
            assert all(verified(headers, body) for _, headers, body in receiver.got)
            assert receiver.url not in pool.log()


def test_a_receiver_that_answers_twice_confuses_nobody_and_one_that_is_gone_is_left_alone(tmp_path):
    with Receiver(lambda number: (2, 200) if number == 1 else 500) as twice, Receiver(lambda _: 410) as gone:
        channels = [("twice", "webhook", twice.url, ["block_found"]), ("gone", "webhook", gone.url, ["block_found"])]
        with pool_that_tells(tmp_path, *channels) as pool:
            miner = pool.miner("//Twice")
            miner.block()
            eventually("both were told", lambda: twice.got and gone.got)
            miner.block()
            # The second message is answered 500 by its own answer, whatever was said before: so it is told again.
            eventually("the second try of the second", lambda: len(twice.got) >= 3, 20)
            assert twice.ids()[1] == twice.ids()[2] != twice.ids()[0]
            eventually("the other was told of both", lambda: len(gone.got) >= 2)
            time.sleep(7)
            assert len(set(gone.ids())) == len(gone.got), "what is unwanted is not told again"


def test_one_receiver_that_hangs_keeps_no_other_waiting(tmp_path):
    def hang(_):
        time.sleep(30)
        return 200

    with Receiver(hang) as slow, Receiver() as quick:
        channels = [("slow", "webhook", slow.url, ["block_found"]), ("quick", "webhook", quick.url, ["block_found"])]
        with pool_that_tells(tmp_path, *channels) as pool:
            miner = pool.miner("//Slow")
            miner.block()
            miner.block()
            eventually("both blocks are told", lambda: len(quick.told("block_found")) >= 2, 8)
            assert len(slow.got) == 1
            begin = time.monotonic()
            assert pool.stop() == 0
            assert time.monotonic() - begin < 10, "nor the pool's end"


@pytest.mark.parametrize(
    ("channel", "complaint"),
    [
        ('kind = "pigeon"\nurl = "https://x"', "webhook"),
        ('kind = "webhook"\nurl = "https://x"', "secret_file is missing"),
        ('kind = "mail"\nurl = "https://x"', "smtps://"),
        ('kind = "mail"\nurl = "smtps://x"', "from and to"),
        ('kind = "mail"\nurl = "smtps://x"\nfrom = "a@b"\nto = ["c"]', '"c"'),
        ('kind = "ntfy"\nurl = "ftp://x"', "https://"),
        ('kind = "ntfy"\nurl = "https://x"\nevents = ["rain"]', "rain"),
        ('kind = "webhook"\nurl = "https://x"\nsecret_file = "/none/such"', "secret_file /none/such"),
    ],
)
def test_a_channel_that_is_wrong_is_named(tmp_path, channel, complaint):
    config = tmp_path / "config.toml"
    config.write_text(f'[[notifications.channels]]\nname = "ops"\n{channel}\n')
    with pytest.raises(AssertionError, match="the pool ended") as ended:
        Pool(data_dir=tmp_path / "data", config=config).start()
    assert complaint in str(ended.value)

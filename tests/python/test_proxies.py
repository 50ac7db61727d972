"""The proxies of deploy/ in front of a pool: real nginx and real Caddy, with the files as they are but for ports and
certificates."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest
import stratum
from crash_miners import address_of
from harness import ROOT, Answer, Miner, Pool, encode, eventually, free_port
from test_stratum_doors import certificate, trust  # noqa: F401  (a fixture)

NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so"
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
user root;
load_module {module};
include {folder}/stream.conf;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    include {folder}/http.conf;
}}
"""
CADDY = """
{{
	admin off
	auto_https off
	storage file_system {folder}/caddy
}}
"""


class Front:
    """A pool as it is seen through a proxy, from an address of this machine."""

    def __init__(self, pool, port, chain):
        self.pool, self.port, self.context = pool, port, trust(chain)
        self.hotkey = pool.hotkey

    def connect(self, source="127.0.0.5", timeout=75):
        """A connection from this address, whose port the system chooses."""
        more = {"source_address": (source, 0), "timeout": timeout, "context": self.context}
        return http.client.HTTPSConnection("localhost", self.port, **more)

    def request(self, method, path, body=None, headers=None, source="127.0.0.5"):
        with contextlib.closing(self.connect(source)) as connection:
            connection.request(method, path, encode(body), headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    config = tmp_path_factory.mktemp("behind") / "pool.toml"
    config.write_text('[[stratum.listeners]]\nlisten = "127.0.0.1:0"\nproxies = ["127.0.0.1"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUST_LOG", "debug")
        with Pool(config=config, log__format="json", http__proxies='["127.0.0.1"]') as pool:
            yield pool


@contextlib.contextmanager
def running(command, port, folder):
    """A proxy that listens on this port."""
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:

        def listens():
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True

        eventually("the proxy listens", listens)
        yield
    finally:
        process.terminate()
        process.wait(20)


def changed(text, **changes):
    """A file's text with each of these in place of what is there, which must be there."""
    for old, new in changes.items():
        assert old in text, f"{old} is not in the file any more"
        text = text.replace(old, str(new))
    return text


@pytest.fixture(scope="module")
def nginx(pool, certificate, tmp_path_factory):  # noqa: F811
    if shutil.which("nginx") is None:
        pytest.skip("there is no nginx")
    key, chain = certificate
    folder = tmp_path_factory.mktemp("nginx")
    tls, plain, stream = free_port(), free_port(), free_port()
    letsencrypt = "/etc/letsencrypt/live/pool.example.org/"
    with_certificate = {f"{letsencrypt}fullchain.pem": chain, f"{letsencrypt}privkey.pem": key}
    # Here may be no IPv6.
    files = {
        name: re.sub(r"^ *listen \[::\].*\n", "", (ROOT / "deploy/nginx" / name).read_text(), flags=re.M)
        for name in ("dwarves.conf", "dwarves-stream.conf")
    }
    http_conf = changed(
        files["dwarves.conf"],
        **with_certificate,
        **{"listen 443": f"listen {tls}", "listen 80": f"listen {plain}", "server 127.0.0.1:8080": "server %s:%d" % pool.address},
    )
    stream_conf = changed(
        files["dwarves-stream.conf"],
        **with_certificate,
        **{"listen 3343": f"listen {stream}", "server 127.0.0.1:3336": f"server {pool.listen['stratum'][0]}"},
    )
    (folder / "http.conf").write_text(http_conf)
    (folder / "stream.conf").write_text(stream_conf)
    main = folder / "nginx.conf"
    main.write_text(NGINX.format(folder=folder, module=NGINX_STREAM))
    tested = subprocess.run(["nginx", "-t", "-c", main], capture_output=True, text=True)
    assert tested.returncode == 0 and "[warn]" not in tested.stderr, tested.stderr
    with running(["nginx", "-c", main], tls, folder):
        front = Front(pool, tls, chain)
        front.plain, front.stream = plain, stream
        yield front


@pytest.fixture(scope="module")
def caddy(pool, certificate, tmp_path_factory):  # noqa: F811
    if shutil.which("caddy") is None:
        pytest.skip("there is no caddy")
    key, chain = certificate
    folder = tmp_path_factory.mktemp("caddy")
    tls = free_port()
    text = changed(
        (ROOT / "deploy/caddy/Caddyfile").read_text(),
        **{
            "pool.example.org {": f"https://localhost:{tls} {{\n\ttls {chain} {key}",
            "reverse_proxy 127.0.0.1:8080": "reverse_proxy %s:%d" % pool.address,
        },
    )
    file = folder / "Caddyfile"
    file.write_text(CADDY.format(folder=folder) + text)
    with running(["caddy", "run", "--adapter", "caddyfile", "--config", file], tls, folder):
        yield Front(pool, tls, chain)


@pytest.fixture(params=["nginx", "caddy"])
def front(request):
    """Each proxy that stands before HTTP."""
    return request.getfixturevalue(request.param)


def lines(pool):
    return [json.loads(line) for line in pool.log_lines()]


def clients_seen(pool, route, count, since):
    """The clients of as many requests to a route as there were since this line of the log."""

    def seen():
        spans = [span for line in lines(pool)[since:] for span in line.get("spans", []) if span["name"] == "request"]
        clients = [span["client"] for span in spans if span["route"] == route]
        return len(clients) >= count and clients

    return eventually(f"{count} requests to {route} are told", seen)


# Nobody but the proxy may say who the client is.
CLAIMS = [
    {},
    {"X-Forwarded-For": "192.0.2.9"},
    {"Forwarded": "for=192.0.2.9"},
    {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"},
    {"X-Forwarded-For": "127.0.0.1, 192.0.2.9"},
]


def test_the_pool_sees_each_client_by_its_own_address_whatever_it_claims(front):
    sources = [f"127.0.0.{number}" for number in range(20, 20 + len(CLAIMS))]
    since = len(lines(front.pool))
    for source, claim in zip(sources, CLAIMS):
        assert front.request("GET", "/v1/rounds", None, claim, source).status == 200
    assert clients_seen(front.pool, "/v1/rounds", len(CLAIMS), since) == sources


def test_who_is_no_proxy_of_the_pool_is_not_believed(pool):
    since = len(lines(pool))
    for claim in CLAIMS:
        connection = http.client.HTTPConnection(*pool.address, source_address=("127.0.0.7", 0))
        with contextlib.closing(connection):
            connection.request("GET", "/v1/blocks", headers=claim)
            assert connection.getresponse().status == 200
    assert set(clients_seen(pool, "/v1/blocks", len(CLAIMS), since)) == {"127.0.0.7"}


def test_work_is_mined_and_long_polls_wake_through_a_proxy(front, request):
    miner = Miner(front, f"//{request.node.name}")
    assert miner.register().status == 201
    miner.open_session()
    job = miner.job("waits")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(miner.fetch("waits", longpoll=job.id)))
    waiting.start()
    time.sleep(1)
    assert not answers, "there is no newer work yet"
    miner.accepted("finds", block=True)
    begin = time.monotonic()
    waiting.join(30)
    assert time.monotonic() - begin < 5
    (answer,) = answers
    assert answer.status == 200 and answer.json["height"] > job.work["height"]


def test_events_come_one_by_one_through_a_proxy(front):
    with contextlib.closing(front.connect(timeout=20)) as connection:
        connection.request("GET", "/v1/events?topics=pool", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert response.headers["Content-Encoding"] is None
        seen = []
        while len(seen) < 2:
            line = response.readline().decode()
            assert line, "the stream goes on"
            if line.startswith("event:"):
                seen.append((line.split(":", 1)[1].strip(), time.monotonic()))
        assert [name for name, _ in seen] == ["hello", "pool"]


def test_an_operators_session_is_for_tls_alone_and_knows_its_own_page(front):
    page = {"Origin": f"https://localhost:{front.port}"}
    answer = front.request("POST", "/v1/admin/session", {"token": front.pool.admin_token()}, page)
    assert answer.status == 200, answer
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"Secure", "HttpOnly", "SameSite=Strict"} <= set(attributes), attributes
    body = {"actor": "pool_manager", "message": "status"}
    headers = {"Cookie": cookie, "X-CSRF-Token": answer.json["csrf"]}
    assert front.request("POST", "/v1/admin/control", body, {**headers, **page}).status == 200
    other = {**headers, "Origin": "https://example.org"}
    assert front.request("POST", "/v1/admin/control", body, other).status == 403


def test_a_body_that_the_pool_would_not_take_ends_at_nginx(nginx):
    assert nginx.request("POST", "/v1/miners", b"x" * 2_000_000).status == 413


def test_figures_are_for_this_machine_alone(front):
    assert front.request("GET", "/healthz").status == 200
    assert front.request("GET", "/metrics", source="127.0.0.5").status == 403
    assert front.request("GET", "/metrics", source="127.0.0.1").status == 200


def test_plain_http_is_sent_to_tls(nginx):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.plain)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/pool", headers={"Host": "pool.example.org"})
        response = connection.getresponse()
        assert (response.status, response.headers["Location"]) == (301, "https://pool.example.org/v1/pool")


def test_stratum_comes_through_tls_with_each_miner_by_its_own_address(nginx):
    plain = socket.create_connection(("127.0.0.1", nginx.stream), source_address=("127.0.0.33", 0), timeout=20)
    with nginx.context.wrap_socket(plain, server_hostname="localhost") as tls:
        tls.sendall(b'{"id":1,"method":"mining.subscribe","params":["test/1"]}\n')
        tls.sendall(b'{"id":2,"method":"mining.authorize","params":["%s.rig","x"]}\n' % address_of(3).encode())
        read = b""
        while b"mining.notify\",\"params" not in read.replace(b" ", b""):
            part = tls.recv(65536)
            assert part, read
            read += part

    def clients():
        ends = [line for line in lines(nginx.pool) if "session ended" in line["message"]]
        return [span.get("client", "") for line in ends for span in line["spans"] if span["name"] == "session"]

    eventually("its end is told", lambda: any(text.startswith("127.0.0.33:") for text in clients()))


def test_without_its_header_nobody_speaks_to_the_listener_behind_the_proxy(pool):
    with stratum.Client(pool.listen["stratum"][0]) as client, pytest.raises(stratum.Closed):
        client.subscribe()

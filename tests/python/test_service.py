"""As a service: what the service manager hears, sockets that it hands over, a watchdog, and a stop within its time.

The tests play systemd: they open the sockets, hand them over as file descriptors from 3 on (sd_listen_fds(3)) and read
what the pool says (sd_notify(3)).
"""

import contextlib
import ctypes
import http.client
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest
import stratum
from crash_miners import address_of
from harness import Pool, binary, environment, eventually

# ptrace(2)
ATTACH, DETACH, WAIT_ALL_THREADS = 16, 17, 0x40000000


class ServiceManager:
    """Holds sockets, and hears what the service says."""

    def __init__(self, path, **sockets):
        self.sockets = {name: socket.create_server(("127.0.0.1", port)) for name, port in sockets.items()}
        self.path = path
        self.hears = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.hears.bind(str(path))
        self.hears.setblocking(False)

    def address(self, name):
        return self.sockets[name].getsockname()

    def news(self):
        """What was said since the last time, line by line."""
        lines = []
        with contextlib.suppress(BlockingIOError):
            while True:
                lines += self.hears.recv(4096).decode().splitlines()
        return lines

    def close(self):
        for one in [self.hears, *self.sockets.values()]:
            one.close()


class Service(Pool):
    """A pool that a service manager starts."""

    def __init__(self, manager, names=None, watchdog_secs=None, **arguments):
        super().__init__(**arguments)
        self.manager, self.names, self.watchdog_secs = manager, names, watchdog_secs

    def spawn(self, *arguments):
        handed_over = list(self.manager.sockets.values())
        names = list(self.manager.sockets) if self.names is None else self.names
        env = {**environment(self.settings), "NOTIFY_SOCKET": str(self.manager.path)}
        if self.watchdog_secs is not None:
            env["WATCHDOG_USEC"] = str(int(self.watchdog_secs * 1_000_000))
        if handed_over:
            env["LISTEN_FDS"] = str(len(handed_over))
            env["LISTEN_FDNAMES"] = ":".join(names)
        # The shell's process becomes the pool, and so has the number that the sockets are meant for. This process has taken
        # 3 and those after it long ago.
        moved = " ".join(f"{at}<&{one.fileno()}" for at, one in enumerate(handed_over, 3))
        script = f'export LISTEN_PID=$$; exec {moved}; exec "$@"' if handed_over else 'exec "$@"'
        if self.config is not None:
            arguments = ("--config", self.config, *arguments)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script, "bash", str(binary()), "serve", "--data-dir", self.data_dir, *arguments],
                cwd=self.data_dir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[one.fileno() for one in handed_over],
            )


@pytest.fixture
def managed(tmp_path):
    """Makes services of one manager, which is closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(**sockets):
            manager = ServiceManager(tmp_path / "notify", **sockets)
            stack.callback(manager.close)
            return manager

        yield make


def test_a_restart_drops_no_connection_attempt(managed, tmp_path):
    manager = managed(http=0, stratum=0)
    service = Service(manager, data_dir=tmp_path / "data", stratum__listen="127.0.0.1:1", http__listen="127.0.0.1:2")
    with service as pool:
        assert pool.address == manager.address("http"), "the socket's address holds, not the setting's"
        assert pool.listen["stratum"] == ["%s:%d" % manager.address("stratum")]
        assert "READY=1" in manager.news()
        attempts = []
        is_over = threading.Event()

        def connect():
            # Each connection is one attempt: it is served, however long that takes, or it failed.
            while not is_over.is_set():
                client = http.client.HTTPConnection(*pool.address, timeout=30)
                try:
                    client.request("GET", "/healthz")
                    attempts.append(client.getresponse().status)
                except (OSError, http.client.HTTPException) as failure:
                    attempts.append(repr(failure))
                client.close()
                time.sleep(0.002)

        threads = [threading.Thread(target=connect) for _ in range(3)]
        for thread in threads:
            thread.start()
        eventually("there are attempts", lambda: len(attempts) > 100)
        begin = time.monotonic()
        assert pool.stop() == 0
        assert time.monotonic() - begin < 30
        said = manager.news()
        assert "STOPPING=1" in said and "STATUS=stopping because of SIGTERM" in said, said
        # Nobody accepts now.
        with stratum.Client(manager.address("stratum"), timeout=30) as miner:
            waiting = miner.post("mining.subscribe", "test/1")
            pool.start()
            assert miner.answer(waiting)["error"] is None
            assert miner.ok("mining.authorize", f"{address_of(1)}.rig", "x") is True
        served = len(attempts)
        eventually("attempts are served again", lambda: len(attempts) > served + 100)
        is_over.set()
        for thread in threads:
            thread.join(40)
        assert set(attempts) == {200}, set(attempts)
        assert manager.news().count("READY=1") == 1


def why_not(service):
    """The words of a pool that does not start."""
    with pytest.raises(AssertionError, match="the pool ended with 1"):
        service.start()
    return service.log()


@pytest.mark.parametrize(
    ("names", "settings", "said"),
    [
        (["http", "web"], {}, 'socket "web" on 127.0.0.1:'),
        (["http", "http"], {}, "two sockets were handed over for http"),
        (["http"], {}, "LISTEN_FDNAMES names 1 of 2"),
        (["http", "stratum"], {}, 'socket "stratum" on 127.0.0.1:'),
    ],
)
def test_sockets_that_are_for_no_listener_are_refused(managed, names, settings, said):
    assert said in why_not(Service(managed(a=0, b=0), names=names, **settings))


def test_what_is_no_listening_socket_is_refused(managed):
    manager = managed(http=0)
    with socket.create_connection(manager.address("http")), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.bind(("127.0.0.1", 0))
        accepted, _ = manager.sockets["http"].accept()
        listening = manager.sockets["http"]
        for wrong in (accepted, packets, manager.hears):
            manager.sockets["http"] = wrong
            said = why_not(Service(manager))
            assert 'socket 0 ("http") that was handed over is no listening TCP socket' in said
        manager.sockets["http"] = listening
        accepted.close()


def test_listeners_without_a_socket_open_their_own_and_sockets_are_found_by_address(managed):
    manager = managed(http=0)
    host, port = manager.address("http")
    settings = {"http__listen": f"{host}:{port}", "stratum__listen": "127.0.0.1:0"}
    with Service(manager, names=["dwarves.socket"], **settings) as pool:
        assert pool.address == (host, port)
        with stratum.Client(pool.listen["stratum"][0]) as miner:
            miner.subscribe()


def managers_thread(pid):
    """The thread of the managers: the first of its kind that a pool starts. Those of the HTTP server come later."""
    tasks = pathlib.Path(f"/proc/{pid}/task")
    return min(int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().startswith("actix-rt|system"))


@contextlib.contextmanager
def wedged(thread):
    """Stops one thread of another process, as a debugger does."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ptrace(request):
        if libc.ptrace(request, thread, None, None) != 0:
            pytest.skip(f"threads cannot be stopped here: {os.strerror(ctypes.get_errno())}")

    ptrace(ATTACH)
    os.waitpid(thread, WAIT_ALL_THREADS)
    try:
        yield
    finally:
        ptrace(DETACH)


def test_the_watchdog_hears_nothing_while_the_managers_are_wedged(managed):
    manager = managed()
    with Service(manager, watchdog_secs=1) as pool:
        eventually("the watchdog hears of it", lambda: "WATCHDOG=1" in manager.news())
        with wedged(managers_thread(pool.process.pid)):
            # What was asked before may still be answered.
            time.sleep(0.5)
            manager.news()
            time.sleep(1.5)
            assert "WATCHDOG=1" not in manager.news()
            assert pool.get("/healthz").status == 200, "the other threads are well"
        eventually("it hears of it again", lambda: "WATCHDOG=1" in manager.news())
        assert "the pool's actors do not answer" in pool.log()


def test_the_status_says_how_the_pool_is(managed):
    manager = managed()
    with Service(manager, watchdog_secs=1) as pool:
        told = []

        def hears(text):
            return lambda: told.extend(manager.news()) or any(text in line for line in told)

        eventually("it is ready", hears(f"STATUS=ready for miners on {pool.url}"))
        pool.must_control("pool_manager", "pause")
        eventually("it is paused", hears("STATUS=not ready: the pool is paused"))
        pool.must_control("pool_manager", "shutdown")
        eventually("an admin stops it", hears("STATUS=stopping because of an admin's order"))
        assert pool.process.wait(30) == 0
        pool.process = None


def test_a_stop_keeps_its_time_while_clients_hold_on(managed):
    """Long polls, half a request, an event stream, a Stratum session: none of them holds a stop up."""
    manager = managed(http=0, stratum=0)
    with Service(manager, stratum__listen="127.0.0.1:1", http__longpoll_secs=60) as pool:
        miner = pool.miner()
        job = miner.job()
        waiting = threading.Thread(target=lambda: contextlib.suppress(OSError) and miner.fetch(longpoll=job.id))
        waiting.start()
        with socket.create_connection(pool.address) as half, stratum.Client(pool.listen["stratum"][0]) as session:
            half.sendall(b"POST /v1/work HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            session.subscribe().authorize(f"{address_of(1)}.rig")
            events = http.client.HTTPConnection(*pool.address, timeout=60)
            events.request("GET", "/v1/events")
            assert events.getresponse().status == 200
            begin = time.monotonic()
            assert pool.stop(60) == 0
            assert time.monotonic() - begin < 60
            events.close()
        waiting.join(30)

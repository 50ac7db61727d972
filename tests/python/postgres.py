"""A PostgreSQL server for a test: Debian's, in a directory of its own, on a socket there and on a port of this machine."""

import glob
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from harness import eventually, free_port


def programs():
    """Where the server's programs are."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    found = [place for place in places if os.path.exists(f"{place}/initdb")]
    if not found and shutil.which("initdb"):
        found = [os.path.dirname(shutil.which("initdb"))]
    assert found, "these tests need PostgreSQL's server and client: apt install postgresql"
    return pathlib.Path(found[0])


class Postgres:
    """A running server."""

    def __init__(self, settings="", place=None):
        # A socket's path must be short. What is stored may lie elsewhere.
        self._own = tempfile.TemporaryDirectory(prefix="dwpg-", dir="/tmp")
        self.directory = pathlib.Path(self._own.name)
        self.data = (place or self.directory) / "data"
        self.port = free_port()
        self.settings = settings
        self.process = None
        self.as_nobody = []
        if os.getuid() == 0:
            # A server refuses to run as root.
            shutil.chown(self.directory, "nobody", "nogroup")
            self.as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]

    def run(self, program, *arguments, check=True, **kwargs):
        command = [*self.as_nobody, str(programs() / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.directory, **kwargs)
        assert not check or done.returncode == 0, (command, done.stdout, done.stderr)
        return done

    def __enter__(self):
        self._make()
        with open(self.data / "postgresql.conf", "a") as conf:
            conf.write(f"unix_socket_directories = '{self.directory}'\nlisten_addresses = '127.0.0.1'\n")
            # Shared memory in files of its own: what is killed leaves nothing elsewhere.
            conf.write(f"port = {self.port}\nshared_buffers = 64MB\ndynamic_shared_memory_type = mmap\n{self.settings}\n")
        self.start()
        self._fill()
        return self

    def _make(self):
        self.run("initdb", "-D", str(self.data), "-U", "dwarves", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def _fill(self):
        self.sql("CREATE DATABASE ledger", database="postgres")

    def __exit__(self, kind, *_):
        if kind is not None:
            print("--- the end of the server's log")
            print((self.directory / "log").read_text(errors="replace")[-4000:])
        if self.process is not None:
            self.kill()
        self._own.cleanup()

    def start(self):
        command = [*self.as_nobody, str(programs() / "postgres"), "-D", str(self.data)]
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        ready = lambda: self.run("psql", *self._to("postgres"), "-c", "SELECT 1", check=False).returncode == 0  # noqa: E731
        eventually("the server takes connections", ready, 60)

    def kill(self):
        """kill -9 of all of its processes at once, as a machine that stops."""
        process, self.process = self.process, None
        # It begins nothing more, so that all are killed.
        process.send_signal(signal.SIGSTOP)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
        for pid in [process.pid, *map(int, children)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        process.wait()
        end = time.monotonic() + 20
        while any(self._is_running(pid) for pid in children):
            assert time.monotonic() < end, "a process of the server does not end"
            time.sleep(0.01)

    @staticmethod
    def _is_running(pid):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
        except OSError:
            return False
        return state not in "ZX"

    def stop(self):
        process, self.process = self.process, None
        process.send_signal(signal.SIGINT)
        process.wait(60)

    def _to(self, database):
        return ["-X", "-q", "-A", "-t", "-h", str(self.directory), "-p", str(self.port), "-U", "dwarves", "-d", database]

    def sql(self, *statements, database="ledger"):
        """The rows that statements give, each a list of texts."""
        arguments = [word for statement in statements for word in ("-c", statement)]
        done = self.run("psql", *self._to(database), "-v", "ON_ERROR_STOP=1", *arguments)
        return [line.split("|") for line in done.stdout.splitlines()]

    def url(self, database="ledger", user="dwarves", host=None):
        """Where a database is: by the socket, or at a host."""
        where = host or urllib.parse.quote(str(self.directory), safe="")
        return f"postgresql://{user}@{where}:{self.port}/{database}"

    def of_pool(self, **more):
        """Settings of a pool that keeps its ledger here."""
        return {"store__kind": "postgres", "store__url": self.url(), **more}


class Standby(Postgres):
    """A running standby of another server, which it follows by streaming."""

    def __init__(self, primary, settings=""):
        super().__init__(settings)
        self.primary = primary

    def _make(self):
        where = ["-h", str(self.primary.directory), "-p", str(self.primary.port), "-U", "dwarves"]
        self.run("pg_basebackup", *where, "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync")

    def _fill(self):
        """It has what its primary has."""

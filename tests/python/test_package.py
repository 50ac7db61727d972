"""The Debian package: installed, started, upgraded, removed and purged by the real dpkg.

It is done in this machine's own system with a layer over it, so that nothing of it stays. systemd does not run there: the test
starts what the unit starts, as the unit's user.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

import pytest
from harness import QUICK, ROOT, Miner, binary, encode, environment, eventually, send

NAME = "dwarves-pool"
OLD, NEW = "0.1.9", "9.0.0"
UNITS = sorted((ROOT / "deploy/systemd").glob("dwarves*"))
UNIT = "usr/lib/systemd/system/dwarves.service"


def run(*command, **more):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **more)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def packages():
    """Two versions of the package, made of the program under test as it is."""
    path = f"{os.environ['PATH']}{os.pathsep}{ROOT / 'target/tests/cargo-deb/bin'}"
    if shutil.which("cargo-deb", path=path) is None or shutil.which("dpkg") is None:
        pytest.skip("there is no cargo-deb (cargo install cargo-deb)")
    profile = {"debug": "dev"}.get(binary().parent.name, binary().parent.name)
    env = {**os.environ, "PATH": path, "PROFILE": profile, "CARGO_TARGET_DIR": str(binary().parents[1])}
    architecture = run("dpkg", "--print-architecture").strip()
    made = []
    for version in (OLD, NEW):
        run("deploy/package", "deb", "--no-build", cwd=ROOT, env={**env, "DEB_VERSION": version})
        made.append(ROOT / f"target/package/{NAME}_{version}_{architecture}.deb")
    yield made
    for package in made:
        package.unlink()


class System:
    """This machine with a layer over it."""

    def __init__(self, folder):
        self.folder, self.root = folder, folder / "root"
        self.process = None

    def __enter__(self):
        if os.geteuid() != 0:
            pytest.skip("only root can lay a layer over the system")
        run("mount", "-t", "tmpfs", "tmpfs", self.folder)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        layers = f"lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work"
        laid = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], capture_output=True, text=True)
        if laid.returncode != 0:
            run("umount", self.folder)
            pytest.skip(f"no layer can be laid over the system: {laid.stderr}")
        run("mount", "-t", "proc", "proc", self.root / "proc")
        run("mount", "--bind", "/dev", self.root / "dev")
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for mounted in ("root/dev", "root/proc", "root", ""):
            run("umount", self.folder / mounted)

    def dpkg(self, *arguments):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return run("chroot", self.root, "dpkg", *arguments, env=env)

    def install(self, package):
        shutil.copy(package, self.root / "tmp")
        return self.dpkg("-i", f"/tmp/{package.name}")

    def stat(self, path):
        """Rights, owner and group of a file."""
        return run("chroot", self.root, "stat", "--format=%a %U:%G", f"/{path}").strip()

    def start(self):
        """Starts what the unit starts, as its user in its directory, and waits until it is ready."""
        unit = (self.root / UNIT).read_text()
        said = {key: re.search(rf"^{key}=(.*)$", unit, re.M)[1] for key in ("ExecStart", "User", "Group", "WorkingDirectory")}
        user = ["--reuid", said["User"], "--regid", said["Group"], "--init-groups", "--no-new-privs", "--inh-caps=-all"]
        there = ["env", f"--chdir={said['WorkingDirectory']}", *shlex.split(said["ExecStart"])]
        log = open(self.folder / "log", "ab")
        settings = {**QUICK, "http.listen": "127.0.0.1:0"}
        self.process = subprocess.Popen(
            ["chroot", self.root, "setpriv", *user, *there], env=environment(settings), stdout=log, stderr=log
        )
        listen = self.root / "var/lib/dwarves/listen.json"
        eventually("it is ready", lambda: listen.exists() or self.process.poll() is not None, 30)
        assert self.process.poll() is None, (self.folder / "log").read_text()
        host, port = re.fullmatch(r"http://([^/:]+):(\d+)", json.loads(listen.read_text())["http"]).groups()
        self.address = (host, int(port))
        self.hotkey = self.request("GET", "/v1/pool").json["hotkey"]

    def request(self, method, path, body=None, headers=None):
        return send(self.address, method, path, encode(body), headers)

    def stop(self):
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (self.folder / "log").read_text()


def test_the_package_is_installed_started_upgraded_and_removed(packages, tmp_path):
    old, new = packages
    with System(tmp_path) as system:
        system.install(old)
        assert f"Version: {OLD}" in system.dpkg("-s", NAME)
        assert system.stat("etc/dwarves/config.toml") == "640 root:dwarves"
        assert system.stat("var/lib/dwarves") == "700 dwarves:dwarves"
        assert system.dpkg("-V", NAME) == "", "every file is as it was packed"
        files = system.dpkg("-L", NAME).split()
        for path in (
            "/usr/bin/dwarves",
            f"/{UNIT}",
            "/usr/lib/systemd/system/dwarves.socket",
            "/usr/lib/systemd/system/dwarves-stratum.socket",
            "/usr/share/man/man1/dwarves.1.gz",
            "/usr/share/bash-completion/completions/dwarves",
            f"/usr/share/doc/{NAME}/copyright",
        ):
            assert path in files, path
        assert not (system.root / "etc/systemd/system/multi-user.target.wants/dwarves.service").is_symlink(), "it is not enabled"
        assert (system.root / "etc/dwarves/config.toml").read_text() == (ROOT / "config.toml").read_text()

        system.start()
        miner = Miner(system)
        assert miner.register().status == 201
        system.stop()

        config = system.root / "etc/dwarves/config.toml"
        config.write_text(config.read_text().replace('name = "Dwarves"', 'name = "Mine"'))
        system.install(new)
        assert f"Version: {NEW}" in system.dpkg("-s", NAME)
        assert system.stat("etc/dwarves/config.toml") == "640 root:dwarves"
        system.start()
        assert system.request("GET", "/v1/pool").json["name"] == "Mine", "the operator's settings hold"
        assert system.request("GET", f"/v1/miners/{miner.hotkey}").status == 200, "the ledger is the same"
        system.stop()

        system.dpkg("-r", NAME)
        assert not (system.root / "usr/bin/dwarves").exists()
        assert config.exists() and (system.root / "var/lib/dwarves/dwarves.db").exists()
        said = system.dpkg("-P", NAME)
        assert not config.exists()
        assert (system.root / "var/lib/dwarves/dwarves.db").exists(), "what the pool owes is never removed"
        assert "stay in /var/lib/dwarves" in said


def test_an_upgrade_restarts_the_service_and_leaves_its_sockets_open(packages, tmp_path):
    run("dpkg-deb", "--control", packages[0], tmp_path / "control")
    scripts = {name: (tmp_path / "control" / name).read_text() for name in ("postinst", "prerm", "postrm")}
    assert re.findall(r"deb-systemd-invoke (\S+) (.*?) >", scripts["postinst"]) == [("try-restart", "dwarves.service")]
    stopped = re.findall(r'"\$1" = (\S+) \]; then\s*deb-systemd-invoke stop (.*?) >', scripts["prerm"])
    assert {when for when, _ in stopped} == {"remove"}, "not before an upgrade"
    assert sorted(" ".join(units for _, units in stopped).split()) == [unit.name for unit in UNITS]
    for name, text in scripts.items():
        assert "#DEBHELPER#" not in text, name


def test_the_archive_is_the_same_to_the_byte(tmp_path):
    profile = {"debug": "dev"}.get(binary().parent.name, binary().parent.name)
    env = {**os.environ, "PROFILE": profile, "CARGO_TARGET_DIR": str(binary().parents[1])}
    sums = []
    for _ in range(2):
        made = pathlib.Path(ROOT / run("deploy/package", "archive", "--no-build", cwd=ROOT, env=env).split()[-1])
        run("sha256sum", "--check", f"{made.name}.sha256", cwd=made.parent)
        sums.append(made.with_name(f"{made.name}.sha256").read_text())
    assert sums[0] == sums[1]
    run("tar", "-xf", made, "-C", tmp_path)
    (folder,) = tmp_path.iterdir()
    assert run(folder / "dwarves", "--version") == run(binary(), "--version")
    for name in ("config.toml", "LICENSE", "README.md", "docs/install.md", "deploy/systemd/dwarves.service", "man/dwarves.1"):
        assert (folder / name).is_file(), name

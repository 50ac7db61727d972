"""What validators of three subnets read, by readers that do as theirs do (docs/bittensor.md names their files).

The readers here were written from these; none of their code is used. What they make of the pool's answers must be what
the miners had accepted.
"""

import base64
import collections
import datetime
import hashlib
import time
import urllib.parse

import pytest
from harness import Pool, eventually, problem, send
from stratum import Client

TOKENS = {"one": "one-secret-0123456789", "two": "two-secret-0123456789"}
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
WALLET = "kaspa:pool"
TARGET_ONE = 0xFFFF << 208


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("validators")
    (folder / "two.token").write_text(TOKENS["two"] + "\n")
    (folder / "config.toml").write_text(
        f"""
[validators]
listen = "127.0.0.1:0"
coins = ["btc", "bch"]
worker_percentage = 0.03
wallet = "{WALLET}"
requests_per_minute = 1000
[[validators.tokens]]
name = "one"
sha256 = "{hashlib.sha256(TOKENS["one"].encode()).hexdigest()}"
[[validators.tokens]]
name = "two"
token_file = "{folder / "two.token"}"
[stratum]
listen = "127.0.0.1:0"
""",
        "utf-8",
    )
    with Pool(config=folder / "config.toml") as pool:
        yield pool


def ask(pool, path, token=TOKENS["one"], scheme="Bearer ", **query):
    host, port = pool.listen["validators"].removeprefix("http://").split(":")
    path += "?" + urllib.parse.urlencode(query) if query else ""
    headers = {} if token is None else {"Authorization": scheme + token}
    return send((host, int(port)), "GET", path, b"", headers)


def read(pool, path, **query):
    answer = ask(pool, path, **query)
    assert answer.status == 200, answer
    return answer.json


def suffix(hotkey):
    return hotkey[:4] + hotkey[-4:]


class TaoHash:
    """Reads as `ProxyPoolAPI` and `get_metrics_timerange` do."""

    def __init__(self, pool):
        self.pool = pool

    def timerange(self, start, end, coin="btc"):
        answer = read(self.pool, "/api/workers/timerange", start_time=start, end_time=end)
        of_coin = answer.get(coin, {})
        workers = {}
        for name, worker in of_coin.get("workers", {}).items():
            workers[name.split(".")[-1]] = worker
        return workers, of_coin.get("worker_percentage", 0.05)

    def value(self, hotkey, start, end, coin="btc"):
        workers, _ = self.timerange(start, end, coin)
        worker = workers.get(suffix(hotkey), {})
        return worker.get("shares", 0), worker.get("share_value", 0.0)

    def now(self, hotkey):
        """`get_worker_data`: the name that is asked for must be the very key."""
        workers = read(self.pool, "/api/workers/stats", worker=suffix(hotkey))["btc"]["workers"]
        return workers.get(suffix(hotkey))


class HashTensor:
    """Reads as `MetricsClient` and `RatingCalculator` do."""

    def __init__(self, pool, window=3600):
        self.pool, self.window = pool, window

    def fetch(self, query):
        data = read(self.pool, "/api/v1/query", query=query)["data"]
        result = {}
        for item in data["result"]:
            key = item["metric"]["wallet"], item["metric"]["worker"]
            result[key] = float(item["value"][1] if "value" in item else item["values"][-1][1])
        return result

    def increase(self, name, by="wallet, worker"):
        return self.fetch(f"sum(increase({name}[{self.window}s])) by ({by})")

    def metrics(self):
        valid = self.increase("ks_valid_share_counter")
        invalid = self.increase("ks_invalid_share_counter")
        difficulty = self.increase("ks_valid_share_diff_counter")
        worked = self.increase("ks_miner_work_seconds_total", "worker, wallet")
        metrics = {}
        for key, shares in valid.items():
            all_shares = shares + invalid.get(key, 0)
            mean = difficulty.get(key, 0.0) / all_shares if all_shares else 0.0
            metrics[key] = int(shares), shares * mean, worked.get(key, 0.0) / self.window
        return metrics

    def is_there(self, worker):
        return self.fetch(f"ks_miner_uptime_seconds[{self.window}s]").get((WALLET, worker), 0) > 0


class InfiniteHash:
    """Reads as `fetch_current_luxor_hashrates`, `fetch_workers_window` and `_split_worker_id` do."""

    def __init__(self, pool):
        self.pool = pool

    @staticmethod
    def split(name):
        parts = name.split(".")
        if len(parts) >= 3:
            return parts[1][:48], ".".join(parts[2:])
        return (parts[0][:48], parts[1]) if len(parts) == 2 else (name, "")

    def luxor(self):
        query = {"subaccount_names": "infinite", "status": "ACTIVE", "page_number": 1, "page_size": 1000}
        answer = ask(self.pool, "/v2/pool/workers/BTC", TOKENS["one"], "", **query)
        assert answer.status == 200, answer
        found = {}
        for worker in answer.json["workers"]:
            last = datetime.datetime.fromisoformat(worker["last_share_time"].replace("Z", "+00:00"))
            assert abs(last.timestamp() - time.time()) < 600
            found[self.split(worker["name"])] = int(worker["hashrate"])
        return found

    def proxy(self, start, end, limit=500):
        def iso(at):
            return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).isoformat(timespec="seconds")

        found, offset = collections.Counter(), 0
        while True:
            query = {"pattern": "*", "limit": limit, "start_time": iso(start), "end_time": iso(end), "offset": offset}
            rows = read(self.pool, "/api/v1/workers", **query)["workers"]
            for row in rows:
                assert row["worker_id"].startswith("infinite.5")
                found[self.split(row["worker_id"])] += int(row["hashrate"])
            if len(rows) < limit:
                return found
            offset += limit


def mine(miner, worker, count):
    """Has so many shares accepted; gives the work that was issued with them, in hashes."""
    hashes = 0
    while count > 0:
        job = miner.job(worker)
        some = min(count, 5)
        verdicts = miner.verdicts(*[job.find()[0] for _ in range(some)], worker=worker)
        accepted = sum(verdict["verdict"] == "accepted" for verdict in verdicts)
        hashes += accepted * ((1 << 256) // (job.share_target + 1))
        count -= accepted
    return hashes


def difficulty(hashes):
    return hashes * TARGET_ONE / (1 << 256)


def test_all_readers_find_what_was_mined(pool):
    begin = int(time.time()) - 1
    alice, bob = pool.miner("//Alice"), pool.miner("//Bob")
    work = collections.Counter()
    for miner, worker, count in [(alice, "rig1", 7), (alice, "rig.2", 5), (bob, "rig1", 9), (alice, "rig1", 3)]:
        work[miner.hotkey, worker] += mine(miner, worker, count)
    by_hotkey = {m.hotkey: sum(n for (who, _), n in work.items() if who == m.hotkey) for m in (alice, bob)}
    end = int(time.time()) + 5

    tao = TaoHash(pool)
    for coin in ("btc", "bch"):
        for miner, shares in ((alice, 15), (bob, 9)):
            found, value = tao.value(miner.hotkey, begin, end, coin)
            assert found == shares
            assert value == pytest.approx(difficulty(by_hotkey[miner.hotkey]))
    workers, percentage = tao.timerange(begin, end)
    assert percentage == 0.03
    for miner in (alice, bob):
        one = workers[suffix(miner.hotkey)]
        assert one["state"] == "ok" and begin <= one["last_share"] <= end and one["hash_rate_unit"] == "Gh/s"
        assert one["hashrate"] == pytest.approx(by_hotkey[miner.hotkey] / (end - begin) / 1e9)
        now = tao.now(miner.hotkey)
        for window, secs in (("5m", 300), ("60m", 3600), ("24h", 86400)):
            assert now[f"share_value_{window}"] == pytest.approx(difficulty(by_hotkey[miner.hotkey]))
            assert now[f"hash_rate_{window}"] == pytest.approx(by_hotkey[miner.hotkey] / secs / 1e9)
    assert tao.now(pool.hotkey) is None

    hashtensor = HashTensor(pool)
    metrics = hashtensor.metrics()
    expected = {(WALLET, f"{who}.{worker}"): hashes for (who, worker), hashes in work.items()}
    assert {key: value for key, (_, value, _) in metrics.items()} == pytest.approx(
        {key: difficulty(hashes) for key, hashes in expected.items()}
    )
    for _, worker in expected:
        assert hashtensor.is_there(worker)
    assert not hashtensor.is_there("somebody")
    assert all(0 < uptime <= 1 for _, _, uptime in metrics.values())

    infinite = InfiniteHash(pool)
    named = {(who, worker.replace(".", "-")): hashes for (who, worker), hashes in work.items()}
    luxor = infinite.luxor()
    assert set(luxor) == set(named)
    for limit in (500, 1, 2):
        found = infinite.proxy(begin, end, limit)
        for key, hashes in named.items():
            assert found[key] == pytest.approx(hashes / (end - begin), abs=1)


def test_times_that_follow_each_other_have_every_share_once(pool):
    tao, miner = TaoHash(pool), pool.miner("//Carol")
    edges, mined = [int(time.time())], 0
    for turn in range(5):
        mine(miner, "rig", 4)
        mined += 4
        time.sleep(1.1)
        edges.append(int(time.time()))
        # Asked at once, in the very second with which the time ends, as validators do.
        first = tao.value(miner.hotkey, edges[-2], edges[-1])
        mine(miner, "rig", 1)
        mined += 1
        assert tao.value(miner.hotkey, edges[-2], edges[-1]) == first, "it is answered so again"
    edges.append(int(time.time()) + 2)
    counts = [tao.value(miner.hotkey, start, end)[0] for start, end in zip(edges, edges[1:])]
    assert sum(counts) == mined == tao.value(miner.hotkey, edges[0], edges[-1])[0]


def test_an_address_mines_for_the_hotkey_that_is_bound_to_it_and_for_no_other(pool):
    tao, dave, eve = TaoHash(pool), pool.miner("//Dave"), pool.miner("//Eve")
    def refused(user):
        """What a login over Stratum is told, if it is refused."""
        with Client(pool.listen["stratum"][0]) as client:
            client.subscribe()
            error = client.call("mining.authorize", user, "x")["error"]
            return error and error[1]

    def getwork(user):
        credentials = base64.b64encode(f"{user}:x".encode()).decode()
        headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        return pool.request("POST", "/", {"id": 1, "method": "getwork", "params": []}, headers)

    names = [suffix(dave.hotkey), dave.hotkey, f"{suffix(dave.hotkey)}.rig1"]
    for name in names:
        for user in (f"{ADDRESS}.{name}", f"{eve.hotkey}.{name}"):
            assert "hotkey" in refused(user), user
            assert "hotkey" in getwork(user).json["error"]["message"], user
        problem(eve.fetch(name), 403, "worker_foreign", "worker")
        assert dave.fetch(name).status == 200
        assert refused(f"{dave.hotkey}.{name}") is None
        assert getwork(f"{dave.hotkey}.{name}").json["error"] is None
    assert refused(f"{ADDRESS}.rig1") is None
    assert dave.register(payout_address=ADDRESS).status == 200
    begin = int(time.time()) - 1
    for name in names:
        assert getwork(f"{ADDRESS}.{name}").json["error"] is None
        with Client(pool.listen["stratum"][0]) as client:
            client.subscribe().authorize(f"{ADDRESS}.{name}")
            client.accepted(client.current_work().find())
    # All of it is the hotkey's, and nobody else's.
    end = int(time.time()) + 2
    assert tao.value(dave.hotkey, begin, end)[0] == len(names)
    assert tao.value(eve.hotkey, begin, end)[0] == 0
    workers = {worker for who, worker in InfiniteHash(pool).luxor() if who == dave.hotkey}
    assert {"default", "rig1"} <= workers


def test_each_validator_has_its_token_and_nobody_else(pool):
    path, query = "/api/workers/timerange", {"start_time": 1, "end_time": 2}
    for token in TOKENS.values():
        assert ask(pool, path, token, **query).status == 200
        basic = base64.b64encode(f"x:{token}".encode()).decode()
        assert ask(pool, path, basic, "Basic ", **query).status == 200
        assert ask(pool, path, token, "", **query).status == 200
    for token in (None, "", "wrong", TOKENS["one"][:-1], hashlib.sha256(TOKENS["one"].encode()).hexdigest()):
        for refused in ("/api/workers/stats", path, "/api/v1/query", "/v2/pool/workers/BTC", "/api/v1/workers"):
            answer = ask(pool, refused, token, **query)
            assert answer.status == 403 and "token" in answer.json["detail"], answer
    health = ask(pool, "/health", None)
    assert health.status == 200 and health.json["status"] == "ok" and health.json["database"] == "connected"
    assert ask(pool, "/v1/pool", TOKENS["one"]).status == 404
    assert "one-secret" not in pool.log() and "two-secret" not in pool.log()


def test_what_is_not_in_its_form_is_refused(pool):
    for query in (
        {}, {"start_time": 1}, {"start_time": 2, "end_time": 2}, {"start_time": 3, "end_time": 2},
        {"start_time": "x", "end_time": 2}, {"start_time": -1, "end_time": 2}, {"start_time": 1, "end_time": 86_402},
        {"start_time": 1, "end_time": 10**30},
    ):  # fmt: skip
        answer = ask(pool, "/api/workers/timerange", **query)
        assert answer.status == 400 and answer.json["detail"], (query, answer)
    for query in ("up", "", "sum(increase(ks_valid_share_counter[99999999s])) by (wallet, worker)"):
        answer = ask(pool, "/api/v1/query", query=query)
        assert answer.status == 400 and answer.json["status"] == "error", answer
    for query in ({"start_time": "now", "end_time": "later"}, {"page_size": 0}, {}):
        assert ask(pool, "/api/v1/workers", **query).status == 400
    assert ask(pool, "/v2/pool/workers/BTC", page_size=0).status == 400


def test_a_validator_that_asks_too_often_is_told_when_to_come_back(tmp_path):
    digest = hashlib.sha256(b"token").hexdigest()
    (tmp_path / "config.toml").write_text(
        f'[validators]\nlisten = "127.0.0.1:0"\nrequests_per_minute = 3\n[[validators.tokens]]\nname = "one"\nsha256 = "{digest}"\n'
    )
    with Pool(config=tmp_path / "config.toml") as pool:
        query = {"start_time": 1, "end_time": 2}
        answers = [ask(pool, "/api/workers/timerange", "token", **query) for _ in range(5)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        eventually("it may ask again", lambda: ask(pool, "/api/workers/stats", "token").status == 200, 30, 1)

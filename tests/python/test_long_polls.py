"""Long polls: what wakes them, and what ends them."""

import http.client
import threading
import time

from harness import Pool, eventually


def test_a_long_poll_wakes_on_a_new_block(miner):
    job = miner.job("rig-1")
    answers = []
    begin = time.monotonic()
    waiting = threading.Thread(target=lambda: answers.append((miner.fetch("rig-1", longpoll=job.id), time.monotonic())))
    waiting.start()
    time.sleep(1)
    assert not answers, "there is no newer work yet"
    miner.accepted("rig-2", block=True)
    found = time.monotonic()
    waiting.join(20)
    ((answer, answered),) = answers
    assert answer.status == 200, answer
    assert answer.json["height"] > job.work["height"]
    assert answered - found < 2, f"{answered - found} s after the block, {answered - begin} s after asking"


def test_many_long_polls_wake_at_once(pool, miner):
    job = miner.job("rig-1")
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(miner.fetch(f"rig-{n}", longpoll=job.id))) for n in range(50)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    miner.accepted("finder", block=True)
    for thread in threads:
        thread.join(20)
    assert len(answers) == 50
    assert {answer.status for answer in answers} == {200}
    assert all(answer.json["height"] > job.work["height"] for answer in answers)
    assert len({answer.json["job_id"] for answer in answers}) == 50


def test_a_long_poll_for_an_old_job_answers_at_once(miner):
    job = miner.job()
    miner.block()
    eventually("there is newer work", lambda: miner.job().work["height"] > job.work["height"])
    begin = time.monotonic()
    answer = miner.fetch(longpoll=job.id)
    assert answer.status == 200 and answer.json["height"] > job.work["height"]
    assert time.monotonic() - begin < 2


def test_a_long_poll_without_news_ends_after_its_time():
    with Pool(http__longpoll_secs=2) as pool:
        miner = pool.miner()
        job = miner.job()
        begin = time.monotonic()
        answer = miner.fetch(longpoll=job.id)
        took = time.monotonic() - begin
        assert answer.status == 200 and answer.json["height"] == job.work["height"], answer
        assert 1.5 < took < 6, took


def test_a_pool_with_open_long_polls_stops_in_time(own_pool, uri):
    miner = own_pool.miner(uri)
    job = miner.job()

    def wait():
        try:
            miner.fetch(longpoll=job.id)
        except (http.client.HTTPException, OSError):
            pass

    threads = [threading.Thread(target=wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    begin = time.monotonic()
    assert own_pool.stop() == 0
    assert time.monotonic() - begin < 15
    for thread in threads:
        thread.join(15)
        assert not thread.is_alive()

"""Conversations in the shape of real miners: order, spacing, packets, ids and user agents as each is known to send them.

What each miner sends is written as bytes. `USER` stands for the user name, `JOB`, `X2`, `TIME`, `NONCE` and `BITS` for
a share that is found on the way; an answer must come for every request, in order, with its own id.
"""

import json

import pytest
from harness import Pool
from stratum import Client
from test_stratum import ADDRESS, STEADY, port

# Each step is one packet and the ids of the answers that it gets.
CONVERSATIONS = {
    "cpuminer 2.5.1": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}\n', [1]),
            (b'{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}\n', [2]),
        ],
        # Every submit has the same id.
        "submit": b'{"method": "mining.submit", "params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id":4}\n',
        "id": 4,
    },
    "cpuminer after a reconnect": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1", "40000001deadbeefdeadbeef"]}\n', [1]),
            (b'{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}\n', [2]),
        ],
        "submit": b'{"method": "mining.submit", "params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id":4}\n',
        "id": 4,
    },
    "cgminer 4.11": {
        "opening": [
            (b'{"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}\n', [0]),
            (b'{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}\n', [1]),
            (
                b'{"id": 2, "method": "mining.authorize", "params": ["USER", "123"]}\n'
                b'{"id": 3, "method": "mining.extranonce.subscribe", "params": []}\n',
                [2, 3],
            ),
        ],
        "submit": b'{"params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id": 5, "method": "mining.submit"}\n',
        "id": 5,
        "after": [(b'{"id": 6, "method": "mining.get_transactions", "params": ["JOB"]}\n', [6])],
    },
    "bfgminer 5.5": {
        "opening": [
            (b'{"id": 0, "method": "mining.subscribe", "params": ["bfgminer/5.5.0"]}\n', [0]),
            (
                b'{"id": null, "method": "mining.suggest_target", "params": ["00000000ffff0000000000000000000000000000000000000000000000000000"]}\n'
                b'{"id": "auth", "method": "mining.authorize", "params": ["USER", "x"]}\n'
                b'{"id": "xnsub", "method": "mining.extranonce.subscribe", "params": []}\n',
                # A wish without an id is not answered.
                ["auth", "xnsub"],
            ),
        ],
        "submit": b'{"params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id": "sub0", "method": "mining.submit"}\n',
        "id": "sub0",
        "after": [(b'{"id": "txlistJOB", "method": "mining.get_transactions", "params": ["JOB"]}\n', ["txlistJOB"])],
    },
    "bfgminer 5.5 with --request-diff": {
        "opening": [
            # It takes the first line that comes for the answer to subscribe.
            (
                b'{"id": null, "method": "mining.suggest_target", "params": ["00000000ffff0000000000000000000000000000000000000000000000000000"]}\n'
                b'{"id": 0, "method": "mining.subscribe", "params": ["bfgminer/5.5.0"]}\n',
                [0],
            ),
            (
                b'{"id": "auth", "method": "mining.authorize", "params": ["USER", "x"]}\n'
                b'{"id": "xnsub", "method": "mining.extranonce.subscribe", "params": []}\n',
                ["auth", "xnsub"],
            ),
        ],
        "submit": b'{"params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id": "sub0", "method": "mining.submit"}\n',
        "id": "sub0",
    },
    "cpuminer-multi 1.3.7": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer-multi/1.3.7"]}\n', [1]),
            (
                b'{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}\n'
                b'{"id": 3, "method": "mining.extranonce.subscribe", "params": []}\n',
                [2, 3],
            ),
        ],
        "submit": b'{"method": "mining.submit", "params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id":10}\n',
        "id": 10,
    },
    "cpuminer-opt 26.1": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": ["cpuminer-opt-26.1-x64L"]}\n', [1]),
            (b'{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}\n', [2]),
            (b'{"id": 3, "method": "mining.extranonce.subscribe", "params": []}\n', [3]),
        ],
        "submit": b'{"method": "mining.submit", "params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id":4}\n',
        "id": 4,
    },
    "ckpool 0.9.4 as a proxy": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": []}\n', [1]),
            (b'{"id": 2, "method": "mining.authorize", "params": ["USER", "x"]}\n', [2]),
        ],
        "submit": b'{"params": ["USER", "JOB", "X2", "TIME", "NONCE"], "id": 7, "method": "mining.submit"}\n',
        "id": 7,
    },
    "software that leaves the worker's name away when it submits": {
        "opening": [
            (b'{"id":1,"method":"mining.subscribe","params":["short/1.0"]}\n', [1]),
            (b'{"id":2,"method":"mining.authorize","params":["USER","x"]}\n', [2]),
        ],
        "submit": b'{"id":3,"method":"mining.submit","params":["BARE","JOB","X2","TIME","NONCE"]}\n',
        "id": 3,
    },
    "ESP-Miner (Bitaxe)": {
        "opening": [
            (
                b'{"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}\n'
                b'{"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.6.0"]}\n',
                [1, 2],
            ),
            (b'{"id": 3, "method": "mining.suggest_difficulty", "params": [1000]}\n', [3]),
            (b'{"id": 4, "method": "mining.authorize", "params": ["USER", "x"]}\n', [4]),
            (b'{"id": 5, "method": "mining.extranonce.subscribe", "params": []}\n', [5]),
        ],
        "submit": b'{"id": 6, "method": "mining.submit", "params": ["USER", "JOB", "X2", "TIME", "NONCE", "BITS"]}\n',
        "id": 6,
        "bits": 0x00C0A000,
    },
    "NerdMiner": {
        "opening": [
            (b'{"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/1.6.3"]}\n', [1]),
            (b'{"params": ["USER", "x"], "id": 2, "method": "mining.authorize"}\n', [2]),
            (b'{"id": 3, "method": "mining.suggest_difficulty", "params": [0.0001]}\n', [3]),
        ],
        # Nonces come without their leading zeros.
        "submit": b'{"id":4,"method":"mining.submit","params":["USER","JOB","X2","TIME","SHORT"]}\n',
        "id": 4,
    },
    "NiceHash": {
        "opening": [
            (b'{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0",null,"pool.example","3333"]}\n', [1]),
            (b'{"id":2,"method":"mining.extranonce.subscribe","params":[]}\n', [2]),
            (b'{"id":3,"method":"mining.authorize","params":["USER","x,md=0.000000001"]}\n', [3]),
        ],
        "submit": b'{"id":10,"method":"mining.submit","params":["USER","JOB","X2","TIME","NONCE"]}\n',
        "id": 10,
    },
    "braiins (bosminer)": {
        "opening": [
            (
                b'{"id":0,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]}\n'
                b'{"id":1,"method":"mining.subscribe","params":["bOSminer/0.2.0",null,"pool.example",3333]}\n'
                b'{"id":2,"method":"mining.authorize","params":["USER","x"]}\n',
                [0, 1, 2],
            ),
        ],
        "submit": b'{"id":3,"method":"mining.submit","params":["USER","JOB","X2","TIME","NONCE","BITS"]}\n',
        "id": 3,
        "bits": 0x1FFFE000,
    },
    "Antminer (bmminer), which authorizes first": {
        "opening": [
            (
                b'{"id": 1, "method": "mining.authorize", "params": ["USER", "123"]}\r\n'
                b'{"id": 2, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.min-bit-count": 2, "version-rolling.mask": "00c00000"}]}\r\n',
                [1, 2],
            ),
            (b'{"id": 3, "method": "mining.subscribe", "params": ["bmminer/2.0.0"]}\r\n', [3]),
        ],
        "submit": b'{"params": ["USER", "JOB", "X2", "TIME", "NONCE", "BITS"], "id": 4, "method": "mining.submit"}\r\n',
        "id": 4,
        "bits": 0x00400000,
    },
}
MASKS = {"Antminer (bmminer), which authorizes first": 0x00C00000}


@pytest.fixture(scope="module")
def pool():
    with Pool(**STEADY) as pool:
        yield pool


def send(client, packet, ids, in_pieces, **words):
    for word, value in words.items():
        packet = packet.replace(word.encode(), value.encode())
    if in_pieces:
        for at in range(0, len(packet), 7):
            client.socket.sendall(packet[at : at + 7])
    else:
        client.socket.sendall(packet)
    answers = []
    while len(answers) < len(ids):
        message = client.read()
        if message.get("method") is None:
            answers.append(message)
    expected = [words.get("JOB", "").join(id.split("JOB")) if isinstance(id, str) else id for id in ids]
    assert [answer["id"] for answer in answers] == expected
    return answers


@pytest.mark.parametrize("in_pieces", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_miners_are_understood(pool, name, in_pieces):
    conversation = CONVERSATIONS[name]
    user = f"{ADDRESS}.{abs(hash(name)) % 1000}"
    with Client(port(pool)) as client:
        for packet, ids in conversation["opening"]:
            for answer in send(client, packet, ids, in_pieces, USER=user):
                assert answer["error"] is None, answer
                result = answer["result"]
                if isinstance(result, list):
                    client.extranonce1, client.extranonce2_size = result[1:]
                elif isinstance(result, dict):
                    assert result["version-rolling"] is True
                else:
                    assert result is True
        # Notifies that came before the answer to subscribe do not know their extranonce yet.
        work = client.current_work()
        work.extranonce1, work.extranonce2_size = client.extranonce1, client.extranonce2_size
        mask = MASKS.get(name, 0x1FFFE000)
        bits = conversation.get("bits", 0)
        version = work.version & ~mask | bits if bits else None
        for number in range(3):
            job, extranonce2, time, nonce = work.find(extranonce2=number, version=version)
            words = {
                "USER": user,
                "BARE": ADDRESS,
                "JOB": job,
                "X2": extranonce2,
                "TIME": time,
                "NONCE": nonce,
                "SHORT": nonce.lstrip("0") or "0",
                "BITS": f"{bits:08x}",
            }
            (answer,) = send(client, conversation["submit"], [conversation["id"]], in_pieces, **words)
            assert answer["result"] is True and answer["error"] is None, answer
            (answer,) = send(client, conversation["submit"], [conversation["id"]], in_pieces, **words)
            assert answer["error"] == [22, "Duplicate share", None], answer
        # Every job is told under a name of its own: ESP-Miner takes no notice of a second one.
        assert len({work.id for work in client.works}) == len(client.works)
        for packet, ids in conversation.get("after", []):
            send(client, packet, ids, in_pieces, JOB=work.id)
        assert json.dumps(client.messages).count("client.") == 0

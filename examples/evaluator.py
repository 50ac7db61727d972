#!/usr/bin/env python3
"""An evaluator for a Dwarves pool that has work evaluated: what a model is worth, as a loss.

The task is small enough to read: say by a polynomial what sin(x) is, for x from -3 to 3. The work that miners submit is
`{"coefficients": [c0, c1, ...]}`, and the loss is the mean squared error of c0 + c1 (x/3) + c2 (x/3)^2 + ... It takes numpy if it
is there, and does without if it is not. Put your own model into `loss_of`.

As a command (`evaluator.command`), it reads one task from its standard input and writes the answer to its standard output:

    echo '{"id": "1", "work": {"coefficients": [0, 3]}}' | python3 evaluator.py

As a server (`evaluator.urls`), it takes tasks by POST. The submission's name is the Idempotency-Key: what was answered before is
answered again without the work of it.

    python3 evaluator.py --listen 127.0.0.1:9000
"""

import argparse
import collections
import http.server
import json
import math
import sys

try:
    import numpy
except ImportError:
    numpy = None

POINTS = 401
COEFFICIENTS_MAX = 64
BODY_MAX = 1 << 20
REMEMBERED_MAX = 10_000


class Unfit(Exception):
    """The work is none: it is refused, and its miner is told why."""


def coefficients_of(work):
    """The numbers of a work, or why it is none."""
    coefficients = work.get("coefficients") if isinstance(work, dict) else None
    if not isinstance(coefficients, list) or not 1 <= len(coefficients) <= COEFFICIENTS_MAX:
        raise Unfit(f"coefficients: expected a list of 1 to {COEFFICIENTS_MAX} numbers")
    for number in coefficients:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise Unfit("coefficients: expected numbers alone")
    return [float(number) for number in coefficients]


def loss_of(work):
    """The mean squared error of a work over points that miners are not told."""
    coefficients = coefficients_of(work)
    points = [-1 + (2 * n + 1) / POINTS for n in range(POINTS)]
    if numpy is not None:
        scaled = numpy.array(points)
        said = numpy.polynomial.polynomial.polyval(scaled, coefficients)
        return float(numpy.mean((said - numpy.sin(3 * scaled)) ** 2))
    errors = []
    for point in points:
        said = 0.0
        for coefficient in reversed(coefficients):
            said = said * point + coefficient
        errors.append((said - math.sin(3 * point)) ** 2)
    return math.fsum(errors) / POINTS


def answer_to(task):
    """What an evaluator answers to a task."""
    try:
        return {"loss": loss_of(task.get("work")), "metadata": {"coefficients": len(task["work"]["coefficients"])}}
    except Unfit as unfit:
        return {"error": str(unfit)}
    except OverflowError:
        return {"loss": math.inf}


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes one task after the other."""

    remembered = collections.OrderedDict()

    def do_POST(self):
        try:
            length = int(self.headers["content-length"])
            if not 0 < length <= BODY_MAX:
                raise ValueError("the body is empty or too large")
            task = json.loads(self.rfile.read(length))
            name = self.headers["idempotency-key"] or task["id"]
        except (KeyError, TypeError, ValueError) as error:
            return self.say(400, {"error": f"expected a task: {error}"})
        if name not in self.remembered:
            self.remembered[name] = answer_to(task)
            while len(self.remembered) > REMEMBERED_MAX:
                self.remembered.popitem(last=False)
        answer = self.remembered[name]
        self.say(422 if "error" in answer else 200, answer)

    def say(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description="Evaluates work for a Dwarves pool.")
    parser.add_argument("--listen", metavar="HOST:PORT", help="serve HTTP; without it one task is read from standard input")
    listen = parser.parse_args().listen
    if listen is None:
        json.dump(answer_to(json.load(sys.stdin)), sys.stdout)
        return
    host, _, port = listen.rpartition(":")
    with http.server.ThreadingHTTPServer((host or "127.0.0.1", int(port)), Handler) as server:
        print(f"evaluating at http://{server.server_address[0]}:{server.server_address[1]}/", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()

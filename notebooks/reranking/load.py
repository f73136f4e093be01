"""Load on the service: users that ask one query after another, at several numbers of users.

Locust does the asking. It puts its own sockets and its own `time.sleep` in place of Python's, so it
runs in a process of its own.
"""

import json
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """One answered request: the number of users then, the HTTP status, seconds since the start
    of its step at which it was sent, and seconds until the answer. Status 0: no answer came."""

    users: int
    status: int
    sent: float
    seconds: float


def measure(url, queries, users, seconds, top_k=5):
    """Returns a list of Answer for every request that was sent.

    `users` is a list, such as [1, 8, 32]: so many ask at the same time for `seconds` each. A user
    waits for the answer before the next query; after a 503, as long as Retry-After says. Raises
    RuntimeError with the reason if the load could not be made.
    """
    task = {"url": url, "queries": list(queries), "users": users, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(task | {"top_k": top_k}),
        capture_output=True,
        text=True,
        timeout=60 + 3 * seconds * len(users),
    )
    if done.returncode:
        raise RuntimeError(f"The load could not be made: {done.stderr.strip()[-500:]}")
    return [Answer(*row) for row in json.loads(done.stdout)]


def summarise(answers):
    """Returns a DataFrame with a row for each number of users.

    Answers a second and percentiles in milliseconds are those of the answers with status 200. The
    rate is taken over the time from the start of the step to its last answer.
    """
    import pandas as pd

    rows = {}
    for users in sorted({answer.users for answer in answers}):
        own = [answer for answer in answers if answer.users == users]
        good = [1000 * answer.seconds for answer in own if answer.status == 200]
        end = max(answer.sent + answer.seconds for answer in own)
        p50, p95, p99 = np.percentile(good, [50, 95, 99]) if good else [np.nan] * 3
        refused = sum(answer.status == 503 for answer in own)
        rows[users] = [len(own), refused, len(good) / end, p50, p95, p99]
    columns = ["sent", "refused", "answers a second", "p50, ms", "p95, ms", "p99, ms"]
    return pd.DataFrame(rows, index=columns).T.rename_axis("users")


def main():
    """Reads a task from standard input, writes the answers to standard output, as JSON."""
    from locust import FastHttpUser, task
    from locust.env import Environment

    work = json.load(sys.stdin)
    answers, step = [], {"users": 0, "start": 0.0, "open": False}

    class Searcher(FastHttpUser):
        host, max_retries = work["url"], 0  # a request that fails is counted, not repeated
        number = 0

        @task
        def search(self):
            if not step["open"]:
                time.sleep(0.01)
                return
            query = work["queries"][Searcher.number % len(work["queries"])]
            Searcher.number += 1
            users, start = step["users"], step["start"]
            sent = time.perf_counter()
            body = {"query": query, "top_k": work["top_k"]}
            with self.client.post("/search", json=body, catch_response=True) as response:
                response.success()
            seconds = time.perf_counter() - sent
            answers.append(Answer(users, response.status_code, sent - start, seconds))
            if response.status_code == 503:
                time.sleep(float(response.headers.get("Retry-After", 1)))

    environment = Environment(user_classes=[Searcher], stop_timeout=30)  # late answers may arrive
    runner = environment.create_local_runner()
    for users in work["users"]:
        runner.start(users, spawn_rate=1000)
        while runner.user_count < users:
            time.sleep(0.01)
        step.update(users=users, start=time.perf_counter(), open=True)
        time.sleep(work["seconds"])
        step["open"] = False
        runner.stop()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()

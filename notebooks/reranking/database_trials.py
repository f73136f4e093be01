"""Two trials of a database: searching while it is written to, and a process killed in a write.

`python -m reranking.database_trials FOLDER` is the process that is killed: it writes forever.
"""

import json
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import data, vector_database

WRITE = 20  # passages in a write
RECORD = data.DATA / "databases.json"


class Watched(NamedTuple):
    """What a searching thread saw while another thread added and deleted."""

    searches: int
    writes: int
    seen: int  # searches that saw a passage which was there for a moment only
    late: int  # passages shown by a search that began after their deletion was acknowledged
    missed: int  # searches that missed a passage which was there from their beginning to their end
    errors: list


def search_while_writing(database, vectors, seconds=1.5):
    """Returns what was Watched while one thread searched and this one added and deleted.

    Each round adds a passage for each of `vectors` and deletes it again, so that a search for the
    vector must show it as long as it is there, and never after.
    """
    added, deleted, looks, errors, stop = {}, {}, [], [], threading.Event()

    def look():
        row = 0
        while not stop.is_set():
            row = (row + 1) % len(vectors)
            began = time.perf_counter()
            try:
                ids = {hit.doc_id for hit in database.nearest(vectors[row], 10)}
            except Exception as error:  # whatever it is, the reader is to see it
                errors.append(f"{type(error).__name__}: {error}")
            else:
                looks.append((row, began, time.perf_counter(), ids))

    thread = threading.Thread(target=look)
    thread.start()
    until, rounds = time.perf_counter() + seconds, 0
    try:
        while time.perf_counter() < until:
            ids = [f"moment {rounds} {row}" for row in range(len(vectors))]
            database.add([f"Here for a moment: {i}." for i in ids], ids, vectors=vectors)
            there = time.perf_counter()
            time.sleep(0.03)  # the other thread gets a turn
            leaving = time.perf_counter()
            database.delete(ids)
            for row, doc_id in enumerate(ids):
                added[doc_id] = (row, there, leaving)
                deleted[doc_id] = time.perf_counter()
            rounds += 1
    finally:  # a write may fail: the other thread must end all the same
        stop.set()
        thread.join()
    late = sum(began > deleted[i] for _, began, _, ids in looks for i in ids if i in deleted)
    missed = sum(
        row == wanted and there < began and ended < leaving and i not in ids
        for row, began, ended, ids in looks
        for i, (wanted, there, leaving) in added.items()
    )
    seen = sum(bool(ids & added.keys()) for *_, ids in looks)
    return Watched(len(looks), 2 * rounds, seen, late, missed, errors)


class Killed(NamedTuple):
    """What a writer had said when it was killed."""

    acknowledged: set  # ids of passages whose write was acknowledged
    cut: set  # ids of passages whose write had begun


def kill_in_a_write(folder, writes=5):
    """Returns what was Killed: a process that wrote to the database in `folder`, within a write.

    The process announces each write before it begins and acknowledges it after. After `writes`
    of them it is killed within the next one, at a random moment of the first 80 % of the shortest
    so far. It may be too late by a hair: then the last write is acknowledged, and `cut` is empty.
    Raises RuntimeError if the process ends before its first write is acknowledged.
    """
    command = [sys.executable, "-W", "ignore", "-m", "reranking.database_trials"]
    process = subprocess.Popen(
        [*command, str(Path(folder).resolve())],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = kill_within(process, writes, np.random.default_rng(0))
    if process.returncode == 0 or ["end", "0"] not in lines:
        raise RuntimeError("The writer ended before it was killed. Is the folder writable?")
    done = {int(number) for what, number in lines if what == "end"}
    cut = {int(number) for what, number in lines if what == "begin"} - done
    return Killed(*({i for n in numbers for i in written(n)} for numbers in (done, cut)))


def kill_within(process, writes, rng, acknowledged="end"):
    """Returns the lines that a process says until it is killed within a write, cut in two each.

    A line "begin ..." announces a write, one that starts with `acknowledged` ends it. After
    `writes` of them, the next one is cut at a random moment. A process that ends by itself before
    is not killed.
    """
    lines, lengths, began = [], [], 0.0
    for line in process.stdout:
        lines.append(line.split(maxsplit=1))
        if lines[-1][0] == acknowledged:
            lengths.append(time.perf_counter() - began)
        elif lines[-1][0] == "begin":
            began = time.perf_counter()
            if len(lengths) >= writes:
                time.sleep(rng.uniform(0, 0.8) * min(lengths))
                process.kill()  # SIGKILL: the process cannot tidy up, and is not even told
                break
    lines += [line.split(maxsplit=1) for line in process.stdout if line.endswith("\n")]
    process.wait()
    return [[part.strip() for part in line] for line in lines]


def written(number):
    """Returns the ids of the passages in a write."""
    return [f"write {number} passage {place}" for place in range(WRITE)]


def write_until_killed(folder):
    """Writes 20 passages at a time, and says before and after each write which it is."""
    database = vector_database.DatabaseRetriever(folder)
    rng = np.random.default_rng(0)
    for number in count():
        vectors = rng.standard_normal((WRITE, vector_database.DIMENSIONS), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = written(number)
        print("begin", number, flush=True)
        database.add([f"Text of {doc_id}." for doc_id in ids], ids, vectors=vectors)
        print("end", number, flush=True)


def recorded():
    """Returns the recorded measurements of three databases, see tests/vector_databases.py."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def comparison(record, size):
    """Returns the recorded figures of each database at one size as a DataFrame.

    The figures of speed and memory are those of exact search; inserting and opening have a process
    each. "ms of a core" is computing time, which other programs on the machine hardly change.
    """
    import pandas as pd

    columns = {}
    for name, figures in record["engines"].items():
        sizes = figures["sizes"][str(size)]
        exact, index = sizes["exact"], sizes.get("index", {})
        columns[name] = {
            "recall@10, exact": exact["recall@10"],
            "recall@10, own index": index.get("recall@10", float("nan")),
            "filter: recall@10, own index": index.get("filter, recall@10", float("nan")),
            "query, ms of a core": exact["query, ms of a core"],
            "query, ms": exact["query, ms"][0],
            "query, ms, p95": exact["query, ms"][2],
            "to insert all, s": sizes["insert"]["insert, s"],
            "memory, MB": exact["memory to search, MB"],
            "files of the passages, MB": exact["disk, MB"],
            "packages, MB": sum(figures["packages, MB"].values()),
            "filter: of another topic": exact["filter, of another topic"],
            "deleted but found": exact["deleted but found"]
            + figures["while writing"]["deleted but found"],
            "errors, searching while writing": figures["while writing"]["errors"],
        }
    return pd.DataFrame(columns)


def kills(record):
    """Returns what the recorded kills left of each database as a DataFrame."""
    import pandas as pd

    wanted = {
        "kills": "kills",
        "in a write": "in the middle of a write",
        "writes": "writes acknowledged",
        "lost": "of these lost",
        "came back": "deleted, but back",
        "damaged": "passages damaged",
        "half": "writes half there",
    }
    rows = {name: figures["killed"] for name, figures in record["engines"].items()}
    return pd.DataFrame(rows).loc[list(wanted)].rename(wanted).astype(int)


if __name__ == "__main__":
    write_until_killed(sys.argv[1])

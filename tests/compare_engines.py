"""Ray or Dask? What notebook 5 says about the choice, measured: compare_engines.py dask, ... ray.

Ray is not among the course's dependencies: `pip install ray==2.60.0` somewhere first. Each run
starts two worker processes, takes start-up time and memory, and kills one worker in the middle of
a job of small blocks. The result is kept in `data/cluster.json` under "engines".
Memory is read from /proc, so this runs on Linux only.
"""

import datetime
import importlib
import json
import os
import signal
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

BLOCKS, SECONDS, KILL_AFTER = 24, 0.2, 6
RECORD = Path(__file__).resolve().parents[1] / "data" / "cluster.json"


def work(number):
    """Returns the number of the process and a result that depends on the block alone."""
    end = time.perf_counter() + SECONDS
    matrix = np.random.default_rng(number).random((40, 40), dtype=np.float32)
    while time.perf_counter() < end:
        result = matrix @ matrix
    return os.getpid(), result.tobytes()


def tree(pid):
    """Returns the ids of all processes below `pid`."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except (OSError, ValueError):
            continue
    found, level = set(), {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found |= level
    return found


def megabytes(pids):
    """Returns the memory of processes together; pages that several share count once (PSS)."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


class Ray:
    def __init__(self):
        self.ray = importlib.import_module("ray")
        self.ray.init(
            num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False
        )
        self.work = self.ray.remote(work)

    def submit(self, number):
        return self.work.remote(number)

    def next_of(self, futures):
        (done,), rest = self.ray.wait(futures, num_returns=1)
        return done, rest

    def result(self, future):
        return self.ray.get(future)

    def close(self):
        self.ray.shutdown()


class Dask:
    def __init__(self):
        distributed = importlib.import_module("distributed")
        self.cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        )
        self.client = distributed.Client(self.cluster)
        self.wait = distributed.wait

    def submit(self, number):
        return self.client.submit(work, number, pure=False)

    def next_of(self, futures):
        done = self.wait(futures, return_when="FIRST_COMPLETED").done
        first = next(future for future in futures if future in done)
        return first, [future for future in futures if future is not first]

    def result(self, future):
        return future.result()

    def close(self):
        self.client.close()
        self.cluster.close()


def installed(modules):
    """Returns the megabytes of an installed package and what only it brings."""
    total = 0
    for name in modules:
        for file in metadata.files(name) or ():
            path = Path(file.locate())
            total += path.stat().st_size if path.exists() else 0
    return total / 1e6


ENGINES = {
    "ray": (Ray, ["ray"]),
    "dask": (
        Dask,
        "distributed dask toolz partd locket zict sortedcontainers tblib "
        "importlib_metadata lazy-importer zipp".split(),
    ),
}


def main(name):
    kind, brings = ENGINES[name]
    before, began = megabytes([os.getpid()]), time.perf_counter()
    engine = kind()
    first = [engine.submit(number) for number in range(2)]
    pids = {engine.result(future)[0] for future in first}
    while len(pids) < 2:
        pids |= {engine.result(f)[0] for f in [engine.submit(0), engine.submit(1)]}
    start = time.perf_counter() - began - SECONDS
    time.sleep(3)
    here, below = megabytes([os.getpid()]) - before, tree(os.getpid())
    expected = [work(number)[1] for number in range(BLOCKS)]

    began = time.perf_counter()
    order = [engine.submit(number) for number in range(BLOCKS)]
    futures, done = list(order), 0
    while futures:
        _, futures = engine.next_of(futures)
        done += 1
        if done == KILL_AFTER:
            os.kill(min(pids), signal.SIGKILL)
    results = [engine.result(future) for future in order]
    seconds = time.perf_counter() - began
    result = {
        "version": metadata.version(brings[0]),
        "disk_mb": round(installed(brings)),
        "start": round(start, 1),
        "processes": len(below),
        "idle_mb": round(here + megabytes(below)),
        "killed_seconds": round(seconds, 1),
        "least_seconds": BLOCKS * SECONDS / 2,
        "identical": [r for _, r in results] == expected,
        "date": datetime.date.today().isoformat(),
    }
    print(name, result)
    record = json.loads(RECORD.read_text())
    record.setdefault("engines", {})[name] = result
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1])

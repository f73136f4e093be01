"""How fast a cluster of two workers is, and from that what millions of passages would take.

`make cluster` measures on this machine, and keeps the result with machine and date in
`data/cluster.json`. It needs two free cores and about 2 GB of memory, and takes some minutes.
"""

import argparse
import contextlib
import datetime
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import cluster, data, evaluation, scaling, timing, vector_sets

RECORD = data.DATA / "cluster.json"
HOURS_A_MONTH = 730


class Assumptions(NamedTuple):
    """What an estimate rests on. The first three are measured, the others are yours to change."""

    encode_per_second: float  # passages that one core encodes in a second
    pairs_per_second: float  # pairs that one core reads in a second
    lost: float  # share of the time in which a core waits or does a block again, 0 to below 1
    cores: int = 64  # that encode the corpus
    price: float = 0.05  # of one core with its memory for an hour
    vector_bytes: int = 1536  # of one passage in the index: 384 numbers of 4 bytes
    machine_bytes: float = 64e9  # memory of one machine
    index_share: float = 0.7  # of that memory, for the index
    machine_cores: int = 16
    queries_per_second: float = 20
    candidates: int = 30  # that are reranked for each query
    scan_per_million: float = 0.05  # seconds in which a core looks at a million vectors
    busy: float = 0.7  # share of the time in which cores may be busy, or queues grow


class Estimate(NamedTuple):
    """Time and cost for one corpus. Money is in the unit of `price`, bytes are bytes."""

    core_hours: float  # to encode the corpus once
    encode_hours: float
    encode_cost: float
    index_bytes: float
    index_machines: int  # so that the index fits into their memory
    search_cores: int  # that look at all vectors for every query in time
    rerank_cores: int  # that read the candidates of all queries in time
    machines: int  # that hold the index and have these cores
    month_cost: float  # of these machines


def estimate(passages, a):
    """Returns the Estimate for a number of passages under the Assumptions `a`.

    Left out: time to load models, reading and moving text, building the index, encoding the
    queries, disks, network, spare machines, people. Raises ValueError for a quantity that cannot
    be.
    """
    for name, value in {"passages": passages, **a._asdict()}.items():
        if not value > 0 and name != "lost":
            raise ValueError(f"{name} must be above 0, not {value!r}.")
    for name in ("index_share", "busy"):
        if getattr(a, name) > 1:
            raise ValueError(f"{name} is a share: at most 1, not {getattr(a, name)!r}.")
    if not 0 <= a.lost < 1:
        raise ValueError(f"lost is a share of the time: from 0 to below 1, not {a.lost!r}.")
    useful = 1 - a.lost
    core_hours = passages / (a.encode_per_second * useful) / 3600
    index_bytes = passages * a.vector_bytes
    index_machines = math.ceil(index_bytes / (a.machine_bytes * a.index_share))
    pairs = a.queries_per_second * a.candidates
    rerank_cores = math.ceil(pairs / (a.pairs_per_second * useful * a.busy))
    scan = passages / 1e6 * a.scan_per_million  # core-seconds a query
    search_cores = math.ceil(a.queries_per_second * scan / a.busy)
    machines = max(index_machines, math.ceil((search_cores + rerank_cores) / a.machine_cores))
    return Estimate(
        core_hours,
        core_hours / a.cores,
        core_hours * a.price,
        index_bytes,
        index_machines,
        search_cores,
        rerank_cores,
        machines,
        machines * a.machine_cores * a.price * HOURS_A_MONTH,
    )


def assumptions(record, **changes):
    """Returns Assumptions from what a record measured; `changes` replaces any of them.

    The speed is that of one worker, and `lost` what two workers fall short of twice that speed, in
    the stage that falls short further.
    """
    rate = {n: {s: rates(record, n, s).median for s in ("encode", "rerank")} for n in (1, 2)}
    lost = max(1 - rate[2][stage] / (2 * rate[1][stage]) for stage in rate[1])
    measured = {"encode_per_second": rate[1]["encode"], "pairs_per_second": rate[1]["rerank"]}
    return Assumptions(**(measured | {"lost": min(max(lost, 0.0), 0.99)} | changes))


def rates(record, workers, stage):
    """Returns passages ("encode") or pairs ("rerank") a second: median and quartiles."""
    return timing.summarise(record["workers"][str(workers)][stage])


def load_record():
    """Returns the recorded measurements."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def material(passages=None, queries=None, candidates=10):
    """Returns texts to encode, and a query log to rerank: {query id: (query, hits)}."""
    collection = data.load_collection()
    chosen = dict(list(evaluation.sample_queries(collection, 2).items())[:queries])
    retriever = vector_sets.index_kept(cluster.loaded("bi-encoder"), collection.passages)
    hits = evaluation.retrieve_all(retriever, chosen, candidates)
    return retriever.documents[:passages], {q: (text, hits[q]) for q, text in chosen.items()}


@contextlib.contextmanager
def one_thread():
    """The models of this process run on one thread, as those of a worker do."""
    import torch

    reranker, before = cluster.loaded("cross-encoder"), torch.get_num_threads()
    threads = getattr(reranker.model, "threads", 1)
    torch.set_num_threads(1)
    reranker.model.threads = 1
    try:
        yield
    finally:
        torch.set_num_threads(before)
        reranker.model.threads = threads


def plain(texts, log, size=32):
    """Returns what `encode` and `rerank` return, by two loops in this process, and seconds."""
    parts, began = cluster.blocks(texts, size), time.perf_counter()
    vectors = np.concatenate([cluster.loaded("bi-encoder").encode(part) for part in parts])
    middle = time.perf_counter()
    reranker = cluster.loaded("cross-encoder")
    hits = {q: reranker.rerank(query, own, len(own)) for q, (query, own) in log.items()}
    return vectors, hits, middle - began, time.perf_counter() - middle


def measure(passages=None, queries=None, repeat=5, say=print):
    """Returns a record: rates, start-up, memory and a killed worker, on this machine.

    Raises AssertionError if a result differs from the plain loop, in any bit.
    """
    texts, log = material(passages, queries)
    pairs = sum(len(hits) for _, hits in log.values())
    size, few = max(1, min(32, len(texts) // 8)), max(1, min(8, len(log) // 8))
    with one_thread():
        vectors, hits, *_ = plain(texts, log, size)
        seconds = [plain(texts, log, size)[2:] for _ in range(repeat)]
    record = {
        "machine": scaling.machine(),
        "date": datetime.date.today().isoformat(),
        "dask": cluster.dask.__version__,
        "passages": len(texts),
        "words": round(float(np.mean([len(text.split()) for text in texts])), 1),
        "pairs": pairs,
        "plain": {
            "encode": [len(texts) / encoding for encoding, _ in seconds],
            "rerank": [pairs / reading for _, reading in seconds],
        },
        "workers": {},
    }

    def timed_job(client, stage, after=None):
        began = time.perf_counter()
        if stage == "encode":
            same = np.array_equal(cluster.encode(client, texts, size, after), vectors)
        else:
            same = cluster.rerank(client, log, few, after) == hits
        elapsed = time.perf_counter() - began
        assert same, f"{stage}: the result differs from that of the plain loop"
        return elapsed

    for workers in (1, 2):
        began = time.perf_counter()
        with cluster.connect(workers=workers) as client:
            cluster.processes(client)
            started = time.perf_counter()
            own = {"start": started - began, "idle_mb": memory(client)}
            warm(client, texts[:1])
            own["load"] = time.perf_counter() - started
            for stage, many in (("encode", len(texts)), ("rerank", pairs)):
                own[stage] = [many / timed_job(client, stage) for _ in range(repeat)]
            own["loaded_mb"] = memory(client)
            record["workers"][str(workers)] = own
            say(f"workers: {workers}, measured")
            if workers == 2:
                record["killed"] = {}
                for stage, many in (("encode", len(texts)), ("rerank", pairs)):
                    killer = cluster.Killer(client)
                    elapsed = timed_job(client, stage, killer)
                    usual = many / float(np.median(own[stage]))
                    record["killed"][stage] = {"seconds": elapsed, "usual": usual}
                    client.wait_for_workers(
                        2, timeout=300
                    )  # Dask starts one in place of the killed one
                    warm(client, texts[:1])
                say("one worker killed in each job: the results are identical")
    return record


def warm(client, texts):
    """Every worker loads its models."""
    client.run(cluster.encode_block, texts)
    client.run(cluster.rerank_block, [("query", texts)])


def memory(client):
    """Returns the megabytes of memory (resident) of each worker, the largest first."""
    return sorted(client.run(resident).values(), reverse=True)


def resident():
    """Returns the megabytes that this process has in memory, or None where /proc is missing."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((round(int(s.split()[1]) / 1000) for s in lines if s.startswith("VmRSS")), None)


def rounded(value):
    """Returns a record with four significant digits in every number that is not whole."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main():
    """Measures everything and writes `data/cluster.json`; the comparison of engines stays."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--passages", type=int)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--repeat", type=int, default=5)
    chosen = parser.parse_args()
    record = rounded(measure(chosen.passages, chosen.queries, chosen.repeat))
    if RECORD.exists():
        record["engines"] = load_record().get("engines", {})
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {RECORD.name}")


if __name__ == "__main__":
    main()

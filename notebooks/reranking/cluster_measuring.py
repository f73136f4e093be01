"""How fast a cluster of two workers is, and whether it gives the results of a plain loop.

`make cluster` measures on this machine, and keeps the result with machine and date in
`data/cluster.json`. It needs two free cores and about 2 GB of memory, and takes some minutes.
"""

import argparse
import contextlib
import datetime
import json
import time
from pathlib import Path

import numpy as np

from . import cluster, data, evaluation, scaling, vector_sets
from .cluster_costs import RECORD, load_record


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

"""From measurements at a few sizes to an answer for any size; and the recorded measurements.

A graph over a million vectors takes longer to build than notebook 4 may take. So `make scaling`
measures all indexes at all sizes, and keeps the result with machine and date in
`data/scaling.json`. Run it on a quiet machine: it takes about a quarter of an hour there, the
quality among a million distractors (`distractors.py`) included.
"""

import copy
import datetime
import json
import os
import platform
import time
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np

from . import data, evaluation, search, timing
from .index_measuring import WANTED, FullScan, Measured, tune_and_measure
from .vector_indexes import INDEXES, build
from .vector_sets import VECTORS, Million, real_passages

RECORD = data.DATA / "scaling.json"
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)


def memory_bandwidth():
    """Returns the bytes that one core reads from memory in a second: the best of seven sums."""
    numbers = np.ones(25_000_000, dtype=np.int64)  # 200 MB: too many for most caches
    numbers.sum()
    seconds = []
    for _ in range(7):
        began = time.perf_counter()
        numbers.sum()
        seconds.append(time.perf_counter() - began)
    return numbers.nbytes / min(seconds)


def slope(times):
    """Returns the slope on logarithmic axes of {size: seconds}: 1 is proportional, 0 constant."""
    x, y = np.log(list(times)), np.log(list(times.values()))
    return float(np.polyfit(x, y, 1)[0])


def at_size(times, size):
    """Returns the seconds at any size from {size: seconds}, along straight lines on log axes.

    Beyond the largest size measured, the last line is drawn on: a projection. Below the smallest,
    the time is that of the smallest.
    """
    x, y = np.log(sorted(times)), np.log([times[s] for s in sorted(times)])
    place = np.log(size)
    if len(x) > 1 and place > x[-1]:
        steep = (y[-1] - y[-2]) / (x[-1] - x[-2])
        return float(np.exp(y[-1] + steep * (place - x[-1])))
    return float(np.exp(np.interp(place, x, y)))


class Plan(NamedTuple):
    """What one index would need. Seconds a query, candidates, bytes, cores, and why not."""

    index: str
    latency: float
    recall: float
    candidates: int
    nbytes: float
    cores: int
    problem: str  # empty if the plan holds


def plan(measured, documents, per_second, budget, encode, pair, most=50, machine_cores=2):
    """Returns a Plan for each index, those that hold first, the cheapest on top.

    `measured` is {name: {size: Measured}}, `budget` the seconds that a query may take, `encode` the
    seconds to encode a query and `pair` those for the cross-encoder to read one candidate, both on
    `machine_cores` cores. As many candidates are reranked as the budget allows, `most` at most.
    Cores are kept busy to 70 %, as queues grow without bound near 100 %.
    """
    plans = []
    for name, sizes in measured.items():
        seconds = at_size({size: m.time.median for size, m in sizes.items()}, documents)
        largest = sizes[max(sizes)]
        nearest_size = min(sizes, key=lambda size: abs(np.log(size / documents)))
        left = budget - encode - seconds
        candidates = int(max(0, min(most, left // pair, documents)))
        busy = seconds + machine_cores * (encode + candidates * pair)  # core-seconds
        found = sizes[nearest_size].recall
        problem = "" if left >= 0 else "too slow: the budget is spent before reranking"
        if not problem and found < WANTED:
            problem = f"finds too few: recall@100 is {found:.2f}"
        if not problem and not candidates:
            problem = "no time left to rerank"
        plans.append(
            Plan(
                name,
                encode + seconds + candidates * pair,
                found,
                candidates,
                largest.nbytes / max(sizes) * documents,
                int(np.ceil(per_second * busy / 0.7)),
                problem,
            )
        )
    return sorted(plans, key=lambda p: (bool(p.problem), -p.candidates, p.cores, p.latency))


def timed_scores(model, pairs, batch=32, by_length=True, tokens=None):
    """Returns the scores of (query, text) pairs, and the seconds that a pair took.

    `by_length` puts pairs of like length into one batch, where all are padded to the longest.
    `tokens` cuts a pair after so many tokens.
    """
    lengths = [len(query) + len(text) for query, text in pairs]
    order = np.argsort(lengths, kind="stable") if by_length else np.arange(len(pairs))
    scores = np.empty(len(pairs), np.float32)
    if tokens:
        usual, model.max_seq_length = model.max_seq_length, tokens
    try:
        model.predict([pairs[i] for i in order[:8]], batch_size=batch)  # warm
        began = time.perf_counter()
        for start in range(0, len(pairs), batch):
            rows = order[start : start + batch]
            scores[rows] = model.predict([pairs[i] for i in rows], batch_size=batch)
        seconds = time.perf_counter() - began
    finally:  # also if the cell is interrupted
        if tokens:
            model.max_seq_length = usual
    return scores, seconds / len(pairs)


def in_bfloat16(model):
    """Returns a copy of a cross-encoder with numbers of two bytes; fast where `has_bfloat16()`."""
    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def has_bfloat16():
    """Returns whether the processor multiplies bfloat16 numbers itself."""
    info = Path("/proc/cpuinfo")
    return info.exists() and "bf16" in info.read_text(encoding="utf-8")


def machine():
    """Returns the processor and the number of cores of this machine, in words."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"


def load_record():
    """Returns the recorded measurements, {name: {size: Measured}}, then machine and date."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    measured = {
        name: {
            int(size): Measured(timing.Timing(*m["time"]), m["recall"], m["bytes"], m["build"])
            for size, m in sizes.items()
        }
        for name, sizes in record["indexes"].items()
    }
    return measured, record["machine"], record["date"]


def measure_all(queries, million):
    """Returns {name: {size: Measured}} for every index at every size, as `make scaling` does."""
    everything = {name: {} for name in INDEXES}
    for size in SIZES:
        scan = FullScan(queries)
        for start in million.starts(size):
            scan.see(start, million.block(start)[: size - start])
        everything["exact"][size] = scan.measured()
        for names in (("bytes", "bits", "IVF"), ("HNSW",)):  # one after the other: less memory
            indexes = build(names, million, size)
            for name, result in tune_and_measure(indexes, queries, scan.numbers).items():
                everything[name][size] = result
                shown = (
                    f"{result.time}, recall@100 {result.recall:.3f}, built in {result.build:.0f} s"
                )
                print(f"{size:>9,} {name:6} {shown}", flush=True)
        print(f"{size:>9,} exact  {everything['exact'][size].time}", flush=True)
    return everything


def query_vectors(per_topic=2):
    """Returns the queries that all measurements use, {id: text}, and their vectors."""
    queries = evaluation.sample_queries(data.load_collection(), per_topic)
    return queries, search.BiEncoderRetriever().encode(queries.values())


def main():
    """Measures everything and writes `data/scaling.json`; makes the vectors if they are missing."""
    if not VECTORS.exists():
        vectors = search.BiEncoderRetriever().encode(real_passages())
        np.save(VECTORS, vectors.astype(np.float16))
    _, queries = query_vectors()
    everything = measure_all(queries, Million())
    record = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "faiss": faiss.__version__,
        "indexes": {
            name: {
                size: {
                    "time": [float(f"{s:.4g}") for s in m.time],
                    "recall": round(m.recall, 4),
                    "bytes": m.nbytes,
                    "build": round(m.build, 2),
                }
                for size, m in sizes.items()
            }
            for name, sizes in everything.items()
        },
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {RECORD.name}")


if __name__ == "__main__":
    main()

"""Measures indexes of vectors: how fast they are, and how many of the nearest they find.

All searches run on one core, so that times can be multiplied by queries and divided by cores.
"""

import time
from typing import NamedTuple

import faiss
import numpy as np

from . import timing
from .vector_indexes import K, all_cores
from .vector_sets import DIMENSIONS

WANTED = 0.95  # recall@100 that an approximate index must reach


class Measured(NamedTuple):
    """One index at one size: seconds per query, recall@100, bytes, seconds to build it."""

    time: timing.Timing
    recall: float
    nbytes: int
    build: float


class FullScan:
    """An exact search over blocks that pass by one after the other, timed as it goes.

    To look at a million vectors is to look at 50,000 of them twenty times, so the times of the
    blocks add up. The million never has to be in memory.
    """

    def __init__(self, queries, k=K, timed=10):
        self.queries, self.k = np.ascontiguousarray(queries), k
        self.seconds = np.zeros(min(timed, len(queries)))
        self.seen = 0  # vectors
        self.scores = np.empty((len(queries), 0), np.float32)
        self.numbers = np.empty((len(queries), 0), np.int64)

    def see(self, start, block):
        """Searches one block for all queries, and times the first few one by one."""
        inner = faiss.METRIC_INNER_PRODUCT
        faiss.omp_set_num_threads(1)
        for i in range(len(self.seconds)):
            began = time.perf_counter()
            faiss.knn(self.queries[i : i + 1], block, min(self.k, len(block)), metric=inner)
            self.seconds[i] += time.perf_counter() - began
        with all_cores():
            scores, numbers = faiss.knn(self.queries, block, min(self.k, len(block)), metric=inner)
        self.seen += len(block)
        self.scores = np.hstack([self.scores, scores])
        self.numbers = np.hstack([self.numbers, numbers + start])
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, : self.k]
        self.scores = np.take_along_axis(self.scores, order, axis=1)
        self.numbers = np.take_along_axis(self.numbers, order, axis=1)

    def measured(self):
        """Returns the Measured of exact search over all vectors seen, none of them left out."""
        return Measured(timing.summarise(self.seconds), 1.0, self.seen * DIMENSIONS * 4, 0.0)


def share_found(found, nearest):
    """Returns the share of the numbers `nearest` that are among those `found`, in any order."""
    return np.isin(nearest, found).mean()


def recall(index, queries, truth, k=K):
    """Returns the mean share of the `k` nearest that the index finds; `truth` has them in rows."""
    k = min(k, truth.shape[1])
    found = [index.search(query, k) for query in queries]
    return float(np.mean([share_found(f, t[:k]) for f, t in zip(found, truth, strict=True)]))


def tune(index, queries, truth, wanted=WANTED + 0.01):
    """Returns the index with its dial at the first setting with the wanted recall, else the last.

    Tune on other queries than those whose recall is reported.
    """
    faiss.omp_set_num_threads(1)
    for setting in index.dials:
        index.dial = setting
        if recall(index, queries, truth) >= wanted:
            break
    return index


def measure(index, queries, truth, k=K):
    """Returns the Measured of an index: one query at a time, on one core."""
    faiss.omp_set_num_threads(1)
    k, seconds, shares = min(k, truth.shape[1]), [], []
    for query in queries[:3]:
        index.search(query, k)  # warm
    for query, right in zip(queries, truth, strict=True):
        began = time.perf_counter()
        found = index.search(query, k)
        seconds.append(time.perf_counter() - began)
        shares.append(share_found(found, right[:k]))
    return Measured(timing.summarise(seconds), float(np.mean(shares)), index.nbytes, index.build)


def tune_and_measure(indexes, queries, truth):
    """Returns {name: Measured}: tuned on the odd queries, measured on the even ones."""
    return {
        name: measure(tune(index, queries[1::2], truth[1::2]), queries[::2], truth[::2])
        for name, index in indexes.items()
    }

"""Runs over a judged collection, their measures, and how sure we can be of a difference."""

import ctypes
import sys
from typing import NamedTuple

import numpy as np

from .search import Hit

MEASURES = ("nDCG@10", "RR@10", "P@1", "R@10")


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self):
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def retrieve_all(retriever, queries, top_k):
    """Returns {query id: list of Hit} for {query id: text}, best first."""
    hits = retriever.retrieve_many(list(queries.values()), top_k=top_k)
    return dict(zip(queries, hits, strict=True))


def rerank_all(reranker, queries, candidates, progress=iter):
    """Returns {query id: list of Hit}: the candidates of each query, reordered, none lost.

    The pairs of all queries are scored in large batches, so that passages of equal length stand
    together. `progress` wraps the list of batches: pass `widgets.progress` to see a bar.
    """
    pairs = [(queries[q], hit.text) for q in candidates for hit in candidates[q]]
    order = np.argsort([len(query) + len(text) for query, text in pairs], kind="stable")
    scores = np.empty(len(pairs), dtype=np.float32)
    for start in progress(range(0, len(order), 256)):
        batch = order[start : start + 256]
        scores[batch] = reranker.model.predict([pairs[i] for i in batch], batch_size=32)
        release_memory()
    reranked, position = {}, 0
    for query_id, hits in candidates.items():
        rescored = [
            Hit(hit.doc_id, float(score), hit.text)
            for hit, score in zip(hits, scores[position:], strict=False)
        ]
        position += len(hits)
        reranked[query_id] = sorted(rescored, key=lambda hit: -hit.score)
    return reranked


def evaluate(results, qrels, measures=MEASURES):
    """Returns a DataFrame with a row for each query in `results` and a column for each measure.

    `results` is {query id: list of Hit}, `qrels` is {query id: {passage id: grade}}. The measures
    are those of ir_measures, by the names used there: https://ir-measur.es
    Raises ValueError for a query without judgements.
    """
    import ir_measures
    import pandas as pd

    run = {
        query_id: {str(hit.doc_id): float(len(hits) - rank) for rank, hit in enumerate(hits)}
        for query_id, hits in results.items()
    }
    if absent := [query_id for query_id in run if query_id not in qrels]:
        raise ValueError(f"There are no judgements of the query {absent[0]!r}.")
    judged = {query_id: qrels[query_id] for query_id in run}
    parsed = [ir_measures.parse_measure(measure) for measure in measures]
    rows = [
        (metric.query_id, str(metric.measure), metric.value)
        for metric in ir_measures.iter_calc(parsed, judged, run)
    ]
    frame = pd.DataFrame(rows, columns=["query_id", "measure", "value"])
    frame = frame.pivot(index="query_id", columns="measure", values="value")
    return frame.reindex(index=list(run), columns=[str(m) for m in parsed])


def ndcg(grades, all_grades, k=10):
    """Returns nDCG@k of the grades of a list of hits, best first; 0 if nothing is relevant.

    `all_grades` holds the grades of every judged passage, which make the ideal list.
    Source: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002, as ir_measures computes it.
    """
    discount = 1 / np.log2(np.arange(2, k + 2))
    best = np.sort(np.asarray(all_grades, dtype=float))[::-1][:k]
    found = np.asarray(grades, dtype=float)[:k]
    ideal = float(best @ discount[: len(best)])
    return float(found @ discount[: len(found)]) / ideal if ideal else 0.0


def bootstrap(values, groups=None, samples=2000, seed=0):
    """Returns the mean of `values` with its 95 % bootstrap Interval.

    For a paired comparison, pass the differences of two systems query by query. Queries of one
    topic are alike, so `groups` (a topic for each value) are drawn whole, with replacement.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993.
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    _, member = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(member, weights=values), np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(samples, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def sample_queries(collection, per_topic, seed=0):
    """Returns {query id: text}: a fixed sample, the same number from each topic.

    Within the sample, the query types come round in turn, so that it is even over types too.
    """
    rng = np.random.default_rng(seed)
    by_topic = {}
    for query_id in collection.queries:
        by_topic.setdefault(collection.query_info[query_id]["topic"], []).append(query_id)
    taken, chosen = {}, []
    for query_ids in by_topic.values():
        query_ids = list(rng.permutation(query_ids))
        for _ in range(min(per_topic, len(query_ids))):
            kind = {q: collection.query_info[q]["type"] for q in query_ids}
            query_id = min(query_ids, key=lambda q: taken.get(kind[q], 0))
            taken[kind[query_id]] = taken.get(kind[query_id], 0) + 1
            query_ids.remove(query_id)
            chosen.append(str(query_id))
    return {query_id: collection.queries[query_id] for query_id in chosen}


def add(first, second):
    """Returns the Interval of the sum of two means that were measured on different queries.

    The errors are independent, so that their half-widths add up like the sides of a right angle.
    """
    mean = first.mean + second.mean
    low = mean - np.hypot(first.mean - first.low, second.mean - second.low)
    high = mean + np.hypot(first.high - first.mean, second.high - second.mean)
    return Interval(mean, float(low), float(high))


def release_memory():
    """Gives freed memory back to the system, on Linux; elsewhere it does nothing.

    Batches of ever new lengths leave holes between what is in use. In a long run they would add up
    to half a gigabyte.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only the GNU library has it
        if trim:
            trim(0)

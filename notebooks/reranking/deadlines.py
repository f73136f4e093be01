"""Reranking within a deadline: best-first, in chunks, and no further than it is worth."""

import time
from typing import NamedTuple

import numpy as np

from .search import Hit, check_query


class Partial(NamedTuple):
    """What was reached in time: the hits, how many candidates were read, seconds, and why it ended.

    `why` is "deadline", "settled" or "all read".
    """

    hits: list
    read: int
    seconds: float
    why: str


def rerank_within(reranker, query, hits, seconds, chunk=4, pace=0.0, patience=None, top=3):
    """Returns a Partial: the candidates read in `seconds` by their scores, then the others.

    The candidates are read `chunk` at a time, in the order of the first stage. A chunk is begun
    only if it should end in time: it is taken to last as long as the longest so far, and at first
    `chunk` times `pace` (seconds). With `patience`, reading ends once so many chunks in a row have
    left the `top` first places as they were. Hits that were not read have the score -inf.
    """
    query, hits = check_query(query), [Hit(*hit) for hit in hits]
    start = now = time.perf_counter()
    scores, longest, settled, why = [], chunk * pace, 0, "all read"
    while len(scores) < len(hits):
        if now - start + longest > seconds:
            why = "deadline"
            break
        before = order(scores, hits)[:top]
        chunk_texts = [hit.text for hit in hits[len(scores) : len(scores) + chunk]]
        scores += [float(score) for score in reranker.score(query, chunk_texts)]
        settled = settled + 1 if order(scores, hits)[:top] == before else 0
        longest, now = max(longest, time.perf_counter() - now), time.perf_counter()
        if patience and settled >= patience and len(scores) < len(hits):
            why = "settled"
            break
    new = [
        hits[i]._replace(score=scores[i] if i < len(scores) else -np.inf)
        for i in order(scores, hits)
    ]
    return Partial(new, len(scores), time.perf_counter() - start, why)


def order(scores, hits):
    """Returns the positions of `hits`: those with scores by falling score, then the rest."""
    read = np.argsort(-np.asarray(scores, dtype=float), kind="stable").tolist()
    return read + list(range(len(read), len(hits)))


def read_first(candidates, scores, depth):
    """Returns {query id: list of Hit} as if the first `depth` candidates had been read.

    `scores` is {query id: scores of all its candidates}. `depth` is a number for all queries, or
    {query id: number}.
    """
    results = {}
    for query_id, hits in candidates.items():
        read = depth[query_id] if isinstance(depth, dict) else depth
        results[query_id] = [hits[i] for i in order(scores[query_id][:read], hits)]
    return results


def settled_after(scores, chunk=4, patience=1, top=3):
    """Returns how many of the candidates are read before the order counts as settled.

    The rule is that of `rerank_within`. `scores` are those of all candidates of one query.
    """
    settled = 0
    for read in range(chunk, len(scores), chunk):
        before = order(scores[: read - chunk], scores)[:top]
        settled = settled + 1 if order(scores[:read], scores)[:top] == before else 0
        if settled >= patience:
            return read
    return len(scores)

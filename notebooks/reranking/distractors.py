"""Does quality survive when a million other documents compete with the answers?

Notebook 4 reranks ten candidates to see it. More candidates take longer than the notebook may, so
`make scaling` reranks up to 200 of them once, and keeps the quality of every query in
`data/distractors.json`, with the machine, the date and the weights that were used.
"""

import datetime
import json
from typing import NamedTuple

import numpy as np

from . import data, evaluation, models, scaling, search
from .index_measuring import FullScan
from .vector_sets import REAL, Million, real_passages

RECORD = data.DATA / "distractors.json"
DEPTHS = (10, 50, 100, 200)
SIZES = (700, REAL, 1_000_000)
CASES = ("last", "like their parent")  # what happens to generated vectors: see `order_by`


class Recorded(NamedTuple):
    """nDCG@10 of each query: by the first stage {size: values}, by both {(size, case, k): values}.

    `queries` are the ids, in the order of the values; `weights` is the SHA-256 of the weights.
    """

    queries: list
    first: dict
    second: dict
    machine: str
    date: str
    weights: str


def exact(million, queries, sizes=SIZES):
    """Returns {size: numbers of the 200 nearest vectors}, best first: (queries, 200) each."""
    found = {}
    scan = FullScan(queries, k=max(DEPTHS), timed=0)
    stops = sorted({*sizes, *million.starts(max(sizes))[1:], max(sizes)})
    for start, stop in zip([0, *stops], stops, strict=False):
        scan.see(start, million.rows(np.arange(start, stop)))
        if stop in sizes:
            found[stop] = scan.numbers.copy()
    return found


def passage_scores(reranker, queries, found, million, texts, progress=iter):
    """Returns {query id: {number of a real passage: score by the cross-encoder}}.

    `found` is {query id: numbers of vectors}. A generated vector has no text to read: its parent,
    the real passage that it was drawn around, is scored instead.
    """
    candidates = {}
    for query_id, numbers in found.items():
        real = million.real_of(numbers)
        candidates[query_id] = [search.Hit(int(n), 0.0, texts[n]) for n in np.unique(real)]
    reranked = evaluation.rerank_all(reranker, queries, candidates, progress)
    return {q: {hit.doc_id: hit.score for hit in hits} for q, hits in reranked.items()}


def order_by(found, scores, million, generated):
    """Returns the numbers `found` for one query in the order of `scores`, best first.

    `generated` says what happens to generated vectors: "last" puts them behind all real passages,
    "like their parent" gives them the score of their parent, less a hair.
    """
    values = []
    for number in found:
        if number < REAL:
            values.append(scores[int(number)])
        else:
            like = scores[int(million.parent[number])] - 1e-4
            values.append(like if generated == "like their parent" else -np.inf)
    return [int(found[i]) for i in np.argsort(-np.array(values), kind="stable")]


def as_hits(numbers, ids):
    """Returns vector numbers, best first, as a list of Hit; `ids` are those of the judged ones."""
    names = [ids[n] if n < len(ids) else f"not judged {n}" for n in numbers]
    return [search.Hit(name, float(-rank), "") for rank, name in enumerate(names)]


def measure(collection, queries, found, scores, million, depths=DEPTHS):
    """Returns nDCG@10 of each query as in `Recorded`: {size: values}, {(size, case, k): values}.

    `queries` is {query id: text}, `found` {size: (queries, at least k) numbers of vectors} and
    `scores` what `passage_scores` returns.
    """
    ids = list(collection.passages)

    def quality(lists):
        hits = {q: as_hits(numbers, ids) for q, numbers in zip(queries, lists, strict=True)}
        return evaluation.evaluate(hits, collection.qrels, ["nDCG@10"])["nDCG@10"].to_numpy()

    first = {size: quality(rows) for size, rows in found.items()}
    second = {}
    for size, rows in found.items():
        for case in CASES:
            for k in depths:
                orders = [
                    order_by(row[:k], scores[q], million, case)
                    for q, row in zip(queries, rows, strict=True)
                ]
                second[size, case, k] = quality(orders)
    return first, second


def load_record():
    """Returns what `make scaling` measured, as Recorded."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    first = {int(size): np.array(values) for size, values in record["first stage"].items()}
    second = {
        (int(size), case, int(k)): np.array(values)
        for size, cases in record["two-stage"].items()
        for case, depths in cases.items()
        for k, values in depths.items()
    }
    facts = (record[name] for name in ("machine", "date", "weights"))
    return Recorded(record["queries"], first, second, *facts)


def main():
    """Measures quality at all sizes and depths, and writes `data/distractors.json`."""
    collection, million = data.load_collection(), Million()
    queries, vectors = scaling.query_vectors()
    found = exact(million, vectors)
    reranker = search.CrossEncoderReranker(models.OUR_CROSS_ENCODER, fast=True)
    everything = {
        q: np.unique(np.concatenate([rows[i] for rows in found.values()]))
        for i, q in enumerate(queries)
    }
    scores = passage_scores(reranker, queries, everything, million, real_passages())
    first, second = measure(collection, queries, found, scores, million)

    def short(values):
        return [round(float(value), 4) for value in values]

    record = {
        "machine": scaling.machine(),
        "date": datetime.date.today().isoformat(),
        "weights": models.sha256(models.OUR_CROSS_ENCODER / "model.safetensors"),
        "queries": list(queries),
        "first stage": {size: short(values) for size, values in first.items()},
        "two-stage": {
            size: {case: {k: short(second[size, case, k]) for k in DEPTHS} for case in CASES}
            for size in SIZES
        },
    }
    RECORD.write_text(json.dumps(record) + "\n", encoding="utf-8")
    print(f"Written: {RECORD.name}")


if __name__ == "__main__":
    main()

"""What the cross-encoder is worth on a judged collection, with paired intervals.

quality.py [FOLDER ...]: the course's own collection by default, or folders in BEIR layout.
"""

import os
import sys

os.environ.setdefault("RERANKING_MODELS", "bundled")
sys.path.insert(0, "notebooks")

import numpy as np

import reranking as rr
from reranking import evaluation

DEPTH = 30


def z_scores(hits):
    scores = np.array([hit.score for hit in hits])
    return {h.doc_id: z for h, z in zip(hits, (scores - scores.mean()) / scores.std(), strict=True)}


def report(name, collection):
    """Prints nDCG@10 of each system and its gain over the bi-encoder, overall and by type."""
    retriever, reranker = rr.BiEncoderRetriever(), rr.CrossEncoderReranker()
    retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
    first = evaluation.retrieve_all(retriever, collection.queries, top_k=DEPTH)
    second = evaluation.rerank_all(reranker, collection.queries, first)
    both = {}
    for query_id in first:
        a, b = z_scores(first[query_id]), z_scores(second[query_id])
        both[query_id] = sorted(first[query_id], key=lambda h, a=a, b=b: -a[h.doc_id] - b[h.doc_id])
    systems = {"bi-encoder": first, "two-stage": second, "sum of z-scores": both}
    ndcg = {
        s: evaluation.evaluate(run, collection.qrels, ["nDCG@10"])["nDCG@10"]
        for s, run in systems.items()
    }
    info = collection.query_info
    groups = [info[q].get("topic", q) for q in first]
    print(f"\n{name}: {len(first)} queries, depth {DEPTH}, nDCG@10 with 95 % intervals")
    for system, values in ndcg.items():
        gain = evaluation.bootstrap(values - ndcg["bi-encoder"], groups)
        print(f"  {system:16} {evaluation.bootstrap(values, groups)}  gain {gain}")
    for kind in sorted({info[q].get("type", "") for q in first} - {""}):
        chosen = [q for q in first if info[q]["type"] == kind]
        gain = (ndcg["two-stage"] - ndcg["bi-encoder"])[chosen]
        interval = evaluation.bootstrap(gain, [info[q]["topic"] for q in chosen])
        print(
            f"  {kind:12} {len(chosen):4}  {ndcg['bi-encoder'][chosen].mean():.3f}  gain {interval}"
        )


if __name__ == "__main__":
    for folder in sys.argv[1:] or [rr.data.DATA / "collection"]:
        report(str(folder).rsplit("/", 1)[-1], rr.load_collection(folder))

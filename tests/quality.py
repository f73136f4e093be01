"""What the cross-encoder is worth on judged collections, with paired intervals.

The course's own collection by default, or folders in BEIR layout. The bi-encoder's candidates are
scored in single precision and in eight bits, those of the other first stages in eight bits. Takes
about a quarter of an hour on two cores. With --only-fast, only eight bits and the bi-encoder's
candidates are measured, which is a third of the work.
"""

import argparse
import os
import sys

os.environ.setdefault("RERANKING_MODELS", "bundled")
sys.path.insert(0, "notebooks")

import numpy as np

import reranking as rr
from reranking import evaluation, first_stages

DEPTH = 30


def z(values):
    values = np.asarray(values)
    return (values - values.mean()) / (values.std() or 1)


def with_scores(hits, scores):
    """Returns the hits with new scores, best first."""
    rescored = [hit._replace(score=float(s)) for hit, s in zip(hits, scores, strict=True)]
    return sorted(rescored, key=lambda hit: -hit.score)


def systems(collection, folder, peer, only_fast):
    """Returns {system: {query id: hits}}."""
    retriever = rr.BiEncoderRetriever()
    retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
    meaning = evaluation.retrieve_all(retriever, collection.queries, top_k=DEPTH)
    by_words = first_stages.BM25Retriever(collection.passages)
    words = {q: by_words.retrieve(text, DEPTH) for q, text in collection.queries.items()}
    hybrid = {q: first_stages.fuse(meaning[q], words[q])[:DEPTH] for q in meaning}
    runs = {"bi-encoder": meaning, "BM25": words, "hybrid": hybrid}
    others = {} if only_fast else {"BM25": words, "hybrid": hybrid}
    if peer:
        larger = rr.BiEncoderRetriever(peer)
        larger.index_documents(collection.passages.values(), ids=collection.passages.keys())
        name = os.path.basename(peer.rstrip("/"))
        runs[f"bi-encoder {name}"] = evaluation.retrieve_all(larger, collection.queries, DEPTH)
    union = {
        q: list({h.doc_id: h for run in (meaning, *others.values()) for h in run[q]}.values())
        for q in meaning
    }
    forms = {"": (False, meaning), ", eight bits": (True, union)}
    for suffix, (fast, pairs) in list(forms.items())[only_fast:]:
        reranker = rr.CrossEncoderReranker(folder, fast=fast)
        scored = evaluation.rerank_all(reranker, collection.queries, pairs)
        score = {q: {hit.doc_id: hit.score for hit in hits} for q, hits in scored.items()}
        runs[f"two-stage{suffix}"] = reordered(meaning, score)
        runs[f"sum of z-scores{suffix}"] = {
            q: with_scores(hits, z([h.score for h in hits]) + z([score[q][h.doc_id] for h in hits]))
            for q, hits in meaning.items()
        }
    for name, run in others.items():
        runs[f"two-stage over {name}, eight bits"] = reordered(run, score)
    return runs


def reordered(results, score):
    """Returns the hits of each query in the order of their new scores."""
    return {q: with_scores(hits, [score[q][h.doc_id] for h in hits]) for q, hits in results.items()}


def report(name, collection, folder, peer, only_fast):
    """Prints nDCG@10 of each system and its gain over the bi-encoder, overall and by type."""
    runs = systems(collection, folder, peer, only_fast)
    ndcg = {
        s: evaluation.evaluate(run, collection.qrels, ["nDCG@10"])["nDCG@10"]
        for s, run in runs.items()
    }
    info = collection.query_info
    topics = [info[q].get("topic", q) for q in collection.queries]
    print(f"\n{name}: {len(topics)} queries, depth {DEPTH}, nDCG@10 with 95 % intervals")
    for system, values in ndcg.items():
        gain = evaluation.bootstrap(values - ndcg["bi-encoder"], topics)
        print(f"  {system:34} {evaluation.bootstrap(values, topics)}  gain {gain}")
    if not only_fast:
        rounding = evaluation.bootstrap(ndcg["two-stage, eight bits"] - ndcg["two-stage"], topics)
        print(f"  eight bits against single precision: {rounding}")
    for kind in sorted({info[q].get("type", "") for q in collection.queries} - {""}):
        chosen = [q for q in collection.queries if info[q]["type"] == kind]
        system = "two-stage, eight bits" if only_fast else "two-stage"
        gain = (ndcg[system] - ndcg["bi-encoder"])[chosen]
        interval = evaluation.bootstrap(gain, [info[q]["topic"] for q in chosen])
        base = ndcg["bi-encoder"][chosen].mean()
        print(f"  {kind:12} {len(chosen):4} queries, bi-encoder {base:.3f}, gain {interval}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", default=[str(rr.data.DATA / "collection")])
    parser.add_argument("--model", default=rr.models.CROSS_ENCODER, help="folder of weights")
    parser.add_argument("--peer", help="name or folder of a larger bi-encoder to compare with")
    parser.add_argument(
        "--only-fast", action="store_true", help="eight bits, candidates of the bi-encoder"
    )
    arguments = parser.parse_args()
    for path in arguments.folders:
        collection = rr.load_collection(path)
        report(
            os.path.basename(path.rstrip("/")),
            collection,
            arguments.model,
            arguments.peer,
            arguments.only_fast,
        )

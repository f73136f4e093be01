"""The checks behind the exercises of notebook 3. See `exercises` for how they work."""

import numpy as np

from .exercises import check, exercise, judged_retriever, sample_reranker

__all__ = ["check"]


@exercise(
    "3.1", "The passage that was not found costs recall, and it costs nDCG through the ideal."
)
def three_measures(answer):
    rr, recall, ndcg = (float(value) for value in answer)
    if not np.isclose(rr, 1 / 2, atol=0.005):
        return "the first relevant passage is at rank 2. RR is 1 divided by that rank."
    if np.isclose(recall, 2 / 4, atol=0.005):
        return "R@4 divides by the number of relevant passages. You divided by 4, which is P@4."
    if np.isclose(recall, 1, atol=0.005):
        return "a third relevant passage was not found at all. It counts for R@4."
    if not np.isclose(recall, 2 / 3, atol=0.005):
        return "for R@4, two of three relevant passages are among the first four."
    if np.isclose(ndcg, 0.648, atol=0.002):
        return "the ideal list of nDCG begins with *both* passages of grade 3."
    if np.isclose(ndcg, 0.418, atol=0.002):
        return "you used 2^grade - 1 as the gain. Here the grade itself is the gain."
    if np.isclose(ndcg, 2.762, atol=0.01):
        return "this is DCG. Divide it by the DCG of the ideal list."
    if not np.isclose(ndcg, 0.469, atol=0.002):
        return "nDCG: the ideal list has the grades 3, 3, 2, and rank r is divided by log2(r + 1)."
    return None


@exercise("3.2", "With weight 0 only the first list counts, with weight 1 both count alike.")
def weighted_fusion(function):
    first, second = ["a", "b", "c", "d"], ["d", "c", "e"]
    found = function(first, second, 0.05)
    if found is ...:
        return "the function still returns ...: write its body."
    found = list(found)
    if any(not isinstance(doc_id, str) for doc_id in found):
        return "return the ids alone, without their scores."
    if len(found) < 5:
        return "passages that only one of the lists holds are missing."
    if len(found) > 5:
        return "a passage that both lists hold must come out once, with the sum of its scores."
    if found == list(function(first, second, 1)) == ["d", "c", "a", "b", "e"]:
        return "the weight changes nothing."
    if found[:4] == ["d", "c", "e", "a"]:
        return "the weight belongs to the second list. You gave it to the first."
    if found[0] == "e":
        return "the order is upside down: the highest sum comes first."
    if found != ["c", "d", "a", "b", "e"]:
        return f"with weight 0.05, a,b,c,d and d,c,e give c,d,a,b,e and not {','.join(found)}."
    if list(function(first, second, 10)) != ["d", "c", "e", "a", "b"]:
        return "a weight above 1 must make the second list count more."
    return None


def made_up_depths():
    """Returns ({k: nDCG@10 of 200 queries}, topics), made so that each rule chooses another k."""
    rng = np.random.default_rng(0)
    topics = np.repeat(np.arange(20), 10)
    best = rng.uniform(0, 1, 200)
    by_topic = rng.normal(0, 1, 20)
    by_topic = ((by_topic - by_topic.mean()) / by_topic.std())[topics]
    quality = {
        1: best - 0.04 - rng.normal(0, 0.02, 200),
        3: best - 0.03 - 0.10 * by_topic - rng.normal(0, 0.02, 200),
        5: best - 0.006 - 0.06 * by_topic - rng.normal(0, 0.02, 200),
        10: best - 0.0005 - rng.normal(0, 0.02, 200),
        30: best,
    }
    return quality, topics


@exercise("3.3", "A small k is taken only if even the bad end of its loss is acceptable.")
def smallest_sufficient_k(function):
    quality, topics = made_up_depths()
    found = function(dict(quality), topics, 0.02)
    if found is ...:
        return "the function still returns ...: write its body."
    if found not in quality:
        return f"return one of the k, which are {list(quality)}, and not {found!r}."
    if found == 30:
        return "this is the best k. Compared query by query, a smaller one is good enough."
    if found == 1:
        return "compare query by query: take the interval of the differences to the best k."
    if found == 3:
        return "its loss cannot be told from 0, but it may be large. Look at the bad end, .high."
    if found == 5:
        return "queries of one topic are alike: pass the groups to evaluation.bootstrap."
    if function(dict(quality), topics, 1.0) != 1:
        return "with a margin of 1, every loss is acceptable, so the smallest k of all is right."
    return None


@exercise("3.4", "Reranking made this one worse. It happens, and a mean hides it.")
def hurt_by_reranking(answer):
    query, passage_id = answer
    retriever, collection = judged_retriever()
    if passage_id not in collection.passages:
        return f"{passage_id!r} is not the id of a passage, such as 't01p3'."
    for query_id, text in collection.queries.items():
        if text == query and not collection.qrels[query_id].get(passage_id, 0):
            return "for this query of the collection, the passage was judged not relevant."
    candidates = retriever.retrieve(query, top_k=30)
    before = [hit.doc_id for hit in candidates]
    if passage_id not in before:
        return "the passage is not among the 30 candidates, so the reranker never saw it."
    reranker = sample_reranker(fast=True)  # the one of the notebook
    after = [hit.doc_id for hit in reranker.rerank(query, candidates, top_k=30)]
    old, new = before.index(passage_id) + 1, after.index(passage_id) + 1
    if new < old:
        return f"reranking helped: the passage moved up from rank {old} to rank {new}."
    if new == old:
        return f"the passage stayed at rank {old}."
    return None

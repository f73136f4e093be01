"""The checks behind the exercises of notebook 2. See `exercises` for how they work."""

import numpy as np

from . import data, probes
from .exercises import check, exercise, sample, sample_reranker
from .search import Hit

__all__ = ["check"]


@exercise("2.1", "With the first stage it is 700 / 30, or 23 times less work.")
def pairs_to_score(answer):
    with_first_stage, without = answer
    if (with_first_stage, without) == (42_000, 980_000):
        return None
    if (with_first_stage, without) == (980_000, 42_000):
        return "the two numbers are the wrong way round."
    if with_first_stage == 30 or without == 700:
        return "this is for one query. There are 1,400."
    if with_first_stage == 21_000:
        return "count queries times candidates. The passages do not matter once they are found."
    return "multiply the queries by the passages that each of them meets."


@exercise("2.2", "No hit lost, and each with its new score.")
def own_reranker(function):
    hits = [Hit(7, 0.9, "bb"), Hit(3, 0.8, "dddd"), Hit(5, 0.7, "a"), Hit(1, 0.6, "ccc")]

    def by_length(query, texts):
        return np.array([float(len(text)) for text in texts])

    found = function("query", hits, by_length)
    if found is ...:
        return "the function still returns ...: write its body."
    found = [tuple(hit) for hit in found]
    ids = [hit[0] for hit in found]
    if len(ids) < len(hits):
        return f"{len(hits)} hits went in and {len(ids)} came out. Keep them all."
    if ids == [5, 7, 1, 3]:
        return "the order is upside down: the highest score must come first."
    if ids != [3, 1, 7, 5]:
        return "sort by the score that score(query, texts) returned, highest first."
    if [hit[1] for hit in found] != [4.0, 3.0, 2.0, 1.0]:
        return "the order is right, but the hits still carry their old scores."
    if found != [(3, 4.0, "dddd"), (1, 3.0, "ccc"), (7, 2.0, "bb"), (5, 1.0, "a")]:
        return "each hit keeps its own text: (doc_id, new score, text)."
    return None


@exercise("2.3", "Both scores now count alike, whatever their scale.")
def own_sum_of_z_scores(function):
    first, second = [0.1, 0.2, 0.6], [5.0, -3.0, 1.0]
    found = function(first, second)
    if found is ...:
        return "the function still returns ...: write its body."
    found = np.asarray(found, dtype=float)

    def z(scores, ddof=0):
        scores = np.array(scores)
        return (scores - scores.mean()) / scores.std(ddof=ddof)

    if found.shape != (3,):
        return "return one number for each passage."
    if np.allclose(found, z(first) + z(second)) or np.allclose(found, z(first, 1) + z(second, 1)):
        equal = np.asarray(function([1.0, 1.0], [2.0, 3.0]), dtype=float)
        if not np.isfinite(equal).all():
            return "if all scores are equal, do not divide by 0."
        if not np.allclose(equal[1] - equal[0], [2], atol=0.6):
            return "a list of equal scores adds 0. The other list still counts."
        return None
    if np.allclose(found, np.add(first, second)):
        return "these are the plain sums: the cosines hardly count. Bring both to one scale first."
    if np.allclose(found, (z(first) + z(second)) / 2):
        return "this is the mean of the z-scores. The sum is wanted."
    return "subtract the mean and divide by the standard deviation, for each list, then add."


@exercise("2.4", "The two models disagree as wanted. Which passage is right, you must judge.")
def better_together(answer):
    query, right, wrong = answer
    if any([query, right, wrong] in some for some in probes.load().values()):
        return "this is one of the probes of 2.5. Find a case of your own."
    documents, sample_query = data.load_documents()
    if query == sample_query or {right, wrong} <= set(documents):
        return "this is the example of section 2.2. Find a case of your own."
    retriever, _ = sample()
    cosines = retriever.encode([right, wrong]) @ retriever.encode([query])[0]
    right_score, wrong_score = sample_reranker().score(query, [right, wrong])
    if right.strip() == wrong.strip():
        return "the two passages are the same."
    if cosines[0] > cosines[1]:
        return "the bi-encoder prefers the right passage, so it was not fooled."
    if right_score <= wrong_score:
        return "the cross-encoder prefers the wrong passage too. Both were fooled."
    return None

"""The checks behind the exercises: each looks at an answer and gives a hint if it is wrong."""

from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO

import numpy as np

from .data import load_collection, load_documents
from .search import BiEncoderRetriever, CrossEncoderReranker, Hit

CHECKS = {}  # name of the exercise -> (what a right answer shows, function returning a hint)


def check(name, answer):
    """Prints whether the answer to an exercise is right, else a hint. Raises nothing."""
    praise, find_problem = CHECKS[name]
    if answer is ...:
        print(f"Exercise {name}: no answer yet. Replace ... by your own and run the cell again.")
        return
    try:
        hint = find_problem(answer)
    except Exception as error:
        hint = f"your answer stopped with {type(error).__name__}: {error}"
    print(f"Exercise {name}: not yet, {hint}" if hint else f"Exercise {name}: right. {praise}")


def exercise(name, praise):
    """Registers the function below it as the check of an exercise; it returns a hint or None."""

    def register(find_problem):
        CHECKS[name] = (praise, find_problem)
        return find_problem

    return register


@lru_cache(maxsize=1)
def sample():
    """Returns a retriever over the ten documents, for the checks."""
    documents, query = load_documents()
    return BiEncoderRetriever().index_documents(documents), query


# Notebook 1


@exercise("1.1", "They are far apart: the query is not about reranking.")
def cosine_with_document_8(answer):
    retriever, query = sample()
    cosines = retriever.doc_embeddings @ retriever.encode([query])[0]
    answer = float(answer)
    if abs(answer - cosines[8]) < 0.002:
        return None
    if abs(answer - np.degrees(np.arccos(cosines[8]))) < 0.5:
        return "this is the angle in degrees. The cosine is wanted."
    near = [number for number, cosine in enumerate(cosines) if abs(answer - cosine) < 0.002]
    if near:
        return f"this is the cosine with document {near[0]}. Documents are counted from 0."
    return "take retriever.encode([query, documents[8]]) and multiply the two rows."


@exercise("1.2", "One product, and it never asks for more than there is.")
def own_retriever(function):
    retriever, query = sample()
    documents = retriever.documents
    expected = [hit.doc_id for hit in retriever.retrieve(query, top_k=10)]
    found = function(query, documents, 5)
    if found is ...:
        return "the function still returns ...: write its body."
    found = [int(number) for number in found]
    if found == expected[::-1][:5]:
        return "the order is upside down: these are the documents farthest from the query."
    if sorted(found) == sorted(expected[:5]) and found != expected[:5]:
        return "these are the right documents in the wrong order. Sort by falling cosine."
    if found != expected[:5]:
        return f"for the sample query it should give {expected[:5]} and gives {found}."
    if [int(number) for number in function(query, documents, 99)] != expected:
        return "with top_k = 99 it should give all ten documents."
    return None


@exercise("1.3", "The same value as R@k of ir_measures.")
def own_recall(function):
    hit_ids, judged = ["a", "b", "c", "d"], {"b": 3, "d": 1, "x": 1}
    first = function(hit_ids, judged, 2)
    if first is ...:
        return "the function still returns ...: write its body."
    if abs(first - 1 / 2) < 1e-9:
        return "divide by the number of relevant passages, not by k. That would be precision."
    if abs(first - 3 / 5) < 1e-9:
        return "count passages, whatever their grade."
    if abs(first - 1) < 1e-9:
        return "a count is not yet a share: divide it by the number of relevant passages."
    if abs(function(hit_ids, judged, 4) - 2 / 3) < 1e-9 and abs(first - 1 / 3) > 1e-9:
        return "look at the first k hits only."
    if abs(first - 1 / 3) > 1e-9:
        return f"one of three relevant passages is in the first two: 1/3, not {first}."
    return None


@exercise(
    "1.4", "The bi-encoder puts another document first. Is yours the better answer? You must judge."
)
def fool_the_bi_encoder(answer):
    retriever, sample_query = sample()
    query, doc_id = answer
    if query.strip().lower() == sample_query.lower():
        return "this is the sample query. Find one of your own."
    if doc_id not in retriever.doc_ids:
        return f"document {doc_id!r} is not one of the ten, which are numbered 0 to 9."
    if len(query.split()) < 3:
        return "use at least three words, so that the query has one best answer."
    ranks = [hit.doc_id for hit in retriever.retrieve(query, top_k=10)]
    if ranks[0] == doc_id:
        return "the bi-encoder puts this document first, so it was not fooled."
    return None


# Notebook 2


@lru_cache(maxsize=1)
def sample_reranker():
    """Returns a cross-encoder for the checks."""
    with redirect_stdout(StringIO()):
        return CrossEncoderReranker()


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
        return None if np.isfinite(equal).all() else "if all scores are equal, do not divide by 0."
    if np.allclose(found, np.add(first, second)):
        return "these are the plain sums: the cosines hardly count. Bring both to one scale first."
    if np.allclose(found, (z(first) + z(second)) / 2):
        return "this is the mean of the z-scores. The sum is wanted."
    return "subtract the mean and divide by the standard deviation, for each list, then add."


@exercise("2.4", "The two models disagree as wanted. Which passage is right, you must judge.")
def better_together(answer):
    query, right, wrong = answer
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


# Notebook 3


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
    by_topic = (by_topic - by_topic.mean()) / by_topic.std()
    quality = {
        1: best - 0.04 - rng.normal(0, 0.02, 200),
        5: best - 0.02 - 0.06 * by_topic[topics] - rng.normal(0, 0.02, 200),
        10: best - 0.0005 - rng.normal(0, 0.02, 200),
        30: best,
    }
    return quality, topics


@exercise("3.3", "Compared query by query, and topic by topic, small losses can be seen.")
def smallest_sufficient_k(function):
    quality, topics = made_up_depths()
    found = function(dict(quality), topics)
    if found is ...:
        return "the function still returns ...: write its body."
    if found not in quality:
        return f"return one of the k, which are {list(quality)}, and not {found!r}."
    if found == 30:
        return "this is the best k. A smaller one may be as good within the interval."
    if found == 1:
        return "compare query by query: take the interval of the differences to the best k."
    if found == 10:
        return "queries of one topic are alike: pass the topics to evaluation.bootstrap."
    return None


@lru_cache(maxsize=1)
def judged_retriever():
    """Returns a retriever over the judged collection, and the collection, for the checks."""
    collection = load_collection()
    retriever = BiEncoderRetriever()
    return retriever.index_documents(
        collection.passages.values(), collection.passages.keys()
    ), collection


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
    after = [hit.doc_id for hit in sample_reranker().rerank(query, candidates, top_k=30)]
    old, new = before.index(passage_id) + 1, after.index(passage_id) + 1
    if new < old:
        return f"reranking helped: the passage moved up from rank {old} to rank {new}."
    if new == old:
        return f"the passage stayed at rank {old}."
    return None


# Notebook 4


@exercise("4.1", "As bytes they fit into the memory of a laptop.")
def memory_of_vectors(answer):
    as_float, as_bytes = answer
    if abs(as_float - 7.68) < 0.01 and abs(as_bytes - 1.92) < 0.01:
        return None
    if abs(as_float - 1.92) < 0.01 and abs(as_bytes - 7.68) < 0.01:
        return "the two numbers are the wrong way round."
    if as_float > 1e6:
        return "this is in bytes. Divide by 1,000,000,000."
    if abs(as_float - 7.15) < 0.01:
        return "this is in units of 1024 times 1024 times 1024 bytes. Divide by 1,000,000,000."
    if abs(as_float - 15.36) < 0.01:
        return "a float32 has 32 bits, and these are four bytes, not eight."
    return "multiply the passages by 384, and by the bytes that one number takes."


@exercise("4.2", "The order does not count here, as a reranker will set it anew.")
def own_recall_at(function):
    found, nearest = [7, 3, 9, 1], [3, 5, 7, 9]
    first = function(found, nearest, 2)
    if first is ...:
        return "the function still returns ...: write its body."
    second = function(found, nearest, 4)
    if abs(first) < 1e-9:
        return "you compare position by position. Count the shared numbers, whatever their place."
    if abs(first - 0.75) < 1e-9:
        return "look at the first k of both lists only."
    if abs(second - 3) < 1e-9:
        return "divide the number that both share by k."
    if abs(first - 1) < 1e-9:
        return "cut the list of the nearest at k too, not only the found ones."
    if abs(first - 0.5) > 1e-9 or abs(second - 0.75) > 1e-9:
        return f"the first two of both lists share one number of two: 0.5, not {first}."
    return None


@exercise("4.3", "Slope 1 is in proportion, slope 0 does not depend on the size.")
def own_log_slope(function):
    slope = function(100, 0.2, 10_000, 2.0)  # a hundredfold size, a tenfold time
    if slope is ...:
        return "the function still returns ...: write its body."
    if abs(slope - 0.5) < 1e-6:
        return None
    if abs(slope - 2) < 1e-6:
        return "this is the step to the right over the step upwards. Turn it round."
    if abs(slope - 1.8 / 9900) < 1e-6:
        return "this is the slope on plain axes. Take the logarithm of sizes and seconds."
    if abs(slope - 0.1) < 1e-6:
        return "divide the logarithms of the two ratios, not the ratios."
    if abs(slope + 0.5) < 1e-6:
        return "the sign is wrong: subtract a from b, for sizes and for seconds."
    return f"from 100 to 10,000 documents and from 0.2 s to 2 s it is 0.5, not {slope}."


@exercise("4.4", "What is left of the budget, divided by the time of a pair, within both limits.")
def own_largest_k(function):
    usual = function(200_000, 0.5, 0.010, 0.005, 0.008)
    if usual is ...:
        return "the function still returns ...: write its body."
    if usual == 62:
        return "take off what encoding and searching need before you divide."
    if usual == 61:
        return "the last candidate does not fit any more: round down, not up."
    if abs(usual - 60.625) < 1e-6:
        return "a candidate cannot be cut into pieces: return a whole number."
    if usual != 60:
        return f"for the search above it should be 60, and it is {usual}."
    if function(200_000, 0.001, 0.010, 0.005, 0.008) != 0:
        return "if encoding and searching use up the budget, it should be 0."
    if function(20, 0.5, 0.010, 0.005, 0.008) != 20:
        return "with 20 documents there cannot be more than 20 candidates."
    return None

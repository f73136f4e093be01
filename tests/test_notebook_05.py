"""The promises of notebook 5: deadlines, first stages, lab and exercises."""

import math

import numpy as np
import pytest

import reranking as rr
from reranking import (
    caching,
    data,
    deadlines,
    exercises,
    exercises_05,
    first_stages,
    labs_05,
    learned_sparse,
    vector_sets,
)

HTML = "<img src=x onerror=alert(1)>"


# Deadlines


def test_no_time_reads_nothing_and_enough_time_reads_all(judged, fast):
    query = "how do I keep bread fresh"
    hits = judged.retrieve(query, 8)
    nothing = deadlines.rerank_within(fast, query, hits, 0.0, pace=0.01)
    assert [hit.doc_id for hit in nothing.hits] == [hit.doc_id for hit in hits]
    assert (nothing.read, nothing.why) == (0, "deadline") and nothing.hits[0].score == -math.inf
    everything = deadlines.rerank_within(fast, query, hits, 60.0, chunk=3)
    assert (everything.read, everything.why) == (8, "all read")
    whole = [hit.doc_id for hit in fast.rerank(query, hits, 8)]
    assert [hit.doc_id for hit in everything.hits] == whole
    assert all(type(hit.score) is float for hit in everything.hits)


def test_a_chunk_that_would_come_too_late_is_not_begun(judged):
    class Slow:
        def score(self, query, texts):
            import time

            time.sleep(0.05 * len(texts))
            return np.zeros(len(texts))

    hits = judged.retrieve("bread", 20)
    partial = deadlines.rerank_within(Slow(), "bread", hits, 0.5, chunk=2, pace=0.05)
    assert partial.why == "deadline" and 4 <= partial.read <= 10 and partial.seconds < 0.6


def test_no_candidate_is_lost_and_unread_ones_keep_their_order():
    scores = [1.0, 3.0, 2.0]
    assert deadlines.order(scores, range(5)) == [1, 2, 0, 3, 4]
    assert deadlines.order([], range(3)) == [0, 1, 2]


def test_the_replay_of_early_stopping_is_what_really_happens(judged, fast):
    for query in ("how do I keep bread fresh", "flaky tests", "lid of a piano"):
        hits = judged.retrieve(query, 12)
        scores = fast.score(query, [hit.text for hit in hits])
        for patience in (1, 2):
            run = deadlines.rerank_within(fast, query, hits, 60, 3, patience=patience)
            assert run.read == deadlines.settled_after(scores, 3, patience)
            replayed = deadlines.read_first({"q": hits}, {"q": scores}, run.read)["q"]
            assert [hit.doc_id for hit in run.hits] == [hit.doc_id for hit in replayed]


# First stages


def test_fusion_with_weight_nought_and_one():
    first = [rr.Hit(i, 0.0, i) for i in "abc"]
    second = [rr.Hit(i, 0.0, i) for i in "cd"]
    assert [h.doc_id for h in first_stages.fuse(first, second, 0)] == list("abcd")
    assert first_stages.fuse(first, second)[0].doc_id == "c"
    assert first_stages.fuse(first, second)[0].score == pytest.approx(1 / 63 + 1 / 61)


@pytest.fixture(scope="module")
def topics(retriever):
    train = data.topics_as_collection(data.load_topics("train"))
    kept = vector_sets.real_vectors()[vector_sets.TRAIN : vector_sets.DEV]
    return learned_sparse.Topics(train, kept, retriever.model.tokenizer)


def test_grades_stand_beside_their_passages(topics):
    train = data.topics_as_collection(data.load_topics("train"))
    query_id = list(train.queries)[4321]
    passages = list(train.passages)[10 * (4321 // 20) : 10 * (4321 // 20) + 10]
    expected = [train.qrels[query_id].get(passage_id, 0) for passage_id in passages]
    assert topics.grades[4321].tolist() == expected


def test_the_sparse_stage_learns_and_its_index_agrees_with_the_model(retriever, judged, topics):
    model = learned_sparse.untrained(retriever.model, topics)
    losses = learned_sparse.train(model, topics, steps=6, per_step=8)
    assert np.mean(losses[-2:]) < losses[0]
    passages = dict(list(zip(judged.doc_ids, judged.documents, strict=True))[:20])
    stage = learned_sparse.SparseRetriever(model, passages, judged.doc_embeddings[:20])
    query = "how long does bread keep?"
    found = {hit.doc_id: hit.score for hit in stage.retrieve(query, 20)}
    documents = model.encode_document(list(passages.values()))
    assert int((documents.to_dense() > 0).sum(dim=1).max()) <= learned_sparse.TERMS
    scores = model.similarity(model.encode_query([query]), documents)[0].tolist()
    assert scores == pytest.approx([found[i] for i in passages], abs=0.05)


# Lab


@pytest.fixture
def lab(judged, fast, collection):
    return labs_05.DeadlineLab(judged, fast, collection)


def test_the_lab_follows_its_deadline_and_says_what_is_missed(lab):
    lab.budget.value = 0
    assert "Read 0 of 16" in lab.result.value and "not read" in lab.result.value


class Paced:
    """A reranker that reads a passage in 10 ms of its own clock and changes no order."""

    def __init__(self):
        self.seconds, self.read = 0.0, 0

    def perf_counter(self):
        return self.seconds

    def score(self, query, texts):
        scores = -np.arange(self.read, self.read + len(texts), dtype=np.float32)
        self.read += len(texts)
        self.seconds += 0.01 * len(texts)
        return scores


@pytest.mark.parametrize(
    ("budget", "patience", "expected", "unread"),
    [
        (50, 0, "Read 4 of 6 candidates in 40 ms, until the deadline.", 1),
        (1000, 0, "Read 6 of 6 candidates in 60 ms, until the end.", 0),
        (1000, 1, "Read 2 of 6 candidates in 20 ms, until a settled order.", 3),
    ],
)
def test_the_lab_says_how_far_it_came_and_why_it_ended(
    judged, collection, monkeypatch, budget, patience, expected, unread
):
    paced = Paced()
    for module in (deadlines, labs_05):
        monkeypatch.setattr(module, "time", paced)
    lab = labs_05.DeadlineLab(judged, paced, collection)
    lab.candidates.value, lab.chunk.value = 6, 2
    lab.budget.value, lab.patience.value = budget, patience
    assert expected in lab.result.value and lab.status.value == ""
    assert lab.result.value.count("not read") == unread  # of the five that are shown
    assert len(lab.partial.hits) == 6


def test_the_lab_searches_own_documents(lab):
    lab.documents.choice.value = "my own text"
    lab.documents.text.value = "Cats sleep all day.\n\nDogs want to go out."
    lab.documents.start.click()
    lab.documents.thread.join(60)
    assert "of 2 candidates" in lab.result.value and "no judgements" in lab.result.value


def test_the_lab_shows_ndcg_for_judged_queries_and_escapes_the_others(lab):
    assert "nDCG@10: not reranked" in lab.result.value
    lab.query.value = f"bread {HTML}"
    assert "no judgements" in lab.result.value
    assert "<img" not in lab._repr_mimebundle_()["text/html"]
    lab.query.value = " "
    assert "query is empty" in lab.status.value


# Exercises


def right_key(query, top_k, passages, weights):
    return " ".join(query.lower().split()), top_k, passages, weights


def key_of(change):
    return lambda q, k, p, w: change(" ".join(q.lower().split()), k, p, w)


def quantile(counts, q, within=True, cumulate=False):
    if cumulate:
        counts = dict(zip(counts, np.cumsum(list(counts.values())), strict=True))
    rank, lower, below = q * max(counts.values()), 0.0, 0
    for upper, count in counts.items():
        if count >= rank:
            if math.isinf(upper):
                return lower
            return lower + (upper - lower) * (rank - below * within) / (count - below * within)
        lower, below = upper, count


def draft(first, second, coin, once=False, skip=True):
    drafted, taken, lists = [], set(), (first, second)
    begins = coin()
    for number in range(len(first)):
        begins = begins if once or not number else coin()
        for team in (begins, 1 - begins):
            left = [i for i in lists[team] if not skip or i not in taken]
            if left and skip:
                taken.add(left[0])
                drafted.append((left[0], team))
            elif left:
                drafted.append((left[number], team))
    return drafted


CASES = [
    ("5.1", (20, 200), "right"),
    ("5.1", (200, 20), "wrong way round"),
    ("5.1", (80, 200), "instead of dividing"),
    ("5.1", (20_000, 200), "half a second is 0.5"),
    ("5.1", (20, 8), "Multiply"),
    ("5.1", (20, 40), "only every 5 seconds"),
    ("5.2", right_key, "right"),
    ("5.2", key_of(lambda q, k, p, w: [q, k, p, w]), "A tuple can"),
    ("5.2", key_of(lambda q, k, p, w: (q, k, w)), "other passages"),
    ("5.2", key_of(lambda q, k, p, w: (q, k, p)), "other weights"),
    ("5.2", key_of(lambda q, k, p, w: (q, p, w)), "other top_k"),
    ("5.2", key_of(lambda q, k, p, w: f"{q}{k}{p}{w}"), "Use a tuple"),
    (
        "5.2",
        key_of(lambda q, k, p, w: (" ".join(sorted(q.split())), k, p, w)),
        "order of the words",
    ),
    ("5.2", key_of(lambda q, k, p, w: (q.replace(" ", ""), k, p, w)), "without any blanks"),
    ("5.2", lambda q, k, p, w: (caching.only_words(q), k, p, w), "punctuation"),
    ("5.2", key_of(lambda q, k, p, w: (q.rstrip("?"), k, p, w)), "punctuation"),
    ("5.2", key_of(lambda q, k, p, w: (q.replace("-", " "), k, p, w)), "punctuation"),
    ("5.2", lambda q, k, p, w: (" ".join(q.split()), k, p, w), "capital"),
    ("5.2", lambda q, k, p, w: (q.lower(), k, p, w), "more blanks"),
    ("5.3", quantile, "right"),
    ("5.3", lambda c, q: next(b for b, n in c.items() if n >= q * 100), "upper bound"),
    ("5.3", lambda c, q: quantile(c, q, cumulate=True), "cumulative already"),
    ("5.3", lambda c, q: quantile(c, q, within=False), "take off"),
    ("5.3", lambda c, q: 0.15, "middle of the bucket"),
    ("5.3", lambda c, q: 0.1, "lower bound"),
    ("5.4", draft, "right"),
    ("5.4", lambda a, b, c: draft(a, b, c, once=True), "every round"),
    ("5.4", lambda a, b, c: draft(a, b, lambda: 0), "which team picks first"),
    ("5.4", lambda a, b, c: draft(a, b, c, skip=False), "twice"),
    ("5.4", lambda a, b, c: [i for i, _ in draft(a, b, c)], "is a pair"),
    ("5.4", lambda a, b, c: draft(a, b, c)[: 2 * len(set(a + b) - set(a)) + 2], "picks alone"),
    ("5.4", lambda a, b, c: draft(a, b, c)[:4], "4 came out"),
]


@pytest.mark.parametrize(("name", "answer", "expected"), CASES)
def test_checks_know_right_answers_and_typical_mistakes(capsys, name, answer, expected):
    exercises_05.check(name, answer)
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("name", ["5.1", "5.2", "5.3", "5.4"])
def test_no_answer_and_nonsense_never_raise(capsys, name):
    for answer, expected in ((..., "no answer"), ("no", "not yet"), (lambda *a: ..., "not yet")):
        exercises.check(name, answer)
        assert expected in capsys.readouterr().out


def test_the_choice_of_queries_for_dev_holds_dev_topics_only():
    topics = data.load_topics("train")[-50:] + data.load_topics("dev")
    dev = data.topics_as_collection(topics)
    own = {q for q in dev.queries if q >= "t051"}
    assert len(own) == 400
    names = {topic["topic"] for topic in data.load_topics("dev")}
    assert {dev.query_info[q]["topic"] for q in own} == names

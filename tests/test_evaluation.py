"""Measures and intervals, checked against numbers worked out by hand."""

import numpy as np
import pytest

from reranking import Hit, evaluation, timing


def hits(*ids):
    return [Hit(i, float(-rank), "text") for rank, i in enumerate(ids)]


def test_measures_agree_with_hand_calculation():
    frame = evaluation.evaluate({"q": hits("a", "b", "c")}, {"q": {"b": 3, "x": 2}})
    ideal = 3 / np.log2(2) + 2 / np.log2(3)
    assert frame.loc["q", "nDCG@10"] == pytest.approx((3 / np.log2(3)) / ideal)
    assert frame.loc["q", "RR@10"] == 0.5 and frame.loc["q", "P@1"] == 0
    assert frame.loc["q", "R@10"] == 0.5


def test_the_order_of_hits_counts_even_if_scores_are_equal():
    tied = [Hit("z", 1.0, ""), Hit("a", 1.0, "")]
    frame = evaluation.evaluate({"q": tied}, {"q": {"a": 3}})
    assert frame.loc["q", "RR@10"] == 0.5


def test_a_query_without_a_relevant_hit_counts_as_zero():
    frame = evaluation.evaluate({"q": hits("a")}, {"q": {"b": 3}})
    assert frame.loc["q"].tolist() == [0, 0, 0, 0]


def test_a_query_without_judgements_is_named():
    with pytest.raises(ValueError, match="judgements of the query 'new'"):
        evaluation.evaluate({"q": hits("a"), "new": hits("a")}, {"q": {"a": 3}})


def test_bootstrap_interval_covers_the_true_mean_in_most_repetitions():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        interval = evaluation.bootstrap(rng.normal(0.3, 1, 60), samples=400)
        covered += interval.low <= 0.3 <= interval.high
    assert 85 <= covered <= 100


def test_drawing_topics_gives_wider_intervals_if_queries_of_a_topic_are_alike():
    rng = np.random.default_rng(0)
    topics = np.repeat(np.arange(30), 20)
    values = rng.normal(0, 1, 30)[topics]
    alone, grouped = evaluation.bootstrap(values), evaluation.bootstrap(values, topics)
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)


def test_reranking_a_whole_run_equals_reranking_query_by_query(retriever, reranker, documents):
    queries = {"a": "what is python", "b": "what is reranking"}
    candidates = evaluation.retrieve_all(retriever, queries, top_k=5)
    together = evaluation.rerank_all(reranker, queries, candidates)
    for query_id, text in queries.items():
        alone = reranker.rerank(text, candidates[query_id], top_k=5)
        assert [h.doc_id for h in together[query_id]] == [h.doc_id for h in alone]
        assert np.allclose(
            [h.score for h in together[query_id]], [h.score for h in alone], atol=1e-4
        )


def test_a_sample_is_fixed_and_even_over_topics_and_types(collection):
    first = evaluation.sample_queries(collection, per_topic=2)
    assert first == evaluation.sample_queries(collection, per_topic=2)
    info = [collection.query_info[q] for q in first]
    assert len(first) == 140 and len({i["topic"] for i in info}) == 70
    counts = [sum(i["type"] == kind for i in info) for kind in {i["type"] for i in info}]
    assert max(counts) - min(counts) <= 4


def test_timing_is_a_median_between_its_quartiles():
    result = timing.measure(lambda: sum(range(1000)), repeat=9)
    assert 0 < result.low <= result.median <= result.high
    assert str(timing.Timing(0.0012, 0.001, 2.0)) == "1.2 ms [1 ms, 2 s]"

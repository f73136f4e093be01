"""The promises of notebook 4: its vectors, indexes, measurements, lab and exercises."""

import math

import numpy as np
import pytest

import reranking as rr
from reranking import (
    distractors,
    index_measuring,
    labs_04,
    models,
    scaling,
    timing,
    vector_indexes,
    vector_sets,
)
from reranking import exercises_04 as exercises


@pytest.fixture(scope="module")
def million():
    return vector_sets.Million()


@pytest.fixture(scope="module")
def query_vectors(retriever, collection):
    return retriever.encode(list(collection.queries.values())[::40])


@pytest.fixture(scope="module")
def recorded():
    return scaling.load_record()[0]


# Vectors


def test_the_kept_vectors_are_those_of_the_passages(retriever, collection, million):
    texts = list(collection.passages.values())
    rows = [0, 350, 699]
    cosines = np.sum(retriever.encode([texts[i] for i in rows]) * million.real[rows], axis=1)
    assert cosines.min() > 0.999


def test_every_kept_vector_has_its_passage(retriever, collection, million):
    texts = vector_sets.real_passages()
    assert len(texts) == len(million.real) == vector_sets.REAL
    assert texts[:700] == list(collection.passages.values())
    rows = [700, 4189, 4190, 5999]  # the first and last of training passages and docstrings
    cosines = np.sum(retriever.encode([texts[i] for i in rows]) * million.real[rows], axis=1)
    assert cosines.min() > 0.999


def test_a_vector_is_the_same_wherever_it_is_asked_for(million):
    block = million.block(50_000)
    rows = million.rows([50_000, 73_123, 99_999])
    assert np.allclose(block[[0, 23_123, 49_999]], rows, atol=1e-6)
    assert np.allclose(million.first(7000)[6500], million.rows([6500])[0], atol=1e-6)
    assert np.allclose(vector_sets.Million().rows([987_654]), million.rows([987_654]), atol=1e-6)


def test_generated_vectors_have_length_one_and_the_real_ones_come_first(million):
    rows = million.rows(np.arange(0, 1_000_000, 9973))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    assert np.array_equal(million.rows([17, 5999]), million.real[[17, 5999]])


def test_generated_vectors_keep_the_neighbour_distances_of_real_ones(million):
    made = million.rows(np.random.default_rng(5).integers(vector_sets.REAL, 1_000_000, size=6000))
    real = np.percentile(vector_sets.nearest_distances(million.real), [10, 50, 90])
    generated = np.percentile(vector_sets.nearest_distances(made), [10, 50, 90])
    assert np.abs(generated / real - 1).max() < 0.12


# Indexes


def test_a_full_scan_block_by_block_finds_what_one_exact_search_finds(million, query_vectors):
    scan = index_measuring.FullScan(query_vectors, k=20)
    vectors = million.first(9000)
    for start in (0, 3000, 6000):
        scan.see(start, vectors[start : start + 3000])
    expected = np.argsort(-(query_vectors @ vectors.T), axis=1)[:, :20]
    assert (scan.numbers == expected).mean() > 0.99
    assert scan.measured().nbytes == 9000 * 384 * 4


def test_a_full_scan_times_real_searches_only(million, query_vectors):
    scan = index_measuring.FullScan(query_vectors[:3], k=20, timed=10)
    scan.see(0, million.first(500))
    assert len(scan.seconds) == 3 and scan.seconds.min() > 0


def test_every_index_reaches_the_wanted_recall_when_its_dial_is_turned(million, query_vectors):
    indexes = vector_indexes.build(vector_indexes.INDEXES, million, 8000)
    truth = np.array([indexes["exact"].search(query, 100) for query in query_vectors])
    for name, index in indexes.items():
        index_measuring.tune(index, query_vectors, truth)
        result = index_measuring.measure(index, query_vectors, truth)
        assert result.recall >= 0.95, name
        assert result.time.median > 0 and result.nbytes > 0, name
    assert indexes["bytes"].nbytes * 4 == indexes["exact"].nbytes


def test_a_smaller_dial_finds_less(million, query_vectors):
    indexes = vector_indexes.build(("exact", "IVF"), million, 8000)
    truth = np.array([indexes["exact"].search(query, 100) for query in query_vectors])
    indexes["IVF"].dial = 1 / 32
    few = index_measuring.recall(indexes["IVF"], query_vectors, truth)
    indexes["IVF"].dial = 1
    assert few + 0.2 < index_measuring.recall(indexes["IVF"], query_vectors, truth)


def test_exact_search_beats_the_loop_five_hundred_times(million, query_vectors):
    from sentence_transformers import util

    exact = vector_indexes.Exact()
    exact.add(million.first(10_000))
    truth = np.array([exact.search(query, 5) for query in query_vectors])
    some = million.first(500)
    loop = timing.measure(lambda: [util.cos_sim(query_vectors[0], v).item() for v in some], 3)
    assert 20 * loop.median > 500 * index_measuring.measure(exact, query_vectors, truth).time.median


# Recorded measurements


def test_everything_was_recorded_with_machine_and_date(recorded):
    _, machine, date = scaling.load_record()
    assert "cores" in machine and date.startswith("20")
    assert set(recorded) == set(vector_indexes.INDEXES)
    for by_size in recorded.values():
        assert tuple(sorted(by_size)) == scaling.SIZES


def test_the_recorded_exact_search_reads_every_number_of_every_vector(recorded):
    for size, measured in recorded["exact"].items():
        assert measured.nbytes == size * 384 * 4


def test_the_recorded_approximate_search_holds_the_promise(recorded):
    ivf, exact = recorded["IVF"][1_000_000], recorded["exact"][1_000_000]
    assert ivf.recall >= index_measuring.WANTED
    assert exact.time.median > 20 * ivf.time.median


# Curves and plans


def test_a_slope_is_one_for_proportion_and_nought_for_constant_time():
    assert scaling.slope({10: 1.0, 100: 10.0, 1000: 100.0}) == pytest.approx(1)
    assert scaling.slope({10: 2.0, 1000: 2.0}) == pytest.approx(0)


def test_times_between_and_beyond_the_sizes_lie_on_the_line():
    times = {100: 0.01, 10_000: 1.0}
    assert scaling.at_size(times, 1000) == pytest.approx(0.1)
    assert scaling.at_size(times, 100_000) == pytest.approx(10)
    assert scaling.at_size(times, 10) == pytest.approx(0.01)  # never below the smallest


def make_plan(recorded, **changes):
    usual = {"documents": 100_000, "per_second": 10, "budget": 1.0, "encode": 0.01, "pair": 0.01}
    return scaling.plan(recorded, **(usual | changes))


def test_a_plan_keeps_to_the_budget_and_pays_for_every_query(recorded):
    best = make_plan(recorded)[0]
    assert not best.problem and best.latency <= 1.0 and best.candidates == 50
    assert make_plan(recorded, per_second=20)[0].cores > best.cores
    assert make_plan(recorded, budget=0.3)[0].candidates < 50
    assert make_plan(recorded, most=7)[0].candidates == 7


def test_a_plan_says_what_is_impossible(recorded):
    poor = {"exact": {10**5: recorded["exact"][10**5]._replace(recall=0.9)}}
    for measured, budget, problem in (
        (recorded, 0.001, "too slow: the budget is spent before reranking"),
        (poor, 1.0, "finds too few: recall@100 is 0.90"),
        ({"exact": recorded["exact"]}, 0.02, "no time left to rerank"),
    ):
        assert {p.problem for p in make_plan(measured, budget=budget)} == {problem}


# The second stage among distractors


def test_a_generated_vector_is_ordered_last_or_like_its_parent(million):
    number = 500_000
    parent = int(million.parent[number])
    other = (parent + 1) % vector_sets.REAL
    scores = {parent: 5.0, other: 1.0}
    found = np.array([other, number, parent])
    assert distractors.order_by(found, scores, million, "last") == [parent, other, number]
    like = distractors.order_by(found, scores, million, "like their parent")
    assert like == [parent, number, other]


def test_scores_cover_real_passages_and_parents(reranker, million):
    texts = [f"passage {number}" for number in range(vector_sets.REAL)]
    found = {"q": np.array([3, 600_000])}
    scores = distractors.passage_scores(reranker, {"q": "a query"}, found, million, texts)
    assert set(scores["q"]) == {3, int(million.parent[600_000])}


def test_the_nearest_are_those_of_one_exact_search(million, query_vectors):
    found = distractors.exact(million, query_vectors[:5], sizes=(700, 6000))
    for size, numbers in found.items():
        cosines = np.take_along_axis(query_vectors[:5] @ million.real[:size].T, numbers, axis=1)
        best = -np.sort(-(query_vectors[:5] @ million.real[:size].T), axis=1)[:, :200]
        assert np.allclose(cosines, best, atol=1e-5)


def test_the_quality_among_distractors_is_that_of_the_order(collection, million):
    query_id = next(iter(collection.queries))
    answer = max(collection.qrels[query_id], key=collection.qrels[query_id].get)
    place = list(collection.passages).index(answer)
    child = 6000 + int(np.flatnonzero(million.parent[6000:] == place)[0])
    scores = {query_id: {place: 2.0, 699: 1.0}}
    found = {1_000_000: np.array([[699, child, place]])}
    queries = {query_id: ""}
    args = collection, queries, found, scores, million
    first, second = distractors.measure(*args, depths=[2, 3])
    best, bad = (second[1_000_000, case, 3][0] for case in distractors.CASES)
    assert best == bad > first[1_000_000][0] > 0  # the answer is read: it comes first either way
    assert second[1_000_000, "last", 2][0] == 0  # the answer is not among the candidates


def test_the_quality_among_distractors_was_recorded_with_the_weights_that_are_here(collection):
    record = distractors.load_record()
    assert record.weights == models.sha256(models.OUR_CROSS_ENCODER / "model.safetensors")
    assert record.machine and record.date and set(record.queries) <= set(collection.queries)
    assert set(record.first) == set(distractors.SIZES)
    for size in distractors.SIZES:
        for case in distractors.CASES:
            for k in distractors.DEPTHS:
                assert len(record.second[size, case, k]) == len(record.queries)


def test_settings_for_speed_leave_the_scores_and_the_model_alone(reranker, collection):
    pairs = [
        ("how do I keep bread fresh", text) for text in list(collection.passages.values())[:12]
    ]
    before, seconds = scaling.timed_scores(reranker.model, pairs)
    assert seconds > 0
    for options in ({"batch": 1}, {"by_length": False}):
        assert np.allclose(
            scaling.timed_scores(reranker.model, pairs, **options)[0], before, atol=1e-3
        )
    assert not np.allclose(
        scaling.timed_scores(reranker.model, pairs, tokens=16)[0], before, atol=1e-3
    )
    for other in (rr.CrossEncoderReranker(fast=True).model, scaling.in_bfloat16(reranker.model)):
        assert np.corrcoef(scaling.timed_scores(other, pairs)[0], before)[0, 1] > 0.8
    assert np.allclose(scaling.timed_scores(reranker.model, pairs)[0], before, atol=1e-5)


def test_a_failed_measurement_leaves_the_length_of_the_model_alone():
    class Broken:
        max_seq_length = 512

        def predict(self, pairs, **options):
            raise KeyboardInterrupt

    model = Broken()
    with pytest.raises(KeyboardInterrupt):
        scaling.timed_scores(model, [("a", "b")], tokens=16)
    assert model.max_seq_length == 512


# Lab


@pytest.fixture
def lab(recorded):
    return labs_04.PlannerLab(recorded, encode=0.01, pair=0.01, cores=2)


def test_the_planner_answers_at_once_and_follows_every_control(lab):
    seen = {lab.result.value}
    assert "Take" in lab.result.value and "candidates" in lab.result.value
    for control, value in (
        (lab.documents, 5000),
        (lab.per_second, 50.0),
        (lab.budget, 2000),
        (lab.most, 100),
        (lab.price, 1.0),
    ):
        control.value = value
        assert lab.result.value not in seen, control.description
        seen.add(lab.result.value)
    assert lab.status.value == ""


def test_the_planner_says_when_nothing_holds_and_when_it_projects(lab):
    lab.budget.value = 10
    assert "No index holds" in lab.result.value
    lab.budget.value = 2000
    lab.documents.value = 50_000_000
    assert "projection" in lab.result.value


def test_the_planner_can_be_read_without_a_kernel(lab):
    page = lab._repr_mimebundle_()["text/html"]
    assert "documents: 1,000,000" in page and "<table" in page


# Exercises


def verdict(capsys, name, answer):
    capsys.readouterr()
    exercises.check(name, answer)
    return capsys.readouterr().out


def recall_at(found, nearest, k):
    return len(set(found[:k]) & set(nearest[:k])) / k


def slope(a, s, b, t):
    return np.log(t / s) / np.log(b / a)


def largest(documents, budget, encode, search, pair):
    return max(0, min(documents, int((budget - encode - search) / pair)))


@pytest.mark.parametrize(
    "name, answer, expected",
    [
        ("4.1", (7.68, 1.92), "right"),
        ("4.1", (1.92, 7.68), "wrong way round"),
        ("4.1", (7.68e9, 1.92e9), "Divide by"),
        ("4.1", (15.36, 1.92), "four bytes"),
        ("4.2", recall_at, "right"),
        ("4.2", lambda f, n, k: len(set(f[:k]) & set(n[:k])), "divide"),
        ("4.2", lambda f, n, k: len(set(f[:k]) & set(n)) / k, "cut the list of the nearest"),
        ("4.2", lambda f, n, k: sum(map(int.__eq__, f[:k], n[:k])) / k, "position by position"),
        ("4.2", lambda f, n, k: ..., "still returns"),
        ("4.3", slope, "right"),
        ("4.3", lambda a, s, b, t: (t - s) / (b - a), "plain axes"),
        ("4.3", lambda a, s, b, t: 1 / slope(a, s, b, t), "Turn it round"),
        ("4.4", largest, "right"),
        ("4.4", lambda d, b, e, s, p: max(0, min(d, (b - e - s) // p)), "right"),
        ("4.4", lambda d, b, e, s, p: max(0, min(d, math.floor((b - e - s) / p))), "right"),
        ("4.4", lambda d, b, e, s, p: (b - e - s) / p, "whole number"),
        ("4.4", lambda d, b, e, s, p: int(b / p), "take off"),
        ("4.4", lambda d, b, e, s, p: int((b - e - s) / p), "should be 0"),
        ("4.4", lambda d, b, e, s, p: max(0, int((b - e - s) / p)), "20 documents"),
    ],
)
def test_checks_know_right_answers_and_typical_mistakes(capsys, name, answer, expected):
    assert expected in verdict(capsys, name, answer)

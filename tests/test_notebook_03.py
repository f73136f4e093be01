"""The labs and the exercises of notebook 3, driven as a learner would."""

import numpy as np
import pytest

from reranking import Collection, evaluation, first_stages, labs_03, widgets
from reranking import exercises_03 as exercises

HTML = "<img src=x onerror=alert(1)>"
TOPICS = ("t01", "t02", "t03")


@pytest.fixture(scope="module")
def small(collection):
    """Three topics of the collection: 30 passages and 60 queries."""
    passages = {i: text for i, text in collection.passages.items() if i.startswith(TOPICS)}
    queries = {q: text for q, text in collection.queries.items() if q.startswith(TOPICS)}
    qrels = {q: collection.qrels[q] for q in queries}
    return Collection(passages, queries, qrels, {q: collection.query_info[q] for q in queries})


@pytest.fixture(scope="module")
def searcher(retriever, small):
    own = widgets.share_model(retriever)
    return own.index_documents(small.passages.values(), small.passages.keys())


@pytest.fixture(scope="module")
def results(searcher, small):
    return evaluation.retrieve_all(searcher, small.queries, top_k=10)


@pytest.fixture
def game(small, results, reranker):
    return labs_03.BeatTheMachine(small, results, reranker)


@pytest.fixture
def side_by_side(searcher, reranker, small):
    systems = {
        "bi-encoder": lambda query: searcher.retrieve(query, 10),
        "two-stage": lambda query: reranker.rerank(query, searcher.retrieve(query, 10), 10),
    }
    return labs_03.SideBySide(systems, small)


def test_side_by_side_builds_the_systems_for_own_documents(searcher, reranker, small):
    systems = first_stages.systems_over(searcher, reranker)
    lab = labs_03.SideBySide(systems, small, None, searcher, reranker)
    assert "nDCG@10" in lab.result.value
    lab.documents.choice.value = "my own text"
    lab.documents.text.value = "Cats sleep all day.\n\nDogs want to go out."
    lab.documents.start.click()
    lab.documents.thread.join(60)
    lab.query.value = "cats"
    for name in systems:
        lab.left.value = name
        assert "Cats sleep" in lab.result.value.split("<tr>")[2] and lab.status.value == ""
    lab.documents.choice.value = "the judged collection"
    lab.query.value = next(iter(small.queries.values()))
    assert "nDCG@10" in lab.result.value


def order_by_grade(game):
    """Moves the passages by their buttons until the grades fall."""
    judged = game.collection.qrels[game.query_id]
    for _ in range(5):
        for position in range(4):
            upper, lower = (game.hits[game.order[position + i]].doc_id for i in (0, 1))
            if judged.get(lower, 0) > judged.get(upper, 0):
                game.down[position].click()


def test_ndcg_of_the_labs_is_that_of_the_library(small, results):
    scores = evaluation.evaluate(results, small.qrels, ["nDCG@10"])["nDCG@10"]
    for query_id, hits in results.items():
        judged = small.qrels[query_id]
        grades = [judged.get(hit.doc_id, 0) for hit in hits]
        assert evaluation.ndcg(grades, list(judged.values())) == pytest.approx(scores[query_id])
    assert evaluation.ndcg([0, 0], []) == 0


def test_buttons_move_a_passage_up_and_down(game):
    start = list(game.order)
    game.down[0].click()
    assert game.order == [start[1], start[0], *start[2:]]
    game.up[1].click()
    assert game.order == start
    assert game.up[0].disabled and game.down[4].disabled
    game.swap(0, -1)
    assert game.order == start


def test_the_best_order_scores_one_and_nobody_is_ahead_of_it(game):
    order_by_grade(game)
    game.show.click()
    you, bi_encoder, cross_encoder = game.scores[0]
    assert you == pytest.approx(1) and max(bi_encoder, cross_encoder) <= you + 1e-9
    assert "you" in game.result.value.split("Ahead:")[1]


def test_the_score_of_the_bi_encoder_is_that_of_its_own_order(game):
    game.show.click()
    judged = game.collection.qrels[game.query_id]
    grades = [judged.get(hit.doc_id, 0) for hit in game.hits]
    assert game.scores[0][1] == pytest.approx(evaluation.ndcg(grades, grades, 5))


def test_a_round_counts_once_and_shows_grades_only_when_it_is_over(game):
    assert not any("grade" in text.value for text in game.texts) and game.next.disabled
    game.next.click()
    assert game.number == 0
    game.show.click()
    order = list(game.order)
    game.show.click()
    game.down[0].click()
    assert len(game.scores) == 1 and game.order == order
    assert all("grade" in text.value for text in game.texts)


def test_the_score_runs_over_rounds(game):
    first = game.query_id
    for _ in range(3):
        game.show.click()
        game.next.click()
    assert game.query_id != first and len(game.scores) == 3
    assert "mean of 3" in game.result.value and "Round 4" in game.question.value


def test_every_round_can_be_won(game):
    for query_id in game.rounds:
        assert any(
            game.collection.qrels[query_id].get(h.doc_id) for h in game.results[query_id][:5]
        )


def test_a_game_without_a_usable_query_is_refused(small, reranker):
    with pytest.raises(ValueError, match="No query"):
        labs_03.BeatTheMachine(small, {"t01q01": []}, reranker)


def test_side_by_side_shows_grades_and_ndcg_of_a_judged_query(side_by_side, small, results):
    query_id = "t02q05"
    side_by_side.example.value = small.queries[query_id]
    assert side_by_side.query.value == small.queries[query_id]
    score = evaluation.evaluate({query_id: results[query_id]}, small.qrels)["nDCG@10"].iloc[0]
    assert f"bi-encoder · nDCG@10 {score:.2f}" in side_by_side.result.value
    assert side_by_side.result.value.count("[grade ") == 10


def test_side_by_side_takes_any_query_and_never_renders_it_as_html(side_by_side):
    side_by_side.query.value = f"flaky tests {HTML}"
    assert "no judgements" in side_by_side.result.value
    assert "<img" not in side_by_side._repr_mimebundle_()["text/html"]
    side_by_side.query.value = " "
    assert "query is empty" in side_by_side.status.value


def test_side_by_side_of_a_system_with_itself_shows_the_same_ranks(side_by_side):
    side_by_side.right.value = side_by_side.left.value
    for rank in range(1, 6):
        assert side_by_side.result.value.count(f"other list: {rank}]") == 2
    side_by_side.top_k.value = 2
    assert side_by_side.result.value.count("<tr>") == 3


def test_gallery_shows_both_first_hits_and_escapes_them(small, results):
    passages = {i: f"{HTML} {text}" for i, text in small.passages.items()}
    reversed_hits = {q: hits[::-1] for q, hits in results.items()}
    page = labs_03.gallery(
        small._replace(passages=passages), results, reversed_hits, {"t01q01": -0.5}
    ).data
    assert "nDCG@10 -0.50" in page and "first before" in page and "first after" in page
    assert "<img" not in page


def test_previews_show_what_the_lab_is_about(game, side_by_side):
    assert game.collection.queries[game.query_id][:20] in game._repr_mimebundle_()["text/html"]
    assert "bi-encoder" in side_by_side._repr_mimebundle_()["text/html"]


def fuse(first, second, weight):
    total = {}
    for ids, share in ((first, 1), (second, weight)):
        for rank, doc_id in enumerate(ids, start=1):
            total[doc_id] = total.get(doc_id, 0) + share / (60 + rank)
    return sorted(total, key=total.get, reverse=True)


def choose(accepts):
    """Returns a rule: the smallest k with `accepts(its values, the best ones, topics, margin)`."""

    def rule(quality, topics, margin):
        best = max(quality, key=lambda k: quality[k].mean())
        return min(k for k in quality if accepts(quality[best], quality[k], topics, margin))

    return rule


def at_most(best, other, topics, margin):
    return evaluation.bootstrap(best - other, topics).high <= margin


CASES = [
    ("3.1", lambda: (0.5, 0.667, 0.469), "right"),
    ("3.1", lambda: (0.5, 1.0, 0.469), "not found at all"),
    ("3.1", lambda: (0.5, 0.667, 0.648), "begins with"),
    ("3.1", lambda: (0.5, 0.5, 0.469), "P@4"),
    ("3.1", lambda: (0.5, 0.667, 0.418), "2^grade"),
    ("3.2", lambda: fuse, "right"),
    ("3.2", lambda: lambda a, b, w: fuse(a, b, 1), "changes nothing"),
    ("3.2", lambda: lambda a, b, w: fuse(b, a, w), "gave it to the first"),
    ("3.2", lambda: lambda a, b, w: fuse(a, b, w)[::-1], "upside down"),
    ("3.2", lambda: lambda a, b, w: fuse(a, [i for i in b if i in a], w), "missing"),
    ("3.3", lambda: choose(at_most), "right"),
    (
        "3.3",
        lambda: choose(lambda a, b, t, m: evaluation.bootstrap(a - b).high <= m),
        "queries of one topic",
    ),
    (
        "3.3",
        lambda: choose(lambda a, b, t, m: evaluation.bootstrap(a - b, t).low <= 0),
        "the bad end",
    ),
    (
        "3.3",
        lambda: choose(lambda a, b, t, m: evaluation.bootstrap(a, t).low <= b.mean()),
        "query by query",
    ),
    ("3.3", lambda: lambda quality, topics, margin: 10, "with a margin of 1"),
    ("3.3", lambda: lambda quality, topics, margin: 30, "the best k"),
    ("3.4", lambda: ("why does bread rise", "p1"), "not the id"),
    ("3.4", lambda: ("raise the lid of a piano", "t01p1"), "never saw it"),
]


@pytest.mark.parametrize(("name", "answer", "expected"), CASES)
def test_a_check_tells_right_from_wrong(capsys, name, answer, expected):
    exercises.check(name, answer())
    assert expected in capsys.readouterr().out


def test_the_open_exercise_is_judged_by_the_movement_of_the_passage(capsys, reranker):
    """Whatever the weights: each kind of movement gets its own verdict."""
    retriever, _ = exercises.judged_retriever()
    query = "how to raise the value of an old house"  # not judged, so that any passage will do
    hits = retriever.retrieve(query, top_k=30)
    order = {h.doc_id: rank for rank, h in enumerate(reranker.rerank(query, hits, 30))}
    moves = np.array([order[hit.doc_id] - rank for rank, hit in enumerate(hits)])
    for passage, verdict in ((moves.argmax(), "right"), (moves.argmin(), "moved up")):
        exercises.check("3.4", (query, hits[passage].doc_id))
        assert verdict in capsys.readouterr().out

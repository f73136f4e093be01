"""The labs, driven as a learner would: set a control, look at what is shown."""

import time

import pytest

from reranking import evaluation, labs_01, labs_02, widgets

HTML = "<img src=x onerror=alert(1)>"
QUESTION = [("Which?", [("this", True, "Because."), ("that", False, "No, since ...")])]


@pytest.fixture
def search_lab(retriever):
    return labs_01.SearchLab(retriever)


def test_search_lab_follows_the_query(search_lab):
    assert "known for its readability" in search_lab.result.value
    search_lab.query.value = "ranking by bag of words"
    first_row = search_lab.result.value.split("<tr>")[2]
    assert "BM25" in first_row and search_lab.status.value == ""


def test_search_lab_follows_the_slider(search_lab):
    search_lab.top_k.value = 2
    assert search_lab.result.value.count("<tr>") == 3  # with the header


def test_an_empty_query_is_explained_and_the_lab_goes_on(search_lab):
    search_lab.query.value = "   "
    assert "query is empty" in search_lab.status.value and search_lab.result.value == ""
    search_lab.query.value = "python"
    assert search_lab.status.value == "" and "<table" in search_lab.result.value


def test_rerank_lab_shows_both_orders_and_the_movement(retriever, reranker):
    lab = labs_02.RerankLab(retriever, reranker)
    assert lab.result.value.count("<line ") == 10
    before, after = lab.result.value.split("<svg")
    assert before.index("known for its readability") < before.index("PyTorch and TensorFlow")
    assert after.index("PyTorch and TensorFlow") < after.index("known for its readability")
    lab.candidates.value = 3
    assert lab.result.value.count("<line ") == 3


def test_rerank_lab_answers_a_typed_query_soon(retriever, reranker):
    lab = labs_02.RerankLab(retriever, reranker)
    start = time.perf_counter()
    lab.query.value = "what is reranking"
    assert "Reranking refines" in lab.result.value
    assert time.perf_counter() - start < 5  # one second on a quiet machine


def test_occlusion_lab_colours_the_words_of_the_passage(reranker):
    lab = labs_02.OcclusionLab(reranker, "who bit the postman", "The dog bit the postman.")
    assert lab.result.value.count("<span") == 5
    lab.passage.value = f"Bread {HTML}"
    assert "<img" not in lab.result.value and "Bread" in lab.result.value
    lab.passage.value = "word " * 200
    assert "more than 150 words" in lab.status.value


def test_probe_lab_loads_examples_and_compares_the_models(retriever, reranker):
    examples = {
        "one": ("reset password", "Click on 'Forgotten?'.", "Bread needs salt."),
        "two": ("salt in bread", "Click on 'Forgotten?'.", "Bread needs salt."),
    }
    lab = labs_02.ProbeLab(retriever, reranker, examples)
    assert lab.result.value.count(">A</td>") == 2
    lab.example.value = "two"
    assert lab.query.value == "salt in bread" and lab.result.value.count(">B</td>") == 2


def test_blind_spots_show_a_wrong_first_hit_and_the_right_answer(judged, collection):
    queries = evaluation.sample_queries(collection, per_topic=2)
    lab = labs_01.BlindSpots(collection, evaluation.retrieve_all(judged, queries, top_k=10))
    for kind in lab.kind.options:
        lab.kind.value = kind
        lab.number.value = lab.number.max
        assert "the best answer" in lab.result.value and lab.status.value == ""


def test_quiz_explains_every_option_and_counts():
    quiz = widgets.Quiz(QUESTION)
    quiz.choices[0].index = 1
    assert "Not quite" in quiz.answers[0].value and "0 of 1" in quiz.status.value
    quiz.choices[0].index = 0
    assert "Right." in quiz.answers[0].value and "1 of 1" in quiz.status.value


def test_the_progress_bar_goes_also_after_an_error(monkeypatch):
    closed = []
    monkeypatch.setattr(widgets.ipw.IntProgress, "close", lambda bar: closed.append(bar.value))
    with pytest.raises(ZeroDivisionError):
        for number in widgets.progress([2, 1, 0]):
            1 / number
    assert closed == [2]


def test_every_lab_has_a_preview_for_readers_without_a_kernel(search_lab):
    page = search_lab._repr_mimebundle_()
    assert "known for its readability" in page["text/html"]
    assert "this" in widgets.Quiz(QUESTION)._repr_mimebundle_()["text/html"]

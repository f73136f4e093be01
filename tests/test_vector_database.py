"""The promises of the vector database: the same hits, filters, deletions, and nothing lost."""

import json
import threading

import numpy as np
import pytest

import reranking as rr
from reranking import data, database_trials, exercises_05, vector_database


@pytest.fixture(scope="module")
def subjects(judged):
    return [doc_id.split("p")[0] for doc_id in judged.doc_ids]


@pytest.fixture
def database(tmp_path, judged, subjects):
    """A database of its own for each test, with the judged passages."""
    opened = vector_database.DatabaseRetriever(tmp_path / "passages", judged)
    return opened.index_documents(judged.documents, judged.doc_ids, subjects, judged.doc_embeddings)


def ids(hits):
    return [hit.doc_id for hit in hits]


def test_the_hits_are_those_of_exact_search(database, judged, collection):
    queries = list(collection.queries.values())[::100]
    for ours, theirs in zip(
        judged.retrieve_many(queries, 30), database.retrieve_many(queries, 30), strict=True
    ):
        assert ids(ours) == ids(theirs) and [h.text for h in ours] == [h.text for h in theirs]
        assert [h.score for h in ours] == pytest.approx([h.score for h in theirs], abs=1e-5)
    assert len(database.retrieve(queries[0], 10_000)) == len(judged.documents)


def test_two_stage_search_takes_it_unchanged(database, judged, fast):
    query = "how do I keep bread fresh"
    searches = [rr.TwoStageSearch(stage, fast, candidates=8) for stage in (judged, database)]
    assert ids(searches[0].search(query)) == ids(searches[1].search(query))


def test_numbers_and_texts_as_ids_stay_apart(tmp_path, retriever, documents, query):
    database = vector_database.DatabaseRetriever(tmp_path, retriever)
    database.index_documents(documents)
    assert ids(database.retrieve(query)) == ids(retriever.retrieve(query))
    database.add(["Another seven."], ["7"])
    assert database.ids() == {*range(len(documents)), "7"}
    assert database.delete([7]) == 1 and "7" in database.ids()


def test_a_filter_gives_all_of_its_topic_and_nothing_else(database, judged):
    inside = database.retrieve("how long does it take", 30, topic="t07")
    assert sorted(ids(inside)) == sorted(i for i in judged.doc_ids if i.split("p")[0] == "t07")
    assert database.retrieve("bread", topic="nowhere") == []
    assert database.retrieve("bread", topic="' OR topic != '") == []


def test_what_is_added_is_found_and_what_is_deleted_is_not(database, judged):
    query = "how do I keep bread fresh"
    first, second = ids(database.retrieve(query, 2))
    assert database.delete([first, "was never there"]) == 1
    assert ids(database.retrieve(query, 1)) == [second]
    database.add([query], ["it's new"], ["bread"])
    best = database.retrieve(query, 1)[0]
    assert best.doc_id == "it's new" and best.score == pytest.approx(1, abs=1e-5)
    database.add(["Something else."], ["it's new"])  # takes the place of the old text
    assert len(database) == len(judged.documents) and ids(database.retrieve(query, 1)) == [second]
    assert database.delete(["it's new"]) == 1 and database.delete([]) == 0


def test_another_opening_sees_the_same_and_tidying_changes_nothing(database, judged):
    for number in range(4):
        database.add([f"Passage {number}."], [f"more {number}"])
    before = database.retrieve("passage", 20)
    database.tidy()
    again = vector_database.DatabaseRetriever(database.folder, judged)
    assert again.retrieve("passage", 20) == before and len(again) == len(judged.documents) + 4


def test_searches_and_writes_go_together(database, judged):
    watched = database_trials.search_while_writing(database, judged.doc_embeddings[:5], 1.5)
    assert watched.errors == [] and watched.late == 0 and watched.missed == 0
    assert watched.searches > 0 and watched.writes > 0 and len(database) == len(judged.documents)


def test_a_database_that_forgets_deletions_would_be_noticed(database, judged):
    database.delete = lambda ids: None
    vectors = judged.doc_embeddings[:1]
    assert database_trials.search_while_writing(database, vectors, 1.0).late > 0


def test_a_failed_write_ends_the_searching_thread_too(database, judged):
    def full(ids):
        raise OSError("the disk is full")

    database.delete = full
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="disk is full"):
        database_trials.search_while_writing(database, judged.doc_embeddings[:1], 5.0)
    assert set(threading.enumerate()) <= before


def test_a_kill_in_the_middle_of_a_write_loses_nothing(database, judged):
    killed = database_trials.kill_in_a_write(database.folder, writes=3)
    again = vector_database.DatabaseRetriever(database.folder, judged)
    there = again.ids()
    assert killed.acknowledged <= there and set(judged.doc_ids) <= there
    assert len(killed.acknowledged) >= 3 * database_trials.WRITE
    assert len(killed.cut & there) in (0, len(killed.cut))  # the whole write or nothing of it
    vectors = np.eye(1, vector_database.DIMENSIONS, dtype=np.float32)
    again.add(["After the crash."], ["after"], vectors=vectors)
    assert ids(again.nearest(vectors[0], 1)) == ["after"]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda d: d.retrieve(" "), "query is empty"),
        (lambda d: d.retrieve("bread", 0), "at least 1"),
        (lambda d: d.retrieve("bread", topic=7), "topic must be text"),
        (lambda d: d.add("bread", ["a"]), "Put the text in a list"),
        (lambda d: d.add([""], ["a"]), "Document 0 is empty"),
        (lambda d: d.add(["x"], ["a", "b"]), "1 documents but 2 ids"),
        (lambda d: d.add(["x"], ["a"], []), "1 documents but 0 topics"),
        (lambda d: d.add(["x", "y"], ["a", "a"]), "'a' stands in the list twice"),
        (lambda d: d.add(["x"], [1.5]), "whole number, not 1.5"),
        (lambda d: d.add(["x"], ["a"], vectors=[[1.0, 2.0]]), "384 finite numbers"),
        (lambda d: d.add(["x"], ["a"], vectors=[[np.nan] * 384]), "finite"),
        (lambda d: d.add(["x"], ["a"], vectors=np.ones((1, 384))), "have length 1"),
        (lambda d: d.delete("t01p1"), "list is needed"),
        (lambda d: vector_database.DatabaseRetriever(__file__), "is a file"),
    ],
)
def test_bad_input_is_refused_in_clear_words(action, message, tmp_path, retriever):
    database = vector_database.DatabaseRetriever(tmp_path, retriever)
    database.add(["A passage."], ["there"], vectors=np.eye(1, 384))
    with pytest.raises(ValueError, match=message):
        action(database)
    assert database.ids() == {"there"}


def test_an_empty_database_and_a_missing_encoder_say_what_to_do(tmp_path, retriever):
    with pytest.raises(RuntimeError, match="Call index_documents"):
        vector_database.DatabaseRetriever(tmp_path / "a", retriever).retrieve("bread")
    with pytest.raises(RuntimeError, match="no encoder"):
        vector_database.DatabaseRetriever(tmp_path / "b").add(["x"], ["a"])


# The record


def test_the_record_holds_what_the_notebook_says_of_it():
    record = json.loads((data.DATA / "databases.json").read_text(encoding="utf-8"))
    table = database_trials.comparison(record, 6000)
    left = database_trials.kills(record)
    assert list(table) == list(left) and "LanceDB" in table
    assert (left.loc["kills"] >= 10).all() and left.loc["of these lost", "LanceDB"] == 0
    versions = record["engines"]["LanceDB"]["versions"]
    assert f"lancedb=={versions['lancedb']}" in (data.DATA / "../requirements.txt").read_text()


# Exercise


def replay(log, committed=True, delete=True, last=True, order=True):
    """A reader of the log, with the mistakes that can be made."""
    there, pending = set(), []
    for kind, *names in log:
        if kind == "commit":
            adds = [n for k, n in pending if k == "add"]
            gone = [n for k, n in pending if k == "delete" and delete]
            if order:
                for k, n in pending:
                    (there.add if k == "add" else there.discard if delete else there.add)(n)
            else:
                there = there.union(adds).difference(gone)
            pending = []
            if not last:
                return there
        else:
            pending.append((kind, *names))
    return there if committed else there | {n for k, n in pending if k == "add"}


ADD_AND_DELETE = [("add", "a"), ("delete", "a")]
CASES = [
    (replay, "right"),
    (lambda log: replay(log, committed=False), "no commit follows"),
    (lambda log: replay(log, last=False), "several commits"),
    (lambda log: replay(log, delete=False), "several commits"),
    (lambda log: {n[0] for kind, *n in log if kind == "add"}, "have to be obeyed"),
    (lambda log: replay(log, order=False), "Keep the order"),
    (
        lambda log: replay(log, last=True) | {"a"} if log[:2] == ADD_AND_DELETE else replay(log),
        "then",
    ),
    (lambda log: {log[-1][1]} if len(log) == 6 else set(), "after the last commit"),
]


@pytest.mark.parametrize(("answer", "expected"), CASES)
def test_the_check_knows_right_answers_and_typical_mistakes(capsys, answer, expected):
    exercises_05.check("5.5", answer)
    assert expected in capsys.readouterr().out

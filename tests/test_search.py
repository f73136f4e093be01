"""What the retriever, the reranker and the two-stage search promise."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import util

import reranking as rr
from reranking import evaluation
from reranking.search import best

ODD_TEXTS = {
    "html": "<script>alert('x')</script> <b>bold</b> & more",
    "emoji": "🐍 loves 🤖 and 🎉",
    "right to left": "كيف تُستخدم بايثون في تعلم الآلة؟",
    "long": "python learning machine " * 4200,
}


def test_sample_query_gives_the_published_cosines(retriever, query):
    hits = retriever.retrieve(query)
    assert [round(hit.score, 4) for hit in hits] == [0.6194, 0.6004, 0.5793, 0.4139, 0.4065]
    assert [hit.doc_id for hit in hits] == [0, 5, 1, 3, 4]


def test_sample_code_of_the_field_runs_unchanged(documents, query):
    retriever = rr.BiEncoderRetriever(model_name="sentence-transformers/all-MiniLM-L6-v2", top_k=5)
    retriever.index_documents(documents)
    hits = retriever.retrieve(query)
    reranker = rr.CrossEncoderReranker(model_name="cross-encoder/ms-marco-MiniLM-L-6-v2", top_k=3)
    top = reranker.rerank(query, hits)
    assert len(hits) == 5 and len(top) == 3
    for doc_id, score, text in top:
        assert documents[doc_id] == text and isinstance(score, float)
    search = rr.TwoStageSearch(retriever, reranker)
    assert [hit.doc_id for hit in search.search(query, top_k=3)] == [hit.doc_id for hit in top]
    assert retriever.model.encode(query).shape == retriever.doc_embeddings[0].shape == (384,)
    assert reranker.model.predict([(query, documents[0])]).shape == (1,)
    assert retriever.documents == documents


def test_reranking_puts_the_pytorch_document_first(retriever, reranker, query):
    assert reranker.rerank(query, retriever.retrieve(query))[0].doc_id == 5


def test_reranking_never_loses_a_candidate(retriever, reranker, query):
    hits = retriever.retrieve(query, top_k=10)
    reranked = reranker.rerank(query, hits, top_k=10)
    assert sorted(hit.doc_id for hit in reranked) == list(range(10))
    scores = [hit.score for hit in reranked]
    assert scores == sorted(scores, reverse=True)


def test_one_matrix_product_finds_what_the_loop_finds(retriever, query):
    embedding = retriever.encode([query])[0]
    loop = [util.cos_sim(embedding, row).item() for row in retriever.doc_embeddings]
    hits = retriever.retrieve(query, top_k=10)
    assert [hit.doc_id for hit in hits] == list(np.argsort(loop)[::-1])
    assert np.allclose([hit.score for hit in hits], sorted(loop, reverse=True), atol=1e-5)


def test_partial_sort_agrees_with_a_full_sort_even_with_ties():
    rng = np.random.default_rng(0)
    for size in (1, 5, 100):
        scores = rng.integers(0, 8, size).astype(np.float32)
        for top_k in (1, 3, 200):
            full = np.argsort(-scores, kind="stable")[:top_k]
            assert best(scores, top_k).tolist() == full.tolist()


def test_more_results_than_documents_returns_all(retriever, reranker, query):
    hits = retriever.retrieve(query, top_k=1000)
    assert len(hits) == 10 and len(reranker.rerank(query, hits, top_k=1000)) == 10


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_odd_text_is_searched_and_reranked_like_any_other(retriever, reranker, documents, text):
    own = rr.BiEncoderRetriever().index_documents([*documents, text])
    hits = own.retrieve(text[:2000], top_k=11)
    assert len(hits) == 11 and np.isfinite([hit.score for hit in hits]).all()
    assert len(reranker.rerank(text[:2000], hits, top_k=11)) == 11


@pytest.mark.parametrize(
    ("bad", "message"),
    [("", "empty"), ("   \n", "empty"), (None, "text"), (42, "text"), (["a"], "text")],
)
def test_a_bad_query_gets_a_clear_error(retriever, reranker, bad, message):
    for call in (retriever.retrieve, lambda q: reranker.rerank(q, retriever.retrieve("python"))):
        with pytest.raises(ValueError, match=message):
            call(bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "no documents"),
        ("one text", "list"),
        (["fine", ""], "Document 1 is empty"),
        (["fine", "  "], "Document 1 is empty"),
        (["fine", 3], "Document 1 must be text"),
    ],
)
def test_bad_documents_get_a_clear_error_and_leave_the_index_alone(documents, bad, message):
    retriever = rr.BiEncoderRetriever().index_documents(documents)
    with pytest.raises(ValueError, match=message):
        retriever.index_documents(bad)
    assert retriever.documents == documents


def test_ids_must_fit_the_documents(documents):
    with pytest.raises(ValueError, match="10 documents but 1 ids"):
        rr.BiEncoderRetriever().index_documents(documents, ids=["a"])


def test_searching_before_indexing_says_what_to_do(query):
    with pytest.raises(RuntimeError, match="index_documents"):
        rr.BiEncoderRetriever().retrieve(query)


@pytest.mark.parametrize("bad", [0, -1, 2.5, "3", None, True])
def test_a_bad_top_k_gets_a_clear_error(retriever, reranker, query, bad):
    with pytest.raises(ValueError, match="at least 1"):
        rr.BiEncoderRetriever(top_k=bad)
    if bad is not None:  # None means: as many as set in the constructor
        with pytest.raises(ValueError, match="at least 1"):
            retriever.retrieve(query, top_k=bad)
        with pytest.raises(ValueError, match="at least 1"):
            reranker.rerank(query, retriever.retrieve(query), top_k=bad)


def test_no_candidates_give_no_results(reranker, query):
    assert reranker.rerank(query, []) == []


def test_no_queries_give_no_results(retriever):
    assert retriever.retrieve_many([]) == []
    assert evaluation.retrieve_all(retriever, {}, top_k=5) == {}
    with pytest.raises(ValueError, match="at least 1"):
        retriever.retrieve_many([], top_k=0)


def test_a_table_of_hits_counts_ranks_from_one(retriever, query):
    frame = rr.table(retriever.retrieve(query))
    assert list(frame.index) == [1, 2, 3, 4, 5] and list(frame.columns) == [
        "doc_id",
        "score",
        "text",
    ]


def test_importing_the_module_does_not_load_pytorch():
    code = "import sys, reranking; sys.exit('torch' in sys.modules)"
    notebooks = Path(__file__).resolve().parents[1] / "notebooks"
    assert subprocess.run([sys.executable, "-c", code], cwd=notebooks).returncode == 0

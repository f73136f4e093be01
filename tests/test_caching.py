"""The promises of the caches of notebook 5: the same answers as without, and never an old one."""

import numpy as np
import pandas as pd
import pytest

import reranking as rr
from reranking import caching, vector_sets, widgets


@pytest.fixture
def small(retriever, documents):
    return widgets.share_model(retriever).index_documents(documents)


@pytest.fixture
def cached(small, fast):
    return caching.CachedSearch(rr.TwoStageSearch(small, fast, candidates=5, top_k=3))


# Caches


def test_kept_vectors_are_those_of_the_passages_and_others_are_refused(
    retriever, collection, judged
):
    texts = judged.documents[::100]
    cosines = np.sum(retriever.encode(texts) * judged.doc_embeddings[::100], axis=1)
    assert cosines.min() > 0.999 and judged.doc_ids == list(collection.passages)
    with pytest.raises(ValueError, match="kept"):
        vector_sets.index_kept(widgets.share_model(retriever), collection.passages, first=700)


def test_a_cached_search_gives_the_same_as_without(cached, query):
    plain = cached.search_through.search(query, top_k=3)
    for _ in range(2):
        found = cached.search(query, top_k=3)
        assert [hit.doc_id for hit in found] == [hit.doc_id for hit in plain]
        assert [h.score for h in found] == pytest.approx([h.score for h in plain], abs=1e-3)
    assert cached.hits["results"] == 1 and cached.misses["results"] == 1
    assert len(cached.search(query, top_k=2)) == 2  # another top_k is another result
    assert cached.hits["scores"] == 5 and cached.misses["scores"] == 5


def test_a_new_passage_is_found_at_once_and_only_its_pair_is_read(cached, small, documents, query):
    cached.search(query)
    new = "Python is used in machine learning through libraries such as PyTorch."
    small.index_documents([*documents, new])
    assert cached.search(query)[0].text == new
    assert cached.misses["scores"] == 6 and cached.misses["vectors"] == 1


def test_a_removed_passage_is_never_found_again(cached, small, documents, query):
    first = cached.search(query)[0].text
    small.index_documents([text for text in documents if text != first])
    assert first not in [hit.text for hit in cached.search(query)]


def test_another_model_in_a_stage_is_noticed_by_a_cache_in_use(cached, small, query, monkeypatch):
    class Opposite:
        def __init__(self, model):
            self.model = model

        def predict(self, pairs, **options):
            return -self.model.predict(pairs)

        def encode(self, texts, **options):
            return -self.model.encode(texts, **options)

    first = cached.search(query)
    reranker = cached.search_through.reranker
    monkeypatch.setattr(reranker, "model", Opposite(reranker.model))
    second = cached.search(query)
    assert second[0].score == pytest.approx(reranker.score(query, [second[0].text])[0], abs=1e-3)
    assert second[0].doc_id != first[0].doc_id and cached.hits["results"] == 0
    monkeypatch.setattr(small, "model", Opposite(small.model))
    found = {hit.doc_id for hit in cached.search(query)}
    assert found <= {hit.doc_id for hit in small.retrieve(query, 5)}
    assert not found & {hit.doc_id for hit in first}
    monkeypatch.undo()
    assert cached.search(query) == first and cached.hits["results"] == 1  # its entry still holds


def test_what_is_done_to_an_answer_does_not_reach_the_cache(cached, query):
    first = cached.search(query)
    kept = list(first)
    first.clear()
    again = cached.search(query)
    assert again == kept and isinstance(again, list)
    again.reverse()
    assert cached.search(query) == kept


def test_searching_before_indexing_says_what_to_do(retriever, fast, query):
    empty = widgets.share_model(retriever)
    with pytest.raises(RuntimeError, match="index_documents"):
        caching.CachedSearch(rr.TwoStageSearch(empty, fast)).search(query)


def test_the_normalised_key_changes_no_vector_and_no_score(retriever, fast, collection):
    for query in list(collection.queries.values())[::200]:
        odd = "  " + query.upper().replace(" ", " \t ")
        vectors = retriever.encode([query, caching.normalise(odd)])
        assert np.allclose(*vectors, atol=1e-6)
        text = "Bread keeps longest in a paper bag."
        assert fast.score(query, [text]) == fast.score(caching.normalise(odd), [text])


def test_fingerprints_change_with_passages_and_with_the_tokenizer(
    small, fast, documents, monkeypatch
):
    from tokenizers import Tokenizer

    before = caching.passages_fingerprint(small)
    assert before == caching.passages_fingerprint(small.index_documents(documents))
    assert before != caching.passages_fingerprint(small.index_documents(documents[::-1]))
    weights = caching.weights_fingerprint(small, fast)
    copy = Tokenizer.from_str(fast.model.tokenizer.to_str())
    monkeypatch.setattr(fast.model, "tokenizer", copy)
    assert caching.weights_fingerprint(small, fast) == weights
    copy.enable_truncation(200)
    assert caching.weights_fingerprint(small, fast) != weights


def test_a_popular_query_comes_up_in_proportion_to_its_rank():
    stream = caching.popular_stream([f"q{i}" for i in range(100)], 20_000)
    counts = pd.Series(stream).value_counts().to_numpy()
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.15)
    assert stream == caching.popular_stream([f"q{i}" for i in range(100)], 20_000)


def test_the_hit_rate_is_that_of_a_least_recently_used_cache():
    assert caching.hit_rate(["a", "b", "a", "c", "b"], 2) == 1 / 5
    assert caching.hit_rate(["a", "b", "a", "c", "b"], 3) == 2 / 5
    assert caching.hit_rate(["a", "A ", "a"], 9, caching.normalise) == 2 / 3


def test_only_the_last_way_of_typing_changes_the_words():
    forms = set(caching.retyped(["why is Bread brown"] * 50))
    assert len(forms) == 5
    assert len({caching.normalise(form) for form in forms}) == 2  # with and without "?"
    assert len({caching.only_words(form) for form in forms}) == 1

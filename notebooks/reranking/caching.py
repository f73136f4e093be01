"""Caches for query vectors, pair scores and results, with the keys that keep them honest.

A cache lies when its key leaves out something that the value depends on. What a result depends on:
the query, the passages, the weights, and every setting of the search.
"""

import hashlib
import pickle

import numpy as np
from cachetools import LRUCache

from .search import Hit, best, check_indexed, check_query, check_top_k

LAYERS = ("results", "vectors", "scores")


def exact(query):
    """Returns the query as its own key."""
    return query


def normalise(query):
    """Returns the query in small letters, with one blank between two words.

    The tokenizers of the course's models do the same before anything else, so that queries with
    the same key get the same scores.
    """
    return " ".join(query.lower().split())


def only_words(query):
    """Returns the letters and digits of the query alone. This changes what the models read."""
    return " ".join("".join(c if c.isalnum() else " " for c in query.lower()).split())


class CachedSearch:
    """Two-stage search with a cache for each costly step. Not for several threads at once.

    The least recently used entry makes room for a new one. `hits` and `misses` count by layer.
    New passages and another model in a stage are seen. A change inside a model, in its arrays or
    its tokenizer, is not: make a new CachedSearch then.
    """

    def __init__(self, search, size=1000, key=normalise):
        """`search` is a TwoStageSearch; `size` queries are kept, with all their pair scores."""
        self.search_through, self.key = search, key
        self.caches = {
            "results": LRUCache(size),
            "vectors": LRUCache(size),
            "scores": LRUCache(size * search.candidates),
        }
        self.hits, self.misses = dict.fromkeys(LAYERS, 0), dict.fromkeys(LAYERS, 0)
        self.models, self.weights = (None, None), None
        self.indexed, self.passages = None, None
        self.weights_now()  # so that the first search need not wait for it

    def search(self, query, top_k=None):
        """Returns what `search.search(query, top_k)` returns, from the caches where they know."""
        query = self.key(check_query(query))
        top_k = self.search_through.top_k if top_k is None else check_top_k(top_k)
        depth = max(self.search_through.candidates, top_k)
        key = (self.weights_now(), self.passages_now(), depth, top_k, query)
        return list(self.remember("results", key, lambda: tuple(self.rerank(query, depth)[:top_k])))

    def rerank(self, query, depth):
        """Returns `depth` candidates in their new order; only unknown pairs are scored."""
        retriever, weights = self.search_through.retriever, self.weights_now()
        vector = self.remember("vectors", (weights, query), lambda: retriever.encode([query])[0])
        found = best(retriever.doc_embeddings @ vector, depth)
        texts = [retriever.documents[i] for i in found]
        keys = [(weights, query, text) for text in texts]
        cache = self.caches["scores"]
        unknown = [i for i, key in enumerate(keys) if key not in cache]
        self.hits["scores"] += len(keys) - len(unknown)
        self.misses["scores"] += len(unknown)
        scores = np.array([cache.get(key, np.nan) for key in keys], dtype=np.float32)
        if unknown:
            scores[unknown] = self.search_through.reranker.score(query, [texts[i] for i in unknown])
            for i in unknown:
                cache[keys[i]] = float(scores[i])
        order = best(scores, depth)
        return [Hit(retriever.doc_ids[found[i]], float(scores[i]), texts[i]) for i in order]

    def remember(self, layer, key, compute):
        """Returns the cached value for a key, or computes and keeps it."""
        if key in self.caches[layer]:
            self.hits[layer] += 1
        else:
            self.misses[layer] += 1
            self.caches[layer][key] = compute()
        return self.caches[layer][key]

    def weights_now(self):
        """Returns the fingerprint of the weights, worked out anew only for another model."""
        stages = self.search_through.retriever, self.search_through.reranker
        models = tuple(stage.model for stage in stages)
        if any(new is not old for new, old in zip(models, self.models, strict=True)):
            self.models, self.weights = models, weights_fingerprint(*stages)
        return self.weights

    def passages_now(self):
        """Returns the fingerprint of the passages, worked out anew only after new indexing.

        Raises RuntimeError before indexing.
        """
        retriever = self.search_through.retriever
        if check_indexed(retriever) is not self.indexed:
            self.indexed = retriever.doc_embeddings
            self.passages = passages_fingerprint(retriever)
        return self.passages

    def bytes(self):
        """Returns {layer: bytes of one entry on average}, as an outside cache would store them."""
        return {
            layer: np.mean([len(pickle.dumps(item)) for item in cache.items()])
            for layer, cache in self.caches.items()
            if len(cache)
        }


def passages_fingerprint(retriever):
    """Returns a short text that changes whenever a passage, its id or the order changes."""
    digest = hashlib.sha256()
    for doc_id, text in zip(retriever.doc_ids, retriever.documents, strict=True):
        digest.update(f"{doc_id!r}\0{text}\0".encode())
    return digest.hexdigest()[:16]


def weights_fingerprint(retriever, reranker):
    """Returns a short text that changes with the weights of a stage, or with its tokenizer.

    It is made from what the models answer to a fixed probe, so it sees any change that matters
    to the probe, whatever its cause, and no other. Equal models on unlike processors may differ.
    """
    probe, long = "How does Reranking work, and why?", "Bread needs Salt. " * 150  # too long
    vector = retriever.encode([probe])[0]
    scores = reranker.score(probe, ["A cross-encoder reads both.", long])
    return hashlib.sha256(vector.tobytes() + scores.tobytes()).hexdigest()[:16]


def popular_stream(queries, requests, exponent=1.0):
    """Returns a list of `requests` queries, the one of rank r in proportion to 1 / r^exponent.

    Which query has which rank is drawn once for all. Source: Zipf's law; for queries of search
    engines see Baeza-Yates and others, The Impact of Caching on Search Engines, SIGIR 2007.
    """
    rng = np.random.default_rng(0)
    queries = [list(queries)[i] for i in rng.permutation(len(queries))]
    share = 1 / np.arange(1, len(queries) + 1) ** exponent
    return [queries[i] for i in rng.choice(len(queries), requests, p=share / share.sum())]


def retyped(queries):
    """Returns the queries as people would type them: letters, blanks and a final "?" vary."""
    rng = np.random.default_rng(0)
    forms = (
        lambda query: query,
        lambda query: query.lower(),
        lambda query: query[:1].upper() + query[1:],
        lambda query: query.replace(" ", "  ", 1),
        lambda query: query.rstrip("?") + ("" if query.endswith("?") else "?"),
    )
    return [
        forms[i](query)
        for i, query in zip(rng.integers(len(forms), size=len(queries)), queries, strict=True)
    ]


def hit_rate(queries, size, key=exact):
    """Returns the share of the queries that an LRU cache for `size` of them would know."""
    cache, hits = LRUCache(size), 0
    for query in map(key, queries):
        hits += query in cache
        cache[query] = cache.get(query, True)
    return hits / len(queries)

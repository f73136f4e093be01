"""First stages by words, and the fusion of two lists."""

import bm25s

from .search import Hit, TwoStageSearch


def stem(words):
    """Returns the words without common endings, as a crude stemmer would."""
    stems = []
    for word in words:
        for ending in ("ing", "ed", "es", "s"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        stems.append(word.rstrip("e"))
    return stems


class BM25Retriever:
    """First stage by words, as in notebook 3: passages that share none are not returned."""

    def __init__(self, passages):
        """`passages` is {id: text}."""
        self.ids, self.texts = list(passages), list(passages.values())
        self.index = bm25s.BM25()
        self.index.index(self.tokenize(self.texts), show_progress=False)

    def tokenize(self, texts):
        """Returns the texts as BM25 reads them: the stems of their words, as numbers."""
        return bm25s.tokenize(list(texts), stemmer=stem, show_progress=False)

    def retrieve(self, query, top_k):
        """Returns at most `top_k` passages as a list of Hit, best first."""
        top_k = min(top_k, len(self.ids))
        found, scores = self.index.retrieve(self.tokenize([query]), k=top_k, show_progress=False)
        pairs = zip(found[0], scores[0], strict=True)
        return [Hit(self.ids[i], float(s), self.texts[i]) for i, s in pairs if s > 0]


def fuse(first, second, weight=1.0, constant=60):
    """Returns one list of Hit, by 1 / (constant + rank) in `first` plus `weight` times the same
    in `second`. With weight 1 it is reciprocal rank fusion (Cormack and others, SIGIR 2009)."""
    total, texts = {}, {}
    for hits, share in ((first, 1.0), (second, weight)):
        for rank, hit in enumerate(hits, start=1):
            total[hit.doc_id] = total.get(hit.doc_id, 0.0) + share / (constant + rank)
            texts[hit.doc_id] = hit.text
    ids = sorted(total, key=total.get, reverse=True)
    return [Hit(doc_id, total[doc_id], texts[doc_id]) for doc_id in ids]


def systems_over(retriever, reranker):
    """Returns the systems of notebook 3 over a retriever's documents, {name: query -> hits}."""
    bm25 = BM25Retriever(dict(zip(retriever.doc_ids, retriever.documents, strict=True)))

    def hybrid(query):
        return fuse(retriever.retrieve(query, 30), bm25.retrieve(query, 30))

    return {
        "BM25": lambda query: bm25.retrieve(query, 30),
        "bi-encoder": lambda query: retriever.retrieve(query, 30),
        "hybrid": hybrid,
        "two-stage": TwoStageSearch(retriever, reranker, 20, 20).search,
        "two-stage, k = 10": TwoStageSearch(retriever, reranker, 10, 10).search,
        "two-stage over hybrid, k = 10": lambda q: reranker.rerank(q, hybrid(q)[:10], 10),
    }

"""Two-stage search: a bi-encoder retrieves candidates, a cross-encoder reorders them."""

from typing import NamedTuple

import numpy as np

from . import models


class Hit(NamedTuple):
    """One search result. A list of hits is always ordered, best first."""

    doc_id: int | str
    score: float
    text: str


class BiEncoderRetriever:
    """First stage: one vector for each passage, one for the query, compared by cosine."""

    def __init__(self, model_name=models.BI_ENCODER, top_k=5):
        self.top_k = check_top_k(top_k)
        self.model_name = str(model_name)
        self.model = models.load_bi_encoder(model_name)
        self.documents = []  # the passages, in the order in which they were indexed
        self.doc_ids = []
        self.doc_embeddings = None  # (n, d) float32, rows of length 1; d is 384 by default

    def encode(self, texts, show_progress=False):
        """Returns the embeddings of `texts`: (n, d) float32, rows of length 1.

        `d` is the model's number of dimensions, 384 for the default one.
        """
        return self.model.encode(
            list(texts),
            batch_size=32,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=show_progress,
        ).astype(np.float32, copy=False)

    def index_documents(self, documents, ids=None, show_progress=False):
        """Returns the retriever itself, with `documents` in place of what it held before.

        `documents` is a list of texts; `ids` names them, otherwise they are numbered from 0.
        Raises ValueError if there are none, or if one is not text or is empty.
        """
        documents = check_documents(documents)
        ids = list(range(len(documents))) if ids is None else list(ids)
        if len(ids) != len(documents):
            raise ValueError(f"There are {len(documents)} documents but {len(ids)} ids.")
        embeddings = self.encode(documents, show_progress)
        self.documents, self.doc_ids, self.doc_embeddings = documents, ids, embeddings
        return self

    def retrieve(self, query, top_k=None):
        """Returns the `top_k` passages nearest to the query as a list of Hit, best first."""
        return self.retrieve_many([query], top_k)[0]

    def retrieve_many(self, queries, top_k=None):
        """Returns a list of Hit for each query: one encoding and one matrix product for all.

        Raises ValueError for an empty query or a `top_k` below 1, RuntimeError before indexing.
        """
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        queries = [check_query(query) for query in queries]
        vectors = check_indexed(self)
        if not queries:
            return []
        scores = self.encode(queries) @ vectors.T  # (queries, n), cosines
        return [
            [Hit(self.doc_ids[i], float(row[i]), self.documents[i]) for i in best(row, top_k)]
            for row in scores
        ]


class CrossEncoderReranker:
    """Second stage: reads the query and one passage together and gives the pair a score.

    Options go to `models.load_cross_encoder`, such as `fast=True` for the eight-bit form.
    """

    def __init__(self, model_name=models.CROSS_ENCODER, top_k=3, **options):
        self.top_k = check_top_k(top_k)
        self.model = models.load_cross_encoder(model_name, **options)

    def score(self, query, texts):
        """Returns the scores of the pairs (query, text): (n,) float32 logits, higher is better."""
        query, texts = check_query(query), list(texts)
        pairs = [(query, text) for text in texts]
        return np.asarray(self.model.predict(pairs, batch_size=32), dtype=np.float32)

    def rerank(self, query, hits, top_k=None):
        """Returns the `top_k` hits with new scores, best first.

        `hits` is what a retriever returned: (doc_id, score, text) each. No hits give no hits.
        """
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        query, hits = check_query(query), [Hit(*hit) for hit in hits]
        if not hits:
            return []
        scores = self.score(query, [hit.text for hit in hits])
        return [hits[i]._replace(score=float(scores[i])) for i in best(scores, top_k)]


class TwoStageSearch:
    """Retrieve `candidates` passages, rerank them, keep the `top_k` best."""

    def __init__(self, retriever, reranker, candidates=30, top_k=5):
        self.retriever, self.reranker = retriever, reranker
        self.candidates, self.top_k = check_top_k(candidates, "candidates"), check_top_k(top_k)

    def search(self, query, top_k=None):
        """Returns the best passages after both stages as a list of Hit, best first."""
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        hits = self.retriever.retrieve(query, top_k=max(self.candidates, top_k))
        return self.reranker.rerank(query, hits, top_k=top_k)


def best(scores, top_k):
    """Returns the positions of the `top_k` highest scores, best first; ties keep their order.

    The partial sort looks at every score once and sorts only the few that are kept.
    """
    if top_k < len(scores):
        threshold = np.partition(scores, -top_k)[-top_k]
        kept = np.flatnonzero(scores >= threshold)
    else:
        kept = np.arange(len(scores))
    return kept[np.argsort(-scores[kept], kind="stable")][:top_k]


def table(hits, width=90):
    """Returns hits as a DataFrame with a rank from 1, shown as a table by Jupyter."""
    import pandas as pd

    rows = [(hit[0], round(float(hit[1]), 4), shorten(hit[2], width)) for hit in hits]
    frame = pd.DataFrame(rows, columns=["doc_id", "score", "text"])
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="rank")
    return frame


def shorten(text, width):
    """Returns the text on one line, cut at `width` characters with an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def check_query(query):
    """Returns the query; raises ValueError if it is not text or has no words."""
    if not isinstance(query, str):
        raise ValueError(f"The query must be text (str), not {type(query).__name__}.")
    if not query.strip():
        raise ValueError("The query is empty. Type a few words.")
    return query


def check_documents(documents):
    """Returns the documents as a list; raises ValueError if one cannot be indexed."""
    if isinstance(documents, str):
        raise ValueError("Documents must be a list of texts. Put the text in a list: [text].")
    documents = list(documents)
    if not documents:
        raise ValueError("There are no documents to index. Pass a list with at least one text.")
    for position, document in enumerate(documents):
        if not isinstance(document, str):
            kind = type(document).__name__
            raise ValueError(f"Document {position} must be text (str), not {kind}.")
        if not document.strip():
            raise ValueError(f"Document {position} is empty. Leave it out or give it some text.")
    return documents


def check_indexed(retriever):
    """Returns the vectors of the retriever's passages; raises RuntimeError before indexing."""
    if retriever.doc_embeddings is None:
        raise RuntimeError("Nothing is indexed yet. Call index_documents(documents) first.")
    return retriever.doc_embeddings


def check_top_k(top_k, name="top_k"):
    """Returns `top_k`; raises ValueError unless it is a whole number of at least 1."""
    if isinstance(top_k, bool) or not isinstance(top_k, (int, np.integer)) or top_k < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {top_k!r}.")
    return int(top_k)

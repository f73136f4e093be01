"""The lab of notebook 5: a search that must answer in time."""

import time

import ipywidgets as ipw
import numpy as np

from . import deadlines
from .evaluation import ndcg
from .own_documents import JUDGED, Documents
from .search import check_query, shorten
from .widgets import LABEL, Lab, html_table, query_box, slider, wide


class DeadlineLab(Lab):
    """Query and deadline in; how far the reranker came, what it put first, and what it missed."""

    SHOWN = 5  # hits

    def __init__(self, retriever, reranker, collection, query=None):
        """`retriever` holds the passages of `collection`, whose queries are judged."""
        self.reranker, self.collection = reranker, collection
        self.documents = Documents(retriever, self.run, JUDGED)
        self.judged = {text: query_id for query_id, text in collection.queries.items()}
        self.query = query_box(query or next(iter(self.judged)))
        self.budget = slider(60, 0, 1000, "deadline, ms")
        self.candidates = slider(16, 4, 40, "candidates")
        self.chunk = slider(4, 1, 16, "chunk")
        self.patience = ipw.Dropdown(
            options=[("never", 0), ("after 1 quiet chunk", 1), ("after 2 quiet chunks", 2)],
            description="stop early",
            style=LABEL,
            layout=wide(),
        )
        self.partial = self.full = None  # the last two runs: a Partial, and all candidates read
        controls = [self.query, self.budget, self.candidates, self.chunk, self.patience]
        super().__init__("Search in time", [*controls, self.documents])
        self.follow(*controls)

    def render(self):
        query = check_query(self.query.value).strip()
        hits = self.documents.retrieve(query, self.candidates.value)
        start = time.perf_counter()
        scores = self.reranker.score(query, [hit.text for hit in hits])
        whole = time.perf_counter() - start
        self.full = [hits[i] for i in deadlines.order(scores, hits)]
        self.partial = deadlines.rerank_within(
            self.reranker,
            query,
            hits,
            self.budget.value / 1000,
            self.chunk.value,
            whole / len(hits),
            self.patience.value or None,
        )
        before = {hit.doc_id: rank for rank, hit in enumerate(hits, start=1)}
        rows = [
            [
                rank,
                before[hit.doc_id],
                f"{hit.score:.2f}" if np.isfinite(hit.score) else "not read",
                shorten(hit.text, 240),
            ]
            for rank, hit in enumerate(self.partial.hits[: self.SHOWN], start=1)
        ]
        table = html_table(["rank", "rank before", "score", "passage"], rows)
        return f"<p>{self.summary(hits, whole)}</p>{self.quality(query, hits)}{table}"

    def summary(self, hits, whole):
        """Returns a sentence on how far the reranker came, and what it would have found."""
        ends = {"deadline": "the deadline", "settled": "a settled order", "all read": "the end"}
        tops = [
            {hit.doc_id for hit in some[: self.SHOWN]} for some in (self.partial.hits, self.full)
        ]
        missed = len(tops[1] - tops[0])
        others = "passage" if missed == 1 else "passages"
        return (
            f"<b>Read {self.partial.read} of {len(hits)} candidates in "
            f"{1000 * self.partial.seconds:.0f} ms, until {ends[self.partial.why]}.</b> To read "
            f"all takes {1000 * whole:.0f} ms and brings {missed} other {others} into the first "
            f"{self.SHOWN}."
        )

    def quality(self, query, hits):
        """Returns a line with nDCG@10 of three orders, if the query is judged."""
        if query not in self.judged or self.documents.active != JUDGED:
            return "<p>This query has no judgements: judge the hits yourself.</p>"
        judged = self.collection.qrels[self.judged[query]]
        lists = {"not reranked": hits, "in time": self.partial.hits, "all read": self.full}
        values = [
            f"{name} {ndcg([judged.get(h.doc_id, 0) for h in some], list(judged.values())):.2f}"
            for name, some in lists.items()
        ]
        return f"<p>nDCG@10: {', '.join(values)}.</p>"

"""The labs of notebook 1: search by meaning, and a browser of the queries that it gets wrong."""

import html

import ipywidgets as ipw

from .own_documents import Documents
from .widgets import LABEL, Lab, hits_table, html_table, query_box, slider, wide


class SearchLab(Lab):
    """Search by meaning in three collections: type a query, see the nearest passages."""

    def __init__(self, retriever, query="How is Python used in machine learning?"):
        self.query = query_box(query)
        self.top_k = slider(5, 1, 20, "results")
        self.documents = Documents(retriever, self.run)
        super().__init__("Search lab", [self.query, self.top_k, self.documents])
        self.follow(self.query, self.top_k)

    def render(self):
        hits = self.documents.retrieve(self.query.value, top_k=self.top_k.value)
        return hits_table(hits)


class BlindSpots(Lab):
    """The judged queries of one type whose first hit is wrong: what came first, what should."""

    def __init__(self, collection, results, first_type=None):
        """`results` is {query id: list of Hit} over the collection, see evaluation.

        `first_type` is the type of query that is shown first, by default the first of the alphabet.
        """
        self.collection, self.results = collection, results
        self.missed = {}
        for query_id, hits in results.items():
            if collection.qrels[query_id].get(hits[0].doc_id, 0) == 0:
                kind = collection.query_info[query_id].get("type", "all")
                self.missed.setdefault(kind, []).append(query_id)
        self.kind = ipw.Dropdown(
            options=sorted(self.missed),
            value=first_type or min(self.missed),
            description="query type",
            style=LABEL,
            layout=wide(),
        )
        self.number = slider(1, 1, max(len(q) for q in self.missed.values()), "example")
        super().__init__("Blind-spot browser", [self.kind, self.number])
        self.kind.observe(self.limit, "value")
        self.limit()
        self.follow(self.kind, self.number)

    def limit(self, *_):
        """Fits the slider to the number of examples of the chosen type."""
        self.number.value = min(self.number.value, len(self.missed[self.kind.value]))
        self.number.max = len(self.missed[self.kind.value])

    def render(self):
        query_id = self.missed[self.kind.value][self.number.value - 1]
        hits, judged = self.results[query_id], self.collection.qrels[query_id]
        right = max(judged, key=judged.get)
        ranks = [hit.doc_id for hit in hits]
        rank = (
            f"rank\u00a0{ranks.index(right) + 1}"
            if right in ranks
            else f"not in the first {len(hits)}"
        )
        rows = [
            ["first, but wrong", "rank\u00a01", hits[0].text],
            ["the best answer", rank, self.collection.passages[right]],
        ]
        query = html.escape(self.collection.queries[query_id])
        return f"<p>query: <b>{query}</b></p>" + html_table(["", "", "passage"], rows)

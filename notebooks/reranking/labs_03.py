"""The labs and the gallery of notebook 3, which compares systems."""

import html

import ipywidgets as ipw
import numpy as np

from . import first_stages
from .evaluation import ndcg
from .gallery import gallery as gallery  # part of what the notebook takes from here
from .own_documents import JUDGED, Documents
from .search import check_query, shorten
from .widgets import LABEL, Lab, close_lines, html_table, query_box, slider, wide

PLAYERS = ("you", "bi-encoder", "cross-encoder")


class BeatTheMachine(Lab):
    """Order five passages by buttons; your nDCG@5 stands beside those of the two models."""

    def __init__(self, collection, results, reranker, seed=0):
        """`results` is {query id: list of Hit} by the bi-encoder. Its first five hits are shuffled.

        Queries without a relevant passage among the five are left out: no order would be better.
        """
        self.collection, self.results, self.reranker = collection, results, reranker
        usable = [q for q, hits in results.items() if len(hits) > 4 and self.graded(q)]
        if not usable:
            raise ValueError("No query has five hits with a relevant one among them.")
        self.rng = np.random.default_rng(seed)
        self.rounds = [usable[i] for i in self.rng.permutation(len(usable))]
        self.number, self.scores, self.done = 0, [], False  # scores: one tuple a round
        self.question = ipw.HTML(layout=wide())
        self.up, self.down, self.texts, rows = [], [], [], []
        for position in range(5):
            rows.append(self.row(position))
        self.show = ipw.Button(description="Show the result", button_style="primary")
        self.next = ipw.Button(description="Next query", disabled=True)
        self.show.on_click(self.finish)
        self.next.on_click(self.advance)
        buttons = ipw.HBox([self.show, self.next])
        super().__init__("Beat the machine", [self.question, *rows, buttons])
        self.deal()

    def row(self, position):
        """Returns the two buttons and the text of one position of the list."""
        narrow = ipw.Layout(width="44px", min_width="44px")
        up = ipw.Button(description="▲", tooltip=f"move passage {position + 1} up", layout=narrow)
        down = ipw.Button(
            description="▼", tooltip=f"move passage {position + 1} down", layout=narrow
        )
        up.on_click(lambda _: self.swap(position, position - 1))
        down.on_click(lambda _: self.swap(position, position + 1))
        text = ipw.HTML(layout=ipw.Layout(width="100%", max_width="750px"))
        self.up.append(up)
        self.down.append(down)
        self.texts.append(text)
        return ipw.HBox([up, down, text])

    def graded(self, query_id):
        """Returns whether one of the first five hits of a query is relevant."""
        judged = self.collection.qrels[query_id]
        return any(judged.get(hit.doc_id, 0) for hit in self.results[query_id][:5])

    def deal(self):
        """Shows the next five passages in an order that belongs to nobody."""
        self.query_id = self.rounds[self.number % len(self.rounds)]
        self.hits = list(self.results[self.query_id][:5])
        self.order = [int(i) for i in self.rng.permutation(5)]  # positions in self.hits
        self.done = False
        self.paint()
        self.run()

    def swap(self, first, second):
        """Exchanges two passages of the list, if both positions exist and the round is open."""
        if not self.done and 0 <= first < 5 and 0 <= second < 5:
            self.order[first], self.order[second] = self.order[second], self.order[first]
            self.paint()

    def paint(self):
        """Shows the passages in their present order, with grades once the round is over."""
        query = html.escape(self.collection.queries[self.query_id])
        self.question.value = close_lines(
            f"Round {self.number + 1}. Query: <b>{query}</b><br>"
            "Order the passages, best on top, then press <i>Show the result</i>."
        )
        judged = self.collection.qrels[self.query_id]
        for position, (text, index) in enumerate(zip(self.texts, self.order, strict=True)):
            hit = self.hits[index]
            grade = f"<b>grade {judged.get(hit.doc_id, 0)}</b> · " if self.done else ""
            text.value = (
                f'<div style="line-height: 1.35; padding: 4px">{position + 1}. {grade}'
                f"{html.escape(shorten(hit.text, 420))}</div>"
            )
            self.up[position].disabled = self.done or position == 0
            self.down[position].disabled = self.done or position == 4
        self.show.disabled, self.next.disabled = self.done, not self.done

    def finish(self, *_):
        """Closes the round and counts it, once."""
        if self.done:
            return
        query = self.collection.queries[self.query_id]
        machine = np.argsort(-self.reranker.score(query, [hit.text for hit in self.hits]))
        orders = (self.order, range(5), machine)
        self.scores.append(tuple(self.quality(order) for order in orders))
        self.done = True
        self.paint()
        self.run()

    def quality(self, order):
        """Returns nDCG@5 of the five hits in this order; the best order of the five has 1."""
        judged = self.collection.qrels[self.query_id]
        grades = [judged.get(self.hits[i].doc_id, 0) for i in order]
        return ndcg(grades, grades, k=5)

    def advance(self, *_):
        """Goes on to the next query, when the round is over."""
        if self.done:
            self.number += 1
            self.deal()

    def render(self):
        if not self.scores:
            return "<p>Score: no round finished yet.</p>"
        rows = [
            [f"round {number}", *(f"{value:.2f}" for value in scores)]
            for number, scores in enumerate(self.scores, start=1)
        ]
        means = np.mean(self.scores, axis=0)
        rows.append([f"mean of {len(rows)}", *(f"{mean:.2f}" for mean in means)])
        ahead = [
            name for name, mean in zip(PLAYERS, means, strict=True) if mean > means.max() - 1e-9
        ]
        return html_table(["nDCG@5", *PLAYERS], rows) + f"<p>Ahead: {', '.join(ahead)}.</p>"

    def preview(self):
        items = "".join(text.value for text in self.texts)
        return f"{self.question.value}{items}"


class SideBySide(Lab):
    """The hits of any two systems for any query; judged queries show grades and nDCG@10 too."""

    def __init__(self, systems, collection, examples=None, retriever=None, reranker=None):
        """`systems` is {name: function from a query to a list of Hit}, at least two of them.

        `examples` are ids of judged queries to choose from, all of the collection by default.
        With a retriever over the collection and a reranker, there is a choice of documents: the
        systems of the same names are built for them, see `first_stages.systems_over`.
        """
        self.systems, self.collection, self.reranker = systems, collection, reranker
        self.documents = Documents(retriever, self.build, JUDGED) if retriever else None
        self.built = systems  # over the documents that are searched now
        self.judged = {text: query_id for query_id, text in collection.queries.items()}
        names = list(systems)
        if len(names) < 2:
            raise ValueError("Two systems are needed for a comparison.")
        texts = [collection.queries[q] for q in examples or collection.queries]
        self.example = dropdown(texts, texts[0], "judged query")
        self.query = query_box(texts[0])
        self.left = dropdown(names, names[0], "left")
        self.right = dropdown(names, names[-1], "right")
        self.top_k = slider(5, 1, 10, "results")
        controls = [self.example, self.query, self.left, self.right, self.top_k]
        super().__init__("Side by side", [*controls, *filter(None, [self.documents])])
        self.example.observe(self.load, "value")
        self.follow(self.query, self.left, self.right, self.top_k)

    def load(self, *_):
        """Puts the chosen judged query into the box."""
        self.query.value = self.example.value

    def build(self):
        """Makes the systems anew for the documents that were chosen, then shows their hits."""
        self.built = self.systems
        if self.documents.active != JUDGED:
            self.built = first_stages.systems_over(self.documents.search(), self.reranker)
        self.run()

    def render(self):
        query = check_query(self.query.value).strip()
        names = (self.left.value, self.right.value)
        own = self.built is not self.systems
        judged = None if own else self.collection.qrels.get(self.judged.get(query), None)
        if absent := [name for name in names if name not in self.built]:
            raise ValueError(f"{absent[0]} is not made for these documents. Choose another system.")
        lists = [list(self.built[name](query)) for name in names]
        shown = [hits[: self.top_k.value] for hits in lists]
        header = ["rank"]
        for name, hits in zip(names, lists, strict=True):
            score = ""
            if judged:
                grades = [judged.get(hit.doc_id, 0) for hit in hits]
                score = f" · nDCG@10 {ndcg(grades, list(judged.values())):.2f}"
            header.append(name + score)
        rows = []
        for rank in range(max(map(len, shown), default=0)):
            cells = [describe(shown[i], shown[1 - i], rank, judged) for i in (0, 1)]
            rows.append([rank + 1, *cells])
        note = "" if judged else "<p>This query has no judgements: judge the hits yourself.</p>"
        return note + (html_table(header, rows) if rows else "<p>Nothing was found.</p>")


def dropdown(options, value, text):
    """Returns a list to choose from, as wide as the other controls."""
    return ipw.Dropdown(options=options, value=value, description=text, style=LABEL, layout=wide())


def describe(hits, others, rank, judged):
    """Returns the text of the hit at a rank, with its grade and its rank in the other list."""
    if rank >= len(hits):
        return ""
    hit = hits[rank]
    ids = [other.doc_id for other in others]
    there = f"other list: {ids.index(hit.doc_id) + 1}" if hit.doc_id in ids else "only here"
    grade = f"grade {judged.get(hit.doc_id, 0)}, " if judged else ""
    return f"[{grade}{there}] {shorten(hit.text, 260)}"

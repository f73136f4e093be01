"""The labs of notebook 2: before and after reranking, words left out, passages compared."""

import html

import ipywidgets as ipw
import numpy as np

from . import plots, probes
from .own_documents import Documents
from .search import Hit, check_query, shorten
from .widgets import LABEL, Lab, html_table, query_box, slider, text_area, wide


class RerankLab(Lab):
    """Before and after reranking, side by side, with the movement of each passage."""

    def __init__(self, retriever, reranker, query="How is Python used in machine learning?"):
        self.reranker = reranker
        self.query = query_box(query)
        self.candidates = slider(10, 2, 30, "candidates")
        self.documents = Documents(retriever, self.run)
        super().__init__("Reranking lab", [self.query, self.candidates, self.documents])
        self.follow(self.query, self.candidates)

    def render(self):
        before = self.documents.retrieve(self.query.value, top_k=self.candidates.value)
        after = self.reranker.rerank(self.query.value, before, top_k=len(before))
        ranks = {hit.doc_id: rank for rank, hit in enumerate(before, start=1)}
        rows = [
            [rank, ranks[hit.doc_id], f"{hit.score:.2f}", hit.text]
            for rank, hit in enumerate(after, start=1)
        ]
        self.table = html_table(["rank", "rank before", "score", "passage"], rows)
        whole = "<details><summary>the same as a table, with whole passages</summary>"
        return f"{movement(before, after)}{whole}{self.table}</details>"

    def picture(self):
        return self.table if self.result.value else ""


class OcclusionLab(Lab):
    """Which words of a passage carry the cross-encoder's score: each is left out in turn."""

    def __init__(self, reranker, query, passage):
        self.reranker = reranker
        self.query = query_box(query)
        self.passage = text_area(passage, "passage")
        super().__init__("Occlusion lab", [self.query, self.passage])
        self.follow(self.query, self.passage)

    def render(self):
        if len(self.passage.value.split()) > 150:
            raise ValueError("The passage has more than 150 words. Shorten it.")
        check_query(self.passage.value)
        score = self.reranker.score(self.query.value, [self.passage.value])[0]
        drops = probes.occlude(self.reranker, self.query.value, self.passage.value)
        return f"<p>score of the whole passage: {score:.2f}</p>" + coloured_words(drops)


class ProbeLab(Lab):
    """Two passages for one query: which does each model prefer, and by how much?"""

    def __init__(self, retriever, reranker, examples):
        self.retriever, self.reranker, self.examples = retriever, reranker, examples
        self.example = ipw.Dropdown(
            options=list(examples), description="example", style=LABEL, layout=wide()
        )
        query, first, second = examples[self.example.value]
        self.query = query_box(query)
        self.first, self.second = text_area(first, "passage A"), text_area(second, "passage B")
        controls = [self.example, self.query, self.first, self.second]
        super().__init__("Probe lab", controls)
        self.example.observe(self.load, "value")
        self.follow(self.query, self.first, self.second)

    def load(self, *_):
        """Fills the boxes with the chosen example."""
        self.query.value, self.first.value, self.second.value = self.examples[self.example.value]

    def render(self):
        texts = [check_query(self.first.value), check_query(self.second.value)]
        frame = probes.compare(self.retriever, self.reranker, self.query.value, texts)
        rows = []
        for model in ("bi-encoder", "cross-encoder"):
            a, b = frame[model]
            choice = "A" if a > b else "B" if b > a else "neither"
            rows.append([model, f"{a:.3f}", f"{b:.3f}", f"{a - b:+.3f}", choice])
        return html_table(["model", "score of A", "score of B", "A − B", "prefers"], rows)


GAP = 64  # pixels between the two columns


def movement(before: list[Hit], after: list[Hit]):
    """Returns both orders as two columns of HTML, with a line from old to new rank between."""
    height = 66
    lines, left, right = [], [], []
    new_rank = {hit.doc_id: rank for rank, hit in enumerate(after)}
    for rank, hit in enumerate(before):
        new = new_rank[hit.doc_id]
        colour = plots.UP if new < rank else plots.DOWN if new > rank else plots.SAME
        start, end = (rank + 0.5) * height, (new + 0.5) * height
        lines.append(
            f'<line x1="0" y1="{start}" x2="{GAP}" y2="{end}" stroke="{colour}" stroke-width="3"/>'
        )
        left.append(column_cell(rank, hit, height, ""))
    for rank, hit in enumerate(after):
        old = [h.doc_id for h in before].index(hit.doc_id)
        moved = f"▲ {old - rank}" if old > rank else f"▼ {rank - old}" if old < rank else "="
        right.append(column_cell(rank, hit, height, moved))
    moves = "; ".join(f"{i + 1} to {new_rank[hit.doc_id] + 1}" for i, hit in enumerate(before))
    moves = f"ranks before and after: {moves}"
    column = '<div style="flex: 1 1 0; min-width: 0">'
    return (
        f'<div style="display: flex; font-weight: bold; gap: {GAP}px; white-space: nowrap">'
        '<div style="flex: 1 1 0; min-width: 0">before: bi-encoder</div>'
        '<div style="flex: 1 1 0; min-width: 0">after: cross-encoder</div></div>'
        f'<div style="display: flex">{column}{"".join(left)}</div>'
        f'<svg width="{GAP}" height="{height * len(before)}" style="flex: none" role="img" '
        f'aria-label="{moves}">{"".join(lines)}</svg>'
        f"{column}{''.join(right)}</div></div>"
    )


def column_cell(rank, hit, height, moved):
    """Returns one passage of a column of `movement`, cut to three lines."""
    head = f"{rank + 1} · {hit.score:.2f} {moved}"
    return (
        f'<div title="{html.escape(hit.text)}" style="height: {height}px; padding: 0 6px; '
        'display: flex; align-items: center">'
        '<div style="display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; '
        f'overflow: hidden; line-height: 1.3"><b>{head}</b> '
        f"{html.escape(shorten(hit.text, 130))}</div></div>"
    )


def coloured_words(drops):
    """Returns the words as HTML; the stronger the colour, the more the score rests on the word."""
    top = max(float(np.abs([drop for _, drop in drops]).max()), 1e-6)
    words = []
    for word, drop in drops:
        strength = abs(drop) / top
        rgb = "213, 94, 0" if drop > 0 else "0, 114, 178"
        words.append(
            f'<span title="{-drop:+.2f}" style="background: rgba({rgb}, {0.55 * strength:.2f}); '
            f'padding: 1px 3px; border-radius: 3px">{html.escape(word)}</span>'
        )
    strongest = sorted(drops, key=lambda pair: -abs(pair[1]))[:5]
    effects = html.escape(
        ", ".join(f"{word.rstrip('.,;:!?') or word} {-drop:+.2f}" for word, drop in strongest)
    )
    legend = (
        "<p>orange: the score falls without this word · blue: it rises<br>"
        f"change of the score without the word, the strongest first: {effects}</p>"
    )
    return f'<p style="line-height: 1.9">{" ".join(words)}</p>{legend}'

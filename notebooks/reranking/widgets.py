"""The labs: controls that a learner plays with, each a thin layer over `search`.

Every lab is an ipywidgets box. Text typed by the learner is always escaped, never shown as HTML.
A saved notebook shows a lab's `preview()`, so that a reader without a kernel sees it too.
"""

import html
import json

import ipywidgets as ipw
import numpy as np

from . import data, plots, probes
from .search import BiEncoderRetriever, Hit, check_query, shorten

LABEL = {"description_width": "120px"}
CELL = "padding: 4px 8px; vertical-align: top; text-align: left; border-bottom: 1px solid #8884"


def wide():
    """Returns a new layout: as wide as the page allows. Widgets must not share one."""
    return ipw.Layout(width="98%", max_width="860px")


def progress(items, text="working"):
    """Yields the items behind a progress bar, which is gone when the last one is done."""
    from IPython.display import clear_output, display

    items = list(items)
    bar = ipw.IntProgress(max=len(items), description=text, style=LABEL)
    display(bar)
    for item in items:
        yield item
        bar.value += 1
    bar.close()
    clear_output()


class Lab(ipw.VBox):
    """A lab: a title, controls, a line of status, and a result that follows the controls."""

    def __init__(self, title, controls):
        self.title = title
        self.status = ipw.HTML(layout=wide())
        self.result = ipw.HTML(layout=wide())
        heading = ipw.HTML(f"<b>{html.escape(title)}</b>")
        super().__init__([heading, *controls, self.status, self.result])

    def run(self, *_):
        """Shows the result for the controls as they stand, or says in the status what is wrong."""
        self.status.value = "<i>working …</i>"
        try:
            self.result.value = self.render()
            self.status.value = ""
        except (ValueError, RuntimeError, OSError) as error:
            self.result.value = ""
            self.status.value = f"<b>Not possible:</b> {html.escape(str(error))}"

    def follow(self, *controls):
        """Runs the lab now and whenever one of the controls changes."""
        for control in controls:
            control.observe(self.run, "value")
        self.run()

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        bundle["text/plain"] = f"Lab: {self.title}"
        bundle["text/html"] = (
            f"<p><b>{html.escape(self.title)}</b> (run the notebook to use it)</p>"
            + self.preview()
            + self.result.value
        )
        return bundle

    def preview(self):
        """Returns the state of the controls as HTML, for readers without a kernel."""
        return ""


class Documents(ipw.VBox):
    """The choice of documents: the sample, the judged collection, or the learner's own."""

    CHOICES = ("the ten documents", "the judged collection", "my own text", "my own file")

    def __init__(self, retriever, changed):
        self.retriever, self.changed = retriever, changed
        self.indexed = {}  # choice -> retriever over these documents
        self.choice = ipw.Dropdown(
            options=self.CHOICES, description="documents", style=LABEL, layout=wide()
        )
        self.text = ipw.Textarea(
            placeholder="Paste passages here, with an empty line between two of them.",
            description="my text",
            rows=5,
            style=LABEL,
            layout=wide(),
            continuous_update=False,
        )
        self.file = ipw.FileUpload(accept=".txt,.md,.csv,.jsonl", description="choose a file")
        self.column = ipw.Dropdown(options=[], description="column", style=LABEL, layout=wide())
        super().__init__([self.choice, self.text, self.file, self.column])
        self.choice.observe(self.update, "value")
        self.text.observe(self.update, "value")
        self.file.observe(self.upload, "value")
        self.column.observe(self.update, "value")
        self.hide()

    def hide(self):
        """Shows only the controls that belong to the choice."""
        own_file = self.choice.value == "my own file"
        self.text.layout.display = "" if self.choice.value == "my own text" else "none"
        self.file.layout.display = "" if own_file else "none"
        self.column.layout.display = "" if own_file and self.column.options else "none"

    def upload(self, *_):
        """Offers the columns of an uploaded CSV file, then reads the file."""
        columns = []
        if self.file.value and self.file.value[0].name.lower().endswith(".csv"):
            columns = data.csv_columns(
                bytes(self.file.value[0].content).decode("utf-8-sig", "replace")
            )
        self.column.options = [("the longest", None), *((c, c) for c in columns)] if columns else []
        self.update()

    def update(self, *_):
        self.hide()
        for own in self.CHOICES[2:]:
            self.indexed.pop(own, None)
        self.changed()

    def search(self):
        """Returns a BiEncoderRetriever over the chosen documents; raises ValueError if none."""
        choice = self.choice.value
        if choice not in self.indexed:
            if choice == self.CHOICES[0]:
                passages = dict(enumerate(data.load_documents()[0]))
            elif choice == self.CHOICES[1]:
                passages = data.load_collection().passages
            elif choice == self.CHOICES[2]:
                passages = dict(enumerate(data.read_passages(self.text.value, "Your text")))
            elif self.file.value:
                file = self.file.value[0]
                read = data.read_passages(file.content, file.name, self.column.value)
                passages = dict(enumerate(read))
            else:
                raise ValueError("Choose a file: plain text, CSV or JSON Lines.")
            self.indexed[choice] = share_model(self.retriever).index_documents(
                passages.values(), passages.keys()
            )
        return self.indexed[choice]


def share_model(retriever):
    """Returns a new retriever with an index of its own that shares the model in memory."""
    other = BiEncoderRetriever.__new__(BiEncoderRetriever)
    other.model, other.model_name, other.top_k = (
        retriever.model,
        retriever.model_name,
        retriever.top_k,
    )
    other.documents, other.doc_ids, other.doc_embeddings = [], [], None
    return other


def query_box(value, text="query"):
    """Returns a box for a query, which reports when Enter is pressed or the box is left."""
    return ipw.Text(
        value=value,
        description=text,
        placeholder="Type a query and press Enter",
        continuous_update=False,
        style=LABEL,
        layout=wide(),
    )


def slider(value, low, high, text):
    """Returns a slider for a whole number, which reports when it is let go."""
    return ipw.IntSlider(
        value, low, high, description=text, continuous_update=False, style=LABEL, layout=wide()
    )


class SearchLab(Lab):
    """Search by meaning in three collections: type a query, see the nearest passages."""

    def __init__(self, retriever, query="How is Python used in machine learning?"):
        self.query = query_box(query)
        self.top_k = slider(5, 1, 20, "results")
        self.documents = Documents(retriever, self.run)
        super().__init__("Search lab", [self.query, self.top_k, self.documents])
        self.follow(self.query, self.top_k)

    def render(self):
        hits = self.documents.search().retrieve(self.query.value, top_k=self.top_k.value)
        return hits_table(hits)

    def preview(self):
        return f"<p>query: {html.escape(self.query.value)}</p>"


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
        before = self.documents.search().retrieve(self.query.value, top_k=self.candidates.value)
        after = self.reranker.rerank(self.query.value, before, top_k=len(before))
        return movement(before, after)

    def preview(self):
        return f"<p>query: {html.escape(self.query.value)}</p>"


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

    def preview(self):
        lines = (self.query.value, f"A: {self.first.value}", f"B: {self.second.value}")
        return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


class BlindSpots(Lab):
    """The judged queries of one type whose first hit is wrong: what came first, what should."""

    def __init__(self, collection, results):
        """`results` is {query id: list of Hit} over the collection, see evaluation."""
        self.collection, self.results = collection, results
        self.missed = {}
        for query_id, hits in results.items():
            if collection.qrels[query_id].get(hits[0].doc_id, 0) == 0:
                kind = collection.query_info[query_id].get("type", "all")
                self.missed.setdefault(kind, []).append(query_id)
        self.kind = ipw.Dropdown(
            options=sorted(self.missed), description="query type", style=LABEL, layout=wide()
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
            f"rank {ranks.index(right) + 1}" if right in ranks else f"not in the first {len(hits)}"
        )
        rows = [
            ["first, but wrong", "rank 1", hits[0].text],
            ["the best answer", rank, self.collection.passages[right]],
        ]
        query = html.escape(self.collection.queries[query_id])
        return f"<p>query: <b>{query}</b></p>" + html_table(["", "", "passage"], rows)


class Quiz(Lab):
    """A few questions with one right option each; every option has its explanation."""

    def __init__(self, questions):
        """`questions` is [(question, [(option, is_right, explanation), ...]), ...].

        Or it is the number of a notebook, and the questions come from data/quiz.json.
        """
        if isinstance(questions, str):
            questions = json.loads((data.DATA / "quiz.json").read_text(encoding="utf-8"))[questions]
        self.questions = questions
        self.choices, self.answers, boxes = [], [], []
        for number, (question, options) in enumerate(questions, start=1):
            choice = ipw.RadioButtons(
                options=[option for option, _, _ in options],
                index=None,
                layout=ipw.Layout(width="auto", max_width="860px"),
            )
            answer = ipw.HTML(layout=wide())
            choice.observe(lambda _, i=number - 1: self.explain(i), "index")
            label = ipw.HTML(f"{number}. {html.escape(question)}", layout=wide())
            boxes += [label, choice, answer]
            self.choices.append(choice)
            self.answers.append(answer)
        super().__init__("Quiz", boxes)

    def explain(self, number):
        """Shows whether the chosen option is right, and why."""
        _, right, why = self.questions[number][1][self.choices[number].index]
        verdict = "Right." if right else "Not quite."
        self.answers[number].value = f"<b>{verdict}</b> {html.escape(why)}"
        done = [
            options[choice.index][1]
            for (_, options), choice in zip(self.questions, self.choices, strict=True)
            if choice.index is not None
        ]
        self.status.value = f"{sum(done)} of {len(self.questions)} right"

    def preview(self):
        return "".join(
            f"<p>{number}. {html.escape(question)}</p><ul>"
            + "".join(f"<li>{html.escape(option)}</li>" for option, _, _ in options)
            + "</ul>"
            for number, (question, options) in enumerate(self.questions, start=1)
        )


def text_area(value, text):
    """Returns a box for a passage, which reports when it is left."""
    return ipw.Textarea(
        value=value, description=text, rows=3, continuous_update=False, style=LABEL, layout=wide()
    )


def html_table(header, rows):
    """Returns an HTML table; header and cells are escaped."""
    head = "".join(f'<th style="{CELL}">{html.escape(str(cell))}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{html.escape(str(c))}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse: collapse; line-height: 1.35; width: 100%">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def hits_table(hits):
    """Returns hits as an HTML table with rank, score and text."""
    rows = [(rank, f"{hit.score:.3f}", shorten(hit.text, 400)) for rank, hit in enumerate(hits, 1)]
    return html_table(["rank", "score", "passage"], rows)


def movement(before: list[Hit], after: list[Hit]):
    """Returns both orders as two columns of HTML, with a line from old to new rank between."""
    height = 62
    lines, left, right = [], [], []
    new_rank = {hit.doc_id: rank for rank, hit in enumerate(after)}
    for rank, hit in enumerate(before):
        new = new_rank[hit.doc_id]
        colour = plots.UP if new < rank else plots.DOWN if new > rank else plots.SAME
        start, end = (rank + 0.5) * height, (new + 0.5) * height
        lines.append(
            f'<line x1="0" y1="{start}" x2="90" y2="{end}" stroke="{colour}" stroke-width="3"/>'
        )
        left.append(column_cell(rank, hit, height, ""))
    for rank, hit in enumerate(after):
        old = [h.doc_id for h in before].index(hit.doc_id)
        moved = f"▲ {old - rank}" if old > rank else f"▼ {rank - old}" if old < rank else "="
        right.append(column_cell(rank, hit, height, moved))
    column = '<div style="flex: 1 1 0; min-width: 0">'
    return (
        '<div style="display: flex; font-weight: bold; gap: 90px"><div style="flex: 1">'
        'before: bi-encoder</div><div style="flex: 1">after: cross-encoder</div></div>'
        f'<div style="display: flex">{column}{"".join(left)}</div>'
        f'<svg width="90" height="{height * len(before)}" style="flex: none" role="img" '
        f'aria-label="movement of each passage">{"".join(lines)}</svg>'
        f"{column}{''.join(right)}</div></div>"
    )


def column_cell(rank, hit, height, moved):
    """Returns one passage of a column of `movement`, cut to three lines."""
    head = f"{rank + 1} · {hit.score:.2f} {moved}"
    return (
        f'<div title="{html.escape(hit.text)}" style="height: {height}px; overflow: hidden; '
        f'line-height: 1.3; padding: 0 6px; box-sizing: border-box"><b>{head}</b> '
        f"{html.escape(shorten(hit.text, 130))}</div>"
    )


def coloured_words(drops):
    """Returns the words as HTML; the stronger the colour, the more the score rests on the word."""
    top = max(float(np.abs([drop for _, drop in drops]).max()), 1e-6)
    words = []
    for word, drop in drops:
        strength = abs(drop) / top
        rgb = "213, 94, 0" if drop > 0 else "0, 114, 178"
        words.append(
            f'<span title="{drop:+.2f}" style="background: rgba({rgb}, {0.55 * strength:.2f}); '
            f'padding: 1px 3px; border-radius: 3px">{html.escape(word)}</span>'
        )
    legend = (
        "<p>orange: the score falls without this word · blue: it rises · "
        f"strongest effect {top:.2f} (point at a word to see its effect)</p>"
    )
    return f'<p style="line-height: 1.9">{" ".join(words)}</p>{legend}'

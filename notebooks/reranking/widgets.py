"""What all labs share: controls that a learner plays with, a thin layer over `search`.

Every lab is an ipywidgets box. Text typed by the learner is always escaped, never shown as HTML.
A saved notebook shows a lab's state and result, so that readers without a kernel see them too.
"""

import html
import json
import threading

import ipywidgets as ipw

from . import data, previews
from .search import BiEncoderRetriever, shorten

LABEL = {"description_width": "120px"}
CELL = "padding: 4px 6px; vertical-align: top; text-align: left; border-bottom: 1px solid #8884"

# JupyterLab takes single keys for its own, so the arrows would leave a list, and "d d" would delete
# the cell. A control that has the focus is marked so that it gets these keys itself. A picture that
# cannot be loaded is the way to run this where the lab is shown.
KEYS = """<img alt="" hidden src="data:," onerror="const mark = () => {
  const lab = this.closest('.widget-vbox')
  if (!lab) return requestAnimationFrame(mark)
  lab.addEventListener('focusin', ({target}) => {
    if (!target.matches('input[type=text], textarea')) target.dataset.lmSuppressShortcuts = ''
  })
}; mark()">"""
# The arrow of a list is black, also in the dark theme: there it gets a light one.
ARROW = """<style>[data-jp-theme-light=false] .widget-vbox select {
  background-image: url("data:image/svg+xml,\
%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 20 20'%3E\
%3Cpath d='M5 8l5 5 5-5' fill='none' stroke='%23ccc' stroke-width='2'/%3E%3C/svg%3E")
}</style>"""


def close_lines(text, more=""):
    """Returns HTML with lines as close as those of the page; `more` are attributes."""
    return f'<div style="line-height: 1.4"{more}>{text}</div>'


def wide():
    """Returns a new layout: as wide as the page allows. Widgets must not share one."""
    return ipw.Layout(width="98%", max_width="860px")


def progress(items, text="working"):
    """Yields the items behind a progress bar, which is gone after the last one or an error."""
    from IPython.display import clear_output, display

    items = list(items)
    bar = ipw.IntProgress(max=len(items), description=text, style=LABEL)
    display(bar)
    try:
        for item in items:
            yield item
            bar.value += 1
    finally:
        bar.close()
    clear_output()  # not after an error, which is to be read


class Lab(ipw.VBox):
    """A lab: a title, controls, a line of status, and a result that follows the controls."""

    def __init__(self, title, controls):
        self.title = title
        self.running = threading.RLock()  # a thread that loads documents may run the lab too
        self.status = ipw.HTML(layout=wide())
        self.status.layout.min_height = "20px"  # so that nothing moves when it is empty
        self.result = ipw.HTML(layout=wide())
        heading = ipw.HTML(f"<b>{html.escape(title)}</b>{KEYS}{ARROW}")
        super().__init__([heading, *controls, self.status, self.result])

    def run(self, *_):
        """Shows the result for the controls as they stand, or says in the status what is wrong."""
        with self.running:
            self.status.value = close_lines("<i>working …</i>")
            try:
                self.result.value = close_lines(self.render())
                self.status.value = ""
            except (ValueError, RuntimeError, OSError) as error:
                self.result.value = ""
                self.say(f"<b>Not possible:</b> {html.escape(str(error))}")

    def say(self, text):
        """Shows a line of HTML in the status; a screen reader reads it aloud."""
        self.status.value = close_lines(text, ' role="status"')

    def follow(self, *controls):
        """Runs the lab now and whenever one of the controls changes."""
        for control in controls:
            control.observe(self.run, "value")
        self.run()

    def _repr_mimebundle_(self, **options):
        page = (
            f"<p><b>{html.escape(self.title)}</b> (run the notebook to use it)</p>"
            + self.preview()
            + self.picture()
        )
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": previews.as_text(page), "text/html": page}

    def preview(self):
        """Returns the state of the controls as HTML, for readers without a kernel."""
        return previews.state(self.children)

    def picture(self):
        """Returns the result as HTML that needs no styles, for readers without a kernel."""
        return self.result.value


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
                description=f"answer {number}",
                style=LABEL,
                layout=ipw.Layout(width="auto", max_width="860px"),
            )
            answer = ipw.HTML(layout=wide())
            choice.observe(lambda _, i=number - 1: self.explain(i), "index")
            label = ipw.HTML(close_lines(f"{number}. {html.escape(question)}"), layout=wide())
            label.layout.margin = "12px 2px 0"
            boxes += [label, choice, answer]
            self.choices.append(choice)
            self.answers.append(answer)
        super().__init__("Quiz", boxes)

    def explain(self, number):
        """Shows whether the chosen option is right, and why."""
        _, right, why = self.questions[number][1][self.choices[number].index]
        verdict = "Right." if right else "Not quite."
        self.answers[number].value = close_lines(f"<b>{verdict}</b> {html.escape(why)}")
        done = [
            options[choice.index][1]
            for (_, options), choice in zip(self.questions, self.choices, strict=True)
            if choice.index is not None
        ]
        self.say(f"{sum(done)} of {len(self.questions)} right")

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
        value=value, description=text, rows=4, continuous_update=False, style=LABEL, layout=wide()
    )


def html_table(header, rows):
    """Returns an HTML table; header and cells are escaped. A column of passages is the wide one."""
    head = ""
    for cell in header:
        narrow = "; width: 40px" if "passage" in header and cell != "passage" else ""
        head += f'<th style="{CELL}{narrow}">{html.escape(str(cell))}</th>'
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{html.escape(str(c))}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse: collapse; table-layout: auto; line-height: 1.35; '
        'width: 100%">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def hits_table(hits):
    """Returns hits as an HTML table with rank, score and text."""
    rows = [(rank, f"{hit.score:.3f}", shorten(hit.text, 400)) for rank, hit in enumerate(hits, 1)]
    return html_table(["rank", "score", "passage"], rows)

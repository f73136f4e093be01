"""The choice of documents in the search labs: the course's own, or the learner's.

A learner's passages are read and embedded in a thread, a few at a time, so that the page stays
alive and *Stop* works. Until a load is complete, the lab searches the documents that it had.
"""

import html
import threading
import time

import ipywidgets as ipw
import numpy as np

from . import data, models
from .widgets import LABEL, close_lines, share_model, wide

TEN, JUDGED, TEXT, FILE, FOLDER = CHOICES = (
    "the ten documents",
    "the judged collection",
    "my own text",
    "my own file",
    "my own folder",
)
HINTS = {
    TEXT: "Paste passages, then press Load.",
    FILE: "Choose a file (plain text, CSV or JSON Lines), then press Load.",
    FOLDER: f"Type the path of a folder with files in {', '.join(data.ENDINGS)}, then press Load.",
}
BATCH = 8  # passages embedded at a time: Stop waits for at most so many
MOST_LETTERS = 10_000  # of a passage that are embedded: the model reads 256 tokens of them


class Stopped(Exception):
    """The learner pressed Stop."""


class Documents(ipw.VBox):
    """The choice of documents, with all that is needed to bring one's own."""

    def __init__(self, retriever, changed, start=TEN):
        """Calls `changed()` whenever other documents are searched.

        The model of `retriever` is used. If `start` is the judged collection, so is its index.
        """
        self.retriever, self.changed = retriever, changed
        self.held = {} if start == TEN else {start: retriever}  # choice -> retriever over these
        self.active, self.thread = start, None
        self.stopping, self.model_in_use = threading.Event(), threading.Lock()
        look = {"style": LABEL, "continuous_update": False}
        self.choice = ipw.Dropdown(
            options=CHOICES, value=start, description="documents", style=LABEL, layout=wide()
        )
        self.text = ipw.Textarea(
            placeholder="Passages, with an empty line between two of them",
            description="my text",
            rows=5,
            layout=wide(),
            **look,
        )
        self.file = ipw.FileUpload(
            accept=",".join(data.ENDINGS),
            description="choose a file",
            tooltip="a file of plain text, CSV or JSON Lines; it stays on this machine",
            layout=ipw.Layout(width="auto", max_width="300px", margin="2px 2% 2px 128px"),
        )
        self.column = ipw.Dropdown(description="column", style=LABEL, layout=wide())
        self.folder = ipw.Text(
            placeholder="for example ~/notes", description="folder", layout=wide(), **look
        )
        self.start = ipw.Button(description="Load", button_style="primary")
        self.stop = ipw.Button(description="Stop", disabled=True)
        for button, what in ((self.start, "load my documents"), (self.stop, "stop loading")):
            button.tooltip, button.layout = what, ipw.Layout(width="80px", flex="0 0 auto")
        self.bar = ipw.IntProgress(description="embedded", layout=ipw.Layout(flex="1 1 160px"))
        self.own = ipw.HBox(
            [self.start, self.stop, self.bar],
            layout=ipw.Layout(
                width="98%", max_width="860px", padding="0 0 0 126px", flex_flow="row wrap"
            ),
        )
        self.message = ipw.HTML(layout=wide())
        super().__init__(
            [self.choice, self.text, self.file, self.column, self.folder, self.own, self.message]
        )
        self.choice.observe(self.choose, "value")
        self.file.observe(self.look, "value")
        self.start.on_click(self.load)
        self.stop.on_click(lambda _: self.stopping.set())
        self.hide()

    # What is searched

    def search(self):
        """Returns the BiEncoderRetriever over the documents that are searched now."""
        if self.active not in self.held:  # the ten documents, at the first search
            index = share_model(self.retriever).index_documents(data.load_documents()[0])
            self.held[self.active] = index
        return self.held[self.active]

    def retrieve(self, query, top_k):
        """Returns a list of Hit from these documents; waits while a batch is being embedded."""
        with self.model_in_use:
            return self.search().retrieve(query, top_k)

    # The controls

    def hide(self):
        """Shows only the controls that belong to the choice."""
        columns = self.choice.value == FILE and self.column.options
        shown = {
            self.text: self.choice.value == TEXT,
            self.file: self.choice.value == FILE,
            self.column: columns,
            self.folder: self.choice.value == FOLDER,
            self.own: self.choice.value in HINTS,
        }
        for control, visible in shown.items():
            control.layout.display = None if visible else "none"

    def choose(self, *_):
        """Searches the chosen documents, if they are there; else says how to load them."""
        self.hide()
        self.bar.value = 0
        choice = self.choice.value
        if choice == JUDGED and choice not in self.held and not self.keep():
            self.load()
        elif choice in self.held or choice == TEN:
            self.use(choice)
        else:
            self.say(HINTS[choice])

    def use(self, choice, note=""):
        """Makes the lab search these documents, and says so."""
        self.active = choice
        self.say(note)
        self.changed()

    def say(self, text, wrong=""):
        """Shows a line of text, escaped, after the words `wrong`; and what is searched."""
        count = len(self.held[self.active].documents) if self.active in self.held else 10
        still = "Still searching" if self.choice.value != self.active else "Searching"
        where = f"{still} {self.active}: {count:,} passages."
        bold = f"<b>{html.escape(wrong)}</b> " if wrong else ""
        self.message.value = close_lines(
            f"{bold}{html.escape(text)} {html.escape(where)}", ' role="status"'
        )

    def look(self, *_):
        """Offers the columns of a file that was just chosen."""
        columns = []
        try:
            if self.file.value and self.file.value[0].name.lower().endswith(data.TABLES):
                file = self.file.value[0]
                rows = data.read_rows(data.decode(file.content, file.name), file.name)
                columns = data.text_columns(rows)
            self.say("Press Load." if self.file.value else HINTS[FILE])
        except ValueError as error:
            self.say(str(error), "Not possible:")
        self.column.options = columns
        if columns:  # two steps, or the page shows no choice where the list was empty before
            self.column.index = None
            self.column.index = 0
        self.hide()

    # Loading

    def load(self, *_):
        """Starts to read and embed the documents of the choice, in a thread."""
        if self.thread and self.thread.is_alive():
            return
        self.stopping.clear()
        self.bar.value = 0
        self.freeze(True)
        self.say("Reading …")
        self.thread = threading.Thread(target=self.work, args=[self.choice.value], daemon=True)
        self.thread.start()

    def freeze(self, on):
        """Locks the choices while documents are loaded. Load keeps the focus, but does nothing."""
        for control in (self.choice, self.text, self.file, self.column, self.folder):
            control.disabled = on
        self.stop.disabled = not on

    def work(self, choice):
        """Reads and embeds; the lab changes only if all went well. Runs in a thread."""
        try:
            passages, note = self.read(choice)
            self.held[choice] = self.embed(passages)
            self.use(choice, note)
        except Stopped as stopped:
            self.say(str(stopped))
        except ValueError as error:
            self.say(str(error), "Not possible:")
        except Exception as error:  # in a thread nobody else would hear of it
            self.say(f"{type(error).__name__}: {error}", "Not possible:")
        finally:
            self.freeze(False)

    def read(self, choice):
        """Returns {id: passage}, at most data.LIMIT of them, and a note on what was left out."""
        problems, name = [], choice
        if choice == JUDGED:
            return data.load_collection().passages, ""
        if choice == TEXT:
            passages, name = data.read_passages(self.text.value, "Your text", limit=None), "It"
        elif choice == FOLDER:
            passages, problems = data.read_folder(self.folder.value, stopped=self.stopping.is_set)
        elif self.file.value:
            file, column = self.file.value[0], self.column.value
            passages, name = data.read_passages(file.content, file.name, column, None), file.name
        else:
            raise ValueError("No file is chosen yet.")
        if self.stopping.is_set():
            raise Stopped("Stopped while reading.")
        note = " ".join(problems[:3])
        if len(problems) > 3:
            note += f" {len(problems) - 3} more files could not be read."
        if len(passages) > data.LIMIT:
            found = "more than" if choice == FOLDER else f"{len(passages):,} passages, more than"
            note += f" {name} holds {found} {data.LIMIT:,} passages: only the first are taken."
        return dict(enumerate(passages[: data.LIMIT])), note

    def keep(self):
        """Returns whether the judged collection can be searched by its kept vectors."""
        if self.retriever.model_name != models.BI_ENCODER:
            return False
        from . import vector_sets  # loads faiss

        passages = data.load_collection().passages
        try:
            self.held[JUDGED] = vector_sets.index_kept(share_model(self.retriever), passages)
        except ValueError:  # the learner has changed the model
            return False
        return True

    def embed(self, passages):
        """Returns a retriever over {id: passage}; raises Stopped if the learner presses Stop."""
        texts, vectors = list(passages.values()), []
        index, self.bar.max = share_model(self.retriever), max(len(texts), 1)
        for start in range(0, len(texts), BATCH):
            batch = [text[:MOST_LETTERS] for text in texts[start : start + BATCH]]
            if self.stopping.is_set():
                raise Stopped(f"Stopped after {start:,} of {len(texts):,} passages.")
            with self.model_in_use:
                vectors.append(index.encode(batch))
            self.bar.value = start + len(batch)
            time.sleep(0.005)  # lets a waiting search take its turn
        index.documents, index.doc_ids = texts, list(passages)
        index.doc_embeddings = np.vstack(vectors)
        return index

"""What one sees of a training in notebook 6, and its lab: adapt the cross-encoder to documents."""

import html
import threading
from typing import NamedTuple

import ipywidgets as ipw
import numpy as np
import torch

from . import cross_encoders, data, pools, training
from .evaluation import ndcg
from .lists import ListMaker
from .scaling import has_bfloat16
from .search import shorten
from .widgets import LABEL, Lab, html_table, slider, wide

EXAMPLE = """{"text": "The blue bin is emptied on Tuesdays.", "queries": ["paper collection day"]}
{"text": "Glass goes into the containers at the station.", "queries": ["where to take bottles"]}"""
OWN = "my own, pasted below"


class Watched(NamedTuple):
    """What was seen of a training."""

    losses: list  # the loss of each step
    alike: list  # what a model would lose there that gives all passages the same score
    quality: dict  # {step: nDCG@10 of each dev query, or whatever else was measured}


def watch(model, make_lists, steps, measure, before=None, looks=2, **settings):
    """Returns a training as Watched; behind a progress bar the model learns.

    It is measured at the start, unless `before` holds that value already, and after each of
    `looks` equal stretches. Further settings go to `training.Trainer`.
    """
    from IPython.display import clear_output, display

    alike, quality = [], {0: measure(model) if before is None else before}
    bar = ipw.IntProgress(max=steps, description="training", style=LABEL)
    line = ipw.HTML()
    box = ipw.HBox([bar, line])
    display(box)

    def chosen(step):
        made = make_lists(step)
        mse = settings.get("mse", 0.02)
        blank = [training.list_loss(torch.zeros(len(r.target)), r, mse).item() for r in made]
        alike.append(float(np.mean(blank)))
        return made

    def look(trainer, loss):
        bar.value = trainer.step
        if trainer.step % max(1, steps // looks) == 0 or trainer.step == steps:
            with trainer.averaged():
                quality[trainer.step] = measure(model)
        line.value = f"loss {loss:.2f}, quality {np.mean(quality[max(quality)]):.2f}"

    losses = training.fit(model, chosen, steps, look, **settings)
    box.close()
    clear_output()
    return Watched(losses, alike, quality)


class AdaptLab(Lab):
    """Trains a copy of the cross-encoder on a few queries and tests it on others, before and after.

    Every third query is held out: the model never learns from it, and the measures rest on it. The
    training runs in a thread of its own, so that the page stays alive and `stop` works.
    """

    def __init__(self, retriever, model, topics, steps=8, seed=0):
        """`model` is a CrossEncoder, `topics` are judged topics to choose from."""
        self.retriever, self.model, self.seed = retriever, model, seed
        self.topics = {topic["topic"]: topic for topic in topics}
        self.thread, self.stopping = None, False
        self.topic = ipw.Dropdown(
            options=[*self.topics, OWN], description="documents", style=LABEL, layout=wide()
        )
        self.text = ipw.Textarea(
            value=EXAMPLE,
            description="JSON Lines",
            rows=8,
            style=LABEL,
            layout=wide(),
            continuous_update=False,
        )
        self.steps = slider(steps, 1, 40, "steps")
        self.bar = ipw.IntProgress(max=steps, description="not started", style=LABEL, layout=wide())
        self.start = ipw.Button(description="Train", button_style="primary")
        self.stop = ipw.Button(description="Stop", disabled=True)
        buttons = ipw.HBox([self.start, self.stop])
        super().__init__("Adapt it", [self.topic, self.text, self.steps, buttons, self.bar])
        self.start.on_click(self.begin)
        self.stop.on_click(self.halt)
        self.after = None
        self.topic.observe(self.choose, "value")
        self.text.observe(self.choose, "value")
        self.choose()

    def choose(self, *_):
        """Shows how the model does on the chosen documents as it is."""
        self.text.layout.display = "" if self.topic.value == OWN else "none"
        self.after = None
        self.run()

    def pools(self):
        """Returns the Pool to learn from and the one held out: every third query."""
        own = self.topic.value == OWN
        topic = self.topics.get(self.topic.value)
        pool = read_own(self.text.value) if own else pools.judged_pool([topic])
        held = [number % 3 == 2 for number in range(len(pool.queries))]
        if not any(held):
            held[-1] = True
        return part(pool, [not h for h in held]), part(pool, held)

    def ranks(self, model):
        """Returns what `ranks_in` returns for the queries learned, and for those held out."""
        return tuple(self.ranks_in(pool, model) for pool in self.pools())

    def ranks_in(self, pool, model):
        """Returns [(nDCG@10, rank of the best answer)] for the queries of a Pool."""
        found = []
        for query, grades in zip(pool.queries, pool.grades, strict=True):
            scores = model.predict([(query, text) for text in pool.passages], batch_size=32)
            order = np.argsort(-np.asarray(scores), kind="stable")
            best = max(grades, key=grades.get)
            rank = int(np.flatnonzero(order == best)[0]) + 1
            quality = ndcg([grades.get(int(n), 0) for n in order], list(grades.values()))
            found.append((quality, rank))
        return found

    def render(self):
        learned, held = self.pools()
        if self.after is None:
            self.before = self.ranks(self.model)
        (of_learned, of_held), after = self.before, [(None, "")] * len(held.queries)
        if self.after:
            after = self.after[1]
        rows = [
            [shorten(query, 90), before[1], now[1]]
            for query, before, now in zip(held.queries, of_held, after, strict=True)
        ]
        those = "that one" if len(held.queries) == 1 else "those"
        line = (
            f"{len(held.passages)} passages. It learns from "
            f"{counted(len(learned.queries), 'query', 'queries')} and is tested on "
            f"{counted(len(held.queries), 'other', 'others')}. nDCG@10 on {those}: "
            f"{np.mean([q for q, _ in of_held]):.3f} before"
        )
        if self.after:
            line += f", {np.mean([q for q, _ in after]):.3f} after"
        line += f". On what it learns from: {np.mean([q for q, _ in of_learned]):.3f} before"
        if self.after:
            line += f", {np.mean([q for q, _ in self.after[0]]):.3f} after"
        header = ["held-out query", "rank of the best answer, before", "after"]
        return f"<p>{html.escape(line)}.</p>" + html_table(header, rows)

    def begin(self, *_):
        """Starts the training, if none is under way."""
        if self.thread and self.thread.is_alive():
            return
        self.after = None
        self.run()
        if not self.result.value:  # the documents cannot be used, and the status says why
            return
        self.stopping = False
        self.bar.value, self.bar.max, self.bar.description = 0, self.steps.value, "training"
        self.freeze(True)
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def freeze(self, on):
        """Locks the controls while the training runs."""
        for control in (self.start, self.topic, self.text, self.steps):
            control.disabled = on
        self.stop.disabled = not on

    def halt(self, *_):
        """Ends the training after the step that is under way."""
        self.stopping = True
        self.bar.description = "stopping"

    def work(self):
        """Trains a copy, then shows both states side by side. Runs in a thread."""
        try:
            learned, _ = self.pools()
            vectors = [self.retriever.encode(t) for t in (learned.queries, learned.passages)]
            maker = ListMaker(learned, *vectors, self.seed)

            def chosen(step):
                rng = np.random.default_rng([self.seed, step])
                return [maker.pair(2 * step + i, rng) for i in range(2)]

            def progress(trainer, _loss):
                self.bar.value = trainer.step
                return self.stopping

            model = cross_encoders.keep_layers(
                self.model, range(self.model.model.config.num_hidden_layers)
            )
            settings = {"learning_rate": 5e-5, "warm_up": 2, "mse": 0, "bfloat16": has_bfloat16()}
            training.fit(model, chosen, self.steps.value, progress, **settings)
            self.adapted, self.after = model, self.ranks(model)
            self.bar.description = "stopped" if self.stopping else "done"
            self.run()
        except Exception as error:  # in a thread nobody else would hear of it
            self.say(f"<b>Not possible:</b> {html.escape(str(error))}")
            self.bar.description = "failed"
        finally:
            self.freeze(False)


def counted(count, one, many):
    """Returns a number with its noun, such as "1 query" or "2 queries"."""
    return f"{count} {one if count == 1 else many}"


def part(pool, chosen):
    """Returns a Pool with the same passages and only the chosen queries."""
    columns = (
        [row for row, keep in zip(column, chosen, strict=True) if keep] for column in pool[1:]
    )
    return pools.Pool(pool.passages, *columns)


def read_own(text):
    """Returns a learner's passages and the queries that each of them answers, as a Pool.

    `text` holds one object a line, such as {"text": "a passage", "queries": ["a query"]}.
    Raises ValueError with what to do if it cannot be used.
    """
    pool = pools.Pool([], [], [], [])
    rows = list(data.parse_json_lines(text.splitlines(), "Your text"))
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise ValueError(f'Your text, object {number} has no text in the field "text".')
        queries = row.get("queries", [])
        if not isinstance(queries, list) or not all(isinstance(q, str) for q in queries):
            raise ValueError(f'Your text, object {number}: "queries" must be a list of texts.')
        if not row["text"].strip() or not all(query.strip() for query in queries):
            raise ValueError(f"Your text, object {number} holds an empty text.")
        for query in queries:
            pool.queries.append(query)
            pool.grades.append({number - 1: 3})
            pool.near.append([])
        pool.passages.append(row["text"])
    if len(pool.passages) < 2 or len(pool.queries) < 2:
        raise ValueError("At least two passages and two queries are needed: one is held out.")
    return pool

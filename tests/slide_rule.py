"""Which cell goes on which slide: one rule for all notebooks, applied when the slides are made.

The notebooks hold no slide metadata. A rule cannot be forgotten in a new cell, the files stay as
they are read and compared, and a change of the rule is one commit. A cell that needs something
else may carry `slideshow` metadata of its own: it is left as it is.

1. A heading of level 1 or 2 begins a slide, one of level 3 a sub-slide.
2. Each text begins a sub-slide, unless it fits on the last one together with what follows it. The
   code that it introduces and its output follow while there is room, otherwise on the next one.
3. What comes after *Predict first* appears on the next step, so that the class can vote.
4. Code that is long, or that only makes a sentence or a figure, goes into the speaker's notes, and
   only its output is shown. So does the whole setup.
5. Left out: checks without an output, and the cells in which a learner writes an answer.
"""

import math
import re
from copy import deepcopy

from nbformat.v4 import new_markdown_cell

ROOM = 640  # pixels that a sub-slide may fill by the estimates below, of 720
LONGEST = 12  # lines of code that are shown
LAB = re.compile(r"\blabs_0\d\.([A-Z]\w+|gallery)\(")
MAKES_OUTPUT = re.compile(r"\bMarkdown\(|plots\.show\(|Quiz\(")
ANSWERS = re.compile(r"^(\w*)exercises\.check\(", re.M)
CHECKS = re.compile(r"(assert|del|import|from)\b|\w+\.make_room\(\)|.* = None\b")


def split_at_headings(source):
    """Returns the parts of a text, each beginning with its heading, if there are several."""
    return [part.strip() for part in re.split(r"^(?=#{1,3} )", source, flags=re.M) if part.strip()]


def text_height(source):
    """Returns the estimated height of a text in pixels."""
    lines = sum(math.ceil(len(block) / 85) for block in source.split("\n") if block)
    rows = source.count("\n| ")
    if not rows and "\n- " not in source and "\n1. " not in source:  # lines of a paragraph flow
        lines = sum(math.ceil(len(block) / 85) for block in source.split("\n\n"))
    return 38 * lines + 14 * source.count("\n\n") + 40 * source.startswith("#")


def output_height(outputs):
    """Returns the estimated height of the outputs of a cell in pixels."""
    total = 0
    for output in outputs:
        page = "".join(output.get("data", {}).get("text/html", ""))
        if "<img" in page:
            total += 560
        elif page:
            cells = [re.sub(r"<[^>]+>|\s+", " ", row) for row in page.split("<tr")]
            total += sum(34 * math.ceil(max(len(cell), 1) / 110) for cell in cells)
        elif "text/markdown" in output.get("data", {}):
            total += text_height("".join(output["data"]["text/markdown"]))
        else:
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            total += 20 + sum(26 * math.ceil(len(line) / 105) for line in text.splitlines())
    return total


def pieces(cell, in_setup):
    """Yields (kind, cell, pixels) for the parts of a cell.

    The kinds are slide, subslide, text, code, output, notes and skip.
    """
    if cell.cell_type == "markdown":
        for part in split_at_headings(cell.source):
            level = len(re.match(r"#*", part)[0])
            kind = {1: "slide", 2: "slide", 3: "subslide"}.get(level, "text")
            yield ("notes" if in_setup else kind), new_markdown_cell(part), text_height(part)
        return
    if in_setup:
        yield "notes", cell, 0
    elif ANSWERS.search(cell.source):
        yield "skip", cell, 0
    else:
        lines = cell.source.splitlines()
        only_checks = all(CHECKS.match(line) or line[:1] in " )#" for line in lines if line)
        makes = MAKES_OUTPUT.search(cell.source) or LAB.search(cell.source)
        if len(lines) > LONGEST or makes or only_checks:
            yield "notes", new_markdown_cell(f"```python\n{cell.source}\n```"), 0
        else:
            yield "code", half(cell, outputs=[]), 40 + 27 * len(lines)
        if cell.outputs:
            shown = half(cell, id=f"{cell.id}-output", source="")
            yield "output", shown, output_height(cell.outputs)


def half(cell, **changes):
    """Returns a copy of a code cell with its source or its outputs taken away."""
    copy = cell.copy()
    copy.update(metadata=cell.metadata.copy(), **changes)
    if not copy.source:
        copy.metadata["transient"] = {"remove_source": True}  # nbconvert leaves out the empty box
        kinds = {"quiz": "Quiz(" in cell.source, "lab": LAB.search(cell.source)}
        copy.metadata["tags"] = [name for name, found in kinds.items() if found]
    return copy


def all_pieces(notebook):
    """Returns the pieces of all cells, in order."""
    result, in_setup = [], False
    for cell in notebook.cells:
        heading = re.search(r"^## (.+)$", cell.source, re.M)
        if heading and cell.cell_type == "markdown":
            in_setup = heading[1] == "Setup"
        own = "slideshow" in cell.metadata
        result += [("own", cell, 0)] if own else pieces(cell, in_setup)
    return result


def with_slide_types(notebook):
    """Returns a copy of a notebook with `slideshow` metadata set, cells split where need be."""
    notebook = deepcopy(notebook)
    found, used, predicted = all_pieces(notebook), 0, False
    for number, (kind, piece, height) in enumerate(found):
        if kind == "own":
            continue
        if kind == "text":
            after = next((f for f in found[number + 1 :] if f[0] not in ("notes", "skip")), None)
            needed = height + (after[2] if after and after[0] in ("code", "output") else 0)
            asks = "**Predict first.**" in piece.source
            begins = used + needed > ROOM or asks
            slide_type, predicted = ("subslide" if begins else "-"), asks
            used = height if begins else used + height
        elif kind in ("slide", "subslide"):
            above = found[number - 1]
            alone = kind == "subslide" and above[0] == "slide" and "\n" not in above[1].source
            slide_type, used = ("-", used + height) if alone else (kind, height)
            predicted = "**Predict first.**" in piece.source
        elif kind in ("notes", "skip"):
            slide_type = kind
        elif used and used + height > ROOM:
            slide_type, used, predicted = "subslide", height, False
        else:
            slide_type, predicted = ("fragment" if predicted else "-"), False
            used += height
        piece.metadata["slideshow"] = {"slide_type": slide_type}
    notebook.cells = [piece for _, piece, _ in found]
    return notebook

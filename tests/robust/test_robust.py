"""What hands do to a notebook, and it must not lie: cells run twice, backwards, and interrupted.

A cell that adds to a list, re-uses a name or leaves a model changed would say something else the
second time. So would an earlier cell that a later one misled. Run by `make robust`: half an hour.
"""

import configparser
import re
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))
LONG = 2  # seconds: cells that take longer are interrupted


def sanitiser():
    """Returns a function that takes out of a text what nbval too is told to overlook."""
    config = configparser.ConfigParser()
    config.read(ROOT / "tests" / "nbval.cfg")
    rules = [
        (section["regex"], section["replace"])
        for section in map(config.__getitem__, config)
        if "regex" in section
    ]

    def clean(text):
        for regex, replace in rules:
            text = re.sub(regex, replace, text)
        return text

    return clean


def said(cell, clean):
    """Returns what a cell printed and showed, as text."""
    texts = []
    for output in cell.outputs:
        data = output.get("data", {})
        texts.append(output.get("text") or data.get("text/markdown") or data.get("text/plain", ""))
    return clean("".join(texts))


def seconds(cell):
    """Returns how long a cell ran."""
    began, ended = (
        datetime.fromisoformat(cell.metadata.execution[moment])
        for moment in ("iopub.execute_input", "shell.execute_reply")
    )
    return (ended - began).total_seconds()


def new(cell, **metadata):
    """Returns a copy of a cell that has not run."""
    return nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata | metadata)


class Impatient(NotebookClient):
    """Interrupts a cell once, when the seconds of its "stop_after" are over, and waits for it."""

    async def _async_handle_timeout(self, timeout, cell=None):
        if "stop_after" not in cell.metadata:
            raise TimeoutError(cell.source)
        if not cell.metadata.get("stopped"):
            cell.metadata["stopped"] = True
            await ensure_async(self.km.interrupt_kernel())


def run(path, cells):
    """Runs cells one after the other in one kernel; one with "stop_after" is interrupted then."""
    client = Impatient(
        nbformat.v4.new_notebook(cells=cells),
        timeout_func=lambda cell: cell.metadata.get("stop_after", 600),
        allow_errors=True,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()


def error(cell):
    """Returns the error in which a cell ended, or ""."""
    found = [f"{o.ename}: {o.evalue}" for o in cell.outputs if o.output_type == "error"]
    return "".join(found)


def compare(pairs, dropped=False):
    """Fails with all that is wrong with pairs of a cell as it was first and as it ran again.

    With `dropped`, an error is right where a name has become None since, to free memory: the cell
    does not lie then.
    """
    clean, found = sanitiser(), []
    for first, again in pairs:
        strict = "nbval-ignore-output" not in first.metadata.get("tags", [])
        if dropped and "NoneType" in error(again):
            continue
        if error(again):
            found.append(f"ERROR {error(again)[:300]}\n{first.source}")
        elif strict and said(again, clean) != said(first, clean):
            found.append(f"{said(first, clean)}\nBECAME\n{said(again, clean)}\nIN\n{first.source}")
    if found:
        pytest.fail("\n\n".join(found), pytrace=False)


def code_cells(path):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def doubled(request):
    """The path of a notebook, and its cells as run twice each and then once more backwards."""
    saved = code_cells(request.param)
    twice = [new(cell) for cell in saved for _ in range(2)]
    backwards = [new(cell) for cell in reversed(saved)]
    run(request.param, twice + backwards)
    return request.param, twice, backwards


def test_each_cell_says_the_same_when_it_runs_twice(doubled):
    path, twice, _ = doubled
    compare(zip(code_cells(path), twice[::2], strict=True))  # as saved
    compare(zip(twice[::2], twice[1::2], strict=True))


def test_each_cell_says_the_same_when_one_goes_back_to_it(doubled):
    _, twice, backwards = doubled
    compare(zip(reversed(twice[::2]), backwards, strict=True), dropped=True)


def test_an_interrupted_cell_can_be_run_again(doubled):
    path, twice, _ = doubled
    cells, again, stopped = [], [], []
    for cell, ran in zip(code_cells(path), twice[::2], strict=True):
        # Python itself does not promise that an interrupted import can be done again.
        if seconds(ran) > LONG and "\nimport " not in cell.source:
            stopped.append(new(cell, stop_after=0.4 * seconds(ran)))
            cells.append(stopped[-1])
        again.append(new(cell))
        cells.append(again[-1])
    run(path, cells)
    assert stopped and all(error(cell).startswith("KeyboardInterrupt") for cell in stopped), [
        (error(cell), cell.source) for cell in stopped
    ]
    compare(zip(twice[::2], again, strict=True))

"""Every cell of every notebook runs twice in a row, and says the same both times.

A cell that adds to a list, re-uses a name or leaves a model changed would say something else the
second time. So would a later cell that it misled. Run by `make doubled`: it takes minutes.
"""

import configparser
import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("0*.ipynb"))


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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_cell_says_the_same_when_it_runs_twice(path):
    clean = sanitiser()
    saved = nbformat.read(path, as_version=4)
    doubled = copy.deepcopy(saved)
    doubled.cells = []
    for cell in saved.cells:
        if cell.cell_type == "code":
            twin = copy.deepcopy(cell)
            twin.id = f"{cell.id}-again"
            doubled.cells += [copy.deepcopy(cell), twin]
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(doubled, timeout=600, kernel_name="python3", resources=folder).execute()
    strict = [c for c in saved.cells if c.cell_type == "code"]
    assert len(doubled.cells) == 2 * len(strict)
    for i, cell in enumerate(strict):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            continue
        for run in doubled.cells[2 * i : 2 * i + 2]:
            assert said(run, clean) == said(cell, clean), cell.source

"""Going back to a cell is safe: no later cell has given another meaning to a name that it reads."""

import dis
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted(Path(__file__).resolve().parents[1].glob("notebooks/0*.ipynb"))
# Cells that set a name to None once more: what they drop takes too much memory to be kept.
DROPS = "= None"


def names(code, stored):
    """Returns the names that code reads before it has set them itself; `stored` takes the others.

    Functions count as called where they are defined.
    """
    read = set()
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_NAME", "DELETE_NAME"):
            stored.add(step.argval)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in stored:
            read.add(step.argval)
        elif hasattr(step.argval, "co_code"):
            read |= names(step.argval, set(stored))
    return read


def misled(sources):
    """Returns {name: (cell that reads it, later cell that sets it)} for cells given as source."""
    reads, stores = [], defaultdict(list)
    for number, source in enumerate(sources):
        stored = set()
        reads.append(names(compile(source, "cell", "exec"), stored))
        # Every exercise has its own `answer`, which only its own cell reads.
        for name in stored - {"answer"} if DROPS not in source else ():
            stores[name].append(number)
    return {
        name: (number, stores[name][-1])
        for number, read in enumerate(reads)
        for name in read
        if len(stores[name]) > 1 and stores[name][-1] > number
    }


def test_a_name_with_two_meanings_is_found():
    assert misled(["a = 1", "print(a)", "a = 2"]) == {"a": (1, 2)}
    assert misled(["a = 1", "def f():\n    return a", "for a in []: pass"]) == {"a": (1, 2)}
    assert misled(["a = 1", "print(a)", "print([a for a in [2]])"]) == {}
    assert misled(["a = 1", "a = a + 1"]) == {}
    assert misled(["a = 1", "print(a)", "a = None"]) == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_is_misled_by_a_later_one(path):
    cells = nbformat.read(path, as_version=4).cells
    assert not misled([cell.source for cell in cells if cell.cell_type == "code"])

"""Collections of up to a million vectors, the indexes that search them, and recorded measurements.

Why this file exists: notebook 4 measures how search behaves as a collection grows. A million judged
passages would neither fit into this repository nor be encoded in a lesson, and a graph over a
million vectors takes longer to build than the whole notebook may take. So this file

- keeps the vectors of 6,000 real passages in `data/scaling_vectors.npy` (see `real_passages`),
- draws as many further vectors around them as are wanted, always the same ones (see `Million`),
- builds and searches every index in the same way, wherever it is measured (see `build`),
- measures all sizes with one command, `make scaling`, and keeps the result with machine and date in
  `data/scaling.json`. Measure on a quiet machine.
"""

import inspect
import sys

from . import data

VECTORS = data.DATA / "scaling_vectors.npy"
RECORD = data.DATA / "scaling.json"
REAL = 6000  # real passages: the judged collection first, then training passages, then docstrings


def real_passages():
    """Returns the texts of the 6,000 real passages, the 700 of the judged collection first.

    They are the course's own passages, and docstrings of the packages that the course installs.
    Docstrings change with the versions of the packages; the vectors are kept, so no result does.
    """
    texts = list(data.load_collection().passages.values())
    for split in ("train", "dev"):
        for topic in data.load_topics(split):
            texts += [passage["text"] for passage in topic["passages"]]
    found = docstrings(("numpy", "pandas", "torch", "matplotlib.pyplot"))
    needed = REAL - len(texts)
    return texts + [found[i * len(found) // needed] for i in range(needed)]


def docstrings(modules):
    """Returns the first paragraphs of the docstrings in modules that have 8 to 60 words."""
    found = {}
    for name in modules:
        module = sys.modules.get(name) or __import__(name, fromlist=["_"])
        for attribute in sorted(vars(module)):
            thing = getattr(module, attribute, None)
            for part in [thing, *(vars(thing).values() if inspect.isclass(thing) else ())]:
                text = inspect.getdoc(part) if callable(part) else None
                paragraphs = [" ".join(p.split()) for p in (text or "").split("\n\n")]
                fitting = [p for p in paragraphs[:2] if 8 <= len(p.split()) <= 60]
                if fitting:
                    found[fitting[0]] = None  # a dict keeps the order and no text twice
    return list(found)

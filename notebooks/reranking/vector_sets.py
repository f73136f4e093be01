"""Up to a million vectors to search: those of 6,000 real passages, and more drawn around them.

Why this file exists: notebook 4 measures how search behaves as a collection grows. A million judged
passages would neither fit into this repository nor be encoded in a lesson. So the vectors of 6,000
real passages are kept in `data/scaling_vectors.npy` (see `real_passages`), and as many further ones
as are wanted are drawn around them, always the same ones (see `Million`).
"""

import inspect
import sys

import faiss
import numpy as np

from . import data

VECTORS = data.DATA / "scaling_vectors.npy"
REAL = 6000  # real passages: the judged collection first, then training passages, then docstrings
TRAIN, DEV = 700, 3990  # the rows at which the training topics and those of dev begin
DIMENSIONS = 384
LOCAL = 2000  # a generated vector is mixed from passages that are at most this many ranks apart
SHRINK = -0.062  # slope of nearest-neighbour distance over size, measured on the real passages
BLOCK = 50_000  # vectors in memory at a time, as float32: 77 MB


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


def real_vectors():
    """Returns the vectors of the real passages: (6000, 384) float32, rows of length 1."""
    vectors = np.load(VECTORS).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def index_kept(retriever, passages, first=0):
    """Returns the retriever with `passages` (id -> text) indexed by their kept vectors.

    The passages must be those of the rows from `first` on, in this order: row 0 begins the judged
    collection, `TRAIN` the training topics, `DEV` the topics to choose settings on. This takes no
    time to encode. Raises ValueError if the first or the last passage does not fit its vector.
    """
    texts, vectors = list(passages.values()), real_vectors()[first : first + len(passages)]
    ends = retriever.encode([texts[0], texts[-1]])
    if (ends * vectors[[0, -1]]).sum(axis=1).min() < 0.99:
        raise ValueError("These passages are not those whose vectors are kept.")
    retriever.documents, retriever.doc_ids = texts, list(passages)
    retriever.doc_embeddings = vectors
    return retriever


class Million:
    """Up to a million vectors: those of the real passages first, then vectors drawn around them.

    A generated vector has a real passage as its parent. It lies as far from the parent as the
    parent's own nearest neighbour, in the direction of three other passages from the parent's wider
    surroundings, drawn at random. As a collection grows, neighbours come closer: the distance
    shrinks with the number of the vector as it does among real passages (`SHRINK`). Any row can be
    computed at any time, so a million vectors need not be in memory.
    """

    def __init__(self, size=1_000_000):
        self.size, self.real = size, real_vectors()
        surroundings, self.gap = self.look_around()
        rng = np.random.default_rng(0)
        self.parent = rng.integers(REAL, size=size).astype(np.int16)
        picks = rng.integers(LOCAL, size=(3, size))
        self.partners = [surroundings[self.parent, pick] for pick in picks]
        self.buffer = None

    def look_around(self):
        """Returns the numbers of the 2,000 nearest to each real vector, and the least distance."""
        near, gap = np.empty((REAL, LOCAL), np.int16), np.empty(REAL, np.float32)
        for start in range(0, REAL, 500):
            rows = np.arange(start, min(start + 500, REAL))
            cosines = self.real[rows] @ self.real.T
            cosines[np.arange(len(rows)), rows] = -1  # not itself
            near[rows] = np.sort(np.argpartition(-cosines, LOCAL, axis=1)[:, :LOCAL], axis=1)
            gap[rows] = distance(cosines.max(axis=1))
        return near, gap

    def rows(self, numbers):
        """Returns the vectors with these numbers: (n, 384) float32, rows of length 1."""
        numbers = np.asarray(numbers)
        parent = self.parent[numbers]
        centre = self.real[parent]
        away = self.real[self.partners[0][numbers]]
        for partners in self.partners[1:]:
            away += self.real[partners[numbers]]
        away -= np.einsum("ij,ij->i", away, centre)[:, None] * centre  # at a right angle
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        far = self.gap[parent] * np.maximum(numbers / REAL, 1) ** SHRINK
        cosine = (1 - far**2 / 2).astype(np.float32)[:, None]
        centre *= cosine
        away *= np.sqrt(np.maximum(1 - cosine**2, 0))
        centre += away
        real = numbers < REAL
        centre[real] = self.real[numbers[real]]
        return centre

    def first(self, size):
        """Returns the first `size` vectors: (size, 384) float32."""
        vectors = np.empty((size, DIMENSIONS), np.float32)
        for start in range(0, size, 10_000):  # small steps need little memory
            stop = min(start + 10_000, size)
            vectors[start:stop] = self.rows(np.arange(start, stop))
        return vectors

    def starts(self, size=None):
        """Returns the number of the first vector of each block."""
        return list(range(0, size or self.size, BLOCK))

    def block(self, start):
        """Returns the vectors from `start` on, at most BLOCK; the next call overwrites them."""
        if self.buffer is None:
            self.buffer = np.empty((BLOCK, DIMENSIONS), np.float32)
        stop = min(start + BLOCK, self.size)
        for step in range(start, stop, 10_000):
            end = min(step + 10_000, stop)
            self.buffer[step - start : end - start] = self.rows(np.arange(step, end))
        return self.buffer[: stop - start]

    def real_of(self, numbers):
        """Returns the numbers of the real passages: a vector's own, or that of its parent."""
        return np.where(numbers < REAL, numbers, self.parent[numbers])

    def sample(self, size, many):
        """Returns `many` of the first `size` vectors, to train an index on."""
        numbers = np.random.default_rng(1).choice(size, size=min(many, size), replace=False)
        return self.rows(np.sort(numbers))


def distance(cosines):
    """Returns the distance between vectors of length 1, from 0 to 2, for their cosines."""
    return np.sqrt(np.maximum(2 - 2 * cosines, 0))


def nearest_distances(vectors):
    """Returns the distances of 300 of the vectors, drawn at random, to their nearest neighbours."""
    rows = np.random.default_rng(0).choice(len(vectors), size=300, replace=False)
    cosines, _ = faiss.knn(vectors[rows], vectors, 2, metric=faiss.METRIC_INNER_PRODUCT)
    return distance(cosines[:, 1])  # the first is the vector itself

"""Five ways to search vectors, all built in the same manner. `index_measuring` compares them."""

import os
import time
from contextlib import contextmanager

import faiss
import numpy as np

from . import search
from .vector_sets import DIMENSIONS

K = 100  # candidates that a first stage should find


@contextmanager
def all_cores():
    """A context in which FAISS may use all cores; after it, one."""
    faiss.omp_set_num_threads(os.cpu_count())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(1)


class Index:
    """What all indexes share. `dial` trades time for recall; `dials` are its settings."""

    dials = (None,)

    def __init__(self):
        self.build, self.dial = 0.0, self.dials[0]

    def add(self, vectors):
        """Adds vectors; the seconds that it takes count as building time."""
        began = time.perf_counter()
        with all_cores():
            self.insert(np.ascontiguousarray(vectors))
        self.build += time.perf_counter() - began

    def search(self, query, k=K):
        """Returns the numbers of the (about) `k` nearest vectors to one query, best first."""
        return self.faiss.search(query[None], k)[1][0]


def reserve(index, nbytes):
    """Sets memory aside in an empty FAISS index, so that it need not move its vectors later."""
    if not index.ntotal and nbytes:
        index.codes.resize(nbytes)
        index.codes.resize(0)


class Exact(Index):
    """Every vector as 384 numbers of four bytes, each of them looked at."""

    def __init__(self, size=0):
        """`size` is the number of vectors to come, if known: growing takes twice the memory."""
        super().__init__()
        self.size, self.faiss = size, faiss.IndexFlatIP(DIMENSIONS)

    def insert(self, vectors):
        reserve(self.faiss, self.size * DIMENSIONS * 4)
        self.faiss.add(vectors)

    @property
    def nbytes(self):
        return self.faiss.ntotal * DIMENSIONS * 4


class Bytes(Index):
    """Every number rounded to one byte, each vector looked at."""

    SCALE = 470  # no component is larger than 0.27, and a byte holds -128 to 127

    def __init__(self, size=0):
        """`size` is the number of vectors to come, if known: growing takes twice the memory."""
        super().__init__()
        self.faiss = faiss.IndexScalarQuantizer(
            DIMENSIONS, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        self.size = size

    def rounded(self, vectors):
        """Returns the vectors as whole numbers from -127 to 127, still in float32."""
        return np.clip(np.rint(vectors * self.SCALE), -127, 127).astype(np.float32)

    def insert(self, vectors):
        reserve(self.faiss, self.size * DIMENSIONS)
        for start in range(0, len(vectors), 10_000):
            self.faiss.add(self.rounded(vectors[start : start + 10_000]))

    def search(self, query, k=K):
        return self.faiss.search(self.rounded(query)[None], k)[1][0]

    def rescore(self, query, numbers, k=K):
        """Returns the best `k` of the candidates `numbers` by their bytes, best first."""
        numbers = numbers[numbers >= 0]
        codes = faiss.rev_swig_ptr(self.faiss.codes.data(), self.faiss.ntotal * DIMENSIONS)
        # FAISS adds 128 to each byte, which adds the same to every product: the order stays.
        rows = codes.reshape(-1, DIMENSIONS)[numbers].astype(np.float32)
        scores = np.einsum("ij,j->i", rows, query)  # unlike @, it stays on one core
        return numbers[search.best(scores, k)]

    @property
    def nbytes(self):
        return self.faiss.ntotal * DIMENSIONS


class Bits(Index):
    """The sign of every number as one bit. The best few by bits are rescored by their bytes.

    `dial` is the number of candidates that are rescored.
    """

    dials = (200, 500, 1000, 2000, 5000, 10_000)

    def __init__(self, store):
        super().__init__()
        self.store, self.faiss = store, faiss.IndexBinaryFlat(DIMENSIONS)

    def insert(self, vectors):
        self.faiss.add(np.packbits(vectors > 0, axis=1))

    def search(self, query, k=K):
        many = min(max(self.dial, k), self.faiss.ntotal)
        signs = np.packbits(query > 0)[None]
        return self.store.rescore(query, self.faiss.search(signs, many)[1][0], k)

    @property
    def nbytes(self):
        return self.faiss.ntotal * DIMENSIONS // 8 + self.store.nbytes


class IVF(Index):
    """Drawers: each vector lies in the drawer of its nearest centre, and few drawers are opened.

    In the drawers lie sketches of 96 bytes (product quantisation: 192 numbers of 4 bits). The best
    few by sketch are rescored by their bytes. `dial` is the share of the drawers that are opened.
    Source: Jégou, Douze and Schmid, IEEE TPAMI 33(1), 2011.
    """

    dials = (1 / 32, 1 / 16, 1 / 8, 3 / 16, 1 / 4, 5 / 16, 3 / 8, 1 / 2, 3 / 4, 1)

    def __init__(self, store, sample, size):
        super().__init__()
        self.store, self.lists = store, drawers(size)
        self.centres = faiss.IndexFlatIP(DIMENSIONS)
        self.faiss = faiss.IndexIVFPQFastScan(
            self.centres, DIMENSIONS, self.lists, 192, 4, faiss.METRIC_INNER_PRODUCT
        )
        self.faiss.cp.niter, self.faiss.cp.spherical = 8, True
        self.faiss.cp.min_points_per_centroid = self.faiss.pq.cp.min_points_per_centroid = 1
        began = time.perf_counter()
        faiss.omp_set_num_threads(1)  # training is many small steps: a second core gets in the way
        self.faiss.train(sample)
        self.build += time.perf_counter() - began

    def insert(self, vectors):
        for start in range(0, len(vectors), 10_000):
            self.faiss.add(vectors[start : start + 10_000])

    def search(self, query, k=K):
        self.faiss.nprobe = max(1, round(self.dial * self.lists))
        numbers = self.faiss.search(query[None], 4 * k)[1][0]
        return self.store.rescore(query, numbers, k)

    @property
    def nbytes(self):
        sketches = self.faiss.ntotal * (96 + 8)  # a number of 8 bytes stands beside each sketch
        return sketches + self.lists * DIMENSIONS * 4 + self.store.nbytes


def drawers(size):
    """Returns how many drawers an IVF has: the power of two nearest to the square root."""
    return 2 ** round(np.log2(size) / 2)


class HNSW(Index):
    """A graph: each vector is linked to near ones, and a search walks from link to link.

    The vectors are held as bytes. `dial` is the number of vectors that the walk keeps in view.
    Source: Malkov and Yashunin, IEEE TPAMI 42(4), 2020.
    """

    dials = (100, 200, 400, 800, 1600, 3200)

    def __init__(self):
        super().__init__()
        self.bytes = Bytes()
        self.faiss = faiss.IndexHNSWSQ(
            DIMENSIONS,
            faiss.ScalarQuantizer.QT_8bit_direct_signed,
            32,
            faiss.METRIC_INNER_PRODUCT,
        )
        self.faiss.hnsw.efConstruction = 200
        self.faiss.is_trained = True

    def insert(self, vectors):
        for start in range(0, len(vectors), 10_000):
            self.faiss.add(self.bytes.rounded(vectors[start : start + 10_000]))

    def search(self, query, k=K):
        self.faiss.hnsw.efSearch = max(self.dial, k)
        return self.faiss.search(self.bytes.rounded(query)[None], k)[1][0]

    @property
    def nbytes(self):
        return self.faiss.ntotal * DIMENSIONS + self.faiss.hnsw.neighbors.size() * 4


INDEXES = ("exact", "bytes", "bits", "IVF", "HNSW")


def build(names, million, size):
    """Returns {name: Index} over the first `size` vectors, filled block by block.

    With "bits" or "IVF" there is always "bytes" too: they rescore by it. Raises ValueError for a
    name that is not in INDEXES.
    """
    store = Bytes(size)
    indexes = {}
    for name in names:
        if name == "exact":
            indexes[name] = Exact(size)
        elif name == "bytes":
            indexes[name] = store
        elif name == "bits":
            indexes[name] = Bits(store)
        elif name == "IVF":
            indexes[name] = IVF(store, million.sample(size, 25 * drawers(size)), size)
        elif name == "HNSW":
            indexes[name] = HNSW()
        else:
            raise ValueError(f"There is no index {name!r}, only {', '.join(INDEXES)}.")
    if {"bits", "IVF"} & set(indexes):
        indexes.setdefault("bytes", store)
    for start in million.starts(size):
        block = million.block(start)[: size - start]
        for index in indexes.values():
            index.add(block)
    return indexes

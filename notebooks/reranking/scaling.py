"""Collections of up to a million vectors, the indexes that search them, and recorded measurements.

Why this file exists: notebook 4 measures how search behaves as a collection grows. A million judged
passages would neither fit into this repository nor be encoded in a lesson, and a graph over a
million vectors takes longer to build than the whole notebook may take. So this file

- keeps the vectors of 6,000 real passages in `data/scaling_vectors.npy` (see `real_passages`),
- draws as many further vectors around them as are wanted, always the same ones (see `Million`),
- builds and searches every index in the same way, wherever it is measured (see `Index`),
- measures all sizes by one command, `make scaling`, and keeps the result with machine and date in
  `data/scaling.json`. Run it on a quiet machine: it takes about ten minutes there.

All searches run on one core, so that times can be multiplied by queries and divided by cores.
"""

import copy
import datetime
import inspect
import json
import os
import platform
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import faiss
import numpy as np

from . import data, evaluation, search, timing

VECTORS = data.DATA / "scaling_vectors.npy"
RECORD = data.DATA / "scaling.json"
REAL = 6000  # real passages: the judged collection first, then training passages, then docstrings
DIMENSIONS = 384
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
K = 100  # candidates that a first stage should find
WANTED = 0.95  # recall@100 that an approximate index must reach
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


class Million:
    """Up to a million vectors: those of the real passages first, then vectors drawn around them.

    A generated vector has a real passage as its parent. It lies as far from the parent as the
    parent's own nearest neighbour, in the direction of three other passages from the parent's wider
    surroundings, drawn at random. As a collection grows, neighbours come closer: the distance
    shrinks with the number of the vector as it does among real passages (`SHRINK`). Any row can be
    computed at any time, so a million vectors need not be in memory.
    """

    def __init__(self, size=1_000_000, seed=0):
        self.size, self.real = size, real_vectors()
        surroundings, self.gap = self.look_around()
        rng = np.random.default_rng(seed)
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

    def sample(self, size, many, seed=1):
        """Returns `many` of the first `size` vectors, to train an index on."""
        numbers = np.random.default_rng(seed).choice(size, size=min(many, size), replace=False)
        return self.rows(np.sort(numbers))


def distance(cosines):
    """Returns the distance between vectors of length 1, from 0 to 2, for their cosines."""
    return np.sqrt(np.maximum(2 - 2 * cosines, 0))


def nearest_distances(vectors, probes=300, seed=0):
    """Returns the distances of some vectors, drawn at random, to their nearest neighbours."""
    rows = np.random.default_rng(seed).choice(len(vectors), size=probes, replace=False)
    cosines, _ = faiss.knn(vectors[rows], vectors, 2, metric=faiss.METRIC_INNER_PRODUCT)
    return distance(cosines[:, 1])  # the first is the vector itself


class Measured(NamedTuple):
    """One index at one size: seconds per query, recall@100, bytes, seconds to build it."""

    time: timing.Timing
    recall: float
    nbytes: int
    build: float


class FullScan:
    """An exact search over blocks that pass by one after the other, timed as it goes.

    To look at a million vectors is to look at 50,000 of them twenty times, so the times of the
    blocks add up. The million never has to be in memory.
    """

    def __init__(self, queries, k=K, timed=10):
        self.queries, self.k = np.ascontiguousarray(queries), k
        self.seconds = np.zeros(timed)
        self.scores = np.empty((len(queries), 0), np.float32)
        self.numbers = np.empty((len(queries), 0), np.int64)

    def see(self, start, block):
        """Searches one block for all queries, and times the first few one by one."""
        inner = faiss.METRIC_INNER_PRODUCT
        faiss.omp_set_num_threads(1)
        for i in range(len(self.seconds)):
            began = time.perf_counter()
            faiss.knn(self.queries[i : i + 1], block, min(self.k, len(block)), metric=inner)
            self.seconds[i] += time.perf_counter() - began
        with all_cores():
            scores, numbers = faiss.knn(self.queries, block, min(self.k, len(block)), metric=inner)
        self.scores = np.hstack([self.scores, scores])
        self.numbers = np.hstack([self.numbers, numbers + start])
        order = np.argsort(-self.scores, axis=1, kind="stable")[:, : self.k]
        self.scores = np.take_along_axis(self.scores, order, axis=1)
        self.numbers = np.take_along_axis(self.numbers, order, axis=1)

    def measured(self):
        """Returns the Measured of exact search over all vectors seen, none of them left out."""
        size = int(self.numbers.max()) + 1
        return Measured(timing.summarise(self.seconds), 1.0, size * DIMENSIONS * 4, 0.0)


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
        self.store, self.lists = store, 2 ** round(np.log2(size) / 2)  # near the square root
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
    """Returns {name: Index} over the first `size` vectors, filled block by block."""
    store = Bytes(size)
    indexes = {}
    for name in names:
        if name == "IVF":
            many = 25 * 2 ** round(np.log2(size) / 2)
            indexes[name] = IVF(store, million.sample(size, many), size)
        else:
            kinds = {"exact": lambda: Exact(size), "HNSW": HNSW}
            shared = {"bytes": lambda: store, "bits": lambda: Bits(store)}
            indexes[name] = (kinds | shared)[name]()
    if {"bits", "IVF"} & set(indexes):
        indexes.setdefault("bytes", store)
    for start in million.starts(size):
        block = million.block(start)[: size - start]
        for index in indexes.values():
            index.add(block)
    return indexes


def recall(index, queries, truth, k=K):
    """Returns the mean share of the `k` nearest that the index finds; `truth` has them in rows."""
    k = min(k, truth.shape[1])
    found = [index.search(query, k) for query in queries]
    return float(np.mean([np.isin(t[:k], f).mean() for t, f in zip(truth, found, strict=True)]))


def tune(index, queries, truth, wanted=WANTED + 0.01):
    """Returns the index with its dial at the first setting with the wanted recall, else the last.

    Tune on other queries than those whose recall is reported.
    """
    faiss.omp_set_num_threads(1)
    for setting in index.dials:
        index.dial = setting
        if recall(index, queries, truth) >= wanted:
            break
    return index


def measure(index, queries, truth, k=K):
    """Returns the Measured of an index: one query at a time, on one core."""
    faiss.omp_set_num_threads(1)
    k, seconds, shares = min(k, truth.shape[1]), [], []
    for query in queries[:3]:
        index.search(query, k)  # warm
    for query, right in zip(queries, truth, strict=True):
        began = time.perf_counter()
        found = index.search(query, k)
        seconds.append(time.perf_counter() - began)
        shares.append(np.isin(right[:k], found).mean())
    return Measured(timing.summarise(seconds), float(np.mean(shares)), index.nbytes, index.build)


def tune_and_measure(indexes, queries, truth):
    """Returns {name: Measured}: tuned on the odd queries, measured on the even ones."""
    return {
        name: measure(tune(index, queries[1::2], truth[1::2]), queries[::2], truth[::2])
        for name, index in indexes.items()
    }


class all_cores:
    """A context in which FAISS may use all cores; after it, one."""

    def __enter__(self):
        faiss.omp_set_num_threads(os.cpu_count())

    def __exit__(self, *_):
        faiss.omp_set_num_threads(1)


def memory_bandwidth(megabytes=200, repeat=7):
    """Returns the bytes that one core reads from memory in a second: the best of a few sums."""
    numbers = np.ones(megabytes * 125_000, dtype=np.int64)
    numbers.sum()
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        numbers.sum()
        seconds.append(time.perf_counter() - began)
    return numbers.nbytes / min(seconds)


def slope(times):
    """Returns the slope on logarithmic axes of {size: seconds}: 1 is proportional, 0 constant."""
    x, y = np.log(list(times)), np.log(list(times.values()))
    return float(np.polyfit(x, y, 1)[0])


def at_size(times, size):
    """Returns the seconds at any size from {size: seconds}, along straight lines on log axes.

    Beyond the sizes measured, the last line is drawn on: a projection.
    """
    x, y = np.log(sorted(times)), np.log([times[s] for s in sorted(times)])
    place = np.log(size)
    if len(x) > 1 and place > x[-1]:
        steep = (y[-1] - y[-2]) / (x[-1] - x[-2])
        return float(np.exp(y[-1] + steep * (place - x[-1])))
    return float(np.exp(np.interp(place, x, y)))


class Plan(NamedTuple):
    """What one index would need. Seconds a query, candidates, bytes, cores, and why not."""

    index: str
    latency: float
    recall: float
    candidates: int
    nbytes: float
    cores: int
    problem: str  # empty if the plan holds


def plan(measured, documents, per_second, budget, encode, pair, most=50, machine_cores=2):
    """Returns a Plan for each index, those that hold first, the cheapest on top.

    `measured` is {name: {size: Measured}}, `budget` the seconds that a query may take, `encode` the
    seconds to encode a query and `pair` those for the cross-encoder to read one candidate, both on
    `machine_cores` cores. As many candidates are reranked as the budget allows, `most` at most.
    Cores are kept busy to 70 %, as queues grow without bound near 100 %.
    """
    plans = []
    for name, sizes in measured.items():
        seconds = at_size({size: m.time.median for size, m in sizes.items()}, documents)
        largest = sizes[max(sizes)]
        nearest_size = min(sizes, key=lambda size: abs(np.log(size / documents)))
        left = budget - encode - seconds
        candidates = int(max(0, min(most, left // pair, documents)))
        busy = seconds + machine_cores * (encode + candidates * pair)  # core-seconds
        found = sizes[nearest_size].recall
        problem = "" if left >= 0 else "too slow: the budget is spent before reranking"
        if not problem and found < WANTED:
            problem = f"finds too few: recall@100 is {found:.2f}"
        if not problem and not candidates:
            problem = "no time left to rerank"
        plans.append(
            Plan(
                name,
                encode + seconds + candidates * pair,
                found,
                candidates,
                largest.nbytes / max(sizes) * documents,
                int(np.ceil(per_second * busy / 0.7)),
                problem,
            )
        )
    return sorted(plans, key=lambda p: (bool(p.problem), -p.candidates, p.cores, p.latency))


def passage_scores(reranker, queries, found, million, texts, progress=iter):
    """Returns {query id: {number of a real passage: score by the cross-encoder}}.

    `found` is {query id: numbers of vectors}. A generated vector has no text to read: its parent,
    the real passage that it was drawn around, is scored instead.
    """
    candidates = {}
    for query_id, numbers in found.items():
        real = np.where(numbers < REAL, numbers, million.parent[numbers])
        candidates[query_id] = [search.Hit(int(n), 0.0, texts[n]) for n in np.unique(real)]
    reranked = evaluation.rerank_all(reranker, queries, candidates, progress)
    return {q: {hit.doc_id: hit.score for hit in hits} for q, hits in reranked.items()}


def order_by(found, scores, million, generated):
    """Returns the numbers `found` for one query in the order of `scores`, best first.

    `generated` says what happens to generated vectors: "last" puts them behind all real passages,
    "like their parent" gives them the score of their parent, less a hair.
    """
    values = []
    for number in found:
        if number < REAL:
            values.append(scores[int(number)])
        else:
            like = scores[int(million.parent[number])] - 1e-4
            values.append(like if generated == "like their parent" else -np.inf)
    return [int(found[i]) for i in np.argsort(-np.array(values), kind="stable")]


def as_hits(numbers, ids):
    """Returns vector numbers, best first, as a list of Hit; `ids` are those of the judged ones."""
    names = [ids[n] if n < len(ids) else f"not judged {n}" for n in numbers]
    return [search.Hit(name, float(-rank), "") for rank, name in enumerate(names)]


def score_pairs(model, pairs, batch=32, by_length=True, tokens=None):
    """Returns the scores of (query, text) pairs, and the seconds that a pair took.

    `by_length` puts pairs of like length into one batch, where all are padded to the longest.
    `tokens` cuts a pair after so many tokens.
    """
    lengths = [len(query) + len(text) for query, text in pairs]
    order = np.argsort(lengths, kind="stable") if by_length else np.arange(len(pairs))
    scores, usual = np.empty(len(pairs), np.float32), model.max_seq_length
    model.max_seq_length = tokens or usual
    model.predict([pairs[i] for i in order[:8]], batch_size=batch)  # warm
    began = time.perf_counter()
    for start in range(0, len(pairs), batch):
        rows = order[start : start + batch]
        scores[rows] = model.predict([pairs[i] for i in rows], batch_size=batch)
    seconds = time.perf_counter() - began
    model.max_seq_length = usual
    return scores, seconds / len(pairs)


def in_bfloat16(model):
    """Returns a copy of a cross-encoder with numbers of two bytes; fast where `has_bfloat16()`."""
    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def has_bfloat16():
    """Returns whether the processor multiplies bfloat16 numbers itself."""
    info = Path("/proc/cpuinfo")
    return info.exists() and "bf16" in info.read_text(encoding="utf-8")


def in_int8(model):
    """Returns a copy of a cross-encoder whose matrix products are done in bytes."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces that this will move to a new package
        setting = torch.ao.quantization.per_channel_dynamic_qconfig
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear: setting})


def machine():
    """Returns the processor and the number of cores of this machine, in words."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        name = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), name)
    return f"{name}, {os.cpu_count()} cores"


def load_record():
    """Returns the recorded measurements, {name: {size: Measured}}, then machine and date."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    measured = {
        name: {
            int(size): Measured(timing.Timing(*m["time"]), m["recall"], m["bytes"], m["build"])
            for size, m in sizes.items()
        }
        for name, sizes in record["indexes"].items()
    }
    return measured, record["machine"], record["date"]


def measure_all(queries, million):
    """Returns {name: {size: Measured}} for every index at every size, as `make scaling` does."""
    everything = {name: {} for name in INDEXES}
    for size in SIZES:
        scan = FullScan(queries)
        for start in million.starts(size):
            scan.see(start, million.block(start)[: size - start])
        everything["exact"][size] = scan.measured()
        for names in (("bytes", "bits", "IVF"), ("HNSW",)):  # one after the other: less memory
            indexes = build(names, million, size)
            for name, result in tune_and_measure(indexes, queries, scan.numbers).items():
                everything[name][size] = result
                shown = (
                    f"{result.time}, recall@100 {result.recall:.3f}, built in {result.build:.0f} s"
                )
                print(f"{size:>9,} {name:6} {shown}", flush=True)
        print(f"{size:>9,} exact  {everything['exact'][size].time}", flush=True)
    return everything


def query_vectors(per_topic=2):
    """Returns the queries that all measurements use, {id: text}, and their vectors."""
    queries = evaluation.sample_queries(data.load_collection(), per_topic)
    return queries, search.BiEncoderRetriever().encode(queries.values())


def main():
    """Measures everything and writes `data/scaling.json`; makes the vectors if they are missing."""
    if not VECTORS.exists():
        vectors = search.BiEncoderRetriever().encode(real_passages())
        np.save(VECTORS, vectors.astype(np.float16))
    _, queries = query_vectors()
    everything = measure_all(queries, Million())
    record = {
        "machine": machine(),
        "date": datetime.date.today().isoformat(),
        "faiss": faiss.__version__,
        "indexes": {
            name: {
                size: {
                    "time": [float(f"{s:.4g}") for s in m.time],
                    "recall": round(m.recall, 4),
                    "bytes": m.nbytes,
                    "build": round(m.build, 2),
                }
                for size, m in sizes.items()
            }
            for name, sizes in everything.items()
        },
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"Written: {RECORD.name}")


if __name__ == "__main__":
    main()

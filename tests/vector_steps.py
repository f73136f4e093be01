"""What tests/vector_databases.py measures of one engine, each step in a process of its own.

Called with the name of a step and its arguments, it prints what it found as JSON.
"""

import json
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
from vector_engines import DIMENSIONS, ENGINES

BATCH, WRITE, SECONDS = 1000, 20, 5.0  # passages inserted at a time; in a small write; threads


class Passages:
    """The passages of a folder: number -> text, topic, vector. Vectors are read when asked for."""

    def __init__(self, folder):
        self.folder = Path(folder)
        kept = json.loads((self.folder / "passages.json").read_text(encoding="utf-8"))
        self.texts, self.parents = kept["texts"], kept["parents"]
        self.queries = np.load(self.folder / "queries.npy")

    def text(self, number):
        return f"{self.texts[self.parents[number % len(self.parents)]]} (passage {number})"

    def topic(self, number):
        return f"topic {self.parents[number % len(self.parents)] // 10}"

    def vectors(self, numbers):
        """Returns the vectors of numbers that follow each other: (n, 384) float32."""
        first = (numbers[0] % len(self.parents)) * DIMENSIONS * 4
        count = len(numbers) * DIMENSIONS
        flat = np.fromfile(self.folder / "vectors", np.float32, count, offset=first)
        return flat.reshape(-1, DIMENSIONS)

    def add_to(self, engine, numbers):
        numbers = list(numbers)
        texts, topics = [self.text(n) for n in numbers], [self.topic(n) for n in numbers]
        engine.add(numbers, texts, topics, self.vectors(numbers))


def megabytes():
    """Returns the most memory that this process has held so far (Linux only)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1000


def insert(name, folder, size, passages, limit):
    """Inserts `size` passages, for `limit` seconds at most."""
    before, began = megabytes(), time.perf_counter()
    engine = ENGINES[name](folder)
    opened, began = time.perf_counter() - began, time.perf_counter()
    done, busy = 0, time.process_time()
    while done < size and time.perf_counter() - began < limit:
        passages.add_to(engine, range(done, min(done + BATCH, size)))
        done = min(done + BATCH, size)
    engine.settle()
    return {
        "import and open, s": opened,
        "passages": done,
        "insert, s of a core": time.process_time() - busy,
        "insert, s": time.perf_counter() - began,
        "memory to insert, MB": megabytes() - before,
    }


def recall(found, exact, top):
    """Returns the mean share of the exact first `top` that were found."""
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len({*f[:top]} & {*e[:top]}) / len(e[:top]) for f, e in pairs]))


def milliseconds(seconds):
    """Returns the median with the 5th and the 95th percentile."""
    return [1000 * float(value) for value in np.percentile(seconds, [50, 5, 95])]


def ask(engine, queries, top_k, topics=None):
    """Returns the numbers found for each query, and the seconds that each took."""
    found, seconds = [], []
    for row, query in enumerate(queries):
        began = time.perf_counter()
        hits = engine.search(query, top_k, topics[row] if topics else None)
        seconds.append(time.perf_counter() - began)
        found.append([number for number, _ in hits])
    return found, seconds


def search(name, folder, size, passages, index):
    """Opens what was inserted and searches it: recall, latency, filter, delete, memory."""
    before, queries = megabytes(), passages.queries
    began = time.perf_counter()
    engine = ENGINES[name](folder)
    opened = time.perf_counter() - began
    began = time.perf_counter()
    if index and not engine.index():
        return {"passages": 0}
    built = time.perf_counter() - began
    ask(engine, queries[:20], 30)  # warm
    began = time.process_time()
    _, seconds = ask(engine, queries, 30)
    busy = 1000 * (time.process_time() - began) / len(queries)
    found, _ = ask(engine, queries, 100)
    memory = megabytes() - before  # the exact search below is not the engine's
    scores = queries @ passages.vectors(range(size)).T
    exact = np.argsort(-scores, axis=1, kind="stable")[:, :100].tolist()
    topics = [passages.topic(row[0]) for row in exact]
    inside, filtered = ask(engine, queries, 10, topics)
    of_topic = [[n for n in range(size) if passages.topic(n) == t] for t in topics]
    rows = zip(of_topic, scores, strict=True)
    best = [sorted(numbers, key=lambda n: -row[n])[:10] for numbers, row in rows]
    firsts = {row[0] for row in exact}
    engine.delete(sorted(firsts))
    after, _ = ask(engine, queries, 100)
    scores[:, sorted(firsts)] = -2
    left = np.argsort(-scores, axis=1, kind="stable")[:, :100].tolist()
    files = [path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()]
    return {
        "passages": size,
        "open, s": opened,
        "build, s": built,
        "recall@10": recall(found, exact, 10),
        "recall@100": recall(found, exact, 100),
        "query, ms": milliseconds(seconds),
        "query, ms of a core": busy,
        "filtered query, ms": milliseconds(filtered),
        "filter, recall@10": recall(inside, best, 10),
        "filter, of another topic": sum(
            passages.topic(n) != t for row, t in zip(inside, topics, strict=True) for n in row
        ),
        "deleted": len(firsts),
        "deleted but found": sum(n in firsts for row in after for n in row),
        "recall@10 after deleting": recall(after, left, 10),
        "memory to search, MB": memory,
        "disk, MB": sum(files) / 1e6,
    }


def together(name, folder, passages):
    """Searches in one thread while another adds and deletes, for SECONDS."""
    engine, stop, seen, errors, gone = ENGINES[name](folder), threading.Event(), [], [], {}

    def searching():
        row = 0
        while not stop.is_set():
            began = time.perf_counter()
            try:
                hits = engine.search(passages.queries[row % len(passages.queries)], 100)
                late = [n for n, _ in hits if gone.get(n, began) < began]
                seen.append((time.perf_counter() - began, len(late)))
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}"[:200])
            row += 1

    thread, writes, first = threading.Thread(target=searching), [], 1_000_000
    thread.start()
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        numbers = range(first, first + WRITE)
        began = time.perf_counter()
        try:
            passages.add_to(engine, numbers)
            writes.append(time.perf_counter() - began)
            engine.delete(numbers)
            gone |= dict.fromkeys(numbers, time.perf_counter())
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}"[:200])
        first += WRITE
    stop.set()
    thread.join()
    return {
        "searches": len(seen),
        "writes": len(writes),
        "one write of 20, ms": milliseconds(writes) if writes else None,
        "deleted but found": sum(late for _, late in seen),
        "errors": len(errors),
        "first error": errors[0] if errors else "",
    }


def write(name, folder, first, passages):
    """Says what is there, then writes without end: to be killed. `first` below 0: writes nothing.

    Each write of 20 passages is announced before and acknowledged after it, every third is deleted.
    """
    began = time.perf_counter()
    engine = ENGINES[name](folder)
    opened, held = time.perf_counter() - began, engine.read()
    damaged = 0
    for number, (text, vector) in held.items():
        right = passages.vectors([number])[0]
        damaged += text != passages.text(number) or not np.allclose(vector, right, atol=1e-6)
    found = len(engine.search(passages.queries[0], 10)) if held else 0
    state = {"opened": opened, "held": sorted(held), "damaged": damaged, "found": found}
    print("state", json.dumps(state), flush=True)
    for number in range(first, first + 1_000_000 if first >= 0 else first, WRITE):
        print("begin", number, flush=True)
        passages.add_to(engine, range(number, number + WRITE))
        print("added", number, flush=True)
        if number % (3 * WRITE) == 0:
            engine.delete(range(number, number + WRITE))
            print("deleted", number, flush=True)


STEPS = {
    "insert": lambda e, f, size, data, limit: insert(e, f, int(size), Passages(data), float(limit)),
    "search": lambda e, f, size, data, i: search(e, f, int(size), Passages(data), int(i)),
    "together": lambda e, f, data: together(e, f, Passages(data)),
    "write": lambda e, f, first, data: write(e, f, int(first), Passages(data)),
}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](*sys.argv[2:])), flush=True)

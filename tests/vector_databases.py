"""Three embedded vector databases side by side: writes data/databases.json (a quarter of an hour).

For each engine, in processes of its own: inserting, searching (exact and with the engine's own
approximate index), filtering, deleting, searching while another thread writes, and being killed
in the middle of a write. `python tests/vector_databases.py --sizes 1000 --kills 2` is a short try.
"""

import argparse
import datetime
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from vector_engines import DIMENSIONS, ENGINES, PACKAGES

ROOT = Path(__file__).resolve().parents[1]
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


def prepare(folder, size):
    """Writes the vectors of real passages and more drawn around them, their texts, and queries."""
    sys.path.insert(0, str(ROOT / "notebooks"))
    import reranking as rr
    from reranking import evaluation, vector_sets

    million = vector_sets.Million(size)
    million.first(size).tofile(folder / "vectors")
    parents = [n if n < vector_sets.REAL else int(million.parent[n]) for n in range(size)]
    kept = {"texts": vector_sets.real_passages(), "parents": parents}
    (folder / "passages.json").write_text(json.dumps(kept), encoding="utf-8")
    queries = evaluation.sample_queries(rr.load_collection(), 2)
    np.save(folder / "queries.npy", rr.BiEncoderRetriever().encode(queries.values()))


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


def start(*arguments, **options):
    command = [sys.executable, "-W", "ignore", __file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def step(*arguments):
    """Returns what a step says, run in a process of its own, or the error it ended in."""
    process = start(*arguments, stderr=subprocess.PIPE)
    said, error = process.communicate()
    if process.returncode:
        return {"failed": (error.strip().splitlines() or ["killed"])[-1][:300]}
    return json.loads(said.strip().splitlines()[-1])


def listen(process, wait, chance):
    """Returns what a writer said until it was killed, some time after its write number `wait`."""
    lines, begun, took = [], 0.0, []
    for line in process.stdout:
        lines.append(line.split(maxsplit=1))
        if lines[-1][0] == "begin":
            begun = time.perf_counter()
            if len(took) >= wait:
                time.sleep(chance.uniform(0, float(np.median(took))))
                process.kill()
                break
        elif lines[-1][0] == "added":
            took.append(time.perf_counter() - begun)
    lines += [line.split(maxsplit=1) for line in process.stdout if line.endswith("\n")]
    process.wait()
    return lines


def judge(state, added, deleted, last):
    """Returns what a reopened database lost, kept of a deletion, holds in part, holds damaged.

    `added` and `deleted` were acknowledged; `last` is the write that a kill may have cut.
    """
    held = dict.fromkeys({*added, *deleted, last}, 0)
    for number in state["held"]:
        held[number - number % WRITE] = held.get(number - number % WRITE, 0) + 1
    return {
        "lost": sum(held[n] < WRITE for n in added - deleted - {last}),
        "came back": sum(held[n] > 0 for n in deleted),
        "half": int(0 < held[last] < WRITE),
        "damaged": state["damaged"] + (0 < state["found"] < 10),
    }, held[last]


def kill_often(name, folder, data, kills, chance):
    """Kills a writer until that happened `kills` times in the middle of a write; what was left."""
    added, deleted, last, result = set(), set(), None, {"kills": 0, "in a write": 0}
    acknowledged, opened = 0, []
    while True:
        going = result["in a write"] < kills and result["kills"] < 3 * kills
        first = (0 if last is None else last + 3 * WRITE) if going else -1
        process = start("write", name, folder, first, data)
        lines = listen(process, chance.randint(3, 20), chance)
        if not lines or lines[0][0] != "state":
            return result | {"failed": f"does not open again (status {process.returncode})"}
        state = json.loads(lines[0][1])
        if last is not None:
            faults, count = judge(state, added, deleted, last)
            result |= {what: result.get(what, 0) + many for what, many in faults.items()}
            opened.append(state["opened"])
            added = added | {last} if count == WRITE else added - {last}
        if not going:
            return result | {"writes": acknowledged, "open again, s": float(np.median(opened))}
        added |= {int(number) for what, number in lines if what == "added"}
        deleted |= {int(number) for what, number in lines if what == "deleted"}
        acknowledged += sum(what in ("added", "deleted") for what, _ in lines)
        last = int(lines[-1][1])
        result["kills"] += 1
        result["in a write"] += lines[-1][0] == "begin"


def disk_cost(name):
    """Returns {package: MB} of what an engine adds to the packages that the course has anyway."""

    def closure(names):
        found, open_names = set(), list(names)
        while open_names:
            package = re.sub(r"[-_.]+", "-", open_names.pop()).lower()
            try:
                needed = metadata.requires(package) or []
            except metadata.PackageNotFoundError:
                continue
            if package not in found:
                found.add(package)
                plain = [line for line in needed if "extra ==" not in line]
                open_names += [re.match(r"[\w.-]+", line)[0] for line in plain]
        return found

    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    course = {line.split("==")[0] for line in lines if re.match(r"[\w-]+==", line)}
    course -= {"lancedb", "pyarrow"}  # which it has for its database only
    extra = closure(PACKAGES[name] + (["h2"] if "qdrant-client" in PACKAGES[name] else []))
    sizes = {}
    for package in extra - closure(course):
        files = [file.locate() for file in metadata.distribution(package).files]
        sizes[package] = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    return sizes


def compare(name, data, arguments):
    """Returns all figures of one engine."""
    try:
        versions = {package: metadata.version(package) for package in PACKAGES[name]}
    except metadata.PackageNotFoundError as error:
        return {"failed": f"not installed: {error}"}
    result = {"versions": versions, "packages, MB": disk_cost(name), "sizes": {}}
    pace = 0.0  # seconds for a passage
    for size in arguments.sizes:
        figures = result["sizes"][size] = {}
        if pace * size > arguments.limit:
            figures["insert"] = {"passages": 0, "projected, s": pace * size}
            continue
        folder = Path(tempfile.mkdtemp(dir=data))
        figures["insert"] = step("insert", name, folder, size, data, arguments.limit)
        pace = figures["insert"].get("insert, s", 0) / figures["insert"].get("passages", 1)
        if figures["insert"].get("passages") == size:
            for form in ("exact", "index") if size > BATCH else ("exact",):
                copy = shutil.copytree(folder, folder / ".." / f"{folder.name}-{form}")
                figures[form] = step("search", name, copy, size, data, int(form == "index"))
            if size == arguments.sizes[0]:
                result["while writing"] = step("together", name, folder, data)
        print(name, size, json.dumps(figures), flush=True)
    chance = random.Random(0)
    result["killed"] = kill_often(name, tempfile.mkdtemp(dir=data), data, arguments.kills, chance)
    print(name, result.get("while writing"), result["killed"], flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[1000, 6000])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--limit", type=float, default=400, help="seconds to insert one size")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES))
    parser.add_argument("--out", default=ROOT / "data" / "databases.json")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT / "notebooks"))
    from reranking import scaling

    with tempfile.TemporaryDirectory() as data:
        prepare(Path(data), max(arguments.sizes))
        engines = {name: compare(name, data, arguments) for name in arguments.engines}
    record = {
        "machine": scaling.machine(),
        "date": datetime.date.today().isoformat(),
        "note": "one core, while another computation ran on the machine",
        "python": sys.version.split()[0],
        "engines": engines,
    }
    rounded = json.loads(json.dumps(record), parse_float=lambda s: float(f"{float(s):.4g}"))
    Path(arguments.out).write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


STEPS = {
    "insert": lambda e, f, size, data, limit: insert(e, f, int(size), Passages(data), float(limit)),
    "search": lambda e, f, size, data, i: search(e, f, int(size), Passages(data), int(i)),
    "together": lambda e, f, data: together(e, f, Passages(data)),
    "write": lambda e, f, first, data: write(e, f, int(first), Passages(data)),
}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in STEPS:
        print(json.dumps(STEPS[sys.argv[1]](*sys.argv[2:])), flush=True)
    else:
        main()

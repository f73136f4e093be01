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
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "notebooks"))

import numpy as np
import vector_steps
from vector_engines import ENGINES, PACKAGES
from vector_steps import BATCH, WRITE

from reranking.database_trials import kill_within

ROOT = Path(__file__).resolve().parents[1]


def prepare(folder, size):
    """Writes the vectors of real passages and more drawn around them, their texts, and queries."""
    import reranking as rr
    from reranking import evaluation, vector_sets

    million = vector_sets.Million(size)
    million.first(size).tofile(folder / "vectors")
    parents = million.real_of(np.arange(size)).tolist()
    kept = {"texts": vector_sets.real_passages(), "parents": parents}
    (folder / "passages.json").write_text(json.dumps(kept), encoding="utf-8")
    queries = evaluation.sample_queries(rr.load_collection(), 2)
    np.save(folder / "queries.npy", rr.BiEncoderRetriever().encode(queries.values()))


def start(*arguments, **options):
    command = [sys.executable, "-W", "ignore", vector_steps.__file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def step(*arguments):
    """Returns what a step says, run in a process of its own, or the error it ended in."""
    process = start(*arguments, stderr=subprocess.PIPE)
    said, error = process.communicate()
    if process.returncode:
        return {"failed": (error.strip().splitlines() or ["killed"])[-1][:300]}
    return json.loads(said.strip().splitlines()[-1])


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
        lines = kill_within(process, chance.randint(3, 20), chance, "added")
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


if __name__ == "__main__":
    main()

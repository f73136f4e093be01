"""What millions of passages would take on many machines, from the speed of two workers.

`cluster_measuring` measured that speed; its record is in `data/cluster.json`.
"""

import json
import math
from typing import NamedTuple

from . import data, timing

RECORD = data.DATA / "cluster.json"
HOURS_A_MONTH = 730


class Assumptions(NamedTuple):
    """What an estimate rests on. The first three are measured, the others are yours to change."""

    encode_per_second: float  # passages that one core encodes in a second
    pairs_per_second: float  # pairs that one core reads in a second
    lost: float  # share of the time in which a core waits or does a block again, 0 to below 1
    cores: int = 64  # that encode the corpus
    price: float = 0.05  # of one core with its memory for an hour
    vector_bytes: int = 1536  # of one passage in the index: 384 numbers of 4 bytes
    machine_bytes: float = 64e9  # memory of one machine
    index_share: float = 0.7  # of that memory, for the index
    machine_cores: int = 16
    queries_per_second: float = 20
    candidates: int = 30  # that are reranked for each query
    scan_per_million: float = 0.05  # seconds in which a core looks at a million vectors
    busy: float = 0.7  # share of the time in which cores may be busy, or queues grow


class Estimate(NamedTuple):
    """Time and cost for one corpus. Money is in the unit of `price`, bytes are bytes."""

    core_hours: float  # to encode the corpus once
    encode_hours: float
    encode_cost: float
    index_bytes: float
    index_machines: int  # so that the index fits into their memory
    search_cores: int  # that look at all vectors for every query in time
    rerank_cores: int  # that read the candidates of all queries in time
    machines: int  # that hold the index and have these cores
    month_cost: float  # of these machines


def estimate(passages, a):
    """Returns the Estimate for a number of passages under the Assumptions `a`.

    Left out: time to load models, reading and moving text, building the index, encoding the
    queries, disks, network, spare machines, people. Raises ValueError for a quantity that cannot
    be.
    """
    for name, value in {"passages": passages, **a._asdict()}.items():
        if not value > 0 and name != "lost":
            raise ValueError(f"{name} must be above 0, not {value!r}.")
    for name in ("index_share", "busy"):
        if getattr(a, name) > 1:
            raise ValueError(f"{name} is a share: at most 1, not {getattr(a, name)!r}.")
    if not 0 <= a.lost < 1:
        raise ValueError(f"lost is a share of the time: from 0 to below 1, not {a.lost!r}.")
    useful = 1 - a.lost
    core_hours = passages / (a.encode_per_second * useful) / 3600
    index_bytes = passages * a.vector_bytes
    index_machines = math.ceil(index_bytes / (a.machine_bytes * a.index_share))
    pairs = a.queries_per_second * a.candidates
    rerank_cores = math.ceil(pairs / (a.pairs_per_second * useful * a.busy))
    scan = passages / 1e6 * a.scan_per_million  # core-seconds a query
    search_cores = math.ceil(a.queries_per_second * scan / a.busy)
    machines = max(index_machines, math.ceil((search_cores + rerank_cores) / a.machine_cores))
    return Estimate(
        core_hours,
        core_hours / a.cores,
        core_hours * a.price,
        index_bytes,
        index_machines,
        search_cores,
        rerank_cores,
        machines,
        machines * a.machine_cores * a.price * HOURS_A_MONTH,
    )


def assumptions(record, **changes):
    """Returns Assumptions from what a record measured; `changes` replaces any of them.

    The speed is that of one worker, and `lost` what two workers fall short of twice that speed, in
    the stage that falls short further.
    """
    rate = {n: {s: rates(record, n, s).median for s in ("encode", "rerank")} for n in (1, 2)}
    lost = max(1 - rate[2][stage] / (2 * rate[1][stage]) for stage in rate[1])
    measured = {"encode_per_second": rate[1]["encode"], "pairs_per_second": rate[1]["rerank"]}
    return Assumptions(**(measured | {"lost": min(max(lost, 0.0), 0.99)} | changes))


def rates(record, workers, stage):
    """Returns passages ("encode") or pairs ("rerank") a second: median and quartiles."""
    return timing.summarise(record["workers"][str(workers)][stage])


def load_record():
    """Returns the recorded measurements."""
    return json.loads(RECORD.read_text(encoding="utf-8"))

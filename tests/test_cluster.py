"""Work in blocks on a cluster: a worker is killed and nothing is lost; the model of time and cost.

The workers are real processes. They read with the eight-bit cross-encoder, which needs no PyTorch.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from reranking import cluster, cluster_costs, evaluation, exercises, exercises_05

NOTEBOOKS = Path(cluster.__file__).resolve().parents[1]
A = cluster_costs.Assumptions(100, 50, 0.2)  # passages and pairs a second, share lost


@pytest.fixture(scope="module")
def two():
    """A cluster of two processes."""
    with cluster.connect(workers=2) as client:
        yield client


@pytest.fixture
def log(judged, collection):
    """Twelve queries of the collection, with five hits each to rerank."""
    queries = dict(list(evaluation.sample_queries(collection, 1).items())[:12])
    hits = evaluation.retrieve_all(judged, queries, 5)
    return {q: (text, hits[q]) for q, text in queries.items()}


def plain(fast, log):
    return {q: fast.rerank(query, hits, len(hits)) for q, (query, hits) in log.items()}


def square(number):
    return number**2


def ends_its_worker(number):
    os.kill(os.getpid(), signal.SIGKILL)


def no_number(number):
    raise ValueError(f"{number} is no number")


# The engine


def test_a_worker_is_killed_in_the_middle_and_the_result_is_identical(two, fast, log):
    seen = []
    killer = cluster.Killer(two, share=0.3)
    before = set(cluster.processes(two).values())

    def after(done, total):
        seen.append((done, total))
        killer(done, total)

    reranked = cluster.rerank(two, log, size=1, after=after)
    assert reranked == plain(fast, log), "the same hits, order and scores, to the last bit"
    assert killer.killed in before and seen == [(n, 12) for n in range(1, 13)]
    assert killer.replaced() not in before, "another process took its place"
    assert killer.killed not in cluster.processes(two).values()


def test_a_block_that_ends_its_workers_is_named(two, monkeypatch):
    monkeypatch.setattr(two.cluster.scheduler, "allowed_failures", 0)  # of 3: saves time
    with pytest.raises(cluster.BlockFailed, match="Block 0 ended every worker.*smaller block"):
        cluster.run(two, ends_its_worker, [0])
    two.wait_for_workers(2)
    assert [d.result for d in cluster.run(two, square, range(5))] == [0, 1, 4, 9, 16]


def test_an_error_in_a_block_comes_back_in_words(two):
    with pytest.raises(cluster.BlockFailed, match="Block 0: ValueError: 7 is no number"):
        cluster.run(two, no_number, [7])


def test_an_address_joins_a_cluster_that_was_started_by_the_commands(fast, log):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    dask, port = Path(sys.executable).parent / "dask", address.rpartition(":")[2]
    commands = [
        [dask, "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"],
        [dask, "worker", address, "--nthreads", "1", "--nworkers", "1", "--no-dashboard"],
    ]
    options = {
        "cwd": NOTEBOOKS,
        "env": os.environ | {"PYTHONPATH": "."},
        "stderr": subprocess.DEVNULL,
    }
    running = [subprocess.Popen(command, **options) for command in commands]
    try:
        client = eventually(lambda: cluster.connect(address))
        with client:
            client.wait_for_workers(1, timeout=60)
            assert cluster.rerank(client, log, size=6) == plain(fast, log)
            assert os.getpid() not in cluster.processes(client).values()
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


def eventually(connect, seconds=60):
    """Returns what `connect()` returns, once it does."""
    end = time.monotonic() + seconds
    while True:
        try:
            return connect()
        except ConnectionError:
            if time.monotonic() > end:
                raise


def test_inside_this_process_the_result_is_identical(monkeypatch, retriever, fast, log):
    monkeypatch.setattr(cluster, "MODELS", {"bi-encoder": retriever, "cross-encoder": fast})
    texts = [hit.text for _, hits in log.values() for hit in hits][:20]
    expected = np.concatenate([retriever.encode(texts[i : i + 8]) for i in (0, 8, 16)])
    with cluster.connect(inside=True) as client:
        assert np.array_equal(cluster.encode(client, texts, size=8), expected)
        assert cluster.rerank(client, log, size=5) == plain(fast, log)
        with pytest.raises(ValueError, match="is a thread of this process"):
            cluster.Killer(client)
    whole = retriever.encode(texts)  # other batches add in another order
    assert np.abs(expected - whole).max() < 1e-5


def test_wrong_input_gets_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1"):
        cluster.connect(workers=0)
    with pytest.raises(ConnectionError, match="No cluster answers.*dask scheduler"):
        cluster.connect("tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="size of a block must be a whole number"):
        cluster.blocks([1, 2], 0)
    assert cluster.blocks(range(5), 2) == [[0, 1], [2, 3], [4]]


# The model of time and cost


def test_an_estimate_worked_by_hand():
    # 100 a second, a fifth lost: 80 a second. 28.8 million passages are 360,000 s, 100 core-hours.
    a = A._replace(cores=50, price=0.1, machine_bytes=10e9, index_share=0.5, vector_bytes=1000)
    found = cluster_costs.estimate(28_800_000, a)
    assert found.core_hours == pytest.approx(100) and found.encode_hours == pytest.approx(2)
    assert found.encode_cost == pytest.approx(10)
    assert found.index_bytes == 28.8e9 and found.index_machines == 6  # 5 GB on each
    # 20 queries with 30 candidates: 600 pairs a second. 50 x 0.8 x 0.7 = 28 on a core.
    assert found.rerank_cores == math.ceil(600 / 28) == 22
    # 28.8 million vectors take 1.44 s of a core, for 20 queries 28.8 s, with cores busy at 0.7.
    assert found.search_cores == math.ceil(28.8 / 0.7) == 42
    assert found.machines == 6 and found.month_cost == pytest.approx(6 * 16 * 0.1 * 730)
    many = cluster_costs.estimate(28_800_000, a._replace(queries_per_second=200))
    assert many.rerank_cores == 215 and many.search_cores == 412
    assert many.machines == math.ceil((215 + 412) / 16) == 40, "now the cores decide"


def test_more_cores_change_the_time_and_not_the_cost():
    one, ten = (cluster_costs.estimate(10**9, A._replace(cores=n)) for n in (1, 10))
    assert one.encode_hours == pytest.approx(10 * ten.encode_hours)
    assert one.encode_cost == ten.encode_cost


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lost": 1.0}, "lost is a share of the time"),
        ({"lost": -0.1}, "lost is a share of the time"),
        ({"cores": 0}, "cores must be above 0"),
        ({"busy": 1.5}, "busy is a share"),
        ({"price": math.nan}, "price must be above 0"),
    ],
)
def test_quantities_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        cluster_costs.estimate(1000, A._replace(**change))
    with pytest.raises(ValueError, match="passages must be above 0"):
        cluster_costs.estimate(0, A)


def test_assumptions_come_from_the_rates():
    rate = {"1": {"encode": [10, 10, 40], "rerank": [100]}, "2": {"encode": [18], "rerank": [150]}}
    found = cluster_costs.assumptions({"workers": rate}, cores=7)
    assert (found.encode_per_second, found.pairs_per_second, found.cores) == (10, 100, 7)
    assert found.lost == pytest.approx(0.25)
    rate["2"] = {"encode": [21], "rerank": [205]}  # chance: more than twice as fast
    assert cluster_costs.assumptions({"workers": rate}).lost == 0


def test_the_record_is_complete():
    record = cluster_costs.load_record()
    assert record["machine"] and record["date"] >= "2026" and record["dask"]
    assert record["passages"] > 0 and record["pairs"] > 0 and record["words"] > 0
    places = [record["plain"], record["workers"]["1"], record["workers"]["2"]]
    for place in places:
        for stage in ("encode", "rerank"):
            assert len(place[stage]) >= 3 and min(place[stage]) > 0
    for number, own in record["workers"].items():
        assert len(own["loaded_mb"]) == int(number) and own["start"] > 0 and own["load"] > 0
        assert max(own["idle_mb"]) < min(own["loaded_mb"])
    for stage in ("encode", "rerank"):
        assert record["killed"][stage]["seconds"] > 0
    assert record["engines"]["dask"]["identical"]
    assert record["engines"]["ray"]["disk_mb"] > record["engines"]["dask"]["disk_mb"] > 0
    estimate = cluster_costs.estimate(10_000_000, cluster_costs.assumptions(record))
    assert all(value > 0 for value in estimate)


# The exercise


def corpus(passages, per_second, lost, cores, price):
    hours = passages / (per_second * (1 - lost)) / 3600
    return hours / cores, hours * price


def changed(hours=1, cost=1):
    return lambda *a: (corpus(*a)[0] * hours, corpus(*a)[1] * cost)


CASES = [
    (corpus, "right"),
    (lambda *a: corpus(*a)[::-1], "wrong way round"),
    (lambda n, s, lost, c, p: corpus(n, s, 0, c, p), "lost is left out"),
    (lambda n, s, lost, c, p: corpus(n, s / (1 + lost), 0, c, p), "1 - lost"),
    (changed(hours=3600), "seconds"),
    (lambda n, s, lost, c, p: (corpus(n, s, lost, c, p)[0],) * 2, "price of a core-hour"),
    (lambda n, s, lost, c, p: (corpus(n, s, lost, 1, p)[0], 1), "at the same time"),
    (
        lambda n, s, lost, c, p: (corpus(n, s, lost, c, p)[0], corpus(n, s, lost, c, p)[1] / c),
        "every core",
    ),
    (changed(cost=2), "core-hours times"),
]


@pytest.mark.parametrize(("answer", "expected"), CASES)
def test_the_check_tells_right_from_wrong(capsys, answer, expected):
    exercises_05.check("5.6", answer)
    assert expected in capsys.readouterr().out


def test_no_answer_and_nonsense_never_raise(capsys):
    for answer, expected in ((..., "no answer"), ("no", "not yet"), (lambda *a: ..., "not yet")):
        exercises.check("5.6", answer)
        assert expected in capsys.readouterr().out

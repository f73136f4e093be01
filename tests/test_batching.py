"""The promises of the queue before the service, and of the load that is put on it."""

import asyncio
import json
import time

import httpx
import pytest
from test_serving import slowly

from reranking import batching, load, monitoring, serving

# Batches


def batches_of(count, max_batch, max_wait=0.0):
    """Returns the sizes of the batches in which `count` simultaneous items are answered."""
    sizes = []

    async def submit_all():
        batcher = batching.MicroBatcher(
            lambda items: [2 * item for item in items], max_batch, max_wait, observe=sizes.append
        )
        await batcher.start()
        assert await asyncio.gather(*map(batcher.submit, range(count))) == [
            2 * i for i in range(count)
        ]
        await batcher.stop()

    asyncio.run(submit_all())
    return sizes


def test_items_that_wait_together_are_answered_together_up_to_the_limit():
    assert sum(batches_of(20, 8)) == 20 and max(batches_of(20, 8)) == 8
    assert batches_of(5, 1) == [1] * 5


def test_a_batch_waits_for_others_if_it_is_told_to():
    async def two_apart():
        sizes = []
        batcher = batching.MicroBatcher(list, 8, 0.5, observe=sizes.append)
        await batcher.start()
        first = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.05)
        assert await batcher.submit(2) == 2 and await first == 1
        await batcher.stop()
        return sizes

    assert asyncio.run(two_apart()) == [2]


def test_stopping_leaves_nobody_waiting():
    async def stop_early():
        batcher = batching.MicroBatcher(lambda items: time.sleep(0.3) or items, 1)
        await batcher.start()
        waiting = [asyncio.create_task(batcher.submit(i)) for i in range(3)]
        await asyncio.sleep(0.05)
        await batcher.stop()
        everyone = asyncio.gather(*waiting, return_exceptions=True)
        results = await asyncio.wait_for(everyone, timeout=10)
        with pytest.raises(batching.Overloaded):
            await batcher.submit(4)
        return results

    assert all(isinstance(r, batching.Overloaded) for r in asyncio.run(stop_early()))


# Load


def test_load_reports_every_request_that_it_sent():
    limits = serving.Limits(max_batch=1, max_waiting=2)
    with serving.Server(serving.create_app(slowly(0.02), limits)) as server:
        answers = load.measure(server.url, ["a", "b"], users=[1, 8], seconds=0.8)
        page = monitoring.read_metrics(httpx.get(f"{server.url}/metrics").text)
    sent = sum(n for key, n in page.items() if key[0] == "search_requests_total")
    assert len(answers) == sent and {a.status for a in answers} <= {200, 503}
    table = load.summarise(answers)
    assert table.loc[1, "refused"] == 0 and table.loc[8, "refused"] > 0
    assert table.loc[1, "p50, ms"] >= 20


def test_load_says_why_it_could_not_be_made():
    answers = load.measure("http://127.0.0.1:9", ["a"], users=[1], seconds=0.2)
    assert {a.status for a in answers} == {0}
    assert json.dumps(answers)
    with pytest.raises(RuntimeError, match="could not be made"):
        load.measure("http://127.0.0.1:9", ["a"], users=["many"], seconds=0.2)

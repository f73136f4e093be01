"""Micro-batching: requests that wait at the same time are answered together, up to a limit."""

import asyncio
from concurrent.futures import ThreadPoolExecutor


class Overloaded(RuntimeError):
    """The queue is full or the service is stopping: the request was refused, not lost."""


class MicroBatcher:
    """A queue with one worker, which takes up to `max_batch` items at a time.

    `function` takes a list of items and returns a list of results in the same order. It runs in
    a thread of its own, so that the event loop goes on answering meanwhile. While it works, new
    items wait in the queue and become the next batch, so batches form by themselves under load.
    """

    def __init__(self, function, max_batch=8, max_wait=0.0, max_waiting=32, observe=None):
        """`max_wait` (seconds) is how long the first item of a batch waits for others to come.

        `max_waiting` items may wait; one more is refused. `observe(size)` is told of each batch.
        """
        self.function, self.max_batch, self.max_wait = function, max_batch, max_wait
        self.max_waiting, self.observe = max_waiting, observe or (lambda size: None)
        self.unanswered = set()  # futures of all items that are waiting or being worked on
        self.queue, self.task, self.pool = None, None, None

    @property
    def running(self):
        """Whether the worker takes items."""
        return self.task is not None and not self.task.done()

    @property
    def waiting(self):
        """How many items wait in the queue."""
        return self.queue.qsize() if self.queue else 0

    async def start(self):
        """Starts the worker on the running event loop."""
        self.queue = asyncio.Queue(self.max_waiting)
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="search")
        self.task = asyncio.create_task(self.work())

    async def stop(self):
        """Ends the worker. Whoever still waits is told so by Overloaded: nobody waits for ever."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        for future in self.unanswered:
            if not future.done():
                future.set_exception(Overloaded("the service is stopping"))
        self.pool.shutdown(wait=False, cancel_futures=True)

    async def submit(self, item):
        """Returns the result for `item`. Raises Overloaded at once if the queue is full."""
        if not self.running:
            raise Overloaded("the service is not running")
        future = asyncio.get_running_loop().create_future()
        try:
            self.queue.put_nowait((item, future))
        except asyncio.QueueFull:
            raise Overloaded(f"{self.max_waiting} requests are waiting already") from None
        self.unanswered.add(future)
        try:
            return await future
        finally:
            self.unanswered.discard(future)

    async def work(self):
        """Takes batches from the queue and answers them, for ever."""
        while True:
            batch = await self.collect()
            batch = [(item, future) for item, future in batch if not future.done()]  # gave up
            if batch:
                self.observe(len(batch))
                await self.answer(batch)

    async def collect(self):
        """Returns the next batch: what is waiting, and what comes within `max_wait` seconds."""
        batch = [await self.queue.get()]
        end = asyncio.get_running_loop().time() + self.max_wait
        while len(batch) < self.max_batch:
            if self.queue.empty():
                left = end - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                try:
                    batch.append(await asyncio.wait_for(self.queue.get(), left))
                except TimeoutError:
                    break
            else:
                batch.append(self.queue.get_nowait())
        return batch

    async def answer(self, batch):
        """Gives each future of a batch its result.

        If a batch fails, its items are tried one by one, so that one bad item cannot take the
        others down with it.
        """
        loop = asyncio.get_running_loop()
        try:
            items = [item for item, _ in batch]
            results = await loop.run_in_executor(self.pool, self.function, items)
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)
        except Exception as error:
            if len(batch) > 1:
                for single in batch:
                    await self.answer([single])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)

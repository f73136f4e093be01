"""Work in blocks on a cluster: encode a corpus, rerank a query log. The engine is Dask.

Dask sends blocks to workers, and a block that a worker took with it when it died to another one.
That is safe as long as a block has the same result wherever and however often it runs. So a block
holds everything that it needs, changes nothing outside itself, and its texts never mix with those
of another block.

Many machines: run `dask scheduler` on one of them and, on each,
`dask worker tcp://ADDRESS:8786 --nthreads 1 --nworkers CORES`, all in the folder `notebooks` of
this course and after `export PYTHONPATH=.`, so that they find this module. Pass the address to
`connect`. Whoever reaches that port can run code on all machines, so keep it in a closed network.
"""

import contextlib
import io
import logging
import os
import signal
import time
from typing import NamedTuple

import dask
import numpy as np
from distributed import Client, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from . import models, search

MODELS = {}  # of this process, by stage; filled when a worker gets its first block


class Done(NamedTuple):
    """What a worker made of one block, the number of its process, and the seconds it took."""

    result: object
    process: int
    seconds: float


class BlockFailed(RuntimeError):
    """A block could not be done: it raised an error, or it ended four workers one by one."""


def connect(address=None, workers=2, inside=False):
    """Returns a Client: without an address, of a new cluster on this machine.

    `workers` is the number of worker processes, with one thread each. With `inside`, there is one
    worker, a thread of this process: it needs little memory, and cannot be killed. An `address`
    such as tcp://10.0.0.1:8786 joins a cluster that runs, and the other arguments do nothing.
    Use it in a `with` statement, or close it at the end.
    Raises ValueError if `workers` is below 1, ConnectionError if nothing answers at the address.
    """
    if address is not None:
        try:
            return Client(address, timeout=5)
        except (OSError, ValueError) as error:
            raise ConnectionError(
                f"No cluster answers at {address}. Is `dask scheduler` running there, and is the "
                f"address like tcp://10.0.0.1:8786? ({type(error).__name__})"
            ) from None
    workers = search.check_top_k(workers, "workers")
    # On a slow machine a new process may take longer than the usual 15 s, and it need not be given
    # up: without this, a worker that dies is at times not replaced, and the job never ends.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "1 day"})
    local = LocalCluster(
        n_workers=1 if inside else workers,
        threads_per_worker=1,  # one core a worker: more workers, not more threads
        processes=not inside,
        memory_limit=None,  # the models need what they need
        dashboard_address="127.0.0.1:0",  # any free port, for this machine only
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # a worker that dies is no news here
    )
    return OwnClient(local)


class OwnClient(Client):
    """A client that ends its cluster when it is closed."""

    def close(self, *arguments, **options):
        local = self.cluster
        super().close(*arguments, **options)
        if local is not None:
            local.close()


def blocks(items, size):
    """Returns `items` as lists of `size`, in order; the last may be shorter."""
    items, size = list(items), search.check_top_k(size, "The size of a block")
    return [items[start : start + size] for start in range(0, len(items), size)]


def run(client, work, parts, after=None):
    """Returns a list of Done, in the order of `parts`: `work(part)` of each, by any worker.

    `work` is a function of a module that workers can import. `after(done, total)` is called after
    each block. Raises BlockFailed with the number of the block and the reason.
    """
    futures = [client.submit(timed, work, part, pure=False) for part in parts]
    number = {future.key: n for n, future in enumerate(futures)}
    results = [None] * len(futures)
    for done, future in enumerate(as_completed(futures), start=1):
        n = number[future.key]
        try:
            results[n] = future.result()
            future.release()  # the worker need not keep it
        except KilledWorker:
            raise BlockFailed(
                f"Block {n} ended every worker that took it, and was given up. Look for a text "
                "that is too long, or for too little memory. A smaller block needs less."
            ) from None
        except Exception as error:
            raise BlockFailed(f"Block {n}: {type(error).__name__}: {error}") from error
        if after is not None:
            after(done, len(futures))
    return results


def timed(work, part):
    """Returns the Done of one block. This is what a worker runs."""
    began = time.perf_counter()
    result = work(part)
    return Done(result, os.getpid(), time.perf_counter() - began)


def encode_block(texts):
    """Returns the embeddings of a block of texts: (n, 384) float32."""
    return loaded("bi-encoder").encode(texts)


def rerank_block(rows):
    """Returns the scores for each (query, texts) of a block: a list of (n,) float32."""
    return [loaded("cross-encoder").score(query, texts) for query, texts in rows]


def loaded(stage):
    """Returns the retriever or reranker of this process; loads it if it is the first block."""
    if stage not in MODELS:
        with contextlib.redirect_stdout(io.StringIO()):  # the sentence on the weights
            if stage == "bi-encoder":
                import torch

                torch.set_num_threads(1)
                MODELS[stage] = search.BiEncoderRetriever()
            else:
                MODELS[stage] = search.CrossEncoderReranker(models.OUR_CROSS_ENCODER, fast=True)
                MODELS[stage].model.threads = 1
    return MODELS[stage]


def encode(client, texts, size=32, after=None):
    """Returns the embeddings of `texts`: (n, 384) float32, in their order.

    Bit for bit the same on one kind of processor. Another kind may add in another order, which
    changes the last digit.
    """
    done = run(client, encode_block, blocks(search.check_documents(texts), size), after)
    return np.concatenate([block.result for block in done])


def rerank(client, log, size=8, after=None):
    """Returns {query id: list of Hit, best first} for {query id: (query, hits to rerank)}."""
    rows = [(query, [hit[2] for hit in hits]) for query, hits in log.values()]
    done = run(client, rerank_block, blocks(rows, size), after)
    scores = [own for block in done for own in block.result]
    reranked = {}
    for (query_id, (_, hits)), own in zip(log.items(), scores, strict=True):
        order = search.best(own, max(len(own), 1))
        reranked[query_id] = [search.Hit(*hits[i])._replace(score=float(own[i])) for i in order]
    return reranked


def processes(client):
    """Returns the numbers of the workers' processes, {address: number}."""
    return client.run(os.getpid)


class Killer:
    """Ends one local worker without warning once a share of the blocks is done.

    Pass it as `after`. It takes a worker that has a block in hand. Raises ValueError if the
    worker would be this process itself.
    """

    def __init__(self, client, share=0.4):
        self.client, self.share, self.killed = client, share, None
        self.numbers = processes(client)
        if os.getpid() in self.numbers.values():
            raise ValueError("The worker is a thread of this process. Connect without `inside`.")

    def __call__(self, done, total):
        if self.killed is None and done >= self.share * total:
            busy = [address for address, keys in self.client.processing().items() if keys]
            self.killed = self.numbers[(busy or list(self.numbers))[0]]
            os.kill(self.killed, signal.SIGKILL)

    def replaced(self, seconds=300):
        """Waits until another process has taken the place of the killed one; returns its number.

        Raises RuntimeError if no worker was killed, TimeoutError if none took its place in time.
        """
        if self.killed is None:
            raise RuntimeError("No worker was killed: the job had too few blocks.")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError):  # the connection to the killed one breaks
                now = processes(self.client).values()
                if self.killed not in now and len(now) == len(self.numbers):
                    return next(iter(set(now) - set(self.numbers.values())))
            time.sleep(0.1)
        raise TimeoutError(f"No worker took the place of the killed one in {seconds} s.")

"""Two-stage search as a small HTTP service. `make serve` starts it on http://127.0.0.1:8000.

POST /search takes {"query": ..., "top_k": ...}; GET /health says whether it works; GET /metrics
gives its counters and histograms in Prometheus' format.
"""

import argparse
import asyncio
import socket
import sys
import threading
import time
from contextlib import asynccontextmanager
from typing import Annotated

import prometheus_client as prometheus
import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError, StarletteHTTPException
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .batching import MicroBatcher, Overloaded
from .data import load_collection
from .guard import Guard, Limits, refusal
from .search import BiEncoderRetriever, CrossEncoderReranker, Hit, TwoStageSearch, best
from .vector_sets import index_kept

MAX_QUERY = 300  # characters
MAX_TOP_K = 20  # hits
BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20)  # seconds


class SearchRequest(BaseModel):
    """The body of POST /search."""

    model_config = ConfigDict(extra="forbid")
    query: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY)
    ]
    top_k: Annotated[int, Field(strict=True, ge=1, le=MAX_TOP_K)] = 5


class FoundPassage(BaseModel):
    """One hit."""

    doc_id: str
    score: float
    text: str


class SearchResponse(BaseModel):
    """The answer to POST /search: the hits, best first."""

    hits: list[FoundPassage]


class Meters:
    """The counters and histograms of one service, in a registry of their own."""

    def __init__(self):
        self.registry = prometheus.CollectorRegistry()
        own = {"registry": self.registry}
        self.requests = prometheus.Counter(
            "search_requests", "Searches by the status of their answer", ["status"], **own
        )
        self.seconds = prometheus.Histogram(
            "search_seconds", "From request to answer", ["status"], buckets=BUCKETS, **own
        )
        self.batch = prometheus.Histogram(
            "search_batch_size", "Searches answered together", buckets=(1, 2, 4, 8, 16), **own
        )
        self.waiting = prometheus.Gauge("search_waiting", "Searches in the queue", **own)


def search_many(search, requests):
    """Returns a list of Hit for each (query, top_k): one encoding and one scoring for them all.

    Each list is what `search.search(query, top_k)` returns.
    """
    queries, depths = zip(*((q, max(search.candidates, k)) for q, k in requests), strict=True)
    found = search.retriever.retrieve_many(queries, top_k=max(depths))
    found = [hits[:depth] for hits, depth in zip(found, depths, strict=True)]
    pairs = [(q, hit.text) for q, hits in zip(queries, found, strict=True) for hit in hits]
    scores = search.reranker.model.predict(pairs, batch_size=32)
    answers, start = [], 0
    for (_, top_k), hits in zip(requests, found, strict=True):
        own = scores[start : start + len(hits)]
        start += len(hits)
        answers.append([Hit(hits[i].doc_id, float(own[i]), hits[i].text) for i in best(own, top_k)])
    return answers


def create_app(answer, limits=None):
    """Returns the service as an ASGI application.

    `answer` takes a list of (query, top_k) and returns a list of Hit for each.
    """
    limits, meters = limits or Limits(), Meters()
    batcher = MicroBatcher(
        answer, limits.max_batch, limits.max_wait, limits.max_waiting, meters.batch.observe
    )
    meters.waiting.set_function(lambda: batcher.waiting)

    @asynccontextmanager
    async def lifespan(app):
        await batcher.start()
        yield
        await batcher.stop()

    app = FastAPI(title="Two-stage search", lifespan=lifespan)
    app.add_middleware(Guard, limits=limits, meters=meters)

    @app.exception_handler(RequestValidationError)
    async def invalid(request, error):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str))
        return refusal(422, f"{place or 'body'}: {first['msg']}")

    @app.exception_handler(StarletteHTTPException)  # ours and those of the framework
    async def refused(request, error):
        return refusal(error.status_code, error.detail)

    @app.post("/search")
    async def search(request: SearchRequest) -> SearchResponse:
        try:
            async with asyncio.timeout(limits.answer_seconds):
                hits = await batcher.submit((request.query, request.top_k))
        except Overloaded as error:
            raise HTTPException(503, f"Too busy: {error}. Try again.") from None
        except TimeoutError:
            raise HTTPException(503, f"No answer in {limits.answer_seconds:g} s.") from None
        found = [FoundPassage(doc_id=str(h.doc_id), score=h.score, text=h.text) for h in hits]
        return SearchResponse(hits=found)

    @app.get("/health")
    async def health():
        return (
            {"status": "ok", "waiting": batcher.waiting}
            if batcher.running
            else refusal(503, "The worker has stopped.")
        )

    @app.get("/metrics")
    async def metrics():
        text = prometheus.generate_latest(meters.registry)
        return Response(text, media_type=prometheus.CONTENT_TYPE_LATEST)

    return app


class Server:
    """Runs an application on 127.0.0.1 in a thread. Use it in a `with`, or call `stop`."""

    def __init__(self, app, port=0):
        """Returns once it answers; port 0 takes any free one. Raises OSError if `port` is taken."""
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.server.run, args=([self.socket],), name="server", daemon=True
        )
        self.thread.start()
        while not self.server.started:
            if not self.thread.is_alive():
                raise RuntimeError("The service did not start.")
            time.sleep(0.01)

    def stop(self):
        """Stops the service; requests that are being answered are finished first."""
        self.server.should_exit = True
        self.thread.join(timeout=15)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()


def main():
    """Serves the judged collection until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--candidates", type=int, default=10)
    options = parser.parse_args()
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", options.port)) == 0:
            another = f"make serve PORT={options.port + 1}"
            sys.exit(f"Another program uses port {options.port}. Take another: {another}")
    collection = load_collection()
    retriever = index_kept(BiEncoderRetriever(), collection.passages)
    search = TwoStageSearch(retriever, CrossEncoderReranker(fast=True), options.candidates)
    app = create_app(lambda requests: search_many(search, requests))
    address = f"http://127.0.0.1:{options.port}"
    print(f"Searching {len(collection.passages)} passages at {address}/search, try {address}/docs")
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()

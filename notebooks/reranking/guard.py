"""The outermost layer of the service: limits on what comes in, and a count of what goes out."""

import asyncio
import time
from typing import NamedTuple

from fastapi.responses import JSONResponse


class Limits(NamedTuple):
    """What the service accepts, and how much work it takes on at a time."""

    body: int = 4096  # bytes of a request
    body_seconds: float = 5.0  # for the whole body to arrive
    answer_seconds: float = 10.0  # from the first byte of work to the answer
    max_batch: int = 8  # requests that are answered together
    max_wait: float = 0.0  # seconds that a request waits for others
    max_waiting: int = 32  # requests in the queue


class Guard:
    """The outermost layer: times each search, and reads its body up to the limits."""

    def __init__(self, app, limits, meters):
        self.app, self.limits, self.meters = app, limits, meters

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] != "/search":
            return await self.app(scope, receive, send)
        start, status = time.perf_counter(), "500"

        async def send_and_note(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            body = await self.read(receive)
            if isinstance(body, bytes):
                await self.app(scope, replay(body, receive), send_and_note)
            elif body is not None:
                await body(scope, receive, send_and_note)
            else:
                status = "499"  # the client went away; nobody is there to be answered
        finally:
            self.meters.requests.labels(status).inc()
            self.meters.seconds.labels(status).observe(time.perf_counter() - start)

    async def read(self, receive):
        """Returns the body, or the response that refuses it, or None if the client went away."""
        body, more = b"", True
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > self.limits.body:
                        return refusal(413, f"The request is longer than {self.limits.body} bytes.")
        except TimeoutError:
            return refusal(408, f"The request took over {self.limits.body_seconds:g} s to arrive.")
        return body


def replay(body, receive):
    """Returns a `receive` that gives the body once, then whatever comes next."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again():
        return messages.pop() if messages else await receive()

    return receive_again


def refusal(status, message):
    """Returns an answer that says why there is none, and when to come again if that helps."""
    headers = {"Retry-After": "1"} if status == 503 else {}
    if status in (408, 413):
        headers["Connection"] = "close"  # the rest of the body is not read
    return JSONResponse({"error": message}, status, headers)

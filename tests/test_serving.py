"""The promises of the service: right answers, clear refusals, nobody lost, nobody kept waiting."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

import reranking as rr
from reranking import monitoring, serving

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


@pytest.fixture(scope="module")
def search(retriever):
    return rr.TwoStageSearch(retriever, rr.CrossEncoderReranker(fast=True), candidates=5)


@pytest.fixture(scope="module")
def url(search):
    app = serving.create_app(lambda requests: serving.search_many(search, requests))
    with serving.Server(app) as server:
        yield server.url


def ask(url, body, **options):
    return httpx.post(f"{url}/search", json=body, timeout=60, **options)


def slowly(seconds):
    """Returns an `answer` that takes so long for each request, and finds the query itself."""

    def answer(requests):
        time.sleep(seconds * len(requests))
        return [[rr.Hit(0, 1.0, query)] for query, _ in requests]

    return answer


# Answers


def test_an_answer_is_that_of_the_search(url, search, query):
    answer = ask(url, {"query": query, "top_k": 3})
    hits = search.search(query, top_k=3)
    assert answer.status_code == 200
    assert [hit["doc_id"] for hit in answer.json()["hits"]] == [str(hit.doc_id) for hit in hits]
    assert [hit["text"] for hit in answer.json()["hits"]] == [hit.text for hit in hits]


def test_requests_that_share_a_batch_get_their_own_answers(search, documents):
    requests = [("python", 1), ("what is reranking", 8), ("deep learning", 2)]  # 5 candidates
    for (query, top_k), hits in zip(requests, serving.search_many(search, requests), strict=True):
        alone = search.search(query, top_k=top_k)
        assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in alone]
        assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in alone], abs=1e-3)


def test_markup_in_a_passage_comes_back_as_plain_json():
    markup = "<script>alert('1 & 2')</script>"
    with serving.Server(serving.create_app(slowly(0))) as server:
        answer = ask(server.url, {"query": markup})
    assert answer.headers["content-type"] == "application/json" and answer.status_code == 200
    assert answer.text == f'{{"hits":[{{"doc_id":"0","score":1.0,"text":"{markup}"}}]}}'


# Refusals


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 422, "query: Field required"),
        ({"query": " \n"}, 422, "query"),
        ({"query": "x" * 301}, 422, "300"),
        ({"query": 7}, 422, "query"),
        ({"query": "x", "top_k": 0}, 422, "top_k"),
        ({"query": "x", "top_k": 10**6}, 422, "top_k"),
        ({"query": "x", "top_k": "3"}, 422, "top_k"),
        ({"query": "x", "topk": 3}, 422, "topk"),
        (["x"], 422, "body"),
        ({"query": "x" * 5000}, 413, "4096 bytes"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(url, body, status, words):
    answer = ask(url, body)
    assert answer.status_code == status and words in answer.json()["error"]


def test_broken_json_and_half_characters_are_refused(url):
    for content in (b"{", b"\xff", rb'{"query": "\ud800"}', b""):
        answer = httpx.post(
            f"{url}/search", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in (400, 422) and answer.json()["error"], content


def test_a_body_without_a_length_is_cut_off_at_the_limit(url):
    answer = httpx.post(f"{url}/search", content=(b"x" * 1000 for _ in range(1000)))
    assert answer.status_code == 413


def test_a_body_that_never_arrives_is_given_up():
    app = serving.create_app(slowly(0), serving.Limits(body_seconds=0.3))
    with serving.Server(app) as server:
        port = int(server.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            assert b" 408 " in connection.recv(1000)


def test_other_paths_and_methods_do_not_exist(url):
    assert httpx.get(f"{url}/search").status_code == 405
    assert httpx.get(f"{url}/nothing").json() == {"error": "Not Found"}


# Back-pressure


def test_past_its_capacity_it_refuses_quickly_and_answers_the_others():
    limits = serving.Limits(max_batch=1, max_waiting=2)
    answers = []
    with serving.Server(serving.create_app(slowly(0.4), limits)) as server:

        def one():
            start = time.perf_counter()
            answer = ask(server.url, {"query": "x"})
            answers.append((answer.status_code, time.perf_counter() - start, answer))

        threads = [threading.Thread(target=one) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        metrics = monitoring.read_metrics(httpx.get(f"{server.url}/metrics").text)
    served = [seconds for status, seconds, _ in answers if status == 200]
    refused = [seconds for status, seconds, _ in answers if status == 503]
    assert len(served) + len(refused) == 12 and len(served) >= 3 and len(refused) >= 6
    assert max(refused) < max(served)
    assert all(a.headers["Retry-After"] == "1" for status, _, a in answers if status == 503)
    assert metrics["search_requests_total", (("status", "503"),)] == len(refused)


def test_who_waits_too_long_is_told_so():
    limits = serving.Limits(answer_seconds=0.2)
    with serving.Server(serving.create_app(slowly(1.0), limits)) as server:
        answer = ask(server.url, {"query": "x"})
        assert answer.status_code == 503 and "No answer in 0.2 s" in answer.json()["error"]
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_failing_request_does_not_take_its_batch_down():
    def answer(requests):
        time.sleep(0.2)  # so that the others meet in one batch
        if any(query == "bad" for query, _ in requests):
            raise RuntimeError("a bad one")
        return [[rr.Hit(0, 1.0, query)] for query, _ in requests]

    statuses = {}
    with serving.Server(serving.create_app(answer)) as server:

        def one(query):
            statuses[query] = ask(server.url, {"query": query}).status_code

        threads = [threading.Thread(target=one, args=(q,)) for q in ("a", "b", "bad", "c", "d")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert httpx.get(f"{server.url}/health").status_code == 200
    assert statuses == {"a": 200, "b": 200, "c": 200, "d": 200, "bad": 500}


# Starting, counting, load


def test_make_serve_starts_a_service_that_answers_and_can_be_stopped():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "reranking.serving", "--port", str(port)]
    process = subprocess.Popen(command, cwd=NOTEBOOKS, stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{port}"
        for _ in range(240):
            time.sleep(0.5)
            assert process.poll() is None
            try:
                if httpx.get(f"{url}/health").status_code == 200:
                    break
            except httpx.TransportError:
                continue  # not listening yet
        answer = ask(url, {"query": "why are automatic reruns of failed tests dangerous"})
        assert "Automatic retries" in answer.json()["hits"][0]["text"]
    finally:
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert f"{url}/search" in output
    done = subprocess.run(
        ["make", "-n", "serve", "PORT=8123"], cwd=NOTEBOOKS.parent, text=True, capture_output=True
    )
    assert "reranking.serving --port 8123" in done.stdout


def test_a_server_can_be_started_and_stopped_again_and_frees_its_port():
    app = serving.create_app(slowly(0))
    for _ in range(2):
        server = serving.Server(app)
        port = int(server.url.rsplit(":", 1)[1])
        assert httpx.get(f"{server.url}/health").json()["status"] == "ok"
        server.stop()
        assert not server.thread.is_alive()
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_is_taken_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as other:
        with pytest.raises(OSError):
            serving.Server(serving.create_app(slowly(0)), port=other.getsockname()[1])


def test_it_listens_on_this_machine_only():
    with serving.Server(serving.create_app(slowly(0))) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_metrics_count_every_search_by_its_status(url):
    def counted():
        page = monitoring.read_metrics(httpx.get(f"{url}/metrics").text)
        return {
            status: page.get(("search_requests_total", (("status", status),)), 0)
            for status in ("200", "422")
        }

    before = counted()
    ask(url, {"query": "python"})
    ask(url, {})
    assert {s: n - before[s] for s, n in counted().items()} == {"200": 1, "422": 1}
    page = monitoring.read_metrics(httpx.get(f"{url}/metrics").text)
    counts = monitoring.buckets(page, "search_seconds", status="200")
    values = list(counts.values())
    assert values == sorted(values) and values[-1] == counted()["200"]


def test_a_busy_port_is_named_before_anything_is_loaded(monkeypatch):
    with serving.Server(serving.create_app(lambda requests: [[] for _ in requests])) as server:
        port = server.url.rsplit(":", 1)[1]
        monkeypatch.setattr("sys.argv", ["serving", "--port", port])
        with pytest.raises(SystemExit, match=f"port {port}.*make serve PORT={int(port) + 1}"):
            serving.main()

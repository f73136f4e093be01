"""Which weights are loaded, with a small local server that plays the hub, well or badly."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import reranking as rr
from reranking import hub as hub_module
from reranking import models

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
OFFICIAL = models.CROSS_ENCODER
LOAD = """
import sys, time, reranking
start = time.perf_counter()
reranker = reranking.CrossEncoderReranker(sys.argv[1])
print("seconds", round(time.perf_counter() - start, 1))
print("score", reranker.score("a query", ["a passage"]).shape)
"""


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *args):
        pass  # the client hung up, as it should on a bad hub


class Hub:
    """Serves the course's own weights under the official name; `mood` says how well."""

    def __init__(self, mood):
        self.mood = mood
        self.files = {p.name: p.read_bytes() for p in models.OUR_CROSS_ENCODER.glob("*.*")}
        if mood == "no safetensors":
            self.files["pytorch_model.bin"] = self.files.pop("model.safetensors")
        self.server = QuietServer(("127.0.0.1", 0), self.handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def handler(hub):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_HEAD(self):
                self.do_GET(body=False)

            def do_GET(self, body=True):
                if hub.mood == "slow":
                    time.sleep(30)
                if hub.mood == "error 500":
                    return self.send(500, b"{}", {}, body)
                if hub.mood == "absent":
                    return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
                if self.path.startswith("/api/"):
                    answer = json.dumps(hub.tree() if "/tree/" in self.path else hub.info())
                    kind = {"Content-Type": "application/json"}
                    return self.send(200, answer.encode(), kind, body)
                name = self.path.split("?")[0].rsplit("/", 1)[-1]
                if name not in hub.files:
                    return self.send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                content = hub.files[name]
                headers = {"X-Repo-Commit": "a" * 40, "ETag": f'"{hub.checksum(name)}"'}
                if name == "model.safetensors" and hub.mood == "wrong checksum":
                    content = content[:-1] + bytes([content[-1] ^ 1])
                cut = name == "model.safetensors" and hub.mood == "truncated"
                self.send(200, content, headers, body, cut)

            def send(self, status, content, headers, body, cut=False):
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if body:
                    self.wfile.write(content[: len(content) // 2] if cut else content)
                    self.close_connection = cut

        return Handler

    def checksum(self, name):
        return hashlib.sha256(self.files[name]).hexdigest()

    def tree(self):
        """Returns the list of files as the hub's API gives it."""
        rows = []
        for name, content in self.files.items():
            row = {"type": "file", "path": name, "size": len(content), "oid": "b" * 40}
            if name == "model.safetensors":
                row["lfs"] = {"oid": self.checksum(name), "size": len(content), "pointerSize": 134}
            rows.append(row)
        return rows

    def info(self):
        """Returns what the hub's API says of the model."""
        siblings = []
        for row in self.tree():
            file = {"rfilename": row["path"], "size": row["size"]}
            if "lfs" in row:
                lfs = row["lfs"]
                file["lfs"] = {"sha256": lfs["oid"], "size": lfs["size"], "pointerSize": 134}
            siblings.append(file)
        return {"id": OFFICIAL, "modelId": OFFICIAL, "sha": "a" * 40, "siblings": siblings}


def load(choice, cache, hub=None, name=OFFICIAL):
    """Runs LOAD in a process of its own; returns (exit code, output, seconds)."""
    environment = {
        **os.environ,
        "RERANKING_MODELS": choice,
        "HF_HOME": str(cache),
        "HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9",  # nobody listens there
        "HF_HUB_DISABLE_XET": "1",
    }
    environment.pop("HF_HUB_CACHE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD, name],
        cwd=NOTEBOOKS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    return done.returncode, done.stdout + done.stderr, time.perf_counter() - start


def left_over(cache):
    """Returns what a load left in the cache of models."""
    files = (Path(cache) / "hub").rglob("*")
    return [p for p in files if p.is_file() and p.name != "CACHEDIR.TAG"]


@pytest.fixture
def hub(request):
    hub = Hub(request.param)
    yield hub
    hub.server.shutdown()


def test_bundled_uses_our_weights_and_asks_nobody(tmp_path):
    code, output, _ = load("bundled", tmp_path)
    assert code == 0 and "the course's own weights (data/cross-encoder)." in output


def test_without_a_network_our_weights_are_ready_within_five_seconds(tmp_path):
    code, output, _ = load("auto", tmp_path)
    assert code == 0, output
    assert "the course's own weights (data/cross-encoder), because" in output
    seconds = float(output.split("seconds ")[1].split()[0])
    limit = 5 if os.environ.get("RERANKING_STRICT_SPEED") else 20  # a busy machine may be slower
    assert seconds < limit
    assert not left_over(tmp_path)


@pytest.mark.parametrize("hub", ["well"], indirect=True)
def test_official_weights_are_downloaded_once_then_found_in_the_cache(tmp_path, hub):
    code, output, _ = load("auto", tmp_path, hub)
    assert code == 0 and "official weights." in output, output
    hub.mood = "absent"  # from now on, only the cache can have them
    code, output, _ = load("official", tmp_path, hub)
    assert code == 0 and "official weights." in output, output


@pytest.mark.parametrize(
    "hub",
    ["absent", "slow", "error 500", "truncated", "wrong checksum", "no safetensors"],
    indirect=True,
)
def test_a_bad_hub_leads_to_our_weights_and_an_untouched_cache(tmp_path, hub):
    code, output, seconds = load("auto", tmp_path, hub)
    assert code == 0, output
    assert "the course's own weights (data/cross-encoder), because" in output
    assert output.count("\n") < 12, "a learner must not meet pages of warnings"
    assert seconds < 60
    assert not left_over(tmp_path)


@pytest.mark.parametrize("hub", ["absent", "slow", "wrong checksum"], indirect=True)
def test_official_says_clearly_when_it_cannot_be_had(tmp_path, hub):
    code, output, _ = load("official", tmp_path, hub)
    assert code != 0
    assert "ModelNotAvailable" in output and "RERANKING_MODELS=bundled" in output
    assert not left_over(tmp_path)


@pytest.mark.parametrize("hub", ["no safetensors"], indirect=True)
def test_another_model_without_safetensors_is_refused_with_the_reason(tmp_path, hub):
    code, output, _ = load("auto", tmp_path, hub, "someone/old-model")
    assert code != 0 and "ModelNotAvailable: someone/old-model" in output
    assert "it has no weights in safetensors form" in output
    assert "RERANKING_MODELS" not in output, "the course's own weights are no help for this name"
    assert not left_over(tmp_path)


def test_auto_tries_the_hub_once_in_a_process(monkeypatch):
    attempts = []

    def unreachable(name):
        attempts.append(name)
        raise hub_module.not_available(name, "the hub could not be reached")

    monkeypatch.setattr(models, "fetch", unreachable)
    monkeypatch.setattr(models, "UNREACHED", {})
    monkeypatch.setenv("RERANKING_MODELS", "auto")
    for _ in range(2):
        assert "could not be reached" in models.find_cross_encoder().description
    assert attempts == [OFFICIAL]
    monkeypatch.setattr(models, "cached", lambda name: models.OUR_CROSS_ENCODER)
    monkeypatch.setattr(models, "fetch", models.cached)
    assert "official weights" in models.find_cross_encoder().description


def test_an_unknown_choice_is_named(monkeypatch):
    monkeypatch.setenv("RERANKING_MODELS", "best")
    with pytest.raises(ValueError, match="auto, bundled or official"):
        models.find_cross_encoder()


def test_damaged_bi_encoder_weights_are_not_loaded(monkeypatch):
    monkeypatch.setattr(models, "sha256", lambda path: "0" * 64)
    with pytest.raises(models.ModelNotAvailable, match="checksum"):
        models.load_bi_encoder()


def test_our_cross_encoder_loads_unaided_and_gives_logits():
    import numpy as np
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(models.OUR_CROSS_ENCODER))
    many = [("capital of france", text) for text in ("Paris is the capital.", "Bread needs salt.")]
    scores = model.predict(many)
    assert scores[0] > scores[1] and (np.abs(scores) > 1).any()
    assert sum(p.stat().st_size for p in models.OUR_CROSS_ENCODER.glob("*.safetensors")) < 50e6


@pytest.mark.skipif(not models.cached(OFFICIAL), reason="official weights are not on this machine")
def test_official_weights_give_the_published_scores(retriever, query, monkeypatch):
    import reranking as rr

    monkeypatch.setenv("RERANKING_MODELS", "official")
    top = rr.CrossEncoderReranker().rerank(query, retriever.retrieve(query))
    assert [round(hit.score, 4) for hit in top] == [5.1547, 0.4332, -2.5431]


def test_the_eight_bit_form_is_of_the_same_weights_and_needs_no_neighbours(
    documents, query, capsys, tmp_path
):
    fast = rr.CrossEncoderReranker(fast=True)
    assert "in eight bits" in capsys.readouterr().out
    scores = fast.score(query, documents)
    assert np.corrcoef(scores, rr.CrossEncoderReranker().score(query, documents))[0, 1] > 0.99
    with pytest.raises(TypeError, match="max_length"):
        rr.CrossEncoderReranker(fast=True, max_length=64)
    alone = np.concatenate([fast.score(query, [text]) for text in documents])
    assert np.array_equal(scores, alone)
    assert fast.score(query, ["word " * 5000]).shape == (1,)

    for file in models.OUR_CROSS_ENCODER.glob("*"):  # the same folder without that form
        if file.name != models.int8.FILE:
            shutil.copy(file, tmp_path)
    plain = rr.CrossEncoderReranker(tmp_path, fast=True)
    assert "eight bits" not in capsys.readouterr().out
    assert np.allclose(plain.score(query, documents), scores, atol=1)

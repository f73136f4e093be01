"""Weights from the Hugging Face hub: asked within seconds, and whole before anyone sees them."""

import hashlib
import shutil
import tempfile
import threading
from pathlib import Path

CROSS_ENCODER = "cross-encoder/ms-marco-MiniLM-L-6-v2"
HUB_SECONDS = 3.0  # how long the hub may take to answer before we do without it
NEEDED = ("config.json", "model.safetensors", "tokenizer_config.json")
FILES = ["*.json", "model.safetensors", "vocab.txt", "*_Pooling/*", "*_Dense/*", "*_Normalize/*"]


class ModelNotAvailable(RuntimeError):
    """The weights asked for are neither on this machine nor to be had from the hub.

    `reason` says why in a few words, as they stand in a sentence.
    """

    def __init__(self, message, reason=""):
        super().__init__(message)
        self.reason = reason


def fetch(name):
    """Returns the folder with the weights of a model on the hub, downloaded if need be.

    The hub is asked once and has three seconds to answer. A download goes to a temporary folder
    and enters the cache only when every file has the size and checksum that the hub states.
    Raises ModelNotAvailable, also for a model on the hub that lacks one of the files NEEDED.
    """
    from huggingface_hub import logging, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    logging.set_verbosity_error()
    folder = cached(name)
    if folder:
        return folder
    expected = ask_hub(name)
    for file in NEEDED:
        if file not in expected:
            what = "weights in safetensors form" if file == "model.safetensors" else file
            advice = "Choose another model"
            raise not_available(name, f"on the hub it has no {what}", advice=advice)
    cache = Path(HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    limit = 4 * sum(size for size, _ in expected.values())
    with tempfile.TemporaryDirectory(prefix=".reranking-", dir=cache) as temporary:
        try:
            folder = Path(
                snapshot_download(
                    name,
                    cache_dir=temporary,
                    allow_patterns=FILES,
                    etag_timeout=HUB_SECONDS,
                    tqdm_class=bounded_bar(limit),
                )
            )
        except Exception as error:
            raise not_available(name, "the download failed", error) from None
        for file, (size, checksum) in expected.items():
            path = folder / file
            if path.exists() and path.stat().st_size != size:
                raise not_available(name, f"the download of {file} was cut short")
            if path.exists() and checksum and sha256(path) != checksum:
                raise not_available(name, f"the download of {file} has a wrong checksum")
        for downloaded in Path(temporary).glob("models--*"):
            shutil.copytree(downloaded, cache / downloaded.name, symlinks=True, dirs_exist_ok=True)
    return cached(name)


def bounded_bar(limit):
    """Returns a class of progress bar that raises OSError once `limit` bytes have come in.

    If a server cuts every answer short, the hub's client asks again without end.
    """
    from huggingface_hub.utils import tqdm

    fetched = 0

    class Bar(tqdm):
        def update(self, n=1):
            nonlocal fetched
            fetched += max(n or 0, 0)
            if fetched > limit:
                raise OSError("the server keeps cutting the download short")
            return super().update(n)

    return Bar


def cached(name):
    """Returns the folder of a model that is complete in the local cache, or None."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
    except Exception:  # not there, or not even a valid name
        return None
    return folder if all((folder / file).exists() for file in NEEDED) else None


def ask_hub(name):
    """Returns {file: (bytes, SHA-256 or None)} as the hub states them, within three seconds."""
    from huggingface_hub import HfApi

    answer = {}

    def ask():
        try:
            answer["info"] = HfApi().model_info(name, files_metadata=True, timeout=HUB_SECONDS)
        except Exception as error:
            answer["error"] = error

    thread = threading.Thread(target=ask, daemon=True)  # it may not hold up the learner
    thread.start()
    thread.join(HUB_SECONDS)
    if "info" not in answer:
        raise not_available(name, "the hub could not be reached", answer.get("error"))
    return {
        file.rfilename: (file.size, file.lfs.sha256 if file.lfs else None)
        for file in answer["info"].siblings
        if file.size is not None
    }


def not_available(name, reason, cause=None, advice="Connect to the internet and try again"):
    """Returns a ModelNotAvailable error that says why and what to do."""
    detail = f" ({type(cause).__name__})" if cause else ""
    if name == CROSS_ENCODER:
        advice += ", or set RERANKING_MODELS=bundled to use the course's own cross-encoder"
    return ModelNotAvailable(
        f"{name} is not on this machine, and {reason}{detail}. {advice}.", reason
    )


def sha256(path):
    """Returns the SHA-256 of a file in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

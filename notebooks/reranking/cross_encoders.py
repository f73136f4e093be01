"""Cross-encoders to train: made from weights, cut to fewer layers, saved in two forms."""

import contextlib
import copy
import json
import logging
import os
import warnings
from pathlib import Path

import torch

from . import int8, models


@contextlib.contextmanager
def quiet():
    """Keeps the notices of the libraries off the page for the time of a `with` block."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def new_cross_encoder(folder=None):
    """Returns a CrossEncoder with the weights in `folder`, the bi-encoder's by default.

    The layer that makes the score is new where `folder` has none, and always the same.
    """
    models.quieten()
    from sentence_transformers import CrossEncoder

    torch.manual_seed(0)
    with quiet():
        return CrossEncoder(
            str(folder or models.find_bi_encoder().folder),
            num_labels=1,
            device=models.device(),
            local_files_only=True,
            activation_fn=torch.nn.Identity(),
            model_kwargs={"attn_implementation": "eager"},
        )


def keep_layers(model, layers):
    """Returns a copy of a CrossEncoder with only these of its layers, numbered from 0.

    The copy shares the word embeddings, half of all memory: no training here changes them.
    """
    words = model.model.bert.embeddings.word_embeddings
    model = copy.deepcopy(model, {id(words): words})
    encoder = model.model.bert.encoder
    encoder.layer = torch.nn.ModuleList(encoder.layer[number] for number in layers)
    model.model.config.num_hidden_layers = len(layers)
    return model


def replace_file(path, write):
    """Writes a file in one go: whoever reads it finds the old one or the new one, whole."""
    path = Path(path)
    temporary = path.with_name(f"part-{path.name}")
    write(temporary)
    os.replace(temporary, path)


def save(model, folder):
    """Returns the folder that `CrossEncoder(folder)` loads: half precision, with the int8 form.

    Halves take half the space. The line "dtype" says to compute with single precision all the same.
    """
    folder = Path(folder)
    copy.deepcopy(model.model).half().save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"dtype": "float32", "use_cache": True}
    config["sentence_transformers"] = {"activation_fn": "torch.nn.modules.linear.Identity"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    with quiet():
        int8.write_int8(folder)
    return folder

"""The cross-encoder in eight bits: a quarter of the memory of single precision, and faster."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from . import data

FILE = "model_int8.onnx"
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


class Int8CrossEncoder:
    """Scores pairs as a CrossEncoder does, with weights and activations in whole numbers.

    `folder` holds model_int8.onnx and tokenizer.json. `threads` is how many pairs are scored at
    the same time. If None, it is the number in the environment variable OMP_NUM_THREADS, which
    PyTorch follows too, or else one for each processor core. Needs neither PyTorch nor
    transformers.
    Raises FileNotFoundError if the folder has no eight-bit form.
    """

    max_length = 512  # tokens of query and passage together; the longer of the two is cut

    def __init__(self, folder, threads=None):
        import onnxruntime
        from tokenizers import Tokenizer

        folder = Path(folder)
        if not (folder / FILE).exists():
            raise FileNotFoundError(
                f"{folder.name} has no {FILE}. Make it with int8.write_int8(folder)."
            )
        self.threads = threads or int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.max_length)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / FILE),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # measured: slower fused than apart
        )

    def predict(self, pairs, batch_size=1, show_progress_bar=False):
        """Returns the scores of pairs (query, passage): (n,) float32 logits.

        Each pair goes through the model alone, so no time is spent on padding and no score
        depends on its neighbours. The last two arguments match CrossEncoder and do nothing.
        """
        encodings = self.tokenizer.encode_batch([tuple(pair) for pair in pairs])
        with ThreadPoolExecutor(self.threads) as pool:
            return np.array(list(pool.map(self.score, encodings)), dtype=np.float32)

    def score(self, encoding):
        """Returns the logit of one tokenized pair."""
        values = encoding.ids, encoding.attention_mask, encoding.type_ids
        inputs = {name: np.array([row]) for name, row in zip(INPUTS, values, strict=True)}
        (logits,) = self.session.run(None, inputs)
        return logits[0, 0]


def smooth(model, tokenizer, strength=0.8, sample=100):
    """Changes a model so that rounding its activations does less harm; its scores stay.

    All activations that enter a matrix are rounded with one scale. A few columns with values far
    above the others make it coarse. So each column is divided by a factor, and the weights that it
    meets are multiplied by the same factor. The factors come from the largest activations in a
    sample of training pairs. Source: Xiao et al., SmoothQuant, ICML 2023.
    """
    import torch

    class Smoothed(torch.nn.Module):
        def __init__(self, linear, factor):
            super().__init__()
            self.linear, self.inverse = linear, 1 / factor
            linear.weight.data *= factor

        def forward(self, activations):
            return self.linear(activations * self.inverse)

    layers = {
        name: part
        for name, part in model.named_modules()
        if isinstance(part, torch.nn.Linear) and ".layer." in name
    }
    largest = {name: torch.zeros(part.in_features) for name, part in layers.items()}

    def watch(name):
        def hook(_, inputs):
            largest[name] = torch.maximum(largest[name], inputs[0].abs().amax((0, 1)))

        return layers[name].register_forward_pre_hook(hook)

    hooks = [watch(name) for name in layers]
    for topic in data.load_topics("train")[:sample]:
        pair = topic["queries"][0]["text"], topic["passages"][0]["text"]
        with torch.no_grad():
            model.eval()(**tokenizer(*pair, return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    for name, part in layers.items():
        weights = part.weight.data.abs().amax(0).clamp(min=1e-4)
        factor = largest[name].clamp(min=1e-3) ** strength / weights ** (1 - strength)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, Smoothed(part, factor / factor.median()))


def read_first_token(model):
    """Changes a model so that its last layer works out the first token alone; its scores stay.

    The score is read from the first token. It looks at all others, so these still need a key and a
    value each, but nobody reads what the last layer makes of them.
    """
    import torch

    class FirstToken(torch.nn.Module):
        def __init__(self, layer):
            super().__init__()
            self.layer = layer

        def forward(self, states, mask, *_, **__):
            parts, first = self.layer.attention.self, states[:, :1]
            query, key, value = (
                part(tokens).unflatten(-1, (-1, parts.attention_head_size)).transpose(1, 2)
                for part, tokens in [
                    (parts.query, first),
                    (parts.key, states),
                    (parts.value, states),
                ]
            )
            mask = None if mask is None else mask[:, :, :1]
            read = torch.nn.functional.scaled_dot_product_attention(query, key, value, mask)
            read = read.transpose(1, 2).flatten(2)
            return self.layer.feed_forward_chunk(self.layer.attention.output(read, first))

    layers = model.base_model.encoder.layer
    layers[-1] = FirstToken(layers[-1])


def write_int8(folder):
    """Returns the path of model_int8.onnx, written beside the weights in `folder`.

    The weights of every matrix become whole numbers from -127 to 127, with one scale for each
    column, which is a row in PyTorch. The activations are rounded while the model runs. This is
    called dynamic quantization. The model is smoothed first, and its last layer works out only
    the token that the score is read from.
    """
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    smooth(model, AutoTokenizer.from_pretrained(folder))
    read_first_token(model)
    tokens = torch.ones((2, 8), dtype=torch.long)
    axes = {0: "pairs", 1: "tokens"}
    with tempfile.TemporaryDirectory() as temporary:
        single = Path(temporary) / "model.onnx"
        torch.onnx.export(
            model.eval(),
            (tokens, tokens, torch.zeros_like(tokens)),
            single,
            input_names=INPUTS,
            output_names=["logits"],
            dynamic_axes={name: axes for name in INPUTS} | {"logits": {0: "pairs"}},
            opset_version=17,
            dynamo=False,
        )
        quantize_dynamic(
            single,
            Path(folder) / FILE,
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    return Path(folder) / FILE

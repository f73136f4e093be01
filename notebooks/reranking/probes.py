"""Small experiments on one query and one passage: which words carry the score."""

import json

import numpy as np

from . import data


def load():
    """Returns the probes of notebook 2, {kind: [[query, right passage, wrong passage]]}."""
    return json.loads((data.DATA / "probes.json").read_text(encoding="utf-8"))


def without_each_word(text):
    """Returns the texts that are left when one word of `text` is left out: one for each word."""
    words = text.split()
    return [" ".join(words[:i] + words[i + 1 :]) or " " for i in range(len(words))]


def occlude(reranker, query, text):
    """Returns [(word, drop)]: how much the score of `text` falls when that word is left out.

    A positive drop means that the word raised the score, a negative one that it lowered it.
    """
    scores = reranker.score(query, [text, *without_each_word(text)])
    return list(zip(text.split(), np.round(scores[0] - scores[1:], 4).tolist(), strict=True))


def compare(retriever, reranker, query, texts):
    """Returns a DataFrame with the score that each model gives to each text for the query."""
    import pandas as pd

    cosines = retriever.encode(texts) @ retriever.encode([query])[0]
    scores = reranker.score(query, texts)
    rows = {"bi-encoder": np.round(cosines, 4), "cross-encoder": np.round(scores, 4)}
    return pd.DataFrame({"text": texts, **rows}, index=[chr(65 + i) for i in range(len(texts))])

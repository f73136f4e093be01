"""Small experiments on one query and one passage: which words carry the score."""

import numpy as np


def occlude(reranker, query, text):
    """Returns [(word, drop)]: how much the score of `text` falls when that word is left out.

    A positive drop means that the word raised the score, a negative one that it lowered it.
    """
    words = text.split()
    without = [" ".join(words[:i] + words[i + 1 :]) or " " for i in range(len(words))]
    scores = reranker.score(query, [text, *without])
    return list(zip(words, np.round(scores[0] - scores[1:], 4).tolist(), strict=True))


def compare(retriever, reranker, query, texts):
    """Returns a DataFrame with the score that each model gives to each text for the query."""
    import pandas as pd

    cosines = retriever.encode(texts) @ retriever.encode([query])[0]
    scores = reranker.score(query, texts)
    rows = {"bi-encoder": np.round(cosines, 4), "cross-encoder": np.round(scores, 4)}
    return pd.DataFrame({"text": texts, **rows}, index=[chr(65 + i) for i in range(len(texts))])

"""Every check accepts the right solution and gives the right hint for typical wrong ones."""

import importlib

import numpy as np
import pytest

from reranking import Hit, data, exercises

for number in range(1, 7):  # each module makes its exercises known
    importlib.import_module(f"reranking.exercises_0{number}")


def verdict(capsys, name, answer):
    capsys.readouterr()
    exercises.check(name, answer)
    return capsys.readouterr().out


def nearest(query, documents, top_k):
    retriever, _ = exercises.sample()
    return np.argsort(-(retriever.encode(documents) @ retriever.encode([query])[0]))[:top_k]


def rescored(query, hits, score):
    new = score(query, [hit.text for hit in hits])
    return [Hit(h.doc_id, float(s), h.text) for h, s in zip(hits, new, strict=True)]


def z(scores):
    return (np.array(scores) - np.mean(scores)) / (np.std(scores) or 1)


CASES = [
    ("1.1", lambda: 0.1457, "right"),
    ("1.1", lambda: 0.15, "right"),
    ("1.1", lambda: 81.6, "angle in degrees"),
    ("1.1", lambda: 0.6194, "document 0"),
    ("1.2", lambda: nearest, "right"),
    ("1.2", lambda: lambda q, d, k: nearest(q, d, 99)[::-1][:k], "upside down"),
    ("1.2", lambda: lambda q, d, k: [(n, 0.5) for n in nearest(q, d, k)], "without their cosines"),
    ("1.2", lambda: lambda q, d, k: sorted(nearest(q, d, k)), "wrong order"),
    ("1.2", lambda: lambda q, d, k: nearest(q, d, 5), "all ten"),
    ("1.3", lambda: lambda ids, judged, k: len(set(ids[:k]) & set(judged)) / len(judged), "right"),
    ("1.3", lambda: lambda ids, judged, k: len(set(ids[:k]) & set(judged)) / k, "precision"),
    ("1.3", lambda: lambda ids, judged, k: len(set(ids) & set(judged)) / 3, "first k"),
    ("1.4", lambda: ("which field does deep learning belong to", 1), "right"),
    ("1.4", lambda: ("what is reranking used for", 8), "not fooled"),
    ("1.4", lambda: ("How is Python used in machine learning?", 5), "sample query"),
    ("2.1", lambda: (42_000, 980_000), "right"),
    ("2.1", lambda: (30, 700), "1,400"),
    ("2.1", lambda: (980_000, 42_000), "wrong way round"),
    ("2.2", lambda: lambda q, h, s: sorted(rescored(q, h, s), key=lambda x: -x.score), "right"),
    ("2.2", lambda: lambda q, h, s: sorted(rescored(q, h, s), key=lambda x: x.score), "upside"),
    ("2.2", lambda: lambda q, h, s: sorted(h, key=lambda x: -len(x.text)), "old scores"),
    ("2.2", lambda: lambda q, h, s: rescored(q, h, s)[:2], "2 came out"),
    (
        "2.2",
        lambda: (
            lambda q, h, s: [
                x._replace(text="") for x in sorted(rescored(q, h, s), key=lambda x: -x.score)
            ]
        ),
        "its own text",
    ),
    ("2.3", lambda: lambda a, b: z(a) + z(b), "right"),
    ("2.3", lambda: lambda a, b: np.add(a, b), "plain sums"),
    ("2.3", lambda: lambda a, b: (z(a) + z(b)) / 2, "mean of the z-scores"),
    ("2.3", lambda: lambda a, b: (z(a) + z(b)) * (np.std(a) > 0), "still counts"),
    (
        "2.4",
        lambda: (
            "phones without a camera",
            "This phone has no camera, so it may be taken into the plant.",
            "This phone has a very good camera.",
        ),
        "right",
    ),
    (
        "2.4",
        lambda: (
            "soap without perfume",
            "This soap contains no perfume.",
            "This soap contains perfume.",
        ),
        "one of the probes",
    ),
    ("2.4", lambda: ("snakes", *data.load_documents()[0][:2]), "section 2.2"),
    ("2.4", lambda: ("python", "a snake", "a snake"), "the same"),
    ("2.4", lambda: ("capital of france", "Paris is the capital.", "Salt."), "not fooled"),
]


@pytest.mark.parametrize(("name", "answer", "expected"), CASES)
def test_a_check_tells_right_from_wrong(capsys, name, answer, expected):
    assert expected in verdict(capsys, name, answer())


@pytest.mark.parametrize("name", sorted(exercises.CHECKS))
def test_no_answer_and_nonsense_never_raise(capsys, name):
    assert "no answer yet" in verdict(capsys, name, ...)
    assert "not yet" in verdict(capsys, name, "nonsense")
    assert "not yet" in verdict(capsys, name, lambda *arguments: ...)

"""The promises of notebook 6: its lab, what one sees of a training, and its exercises."""

import numpy as np
import pytest
import torch

from reranking import cross_encoders, data, labs_06, lists, models, pools
from reranking import exercises_06 as exercises


@pytest.fixture(scope="module")
def small():
    """Two layers of the shipped model, so that a step is quick."""
    return cross_encoders.keep_layers(
        cross_encoders.new_cross_encoder(models.OUR_CROSS_ENCODER), [0, 5]
    )


@pytest.fixture
def lab(retriever, small):
    return labs_06.AdaptLab(retriever, small, data.load_topics("train")[:2], steps=2)


def finish(lab):
    lab.thread.join(120)
    assert not lab.thread.is_alive()


# Lab


def test_the_lab_shows_how_the_model_does_before_any_training(lab):
    assert "learns from 14 queries" in lab.result.value and "on 6 others" in lab.result.value
    assert " after." not in lab.result.value and lab.thread is None
    assert "<table" in lab._repr_mimebundle_()["text/html"]


def test_training_leaves_the_page_free_and_shows_both_states(lab, small):
    before = {n: w.clone() for n, w in small.model.state_dict().items()}
    lab.start.click()
    assert lab.start.disabled and not lab.stop.disabled  # the call came back at once
    finish(lab)
    assert lab.bar.value == 2 and lab.bar.description == "done"
    assert " after." in lab.result.value and lab.status.value == ""
    assert not lab.start.disabled and lab.stop.disabled
    assert all(torch.equal(before[n], w) for n, w in small.model.state_dict().items())
    adapted = lab.adapted.model.state_dict()
    assert not all(torch.equal(before[n], w) for n, w in adapted.items())


def test_stop_ends_the_training_early(lab):
    lab.steps.value = 40
    lab.start.click()
    lab.stop.click()
    finish(lab)
    assert lab.bar.value < 40 and lab.bar.description == "stopped"


def test_held_out_queries_are_never_learned_from(lab):
    learned, held = lab.pools()
    assert len(learned.queries) == 14 and len(held.queries) == 6
    assert not set(learned.queries) & set(held.queries)
    assert learned.passages == held.passages


def test_own_documents_can_be_pasted(lab):
    lab.topic.value = labs_06.OWN
    assert lab.status.value == "" and "2 passages" in lab.result.value
    assert "learns from 1 query and is tested on 1 other." in lab.result.value
    lab.start.click()
    finish(lab)
    assert lab.bar.description == "done"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("{", "line 1 is not JSON"),
        ('{"queries": ["a"]}', "has no text"),
        ('{"text": "a", "queries": "b"}', "must be a list"),
        ('{"text": " ", "queries": ["b"]}', "empty text"),
        ('{"text": "a", "queries": ["b"]}', "At least two passages"),
        ("", "At least two passages"),
    ],
)
def test_text_that_cannot_be_used_is_explained(lab, text, expected):
    lab.topic.value = labs_06.OWN
    lab.text.value = text
    assert expected in lab.status.value and lab.result.value == ""
    lab.start.click()
    assert lab.thread is None


def test_pasted_text_is_never_shown_as_html(lab):
    lab.topic.value = labs_06.OWN
    lab.text.value = (
        '{"text": "<b>one</b>", "queries": ["<script>x</script>", "b", "<img src=x>"]}\n'
        '{"text": "two", "queries": []}'
    )
    assert "<img" not in lab.result.value and "&lt;img" in lab.result.value


# What one sees of a training


def test_watching_measures_before_in_between_and_at_the_end(small, retriever):
    pool = pools.judged_pool(data.load_topics("train")[:1])
    maker = lists.ListMaker(pool, *map(retriever.encode, (pool.queries, pool.passages)))
    model = cross_encoders.keep_layers(small, [0, 1])

    def make(step):
        return [maker.pair(step, np.random.default_rng(0))]

    seen = labs_06.watch(model, make, 4, lambda m: 0.5, before=0.4, mse=0)
    assert len(seen.losses) == 4 and seen.quality == {0: 0.4, 2: 0.5, 4: 0.5}
    target = make(0)[0].target
    target = target[target > 0]
    assert seen.alike[0] == pytest.approx(np.sum(target * np.log(6 * target)), abs=1e-4)


# Exercises


def verdict(capsys, name, answer):
    capsys.readouterr()
    exercises.check(name, answer)
    return capsys.readouterr().out


def loss(scores, target):
    shares = np.exp(scores) / np.exp(scores).sum()
    wanted = target > 0
    return np.sum(target[wanted] * np.log(target[wanted] / shares[wanted]))


def cross_entropy(scores, target):
    return -np.sum(target * np.log(np.exp(scores) / np.exp(scores).sum()))


def careless(scores, target):
    return np.sum(target * np.log(target / (np.exp(scores) / np.exp(scores).sum())))


def hard(cosines, answer, count, margin):
    order = np.argsort(-cosines)
    return [n for n in order if n != answer and cosines[n] <= cosines[answer] + margin][:count]


def nearest(cosines, answer, count, margin):
    return [n for n in np.argsort(-cosines) if n != answer][:count]


PRICES = {
    0.1: {"punished": 0.9, "thrown away": 0.1},
    -0.2: {"punished": 0.2, "thrown away": 0.5},
    -0.3: {"punished": 0.0, "thrown away": 0.8},
}


@pytest.mark.parametrize(
    "name, answer, expected",
    [
        ("6.1", [0.8, 0, 0.2, 0], "right"),
        ("6.1", [1, 0, 0.25, 0], "Divide them by their sum"),
        ("6.1", [0.6, 0, 0.4, 0], "divided the grades"),
        ("6.1", [0.8, 0.2], "four numbers"),
        ("6.2", loss, "right"),
        ("6.2", lambda s, t: loss(s, t) / 3, "mean over the passages"),
        ("6.2", lambda s, t: -loss(s, t), "sign is wrong"),
        ("6.2", cross_entropy, "cross-entropy"),
        ("6.2", careless, "log(0)"),
        ("6.2", lambda s, t: ((s - t) ** 2).sum(), "squared differences"),
        ("6.3", hard, "right"),
        ("6.3", lambda c, a, k, m: np.array(hard(c, a, k, m)), "right"),
        ("6.3", nearest, "it may be an answer"),
        ("6.3", lambda c, a, k, m: np.argsort(-np.where(c > 0.8, 0, c))[1:3], "the answer itself"),
        ("6.3", lambda c, a, k, m: hard(-c, a, k, 9)[:k], "easiest"),
        ("6.3", lambda c, a, k, m: hard(c, a, k, 0), "margin"),
        ("6.3", lambda c, a, k, m: hard(c, a, k, m)[::-1], "must come first"),
        ("6.4", (-0.2, PRICES), "right"),
        ("6.4", (0.1, PRICES), "90% of the hidden answers"),
        ("6.4", (-0.3, PRICES), "throws fewer"),
        ("6.4", (0.25, PRICES), "margins in the table"),
    ],
)
def test_checks_know_right_answers_and_typical_mistakes(capsys, name, answer, expected):
    with np.errstate(all="ignore"):
        assert expected in verdict(capsys, name, answer)


def test_the_price_of_a_margin_counts_hidden_answers_and_lost_negatives():
    pool = pools.Pool(["a"] * 5, ["q"], [{0: 3, 1: 2, 2: 1}], [[3, 4]])
    cosines = np.array([[0.8], [0.7], [0.9], [0.75], [0.2]])
    maker = lists.ListMaker(pool, np.ones((1, 1)), cosines)
    assert exercises.price_of(0.0, maker) == {"punished": 1.0, "thrown away": 0.0}
    assert exercises.price_of(-0.07, maker) == {"punished": 1.0, "thrown away": 0.5}
    assert exercises.price_of(-0.2, maker) == {"punished": 0.0, "thrown away": 0.5}

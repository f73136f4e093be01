"""The promises of the alarm and of interleaving."""

import numpy as np
import pandas as pd
import pytest

import reranking as rr
from reranking import monitoring


def some_signals(number, shift=0.0, seed=0):
    values = np.random.default_rng(seed).normal(shift, 1, size=(number, 5))
    return pd.DataFrame(values, columns=list("abcde"))


def test_the_alarm_is_quiet_without_a_change_and_rings_with_one():
    alarm = monitoring.DriftAlarm(some_signals(200), level=0.01)
    rings = [alarm.rings(some_signals(40, seed=seed)) for seed in range(1, 101)]
    assert np.mean(rings) <= 0.05
    assert all(alarm.rings(some_signals(40, 1.0, seed)) for seed in range(1, 20))


def test_signals_tell_what_reranking_changed():
    before = {"q": [rr.Hit(i, 1 - i / 10, "") for i in range(4)]}
    after = {"q": [rr.Hit(3, 5.0, ""), rr.Hit(0, 2.0, ""), rr.Hit(1, 1.0, ""), rr.Hit(2, 0.0, "")]}
    row = monitoring.signals(before, after, k=2).loc["q"]
    assert row.to_dict() == {
        "top cosine": 1.0,
        "top score": 5.0,
        "lead of the first": 3.0,
        "overlap@2": 0.5,
        "first changed": 1.0,
    }


def test_signals_of_a_single_hit_have_no_lead_and_no_hits_are_named():
    one = {"q": [rr.Hit(1, 0.5, "")]}
    row = monitoring.signals(one, one).loc["q"]
    assert np.isnan(row["lead of the first"]) and row.drop("lead of the first").notna().all()
    for before, after in ((one, {"q": []}), ({"q": []}, one)):
        with pytest.raises(ValueError, match="'q' has no hits"):
            monitoring.signals(before, after)


def test_a_draft_holds_every_passage_once_and_is_fair():
    rng = np.random.default_rng(0)
    first, second = list("abcdef"), list("bdxyza")
    teams = []
    for _ in range(400):
        draft = monitoring.team_draft(first, second, rng, k=6)
        ids = [doc_id for doc_id, _ in draft]
        assert len(set(ids)) == 6
        assert sum(team for _, team in draft) == 3
        assert all(doc_id in (first, second)[team] for doc_id, team in draft)
        teams.append(draft[0][1])
    assert 0.4 < np.mean(teams) < 0.6
    assert len(monitoring.team_draft(["a"], ["b", "c"], rng, k=9)) == 3


def test_interleaving_finds_the_better_list_and_no_difference_to_itself():
    rng = np.random.default_rng(0)
    good = {"q": [rr.Hit(i, 0.0, "") for i in range(6)]}
    bad = {"q": good["q"][::-1]}
    qrels = {"q": {0: 3, 1: 2}}
    outcomes = [monitoring.interleave(good, bad, qrels, rng, k=4) for _ in range(300)]
    assert monitoring.decide(outcomes).p < 0.001 and sum(outcomes) > 0
    assert sum(monitoring.contest(good, good, qrels, 200)) == 0
    assert sum(monitoring.contest(good, bad, qrels, 200, k=4)) > 0
    power = monitoring.power(outcomes, [10, 300])
    assert power[10] < power[300]


def test_a_contest_has_as_many_outcomes_as_queries_and_refuses_an_odd_number():
    one = {"q": [rr.Hit(1, 0.5, "")]}
    assert len(monitoring.contest(one, one, {"q": {}}, 6)) == 6
    with pytest.raises(ValueError, match="even, not 5"):
        monitoring.contest(one, one, {"q": {}}, 5)


def test_the_sign_test_ignores_ties():
    assert monitoring.decide([1] * 9 + [-1] + [0] * 50).p == pytest.approx(22 / 1024)
    assert monitoring.decide([0, 0]).p == 1.0

"""Watching a search in service: signals that need no judgements, an alarm, and interleaving."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from prometheus_client.parser import text_string_to_metric_families
from scipy import stats

# Chance of a click on a hit by its grade, and of stopping after a click: the users "perfect" and
# "informational" of Hofmann and others (CIKM 2011, WSDM 2013). They have five grades there; we have
# four, so the middle one is left out.
CLICKS = {"perfect": (0.0, 0.2, 0.8, 1.0), "informational": (0.4, 0.6, 0.8, 0.9)}
STOPS = {"perfect": (0.0, 0.0, 0.0, 0.0), "informational": (0.1, 0.2, 0.4, 0.5)}


# Metrics


def read_metrics(text):
    """Returns {(name, labels): value} of a page in Prometheus' format; labels are sorted pairs."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def buckets(metrics, name, **labels):
    """Returns {upper bound: how many observations were at most that} of a histogram."""
    wanted = set(labels.items())
    found = {
        float(dict(pairs)["le"]): value
        for (sample, pairs), value in metrics.items()
        if sample == f"{name}_bucket" and wanted <= set(pairs)
    }
    return dict(sorted(found.items()))


# Signals


def signals(before, after, k=10):
    """Returns a DataFrame with a row for each query and what can be seen without judgements.

    `before` and `after` are {query id: list of Hit}, by the first stage and reranked. The lead of
    a single hit is not a number (NaN). Raises ValueError for a query without hits.
    """
    rows = {}
    for query_id, hits in before.items():
        new = after[query_id]
        if not hits or not new:
            raise ValueError(f"The query {query_id!r} has no hits.")
        shared = {hit.doc_id for hit in hits[:k]} & {hit.doc_id for hit in new[:k]}
        rows[query_id] = {
            "top cosine": hits[0].score,
            "top score": new[0].score,
            "lead of the first": new[0].score - new[1].score if len(new) > 1 else np.nan,
            f"overlap@{k}": len(shared) / k,
            "first changed": float(hits[0].doc_id != new[0].doc_id),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


class DriftAlarm:
    """Compares the signals of new queries with those of a quiet time.

    Each signal is tested by the two-sample test of Kolmogorov and Smirnov, which sees any change
    of the distribution. With many ties, as in shares, it errs on the quiet side.
    """

    def __init__(self, reference, level=0.01):
        """`reference` is a DataFrame of signals. `level` is the chance of a false alarm by window,
        at most: it is divided among the signals (Bonferroni)."""
        self.reference, self.level = reference, level

    def check(self, window):
        """Returns a DataFrame with a row for each signal: both means, the p-value, alarm or not."""
        rows = {}
        for name in self.reference:
            old, new = self.reference[name], window[name]
            p = stats.ks_2samp(old, new).pvalue
            rows[name] = [old.mean(), new.mean(), p, p < self.level / self.reference.shape[1]]
        columns = ["reference", "window", "p-value", "alarm"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def rings(self, window):
        """Returns whether any signal raises the alarm."""
        return bool(self.check(window)["alarm"].any())


# Interleaving


def team_draft(first, second, rng, k=10):
    """Returns [(doc id, team), ...] of length k: one list out of two, and who brought each hit.

    `first` and `second` are lists of ids, best first. Team 0 or 1 picks its best hit that is not
    taken yet. The team with fewer picks is next; if both have the same number, a coin decides.
    Source: Radlinski, Kurup and Joachims, CIKM 2008.
    """
    lists, picks, drafted, taken = (first, second), [0, 0], [], set()
    while len(drafted) < k:
        left = [next((doc_id for doc_id in ids if doc_id not in taken), None) for ids in lists]
        if left == [None, None]:
            break
        team = int(rng.integers(2)) if picks[0] == picks[1] else int(picks[1] < picks[0])
        team = team if left[team] is not None else 1 - team
        drafted.append((left[team], team))
        taken.add(left[team])
        picks[team] += 1
    return drafted


def clicks(grades, rng, model="informational"):
    """Returns the ranks, from 0, on which a simulated user clicks, who reads from the top."""
    clicked = []
    for rank, grade in enumerate(grades):
        if rng.random() < CLICKS[model][grade]:
            clicked.append(rank)
            if rng.random() < STOPS[model][grade]:
                break
    return clicked


def interleave(first, second, qrels, rng, model="informational", k=10):
    """Returns +1 if `first` wins a query drawn at random, -1 if `second` does, 0 for a tie.

    `first` and `second` are {query id: list of Hit}. The team with more clicks wins.
    """
    query_id = list(first)[rng.integers(len(first))]
    lists = [[hit.doc_id for hit in results[query_id]] for results in (first, second)]
    drafted = team_draft(*lists, rng, k)
    grades = [qrels[query_id].get(doc_id, 0) for doc_id, _ in drafted]
    teams = [drafted[rank][1] for rank in clicks(grades, rng, model)]
    return int(np.sign(teams.count(0) - teams.count(1)))


def contest(first, second, qrels, queries=2000, model="informational", k=10):
    """Returns the outcomes of that many queries: +1 where `first` wins, -1 or 0.

    Each draw of luck is played twice, with the sides swapped, so that neither gains by it. Raises
    ValueError for an odd number of `queries`.
    """
    if queries % 2:
        raise ValueError(f"The number of queries must be even, not {queries}.")
    outcomes = []
    for seed in range(queries // 2):
        lucky = [np.random.default_rng(seed) for _ in range(2)]
        outcomes.append(interleave(first, second, qrels, lucky[0], model, k))
        outcomes.append(-interleave(second, first, qrels, lucky[1], model, k))
    return outcomes


class Decision(NamedTuple):
    """Wins of both sides, and the p-value of the sign test: ties count for nobody."""

    first: int
    second: int
    p: float


def decide(outcomes):
    """Returns the Decision after outcomes of +1, -1 and 0."""
    first, second = (int(np.sum(np.asarray(outcomes) == side)) for side in (1, -1))
    return Decision(first, second, sign_test(first, second))


@cache
def sign_test(first, second):
    """Returns the chance that two equal sides win this unevenly or worse (two-sided)."""
    return float(stats.binomtest(first, first + second).pvalue) if first + second else 1.0


def power(outcomes, sizes, level=0.05, repeat=200, seed=0):
    """Returns {number of queries: share of experiments of that size that favour the first side}.

    Each of `repeat` experiments draws its outcomes from `outcomes`, and favours a side if the
    sign test is below `level`.
    """
    rng, shares = np.random.default_rng(seed), {}
    for size in sizes:
        drawn = rng.choice(outcomes, (repeat, size))
        decisions = [decide(row) for row in drawn]
        shares[size] = np.mean([d.p < level and d.first > d.second for d in decisions])
    return shares

"""The checks behind the exercises of notebook 5. See `exercises` for how they work."""

import itertools
import math

from .exercises import check, exercise

__all__ = ["check"]


@exercise("5.1", "This is Little's law: how many are inside is rate times time inside.")
def places_and_users(answer):
    places, users = (float(value) for value in answer)
    if (places, users) == (20, 200):
        return None
    if (places, users) == (200, 20):
        return "the two numbers are the wrong way round."
    if places == 80:
        return "places: 40 a second, for half a second. Multiply instead of dividing."
    if places == 20_000:
        return "half a second is 0.5, when the rate is in searches a second."
    if places != 20:
        return "places: in half a second the service answers so many of those who wait."
    if users == 8:
        return "users: each asks every 5 seconds, so there can be more of them than 40. Multiply."
    if users == 40:
        return "users: these are the searches a second, but one user asks only every 5 seconds."
    return "users: so many people ask within 5 seconds, once each."


def same(function, first, second):
    """Returns whether two lists of arguments get the same key."""
    return function(*first) == function(*second)


@exercise("5.2", "Nothing that the result depends on is missing, and nothing else is in it.")
def own_key(function):
    usual = ("How to bake bread?", 5, "passages 1", "weights 1")
    found = function(*usual)
    if found is ...:
        return "the function still returns ...: write its body."
    try:
        hash(found)
    except TypeError:
        return f"a {type(found).__name__} cannot be the key of a dictionary. A tuple can."
    for place, name, other in (
        (2, "passages", "passages 2"),
        (3, "weights", "weights 2"),
        (1, "top_k", 6),
    ):
        changed = (*usual[:place], other, *usual[place + 1 :])
        if same(function, usual, changed):
            return f"with other {name} the key is the same, and the cache would lie."
    if same(function, ("dog bites man", *usual[1:]), ("man bites dog", *usual[1:])):
        return "the order of the words matters to a cross-encoder. Keep it."
    if same(function, ("a note book", *usual[1:]), ("a notebook", *usual[1:])):
        return "without any blanks, two different queries become one. Keep one between words."
    if same(function, ("bread", 11, *usual[2:]), ("bread1", 1, *usual[2:])):
        return "two different searches glue together to the same text. Use a tuple."
    for one, other in (
        ("c++ code", "c code"),
        ("How to bake bread?", "How to bake bread"),
        ("How to bake bread?", "How to bake-bread?"),
    ):
        if same(function, (one, *usual[1:]), (other, *usual[1:])):
            return "the models read punctuation, so its loss can change the result. Keep it."
    if not same(function, usual, ("how to BAKE bread?", *usual[1:])):
        return "capital and small letters should get the same key."
    if not same(function, usual, ("  How to  bake bread? ", *usual[1:])):
        return "more blanks, also at the ends, should not change the key."
    return None


@exercise("5.3", "Prometheus computes it the same way, so a bucket's width limits the precision.")
def own_quantile(function):
    counts = {0.1: 20, 0.2: 60, 0.5: 100, math.inf: 100}
    found = function(counts, 0.5)
    if found is ...:
        return "the function still returns ...: write its body."
    for wrong, hint in (
        (0.2, "this is the upper bound of the right bucket. Go only part of the way to it."),
        (0.1, "this is the lower bound of the right bucket. Go part of the way to the upper one."),
        (0.15, "this is the middle of the bucket. Go as far as the rank lies in it."),
        (0.38, "the counts are cumulative already: each holds those of the smaller bounds too."),
        (0.1 + 0.1 * 50 / 60, "from the rank, take off those in the buckets below."),
    ):
        if abs(found - wrong) < 1e-6:
            return hint
    if abs(found - 0.175) > 1e-6:
        return f"30 of the 40 between 0.1 and 0.2 are below the median: 0.175, not {found}."
    if abs(function(counts, 0.1) - 0.05) > 1e-6:
        return "the first bucket begins at 0: of 20 there, the 10th lies at 0.05."
    last = function({0.1: 1, 0.2: 2, math.inf: 10}, 0.95)
    if not math.isfinite(last):
        return "in the last bucket, which has no end, return the largest finite bound."
    if abs(last - 0.2) > 1e-6:
        return f"of the last bucket only its lower end is known, here 0.2. It gave {last}."
    return None


def drafted(function, coins):
    """Returns the draft of two short lists, as tuples, with coins that fall as listed."""
    falls = itertools.cycle(coins)
    found = function(["a", "b", "c", "d"], ["b", "a", "e", "f"], lambda: next(falls))
    return found if found is ... else [tuple(entry) for entry in found]


@exercise("5.4", "Both teams have equal chances, whoever is better.")
def own_team_draft(function):
    found = drafted(function, [0, 1])
    if found is ...:
        return "the function still returns ...: write its body."
    if any(len(entry) != 2 or entry[1] not in (0, 1) for entry in found):
        return "each entry is a pair: an id, and the team that brought it, 0 or 1."
    ids = "".join(doc_id for doc_id, _ in found)
    if len(set(ids)) < len(ids):
        return "a passage stands in the list twice. A team must skip what is taken."
    if len(ids) < 6:
        return f"six passages are in the two lists, and {len(ids)} came out."
    if found[0][1] != 0 or drafted(function, [1, 0])[0][1] != 1:
        return "coin() says which team picks first: team 0 if it falls 0, team 1 if it falls 1."
    expected = [("a", 0), ("b", 1), ("e", 1), ("c", 0), ("d", 0), ("f", 1)]
    if found == [("a", 0), ("b", 1), ("c", 0), ("e", 1), ("d", 0), ("f", 1)]:
        return "ask the coin before every round of two picks, not only once."
    if [team for _, team in found] != [team for _, team in expected]:
        return "in each round, both teams pick once: first the one that coin() names."
    if found != expected:
        return "each team picks its best passage that is not taken yet."
    once = [tuple(entry) for entry in function(list("abc"), list("abc"), lambda: 0)]
    if once != [("a", 0), ("b", 1), ("c", 0)]:
        return "if a team has nothing left to pick, the other one picks alone."
    return None


LOG = [("add", "a"), ("add", "b"), ("commit",), ("delete", "a"), ("commit",), ("add", "c")]


@exercise("5.5", "What was never committed has never happened, be it an addition or a deletion.")
def own_recovery(function):
    found = function(list(LOG))
    if found is ...:
        return "the function still returns ...: write its body."
    for wrong, hint in (
        ({"b", "c"}, "the addition of c was begun, but no commit follows. It does not count."),
        (
            {"a", "b"},
            "a was deleted, and this was committed. There may be several commits.",
        ),
        ({"a", "b", "c"}, "entries that delete have to be obeyed too."),
        ({"c"}, "what was committed counts, not what comes after the last commit."),
    ):
        if set(found) == wrong:
            return hint
    if set(found) != {"b"}:
        return f"of the log in the text only b is left, and it gave {sorted(found)}."
    if set(function([("add", "a"), ("commit",), ("delete", "a")])) != {"a"}:
        return "a deletion without a commit behind it does not count either."
    again = [("add", "a"), ("commit",), ("delete", "a"), ("add", "a"), ("commit",)]
    if set(function(again)) != {"a"}:
        return "an id may come back after it was deleted. Keep the order of the entries."
    if set(function([("add", "a"), ("delete", "a"), ("commit",)])):
        return "keep the order of the entries: here a was added, then deleted."
    if set(function([("delete", "x"), ("add", "a"), ("commit",)])) != {"a"}:
        return "to delete what is not there should change nothing."
    if set(function([])) or set(function([("add", "a")])):
        return "without any commit nothing is there."
    return None


@exercise("5.6", "More cores save time, not money.")
def own_corpus(function):
    usual = (11_520_000, 40, 0.2, 25, 0.05)  # 100 core-hours
    found = function(*usual)
    if found is ...:
        return "the function still returns ...: write its body."
    hours, cost = (float(value) for value in found)
    if abs(hours - 5) < 1e-6 and abs(cost - 4) < 1e-6:
        return "the two numbers are the wrong way round: hours first, then the cost."
    for wrong, hint in (
        (3.2, "what is lost is left out: a core does useful work in 1 - lost of the time."),
        (3.84, "divide by 1 - lost. Multiplying by 1 + lost gives too little time."),
        (3.2 * 0.8, "with time lost it takes longer, so divide by 1 - lost."),
        (100, "all cores work at the same time: divide the hours by their number."),
        (4 * 3600, "these are seconds. An hour has 3600."),
        (4 * 60, "these are minutes. An hour has 60."),
    ):
        if abs(hours - wrong) < 1e-6 * wrong:
            return f"hours: {hint}"
    if abs(hours - 4) > 1e-6:
        return f"hours: 11.52 million at 40 a second are 288,000 s of one core, so not {hours}."
    if abs(cost - 0.2) < 1e-6:
        return "cost: every core is paid for all of the hours."
    if abs(cost - 5) > 1e-6:
        return "cost: core-hours times the price of a core-hour."
    if abs(function(*usual[:3], 50, 0.05)[1] - 5) > 1e-6:
        return "cost: with twice the cores it takes half the time, and costs the same."
    return None

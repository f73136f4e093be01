"""The checks behind the exercises of notebook 6. See `exercises` for how they work."""

import numpy as np

from .exercises import check, exercise

__all__ = ["check"]


@exercise("6.1", "A passage that answers in part gets a quarter of what a full answer gets.")
def shares_of_grades(answer):
    shares = np.asarray(answer, dtype=float)
    if shares.shape != (4,):
        return "give four numbers, one for each passage."
    if np.allclose(shares, [1, 0, 0.25, 0]):
        return "these are the points. Divide them by their sum, so that the shares add up to 1."
    if np.allclose(shares, [0.6, 0, 0.4, 0], atol=0.005):
        return "you divided the grades. First replace each grade by its points: 1, 0.25, 0.06 or 0."
    powers = np.exp([3, 0, 2, 0])
    if np.allclose(shares, powers / powers.sum(), atol=0.005):
        return "this is softmax of the grades. The recipe has points for each grade."
    if not np.allclose(shares, [0.8, 0, 0.2, 0], atol=0.005):
        return "the points are 1, 0, 0.25 and 0. Divide each by their sum."
    return None


@exercise("6.2", "It is 0 where both agree, and it grows with every share that is given wrongly.")
def own_listwise_loss(function):
    scores, target = np.array([1.0, 3.0, 0.0]), np.array([0.5, 0.3, 0.2])
    shares = np.exp(scores) / np.exp(scores).sum()
    found = function(scores, target)
    if found is ...:
        return "the function still returns ...: write its body."
    found = np.asarray(found, dtype=float)
    if found.shape != ():
        return "return one number: sum over the passages."
    right = np.sum(target * np.log(target / shares))
    if np.isclose(found, -right):
        return "the sign is wrong: it must never be below 0."
    if np.isclose(found, right / 3):
        return "this is the mean over the passages. The sum is wanted."
    if np.isclose(found, np.sum(shares * np.log(shares / target))):
        return "the two are exchanged: weigh by the target, and divide the target by the shares."
    if np.isclose(found, -np.sum(target * np.log(shares))):
        return "this is the cross-entropy, not 0 where both agree. Take log(target / share)."
    if np.isclose(found, np.sum((scores - target) ** 2)):
        return "these are squared differences. Turn the scores into shares with softmax first."
    if not np.isclose(found, right):
        return f"for scores 1, 3, 0 and target 0.5, 0.3, 0.2 it should be {right:.3f}, not {found}."
    with np.errstate(all="ignore"):
        one_answer = function(scores, np.array([0.0, 1.0, 0.0]))
    if not np.isclose(one_answer, -np.log(shares[1])):
        return "a target of 0 adds nothing, but 0 times log(0) is not a number. Leave it out."
    return None


@exercise("6.3", "Hard, and not so hard that they may be answers that nobody labelled.")
def own_hard_negatives(function):
    cosines = np.array([0.70, 0.20, 0.65, 0.90, 0.72, 0.40])
    found = function(cosines, 0, 2, 0.05)
    if found is ...:
        return "the function still returns ...: write its body."
    found = [int(number) for number in found]
    if 0 in found:
        return "passage 0 is the answer itself. Leave it out."
    if 3 in found:
        return "passage 3 has a cosine far above the answer's: it may be an answer. Leave it out."
    if len(found) != 2:
        return f"two passages were asked for, and {len(found)} came."
    if found == [1, 5]:
        return "these are the easiest. The nearest are wanted."
    if found == [2, 4]:
        return "these are the right passages. The nearest must come first."
    if found == [2, 5]:
        return "passage 4 is only 0.02 above the answer, which the margin of 0.05 allows."
    if found != [4, 2]:
        return f"with the cosines {cosines.tolist()} it should give [4, 2], not {found}."
    if [int(number) for number in function(cosines, 5, 2, 0.05)] != [1]:
        return "if fewer passages are left than asked for, return those that are left."
    return None


MARGINS = (0.1, 0, -0.1, -0.15, -0.2, -0.25, -0.3)


def price_of(margin, maker):
    """Returns what a margin between answer and negatives costs, as {what: share}.

    `maker` is a ListMaker of judged topics. Only the best answer of each query counts as labelled.
    Among the ten passages nearest to a query by the teacher's cosine, "punished" is the share of
    the other answers, of grade 2 or 3, that are taken as negatives: their cosine is at most
    `margin` above that of the labelled answer. "thrown away" is the share of the passages of grade
    0 that are not taken.
    """
    punished, thrown_away = [], []
    for query, grades in enumerate(maker.pool.grades):
        cosines, labelled = maker.cosines(query), max(grades, key=grades.get)
        for number in map(int, np.argsort(-cosines)[:10]):
            taken = cosines[number] <= cosines[labelled] + margin
            if number not in grades:
                thrown_away.append(not taken)
            elif number != labelled and grades[number] >= 2:
                punished.append(taken)
    return {"punished": np.mean(punished), "thrown away": np.mean(thrown_away)}


@exercise("6.4", "A margin saves answers that nobody labelled, and pays with good negatives.")
def own_margin(answer):
    margin, prices = answer
    if margin not in prices:
        return f"choose one of the margins in the table: {', '.join(map(str, prices))}."
    punished, thrown_away = prices[margin].values()
    if punished > 0.25:
        return f"with {margin}, {punished:.0%} of the hidden answers are still punished."
    for other in prices.values():
        if other["punished"] <= 0.25 and other["thrown away"] < thrown_away:
            return "another margin keeps to the quarter too, and throws fewer negatives away."
    return None

"""Lists to learn from: a query, some passages, and what a cross-encoder should say of each."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LABEL_WEIGHTS = (0.0, 0.06, 0.25, 1.0)  # for the grades 0 to 3
SHARPNESS = 20  # a cosine that is 0.05 higher makes a passage e (2.7) times as likely
SOFTENING = 0.6  # teacher and partner: between their mean (0.5) and their sum, which is too sure

# The scores wanted, as logits: the higher the cosine, the higher they are, and grades move them.
SLOPE = 16  # from a cosine of 0 to one of 1
BASE = -6  # at a cosine of 0, where the teacher alone judges
JUDGED_BASE = -7  # the same for grade 0: a passage judged to be wrong stands lower
BY_GRADE = 1.5  # for each grade, so that grade 1 stands higher than without a judgement

# What is closer than the answer by more than a margin may be an answer that nobody labelled.
PAIR_MARGIN = 0.03  # of cosine
MIXED_MARGIN = 0.05  # of cosine, above the closest of the best answers
NOISE = 0.08  # standard deviation, in cosine: another round takes other passages for a query
TRAP_SHARPNESS = 8  # a trap whose cosine is 0.1 higher is drawn 2.2 (e^0.8) times as often


class RankedList(NamedTuple):
    """A query, some passages, and what the model should say of them."""

    query: str
    passages: list  # k texts
    target: np.ndarray  # (k,) how likely each passage is the answer, together 1
    scores: np.ndarray  # (k,) the scores wanted, as logits


class ListMaker:
    """Makes the lists to learn from out of a Pool and the teacher's embeddings of its texts.

    `asked` are the numbers of the queries to make lists for, all of them by default.
    """

    def __init__(self, pool, query_vectors, passage_vectors, seed=0, asked=None):
        self.pool, self.seed = pool, seed
        self.query_vectors, self.passage_vectors = query_vectors, passage_vectors
        self.asked = range(len(pool.queries)) if asked is None else asked

    def query(self, turn):
        """Returns the number of the query whose turn it is; all come before one comes again."""
        count = len(self.asked)
        return self.asked[int(shuffled(self.seed, turn // count, count)[turn % count])]

    def cosines(self, query):
        """Returns the teacher's cosines of one query with all passages."""
        return self.passage_vectors @ self.query_vectors[query]

    def distil(self, turn, rng):
        """Returns a RankedList by the teacher alone: 6 nearest, 3 near and 3 random passages."""
        query = self.query(turn)
        cosines = self.cosines(query)
        near = np.argsort(-cosines, kind="stable")[:60]
        chosen = [rng.choice(near[:12], 6, False), rng.choice(near[12:], 3, False)]
        rest = np.setdiff1d(np.arange(len(cosines)), np.concatenate(chosen))
        chosen = np.concatenate([*chosen, rng.choice(rest, 3, False)])
        cosines = cosines[chosen]
        return self.ranked(query, chosen, teacher_share(cosines), SLOPE * cosines + BASE)

    def topic(self, turn, rng, alpha=0.7, score=None):
        """Returns a RankedList of a judged topic: the answers, traps beside them, one from afar.

        With `score`, a function that scores pairs, four come from afar: of ten, the three that it
        scores highest and one at random.
        """
        query = self.query(turn)
        cosines, grades = self.cosines(query), self.pool.grades[query]
        answers = sorted(grades, key=grades.get, reverse=True)[:3]
        traps = self.traps(query, 5 - len(answers), rng)
        outside = np.setdiff1d(np.arange(len(cosines)), [*grades, *self.pool.near[query]])
        outside = outside[np.argsort(-cosines[outside], kind="stable")[:20]]
        afar = rng.choice(outside, 10 if score else 1, False)
        if score:
            text, texts = self.pool.queries[query], self.pool.passages
            order = np.argsort(-score([(text, texts[number]) for number in afar]))
            afar = afar[[*order[:3], rng.choice(order[3:])]]
        return self.judged(query, [*answers, *traps, *afar], alpha)

    def pair(self, turn, rng, alpha=0.7):
        """Returns a RankedList of a question, an answer, and passages that the teacher finds close.

        A passage that the teacher finds clearly closer than the answer may be an answer that
        nobody labelled, so it is left out.
        """
        query = self.query(turn)
        cosines, answers = self.cosines(query), self.pool.grades[query]
        answer = rng.choice([n for n in answers if answers[n] == max(answers.values())])
        close = np.argsort(-cosines, kind="stable")[:60]
        limit = cosines[answer] + PAIR_MARGIN
        close = [n for n in close if n not in answers and cosines[n] < limit]
        wrong = list(rng.permutation(self.pool.near[query])[:1])
        for part, count in ((close[:12], 3), (close[12:], 2)):
            wrong += list(rng.permutation(part)[:count])
        others = rng.integers(len(cosines), size=20)
        wrong = [n for n in dict.fromkeys(map(int, [*wrong, *others])) if n not in answers]
        return self.judged(query, [answer, *wrong[:5]], alpha)

    def mixed(self, turn, rng, own, others, alpha, score=None):
        """Returns a RankedList of `own` passages of the query's topic and `others` from anywhere.

        The others are those that the teacher finds closest, with some noise; in half of the lists
        the last of them is any passage. As in `pair`, what may be an answer is left out. `score`
        as in `judged`.
        """
        query = self.query(turn)
        cosines, grades = self.cosines(query), self.pool.grades[query]
        answers = sorted(grades, key=grades.get, reverse=True)[: min(3, own - 1)]
        traps = self.traps(query, own - len(answers), rng)
        best = [n for n in answers if grades[n] == max(grades.values())]
        limit = max(cosines[best]) + MIXED_MARGIN
        close = np.argsort(-cosines, kind="stable")[:40]
        known = [*grades, *self.pool.near[query]]
        close = close[(cosines[close] < limit) & ~np.isin(close, known)]
        close = close[np.argsort(-cosines[close] - rng.normal(0, NOISE, len(close)))][:others]
        if len(close) < others or rng.random() < 0.5:
            close = [*close[: others - 1], rng.integers(len(cosines))]
        chosen = dict.fromkeys(map(int, [*answers, *traps, *close]))
        return self.judged(query, list(chosen), alpha, score)

    def traps(self, query, most, rng):
        """Returns at most so many wrong passages of the query's topic, the close ones rather."""
        grades = self.pool.grades[query]
        traps = np.array([n for n in self.pool.near[query] if n not in grades], dtype=int)
        if len(traps) <= most:
            return traps
        cosines = self.cosines(query)[traps]
        odds = np.exp(TRAP_SHARPNESS * (cosines - cosines.max()))
        return rng.choice(traps, most, False, p=odds / odds.sum())

    def judged(self, query, chosen, alpha, score=None):
        """Returns the RankedList of chosen passages, by grades and teacher.

        `alpha` is the share of the grades in the target; the rest is the teacher's. With `score`, a
        function that scores pairs, a model that has learned already is the teacher's partner.
        """
        cosines, partner = self.cosines(query)[chosen], None
        if score:
            text = self.pool.queries[query]
            partner = score([(text, self.pool.passages[number]) for number in chosen])
        grades = np.array([self.pool.grades[query].get(int(number), 0) for number in chosen])
        target = alpha * label_share(grades) + (1 - alpha) * teacher_share(cosines, partner)
        scores = SLOPE * cosines + JUDGED_BASE + BY_GRADE * grades
        return self.ranked(query, chosen, target, scores)

    def ranked(self, query, chosen, target, scores):
        """Returns the RankedList of a query and its chosen passages, both by number."""
        passages = [self.pool.passages[number] for number in chosen]
        return RankedList(self.pool.queries[query], passages, target, scores)


@lru_cache(maxsize=8)
def shuffled(seed, round_number, count):
    """Returns the numbers below `count` in the random order of one round."""
    return np.random.default_rng([seed, round_number]).permutation(count)


def label_share(grades):
    """Returns how likely each passage is the answer by its grade alone: (k,), together 1."""
    weights = np.array([LABEL_WEIGHTS[int(grade)] for grade in grades])
    return weights / weights.sum()


def teacher_share(cosines, partner=None):
    """Returns how likely each passage is the answer by the teacher's cosines: (k,), together 1.

    With the scores of a partner, (k,) logits, by both: their sum, made a little less sharp.
    """
    logits = SHARPNESS * cosines
    if partner is not None:
        logits = SOFTENING * (logits + partner)
    odds = np.exp(logits - np.max(logits))
    return odds / odds.sum()

"""What a cross-encoder learns from: pools of texts, and what is known of them."""

import gzip
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import data

# The sources of question pairs from which only some are taken, so that none outweighs the others.
AT_MOST = {
    "selqa_devtest": 1200,
    "covidqa_deepset": 700,
    "covidfaq_deepset": 300,
    "clapnq_answers": 1700,
    "boolq_valtest": 2600,
    "xquad_en": 200,
    "medquad": 700,
    "squad2_dev_half": 800,
    "qnli_dev": 500,
    "squad_nqg_test": 1200,
    "squad_nqg_dev": 400,
}


class Pool(NamedTuple):
    """Texts to make lists of: passages by number, queries, and what is known of each query."""

    passages: list  # texts
    queries: list  # texts
    grades: list  # for each query {passage number: grade}, grades above 0 only
    near: list  # for each query wrong passages on the same subject


def judged_pool(topics, more_queries=()):
    """Returns judged topics as a Pool; `more_queries` are topics that hold further queries only."""
    pool, numbers = Pool([], [], [], []), {}
    for topic in topics:
        places = enumerate(topic["passages"], start=len(pool.passages))
        numbers[topic["topic"]] = {passage["id"]: number for number, passage in places}
        pool.passages.extend(passage["text"] for passage in topic["passages"])
    for topic in (*topics, *more_queries):
        own = numbers[topic["topic"]]  # passage id -> number
        for query in topic["queries"]:
            grades = {own[name]: grade for name, grade in query["rel"].items()}
            near = [number for number in own.values() if not grades.get(number)]
            pool.queries.append(query["text"])
            pool.grades.append({number: grade for number, grade in grades.items() if grade})
            pool.near.append(near)
    return pool


def join(pools):
    """Returns one Pool with the texts of all `pools`, those of the first one first."""
    joined = Pool([], [], [], [])
    for pool in pools:
        first = len(joined.passages)
        joined.passages.extend(pool.passages)
        joined.queries.extend(pool.queries)
        for grades, near in zip(pool.grades, pool.near, strict=True):
            joined.grades.append({first + number: grade for number, grade in grades.items()})
            joined.near.append([first + number for number in near])
    return joined


def load_pairs(folder, seed=0):
    """Returns the question pairs in folder/pairs.jsonl.gz as a Pool, with AT_MOST a source."""
    by_source, numbers, pool = {}, {}, Pool([], [], [], [])
    with gzip.open(Path(folder) / "pairs.jsonl.gz", "rt", encoding="utf-8") as file:
        for row in data.parse_json_lines(file, "pairs.jsonl.gz"):
            by_source.setdefault(row["source"], []).append(row)
    for source, rows in by_source.items():
        chosen = np.random.default_rng(seed).permutation(len(rows))[: AT_MOST.get(source)]
        for row in (rows[i] for i in chosen):
            right, wrong = (
                [numbers.setdefault(text, len(numbers)) for text in texts]
                for texts in (row["positives"], row["negatives"][:4])
            )
            pool.queries.append(row["query"])
            pool.grades.append(dict.fromkeys(right, 3))
            pool.near.append(wrong)
    return pool._replace(passages=list(numbers))


def load_pools(pairs=None, seed=0):
    """Returns {name: Pool} of all that the recipe learns from.

    "judged" are the topics with short passages in data/training, but for dev; "long" and
    "contrasts" are the files of that name there. With `pairs`, a folder that holds
    pairs.jsonl.gz, there are also "pairs".
    """
    names = "train", "more", "extra", "long", "contrasts"
    train, more, extra, long, contrasts = map(data.load_topics, names)
    pools = {
        "judged": judged_pool([*train, *more], extra),
        "long": judged_pool(long),
        "contrasts": judged_pool(contrasts),
    }
    if pairs:
        pools["pairs"] = load_pairs(pairs, seed)
    return pools


def sentences(passages, at_most=20_000):
    """Returns sentences of 6 to 30 words: short texts, which are read several times faster."""
    found = (s for passage in passages for s in re.split(r"(?<=[.!?])\s+", passage))
    found = [sentence for sentence in found if 6 <= len(sentence.split()) <= 30]
    return found[:: len(found) // at_most + 1]

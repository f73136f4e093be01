# %% [markdown]
# # 3 · Comparison: is it worth it?
#
# **Time needed:** 75 minutes. **You need:** notebooks 1 and 2, or to know what a bi-encoder and a
# cross-encoder are.
#
# A reranker makes a search slower. In return, the order should be better. How much better, for which
# queries, and at what price? Here you measure it, and you learn how sure you can be.
#
# After this notebook you will be able to
#
# - work out nDCG, RR, precision and recall by hand, and have a library do it,
# - compare search systems query by query, with an interval for each difference,
# - say where reranking helps, where it hurts, and what it costs in milliseconds,
# - choose how many candidates to rerank, without fooling yourself.

# %% [markdown]
# ## Setup
#
# Two numbers at the top decide how much is measured, and so how long it takes. They are set for a
# small machine. Raise them if yours is fast.

# %%
import time

import bm25s
import numpy as np
import pandas as pd
from IPython.display import Markdown

import reranking as rr
from reranking import data, evaluation, exercises, labs_03, plots, timing, widgets

PER_TOPIC = 2  # queries of each topic that are reranked
WHOLE = 5  # queries for which the cross-encoder reads the whole collection

# %% [markdown]
# We load the judged collection of notebook 1 and both models, and index the passages.

# %%
collection = rr.load_collection()
retriever = rr.BiEncoderRetriever()
retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
reranker = rr.CrossEncoderReranker()
print(len(collection.passages), "passages,", len(collection.queries), "queries")

# %% [markdown]
# ## 3.1 What makes a list of hits good?
#
# We begin with one query and the bi-encoder's first ten hits. `qrels` holds what a person judged:
# 3 *answers completely*, 2 *answers in part*, 1 *same sub-question*. What is not listed has grade 0.

# %%
query_id = "t58q01"
judged = collection.qrels[query_id]
hits = retriever.retrieve(collection.queries[query_id], top_k=10)
grades = [judged.get(hit.doc_id, 0) for hit in hits]
print("query: ", collection.queries[query_id])
print("judged:", judged)
print("grades of the hits, best first:", grades)

# %% [markdown]
# **Predict first.** If 1 is perfect and 0 is useless, what would you give to this list?
#
# The first measure looks at the first hit alone. **P@1**, precision at 1, is 1 if that hit is
# relevant, and 0 if not. *Relevant* means a grade of at least 1.
#
# The second asks how far one must read. **RR**, the reciprocal rank, is 1 divided by the rank of the
# first relevant hit. RR@10 looks at ten hits only.

# %%
p_at_1 = float(grades[0] > 0)
ranks = [rank for rank, grade in enumerate(grades, start=1) if grade > 0]
rr_at_10 = 1 / ranks[0] if ranks else 0.0
print("ranks of the relevant hits:", ranks)
print("P@1 =", p_at_1, "  RR@10 =", rr_at_10)

# %% [markdown]
# The third asks what was missed. **R@k**, recall at k, is the share of the relevant passages that are
# among the first k hits.

# %%
def recall(grades, judged, k):
    return sum(grade > 0 for grade in grades[:k]) / len(judged)


for k in (1, 2, 5, 10):
    print(f"R@{k} = {recall(grades, judged, k):.3f}")

# %% [markdown]
# Recall can only grow with k. It does not care about the order within the first k, nor about grades.
#
# The fourth cares about both. Each hit brings its grade as a gain, but the gain is divided by a number
# that grows with the rank: $\log_2(1 + \text{rank})$. The sum is called **DCG**, discounted cumulative
# gain.

# %%
discounts = np.log2(1 + np.arange(1, 11))
discounted = np.array(grades) / discounts
print("divided by:", discounts.round(2))
print("gains:     ", discounted.round(2))
print("DCG:       ", discounted.sum().round(3))

# %% [markdown]
# Is that much? It depends on how much there was to gain. So we divide by the DCG of the ideal list,
# which has all judged passages on top, highest grade first. The result is **nDCG**, with *n* for
# normalised.

# %%
ideal = sorted(judged.values(), reverse=True)[:10]
ideal_dcg = (np.array(ideal) / discounts[: len(ideal)]).sum()
ndcg_at_10 = discounted.sum() / ideal_dcg
print("ideal grades:", ideal, "  ideal DCG:", ideal_dcg.round(3))
print("nDCG@10:", ndcg_at_10.round(3))

# %% [markdown]
# Nobody should write this anew for each project: a slip in a measure is hard to see. We use the
# library `ir_measures`. It must agree with our own numbers, or one of the two is wrong.

# %%
by_library = evaluation.evaluate({query_id: hits}, collection.qrels).loc[query_id]
by_hand = [ndcg_at_10, rr_at_10, p_at_1, recall(grades, judged, 10)]
assert np.allclose(by_library, by_hand)
pd.DataFrame({"by library": by_library, "by hand": by_hand}).round(3)

# %%
Markdown(
    f"They agree. The query found all its relevant passages (R@10 = {by_hand[3]:.0f}), and still the "
    f"order loses {1 - ndcg_at_10:.0%} of what there was to gain. That loss is what a reranker can "
    "win back."
)

# %% [markdown]
# ## 3.2 Which first stages are there?
#
# Before we rerank, we need rivals. **BM25** is the classic since the 1990s. It counts words, but
# better than we did in notebook 1: a rare word counts more than a common one, the tenth time that a
# word occurs counts less than the first, and long passages get no bonus for being long.
#
# *Tests* and *testing* should count as one word. So we cut off common endings. This is called
# **stemming**, and it is what any real system with BM25 does.

# %%
def stem(words):
    """Returns the words without common endings, as a crude stemmer would."""
    stems = []
    for word in words:
        for ending in ("ing", "ed", "es", "s"):
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)]
                break
        stems.append(word.rstrip("e"))
    return stems


print(stem(["tests", "testing", "tested", "seam", "loose", "does"]))

# %% [markdown]
# The package `bm25s` does the rest. It leaves out words such as *the* and *of*, which are called stop
# words. We wrap it in a class with the same `retrieve` as our bi-encoder has.

# %%
def tokenize(texts):
    return bm25s.tokenize(list(texts), stemmer=stem, show_progress=False)


class BM25Retriever:
    """First stage by words: passages that share none with the query are not returned."""

    def __init__(self, passages):
        self.ids, self.texts = list(passages), list(passages.values())
        self.index = bm25s.BM25()
        self.index.index(tokenize(self.texts), show_progress=False)

    def retrieve(self, query, top_k):
        """Returns at most `top_k` passages as a list of Hit, best first."""
        top_k = min(top_k, len(self.ids))
        found, scores = self.index.retrieve(tokenize([query]), k=top_k, show_progress=False)
        pairs = zip(found[0], scores[0], strict=True)
        return [rr.Hit(self.ids[i], float(s), self.texts[i]) for i, s in pairs if s > 0]

# %% [markdown]
# **Predict first.** Our query is *big loopy mess on the underside of my seam*. What will BM25 find?

# %%
bm25 = BM25Retriever(collection.passages)
found = bm25.retrieve(collection.queries[query_id], top_k=5)
print("grades:", [judged.get(hit.doc_id, 0) for hit in found])
rr.table(found)

# %% [markdown]
# Read the first one. Does it share a word with the query that matters?
#
# BM25 knows words, the bi-encoder knows meanings. Can we have both? Their scores do not compare, as you
# know from notebook 2, but their *ranks* do. **Reciprocal rank fusion** gives each passage
# $1 / (60 + \text{rank})$ from each list that holds it, and sorts by the sum. The result is called
# **hybrid search**.

# %%
def fuse(*lists):
    """Returns the hits of all lists as one list, sorted by the sum of 1 / (60 + rank)."""
    total, texts = {}, {}
    for hits in lists:
        for rank, hit in enumerate(hits, start=1):
            total[hit.doc_id] = total.get(hit.doc_id, 0) + 1 / (60 + rank)
            texts[hit.doc_id] = hit.text
    best_first = sorted(total.items(), key=lambda pair: -pair[1])
    return [rr.Hit(doc_id, score, texts[doc_id]) for doc_id, score in best_first]


text = collection.queries[query_id]
hybrid = fuse(retriever.retrieve(text, 30), bm25.retrieve(text, 30))
print("grades:", [judged.get(hit.doc_id, 0) for hit in hybrid[:5]])

# %% [markdown]
# The constant 60 comes from the paper that introduced the method (Cormack and others, 2009). It keeps
# one first place from outweighing everything else. Now we run all three on all queries. The bi-encoder
# keeps 200 hits, as we shall need them later.

# %%
by_meaning = evaluation.retrieve_all(retriever, collection.queries, top_k=200)
by_words = {q: bm25.retrieve(text, 30) for q, text in collection.queries.items()}
fused = {q: fuse(by_meaning[q][:30], by_words[q]) for q in collection.queries}
first_stages = {"BM25": by_words, "bi-encoder": by_meaning, "hybrid": fused}

# %% [markdown]
# **Predict first.** Which of the three has the best nDCG@10? Which finds most in its first 30?

# %%
def topics(query_ids):
    """Returns the topic of each query, for the bootstrap."""
    return [collection.query_info[q]["topic"] for q in query_ids]


rows = {}
for name, results in first_stages.items():
    cut = {q: hits[:30] for q, hits in results.items()}
    scores = evaluation.evaluate(cut, collection.qrels, ["nDCG@10", "P@1", "R@10", "R@30"])
    rows[name] = {m: str(evaluation.bootstrap(scores[m], topics(scores.index))) for m in scores}
pd.DataFrame(rows).T

# %%
best = {m: max(rows, key=lambda name: float(rows[name][m].split()[0])) for m in rows["BM25"]}
Markdown(
    f"All {len(collection.queries):,} queries. Best nDCG@10: **{best['nDCG@10']}**. Most relevant "
    f"passages in the first 30: **{best['R@30']}**. These queries were written so that words mislead, "
    "and here BM25 is weak. On product numbers or names it would be strong. So always measure on "
    "*your* queries."
)

# %% [markdown]
# ## 3.3 How do we add the second stage?
#
# The cross-encoder needs much more time for each pair. To rerank 30 candidates for 1,400 queries would
# take several minutes. So from here on we use a **fixed sample**: two queries of each topic, drawn
# evenly over the query types, the same ones in every run.

# %%
queries = evaluation.sample_queries(collection, PER_TOPIC)
types = pd.Series({q: collection.query_info[q]["type"] for q in queries})
print(len(queries), "queries from", len(set(topics(queries))), "topics")
types.value_counts().rename("queries").to_frame().T

# %% [markdown]
# **Predict first.** Will the bi-encoder have the same nDCG@10 on the sample as on all queries?

# %%
everywhere = evaluation.evaluate(by_meaning, collection.qrels, ["nDCG@10"])["nDCG@10"]
all_types = pd.Series({q: collection.query_info[q]["type"] for q in everywhere.index})
even_mix = float(everywhere.groupby(all_types).mean().mean())
on_sample = evaluation.bootstrap(everywhere[list(queries)], topics(queries))
Markdown(
    f"On all queries it has {everywhere.mean():.3f}, on the sample **{on_sample}**. One reason is the "
    "mixture: *paraphrase* is the largest type and the hardest. All queries, but each type counted "
    f"alike, give {even_mix:.3f}. The rest is the luck of the draw, which the interval allows for. "
    "So never compare a number on a sample with one on all queries. Compare systems on the *same* "
    "queries."
)

# %% [markdown]
# We shall look at many systems and many depths. But the score of a pair never changes. So we score each
# pair once, keep the scores in a dictionary, and derive everything from it. The pairs are the
# bi-encoder's first 30 hits and the hybrid's first 30; many are in both.

# %%
wanted = {}
for q in queries:
    union = {hit.doc_id: hit for hit in by_meaning[q][:30] + fused[q][:30]}
    wanted[q] = list(union.values())
print(sum(len(hits) for hits in wanted.values()), "pairs to score")

# %%
pair_scores = {}
scored = evaluation.rerank_all(reranker, queries, wanted, widgets.progress)
for q, hits in scored.items():
    pair_scores.update({(q, hit.doc_id): hit.score for hit in hits})
print(len(pair_scores), "scores kept")

# %% [markdown]
# A two-stage search with k candidates sorts the first k hits by these scores. What comes after rank k
# stays where the first stage put it.

# %%
def rerank_first(results, k, scores=pair_scores):
    """Returns the results with the first k hits of each query reordered by the pair scores."""
    reranked = {}
    for q, hits in results.items():
        head = sorted(hits[:k], key=lambda hit: -scores[q, hit.doc_id])
        reranked[q] = head + hits[k:]
    return reranked


sample = {q: by_meaning[q] for q in queries}
print("before:", [hit.doc_id for hit in sample[next(iter(queries))][:4]])
print("k = 3: ", [hit.doc_id for hit in rerank_first(sample, 3)[next(iter(queries))][:4]])

# %% [markdown]
# What is the best that any reranker could do? It would put the relevant candidates on top, highest
# grade first. It could not add what the first stage has missed. This **perfect reranker** is the
# *ceiling* of the second stage.

# %%
def rerank_perfectly(results, k, qrels=collection.qrels):
    """Returns the results with the first k hits of each query sorted by their grades."""
    return {
        q: sorted(hits[:k], key=lambda hit: -qrels[q].get(hit.doc_id, 0)) + hits[k:]
        for q, hits in results.items()
    }

# %% [markdown]
# And why have a first stage at all? The cross-encoder could read all 700 passages for each query. We
# try it on a few queries, spread over the topics. In the same run, the other systems take turns
# with it, and we note how long each one takes. We shall look at these times in 3.7.

# %%
everything = [rr.Hit(i, 0.0, text) for i, text in collection.passages.items()]


def hybrid_search(query):
    return fuse(retriever.retrieve(query, 30), bm25.retrieve(query, 30))


systems = {
    "BM25": lambda query: bm25.retrieve(query, 30),
    "bi-encoder": lambda query: retriever.retrieve(query, 30),
    "hybrid": hybrid_search,
    "two-stage, k = 10": lambda query: rr.TwoStageSearch(retriever, reranker, 10, 10).search(query),
    "two-stage, k = 30": lambda query: rr.TwoStageSearch(retriever, reranker, 30, 30).search(query),
    "two-stage over hybrid": lambda query: reranker.rerank(query, hybrid_search(query)[:30], 30),
}

# %%
def take_turns(systems, query_ids):
    """Returns the hits and the seconds of each system for each query; the systems take turns."""
    hits = {name: {} for name in systems}
    seconds = {name: [] for name in systems}
    for q in widgets.progress(query_ids, "queries"):
        for name, search in systems.items():
            start = time.perf_counter()
            hits[name][q] = search(collection.queries[q])
            seconds[name].append(time.perf_counter() - start)
    return hits, seconds

# %%
few = list(queries)[:: len(queries) // WHOLE][:WHOLE]
alone = {"cross-encoder alone": lambda query: reranker.rerank(query, everything, len(everything))}
few_hits, few_seconds = take_turns(systems | alone, few)
print(len(few), "queries,", len(few) * len(everything), "pairs for the cross-encoder alone")

# %% [markdown]
# ## 3.4 What does reranking gain?
#
# **Predict first.** By how much will nDCG@10 change when we rerank 30 candidates? And if we rerank the
# hybrid's candidates instead?
#
# One table for all systems. The last column compares each one with the bi-encoder *query by query*:
# it holds the mean of the differences with its 95 % interval. This is called a **paired** comparison.
# An interval that does not contain 0 means that the sign of the difference is fairly sure.

# %%
over_hybrid = {q: fused[q][:30] for q in queries}
runs = {
    "BM25": {q: by_words[q] for q in queries},
    "bi-encoder": sample,
    "hybrid": {q: fused[q] for q in queries},
    "two-stage, k = 10": rerank_first(sample, 10),
    "two-stage, k = 30": rerank_first(sample, 30),
    "two-stage over hybrid": rerank_first(over_hybrid, 30),
    "cross-encoder alone": few_hits["cross-encoder alone"],
    "ceiling, k = 30": rerank_perfectly(sample, 30),
}
measured = {name: evaluation.evaluate(run, collection.qrels) for name, run in runs.items()}

# %%
gains, rows = {}, {}
for name, scores in measured.items():
    same = measured["bi-encoder"].loc[scores.index]
    change = scores["nDCG@10"] - same["nDCG@10"]
    gains[name] = evaluation.bootstrap(change, topics(scores.index))
    rows[name] = {m: str(evaluation.bootstrap(scores[m], topics(scores.index))) for m in scores}
    rows[name] |= {"nDCG@10 against bi-encoder": str(gains[name]), "queries": len(scores)}
pd.DataFrame(rows).T

# %%
def system_of(name):
    """Returns the system that decides the colour, such as "two-stage" for "two-stage, k = 10"."""
    return next(system for system in plots.COLOURS if name.startswith(system))


rivals = {n: (gain, system_of(n)) for n, gain in gains.items() if n != "bi-encoder"}
surely = [n for n, (gain, _) in rivals.items() if gain.low > 0 and "ceiling" not in n]
title = f"Surely better than the bi-encoder: {', '.join(surely) or 'none'}"
figure = plots.intervals(rivals, title, "difference in nDCG@10 to the bi-encoder", reference=0)
plots.show(figure, "; ".join(f"{name}: {gain}" for name, (gain, _) in rivals.items()))

# %%
gain, room = gains["two-stage, k = 30"], gains["ceiling, k = 30"].mean
verdict = "gains" if gain.low > 0 else "loses" if gain.high < 0 else "shows no sure change:"
Markdown(
    f"Reranking 30 candidates **{verdict} {abs(gain.mean):.3f}** in nDCG@10, with an interval from "
    f"{gain.low:+.3f} to {gain.high:+.3f}. A perfect reranker would gain {room:.3f}. So this "
    f"cross-encoder gets **{gain.mean / room:.0%}** of what there is to get."
)

# %% [markdown]
# The row *cross-encoder alone* rests on few queries, and its interval shows it. A sharper question is
# open to us: of the ten passages that the cross-encoder likes best among all 700, how many would the
# bi-encoder have passed on?

# %%
kept = []
for q in few:
    passed_on = {hit.doc_id for hit in by_meaning[q][:30]}
    best_ten = few_hits["cross-encoder alone"][q][:10]
    kept.append(sum(hit.doc_id in passed_on for hit in best_ten))
difference = evaluation.evaluate(few_hits["two-stage, k = 30"], collection.qrels)["nDCG@10"]
difference = measured["cross-encoder alone"]["nDCG@10"] - difference
Markdown(
    f"Of its ten favourites, **{np.mean(kept):.1f}** on average are among the 30 candidates. "
    f"Reading everything changes nDCG@10 by **{difference.mean():+.3f}** against the two-stage search "
    f"on these {len(few)} queries. It read {len(everything) / 30:.0f} times as many passages."
)

# %% [markdown]
# ### A mean hides the single queries
#
# **Predict first.** For which share of the queries does reranking make the order *worse*?

# %%
change = measured["two-stage, k = 30"]["nDCG@10"] - measured["bi-encoder"]["nDCG@10"]
better, worse = float((change > 0).mean()), float((change < 0).mean())
title = f"Reranking is better for {better:.0%} of the queries and worse for {worse:.0%}"
figure = plots.differences(change, title, "change of nDCG@10 by reranking")
plots.show(
    figure,
    f"One bar for each of {len(change)} queries, sorted. The largest gain is {change.max():+.2f}, the "
    f"median {change.median():+.2f}, the largest loss {change.min():+.2f}.",
)

# %%
Markdown(
    f"For {1 - better - worse:.0%} of the queries nothing changes. The middle half of the queries lies "
    f"between {change.quantile(0.25):+.2f} and {change.quantile(0.75):+.2f}. The mean of "
    f"{change.mean():+.3f} comes from queries that change a lot."
)

# %% [markdown]
# ## 3.5 Where does it help, and where does it hurt?
#
# We split the queries into groups and look at the gain in each.
#
# **Predict first.** Which query type gains most from reading query and passage together?

# %%
def gain_by_group(groups):
    """Returns {label: (Interval, system)} of the gain in each group; `groups` is {query: label}."""
    groups = pd.Series(groups).loc[change.index]
    rows = {}
    for label, values in change.groupby(groups, observed=True):
        interval = evaluation.bootstrap(values, topics(values.index))
        rows[f"{label} ({len(values)})"] = (interval, "two-stage")
    return rows


def show_groups(rows, what):
    most = max(rows, key=lambda label: rows[label][0].mean)
    title = f"By {what}, the largest mean change is for: {most}"
    figure = plots.intervals(rows, title, "change of nDCG@10 by reranking", reference=0)
    plots.show(figure, "; ".join(f"{label}: {row[0]}" for label, row in rows.items()))

# %%
by_type = gain_by_group(types)
by_type = dict(sorted(by_type.items(), key=lambda row: -row[1][0].mean))
show_groups(by_type, "type")

# %%
clear = [label for label, (interval, _) in by_type.items() if interval.low > 0]
harmed = [label for label, (interval, _) in by_type.items() if interval.mean < 0]
Markdown(
    f"The gain is clear, with an interval above 0, for **{len(clear)} of {len(by_type)}** types. The "
    f"mean is below 0 for: {', '.join(harmed) or 'none'}. The number in brackets counts the queries. "
    "There are few in each group, so the intervals are wide, and the order of the types may change "
    "with another sample."
)

# %% [markdown]
# Now by the number of words in the query.

# %%
lengths = pd.Series({q: len(text.split()) for q, text in queries.items()})
names = ["up to 5 words", "6 to 8 words", "9 words or more"]
by_length = gain_by_group(pd.cut(lengths, [0, 5, 8, 99], labels=names))
show_groups(by_length, "length")

# %% [markdown]
# And by **overlap**: the share of the query's words that its best answer holds. Stop words are left
# out, and words are stemmed, as for BM25. With no overlap, the answer says it in other words.

# %%
def overlap(query, passage):
    """Returns the share of the query's words that the passage holds, from 0 to 1."""
    settings = {"stemmer": stem, "return_ids": False, "show_progress": False}
    asked, said = (set(words) for words in bm25s.tokenize([query, passage], **settings))
    return len(asked & said) / max(len(asked), 1)


best_answer = {q: max(collection.qrels[q], key=collection.qrels[q].get) for q in queries}
overlaps = {q: overlap(queries[q], collection.passages[best_answer[q]]) for q in queries}
bins, names = [-1, 0.1, 0.4, 1], ["up to 10 % of words", "10 to 40 %", "more than 40 %"]
by_overlap = gain_by_group(pd.cut(pd.Series(overlaps), bins, labels=names))
show_groups(by_overlap, "overlap")

# %%
levels = measured["bi-encoder"]["nDCG@10"].groupby(pd.cut(pd.Series(overlaps), bins, labels=names))
low_level, high_level = levels.mean().iloc[0], levels.mean().iloc[-1]
Markdown(
    f"For comparison: without reranking, nDCG@10 is {low_level:.2f} where query and answer share few "
    f"words and {high_level:.2f} where they share many. Where the first stage is already good, there "
    "is less to gain."
)

# %% [markdown]
# ## 3.6 Gallery: the largest wins and losses
#
# Means tell how much. Only examples tell why. Here are the five queries that gained most. **Read the
# first passage before and after. Which words misled the bi-encoder? What did the cross-encoder see?**

# %%
reranked = runs["two-stage, k = 30"]
wins = change.sort_values(ascending=False, kind="stable").head(5)
labs_03.gallery(collection, sample, reranked, wins)

# %% [markdown]
# And the five that lost most. **For each one, find a reason:** Is it a trap of words, a negation, a
# number? Or would you give the passage that came first a better grade than the judge did?

# %%
losses = change.sort_values(kind="stable").head(5)
labs_03.gallery(collection, sample, reranked, losses)

# %%
was_right = sum(
    collection.qrels[q].get(sample[q][0].doc_id, 0) == max(collection.qrels[q].values())
    for q in losses.index
)
Markdown(
    f"In **{was_right} of {len(losses)}** losses the bi-encoder had a best answer on top. A list that is "
    "already right can only lose."
)

# %% [markdown]
# ## 3.7 How long does a query take?
#
# Nobody waits for an average. So we look at the whole distribution: the **median**, which half of the
# queries stay below, and the **95th percentile**, which one query in twenty exceeds. All systems take
# turns on the same twenty queries. They are *warm*: each has answered queries before.

# %%
some = list(queries)[:: len(queries) // 20][:20]
_, seconds = take_turns(systems, some)
seconds |= {"cross-encoder alone": few_seconds["cross-encoder alone"]}

# %% [markdown]
# **Predict first.** By which factor is a two-stage search with 30 candidates slower than the
# bi-encoder alone?

# %% tags=["nbval-ignore-output"]
milliseconds = {name: 1000 * np.array(values) for name, values in seconds.items()}
medians = {name: float(np.median(values)) for name, values in milliseconds.items()}
frame = pd.DataFrame({"median": medians})
frame["95th percentile"] = {name: np.percentile(v, 95) for name, v in milliseconds.items()}
frame["queries"] = {name: len(values) for name, values in milliseconds.items()}
frame.rename(columns=lambda name: name if name == "queries" else f"{name} (ms)").round(1)

# %%
assert medians["bi-encoder"] < medians["two-stage, k = 30"] < medians["cross-encoder alone"]
assert medians["two-stage, k = 10"] < medians["two-stage, k = 30"]

# %% tags=["nbval-ignore-output"]
factor = medians["cross-encoder alone"] / medians["two-stage, k = 30"]
figure = plots.spread(
    milliseconds,
    f"Two-stage with k = 30 is {factor:.0f} times faster than the cross-encoder alone",
    "milliseconds per query (logarithmic); tall line: median, short line: 95th percentile",
    {name: system_of(name) for name in milliseconds},
)
plots.show(figure, "; ".join(f"{name}: median {ms:.1f} ms" for name, ms in medians.items()))

# %%
assert factor > 2, "700 passages should take far longer than 30"

# %% [markdown]
# So what does reranking add? As milliseconds, as a percentage, and for each candidate:

# %% tags=["nbval-ignore-output"]
before, after = medians["bi-encoder"], medians["two-stage, k = 30"]
per_candidate = (after - before) / 30
Markdown(
    f"Reranking 30 candidates adds **{after - before:.0f} ms** to {before:.1f} ms, which is "
    f"**{(after - before) / before:+.0%}**. That is **{per_candidate:.1f} ms for each candidate**. "
    "The percentage looks frightening because the first stage is so fast. What a person notices is "
    "the sum in milliseconds."
)

# %%
assert per_candidate > 0

# %% [markdown]
# The very first query costs more: the weights must be read from disk first, and some of the work that
# is done once waits for the first call. We load both models a second time and look.

# %% tags=["nbval-ignore-output"]
start = time.perf_counter()
fresh = rr.BiEncoderRetriever()
loaded = time.perf_counter()
fresh.encode([queries[some[0]]])
first = {"bi-encoder": (loaded - start, time.perf_counter() - loaded)}
del fresh
start = time.perf_counter()
fresh = rr.CrossEncoderReranker()
loaded = time.perf_counter()
fresh.score(queries[some[0]], [everything[0].text])
first["cross-encoder"] = (loaded - start, time.perf_counter() - loaded)
(1000 * pd.DataFrame(first, index=["load (ms)", "first call (ms)"])).round(0)

# %%
assert min(load for load, _ in first.values()) > 0
del fresh

# %% [markdown]
# A service should therefore load its models and run one query *before* it takes the first visitor.
# Starting Python and its libraries takes several seconds more.

# %% [markdown]
# ## 3.8 How many candidates?
#
# The number of candidates k is a dial. More candidates can mean more relevant passages in reach, and
# they always mean more time. We turn the dial from 1 to 200.
#
# **Predict first.** Where does the curve become flat?
#
# Up to 30, the sample has all its scores. Beyond 30 we have them only for the few queries of 3.3 for
# which the cross-encoder read everything. For these we measure how quality changes from 30 to k, and
# add that change to the value at 30.

# %%
SHALLOW, DEEP = [1, 2, 3, 5, 10, 15, 20, 30], [50, 100, 200]
all_scores = {(q, h.doc_id): h.score for q in few for h in few_hits["cross-encoder alone"][q]}


def ndcg_at(k, query_ids, scores=pair_scores):
    """Returns nDCG@10 of the two-stage search with k candidates, for each query."""
    results = rerank_first({q: by_meaning[q] for q in query_ids}, k, scores)
    return evaluation.evaluate(results, collection.qrels, ["nDCG@10"])["nDCG@10"]


quality = {k: evaluation.bootstrap(ndcg_at(k, queries), topics(queries)) for k in SHALLOW}
for k in DEEP:
    step = ndcg_at(k, few, all_scores) - ndcg_at(30, few, all_scores)
    quality[k] = evaluation.add(quality[30], evaluation.bootstrap(step, topics(few)))

# %% [markdown]
# Two more things go into the figure: the ceiling for each k, from the perfect reranker, and the time
# for each k, on one query, in turns.

# %%
ceiling = {}
for k in quality:
    perfect = evaluation.evaluate(rerank_perfectly(sample, k), collection.qrels, ["nDCG@10"])
    ceiling[k] = float(perfect["nDCG@10"].mean())
typical = queries[some[0]]
runs_at = {k: rr.TwoStageSearch(retriever, reranker, k, 10).search for k in quality}
timed = timing.side_by_side(
    {k: lambda search=search: search(typical) for k, search in runs_at.items()}, 2, warm_up=0
)
dial_ms = {k: 1000 * measured_time.median for k, measured_time in timed.items()}

# %%
Markdown(
    "| k | nDCG@10 | ceiling |\n| --- | --- | --- |\n"
    + "\n".join(f"| {k} | {quality[k]} | {ceiling[k]:.3f} |" for k in quality)
)

# %% [markdown]
# At k = 1 there is nothing to reorder: that is the bi-encoder alone.

# %%
top = max(SHALLOW, key=lambda k: quality[k].mean)
enough = min(k for k in SHALLOW if quality[k].mean >= quality[top].low)
figure = plots.dial(
    dial_ms,
    quality,
    ceiling,
    f"On this sample, k = {enough} is within the interval of the best, k = {top}",
    few=DEEP,
)
plots.show(
    figure,
    "nDCG@10 against time per query. "
    + "; ".join(f"k = {k}: {quality[k].mean:.3f}, ceiling {ceiling[k]:.3f}" for k in quality),
)

# %% [markdown]
# Such a picture, with quality on one axis and cost on the other, is called a **Pareto figure**. A point
# is worth having if no other is both better and cheaper. The hollow points rest on few queries.

# %%
assert dial_ms[1] < dial_ms[30] < dial_ms[200]
reach = ceiling[200] - ceiling[30]
nothing = " That would be no reranking at all: this rule cannot tell." if enough == 1 else ""
Markdown(
    f"The best of the densely measured k is **{top}**, and **k = {enough}** is the smallest whose mean "
    f"lies within its interval.{nothing} From 30 to 200 candidates the ceiling rises by only **{reach:.3f}**: "
    "that is all that *any* reranker could gain there. And each new candidate is also one more chance "
    "to be fooled."
)

# %% [markdown]
# Is the time a straight line in k? We fit one: a fixed part and a part for each candidate.

# %% tags=["nbval-ignore-output"]
slope, fixed = np.polyfit(list(dial_ms), list(dial_ms.values()), 1)
Markdown(
    f"The line has **{slope:.2f} ms** for each candidate and {fixed:.0f} ms besides. With it, a budget "
    f"of 200 ms pays for about {max(0, (200 - fixed) / slope):.0f} candidates on this machine."
)

# %%
assert slope > 0

# %% [markdown]
# The same question for the first stage, on *all* queries: which share of the relevant passages is
# within reach at all? What is beyond k is lost, however good the reranker.

# %%
measures = [f"R@{k}" for k in (5, 10, 20, 30, 50, 100, 200)]
recalls = evaluation.evaluate(by_meaning, collection.qrels, measures)
intervals = {m: evaluation.bootstrap(recalls[m], topics(recalls.index)) for m in measures}
figure = plots.intervals(
    {m: (interval, "bi-encoder") for m, interval in intervals.items()},
    f"{1 - intervals['R@30'].mean:.0%} of the relevant passages are not among the first 30",
    "share of the relevant passages within reach, with 95 % interval",
)
plots.show(figure, "; ".join(f"{m}: {interval}" for m, interval in intervals.items()))

# %% [markdown]
# ## 3.9 Labs
#
# ### Beat the machine
#
# Five passages, which the bi-encoder ranked first, in a random order. Put them into yours with the
# arrows. Then see your nDCG@5 beside those of the two models on the same five passages.
#
# **Try to find out:** Can you beat the cross-encoder over ten rounds? When you lose, do you agree with
# the judge?

# %%
labs_03.BeatTheMachine(collection, sample, reranker)

# %% [markdown]
# ### Side by side
#
# Any query, any two systems. For a judged query you see the grades and nDCG@10. Type a query of your
# own and judge for yourself.
#
# **Try to find out:** Is there a query where BM25 beats the two-stage search? What do such queries have
# in common?

# %%
labs_03.SideBySide(systems, collection, examples=list(queries))

# %% [markdown]
# ## 3.10 How sure are we?
#
# ### Queries of one topic are not independent
#
# The twenty queries of a topic share ten passages and one subject. If a model knows the subject well, it
# may do well on all of them. Then 1,400 queries from 70 topics tell less than 1,400 from 1,400 topics.
# An interval shows this if we draw *topics* for the bootstrap, and hides it if we draw queries.
#
# **Predict first.** How much wider will the intervals be with topics drawn?

# %%
rows = {}
for name, results in first_stages.items():
    values = evaluation.evaluate(results, collection.qrels, ["nDCG@10"])["nDCG@10"]
    by_query = evaluation.bootstrap(values)
    by_topic = evaluation.bootstrap(values, topics(values.index))
    wider = (by_topic.high - by_topic.low) / (by_query.high - by_query.low)
    rows[name] = {"queries drawn": str(by_query), "topics drawn": str(by_topic), "times as wide": round(wider, 2)}
pd.DataFrame(rows).T

# %%
ratios = [row["times as wide"] for row in rows.values()]
verdict = "much" if min(ratios) > 1.3 else "somewhat" if max(ratios) > 1.15 else "little"
Markdown(
    f"With topics drawn, the intervals are **{min(ratios):.2f} to {max(ratios):.2f} times** as wide. "
    f"In this collection the topic matters {verdict}: each topic was given easy and hard queries of "
    "many types. One cannot know that in advance, so we always draw topics. And to halve an interval, "
    "one needs about four times as many of them."
)

# %% [markdown]
# ### Pairing makes differences visible
#
# Two systems on the same queries share what makes a query hard. The difference query by query removes
# it.

# %%
pair = measured["two-stage, k = 30"]["nDCG@10"], measured["bi-encoder"]["nDCG@10"]
single = [evaluation.bootstrap(values, topics(values.index)) for values in pair]
unpaired = float(np.hypot(*(i.high - i.low for i in single)))
paired = gains["two-stage, k = 30"].high - gains["two-stage, k = 30"].low
Markdown(
    f"The interval of the paired difference is **{paired:.3f}** wide. If we had measured the two systems "
    f"on different queries, it would be {unpaired:.3f}."
)

# %% [markdown]
# ### Never choose on the test queries
#
# In 3.8 we looked at the test queries and named a k. If we now report the quality at that k, we report
# a number that we picked *because* it was high. The honest way has two steps: choose on the **dev**
# topics, which exist for this, and report on the test topics.

# %%
dev = data.topics_as_collection(data.load_topics("dev"))
dev_queries = evaluation.sample_queries(dev, PER_TOPIC)
dev_retriever = widgets.share_model(retriever)
dev_retriever.index_documents(dev.passages.values(), ids=dev.passages.keys())
dev_hits = evaluation.retrieve_all(dev_retriever, dev_queries, top_k=30)
dev_scored = evaluation.rerank_all(reranker, dev_queries, dev_hits, widgets.progress)
dev_scores = {(q, hit.doc_id): hit.score for q, hits in dev_scored.items() for hit in hits}
print(len(dev_queries), "queries from", len({i["topic"] for i in dev.query_info.values()}), "topics")

# %% [markdown]
# **Predict first.** Will the dev topics choose the same k?

# %%
dev_topics = [dev.query_info[q]["topic"] for q in dev_queries]
dev_quality = {}
for k in SHALLOW:
    results = rerank_first(dev_hits, k, dev_scores)
    values = evaluation.evaluate(results, dev.qrels, ["nDCG@10"])["nDCG@10"]
    dev_quality[k] = evaluation.bootstrap(values, dev_topics)
dev_top = max(SHALLOW, key=lambda k: dev_quality[k].mean)
chosen = min(k for k in SHALLOW if dev_quality[k].mean >= dev_quality[dev_top].low)
pd.DataFrame({"dev": dev_quality, "test": {k: quality[k] for k in SHALLOW}}).map(str)

# %%
Markdown(
    f"On dev the best k is {dev_top}, and the smallest within its interval is **k = {chosen}**. "
    f"Reported on test: **{quality[chosen]}**. Had we taken the best k of the test queries "
    f"themselves, k = {top}, we would have reported {quality[top].mean:.3f}. The dev topics have only "
    f"{len(dev.passages)} passages, so their first stage has an easier time. And there are few "
    "queries: the wider the interval, the smaller the k that this rule accepts. Exercise 3.3 makes it "
    "sharper."
)

# %% [markdown]
# ### What the judgements leave out
#
# - For each query, only the ten passages of its topic were judged. All others count as 0. A passage of
#   another topic that does answer is counted as a mistake.
# - One person wrote and judged each topic. We do not know how far two judges would agree.
# - The sample has as many queries of each type as it can. Your users will ask another mixture.
# - The course's own cross-encoder was trained on *other* topics, but by the same kind of writers. On
#   texts of another kind the gain may be smaller. Notebook 6 measures that.
# - We compared many systems, depths and groups. Of twenty 95 % intervals, about one misses its value.
#   So a single surprising group is a hint and no finding.

# %% [markdown]
# ## Check yourself

# %%
widgets.Quiz(
    [
        (
            "The first stage has R@30 = 0.90, and we rerank 30. What can the second stage reach?",
            [
                ("R@30 of 1, if it is good", False, "It only orders what it was given."),
                ("R@30 of 0.90 and not more", True, "That is the ceiling left by the first stage."),
                ("nothing above nDCG@10 = 0.90", False, "nDCG and recall are not the same scale."),
            ],
        ),
        (
            "System A beats B by 0.02, with a 95 % interval from -0.01 to +0.05. What do you say?",
            [
                ("A is better", False, "A difference of 0 lies within the interval."),
                ("they are equally good", False, "A gain of 0.04 lies within it as well."),
                ("these queries cannot tell", True, "More topics would make the interval narrower."),
            ],
        ),
        (
            "Reranking adds 1,000 % to the time of a query. Is it too slow?",
            [
                ("yes", False, "1,000 % of 10 ms is 100 ms, which hardly anyone notices."),
                ("it depends on the milliseconds", True, "And on how many queries come at once."),
                ("no, quality comes first", False, "A user who waits too long is gone."),
            ],
        ),
        (
            "You tried twelve values of k on the test queries and report the best. What is wrong?",
            [
                ("nothing, all were measured", False, "The best of twelve is partly luck."),
                ("the value reported is too good", True, "Choose on dev, report on test."),
                ("twelve are too few", False, "More values would make it worse."),
            ],
        ),
    ]
)

# %% [markdown]
# **Exercise 3.1 (warm-up).** A search returned four hits with the grades 0, 2, 3, 0. The collection has
# one more relevant passage for this query, with grade 3, which was not found. Work out RR, R@4 and
# nDCG@4 and give them as a tuple of three numbers, rounded to three digits.

# %%
answer = ...
exercises.check("3.1", answer)

# %% [markdown]
# **Exercise 3.2.** In reciprocal rank fusion both lists count alike, even if one of them is much worse.
# Write a fusion in which the second list counts `weight` times: a passage gets
# `1 / (60 + rank)` from the first list and `weight / (60 + rank)` from the second. The lists hold ids,
# best first, and the ranks begin at 1. Return all ids, best first.

# %%
def weighted_fuse(first, second, weight):
    return ...


exercises.check("3.2", weighted_fuse)

# %% [markdown]
# **Exercise 3.3.** The rule in 3.10 compared means without pairing. Write a sharper one. `quality` is
# `{k: nDCG@10 of each query}`, and `topics` holds the topic of each query. Find the k with the best
# mean, then return the smallest k for which the 95 % interval of the *paired difference* to the best
# contains 0. `evaluation.bootstrap(values, groups)` helps.

# %%
def smallest_k(quality, topics):
    return ...


exercises.check("3.3", smallest_k)

# %% [markdown]
# **Exercise 3.4 (open).** Find a query for the judged collection that reranking makes *worse*: a
# passage that answers it stands lower after reranking 30 candidates than before. Use a query of your
# own or one of the collection. Answer with a tuple `(query, passage id)`. Then say in one sentence what
# misled the cross-encoder. (The first check takes a few seconds.)

# %%
answer = ...
exercises.check("3.4", answer)

# %% [markdown]
# The worked solutions are in `solutions/03_comparison.ipynb`.
#
# ## What you learned
#
# - nDCG rewards good passages on top, RR the first good one, recall what is in reach. A library agrees
#   with your own sums.
# - A difference between systems is measured query by query and drawn by topics.
# - Reranking changes many queries for the better and some for the worse. Only examples tell why.
# - Its cost grows with the number of candidates, and its quality is bounded by the first stage.
# - A setting is chosen on dev and reported on test.
#
# ## What to try next
#
# - Set `PER_TOPIC` or `WHOLE` higher and run the notebook again. Which intervals become narrower?
# - Is a larger bi-encoder worth as much as reranking? With a network, compare
#   `rr.BiEncoderRetriever("sentence-transformers/all-mpnet-base-v2")`.
# - Replace our crude stemmer by the package `PyStemmer`. How much does BM25 gain?
# - Go on with notebook 4, where the collection grows from ten documents to a million.

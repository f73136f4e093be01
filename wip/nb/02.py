# %% [markdown]
# # 2 · The cross-encoder: read both together
#
# **Time needed:** 60 minutes. **You need:** notebook 1, or to know what a bi-encoder is.
#
# The bi-encoder of notebook 1 reads a passage before it knows the question. A **cross-encoder** reads
# the two together. That is slow, so it gets only the few passages that the bi-encoder found, and puts
# them into a better order. This is called **reranking**.
#
# After this notebook you will be able to
#
# - say what goes into a cross-encoder and what comes out,
# - build a reranker and a two-stage search,
# - find out which words of a passage carry its score,
# - test what the model can tell apart, and what fools it,
# - say what its scores mean, and what they do not.

# %% [markdown]
# ## Setup
#
# This cell loads the ten documents of notebook 1 and the first stage.

# %%
import json

import numpy as np
import pandas as pd
from IPython.display import Markdown

import reranking as rr
from reranking import data, evaluation, exercises, plots, probes, timing, widgets

pd.set_option("display.max_colwidth", 100)
documents, query = rr.load_documents()
retriever = rr.BiEncoderRetriever(top_k=5).index_documents(documents)

# %% [markdown]
# ## 2.1 What goes into a cross-encoder?
#
# We load the second stage. It says which weights it uses: the official ones where they can be had,
# otherwise the course's own. Notebook 6 shows how those were made.

# %%
reranker = rr.CrossEncoderReranker(model_name="cross-encoder/ms-marco-MiniLM-L-6-v2", top_k=3)

# %% [markdown]
# A neural network for text reads **tokens**: words, or pieces of rare words. A cross-encoder gets
# query and passage as *one* list of tokens. Let us look at the list for our query and document 5.

# %%
encoded = reranker.model.tokenizer(query, documents[5])
tokens = reranker.model.tokenizer.convert_ids_to_tokens(encoded["input_ids"])
print(len(tokens), "tokens:", " ".join(tokens))

# %% [markdown]
# `[CLS]` opens the list, and `[SEP]` closes the query and then the passage. A second list tells the
# model which token belongs to which text:

# %%
for part in (0, 1):
    print(f"part {part}:", [t for t, p in zip(tokens, encoded["token_type_ids"], strict=True) if p == part])

# %% [markdown]
# Part 0 is the query, part 1 the passage. Inside the model, each token looks at all the others:
# *libraries* can look at *how* and *used*, six times over, once in each layer. A bi-encoder's tokens
# never see the other text at all.
#
# What comes out is one number.

# %%
score = reranker.model.predict([(query, documents[5])])
print("shape:", score.shape, "  score:", score.round(3))

# %% [markdown]
# ## 2.2 How do we rerank?
#
# First the bi-encoder finds five candidates.

# %%
hits = retriever.retrieve(query)
rr.table(hits)

# %% [markdown]
# **Predict first.** Which of these five should be first after reranking?
#
# We make a pair of the query and each candidate, and score all pairs in one call.

# %%
pairs = [(query, hit.text) for hit in hits]
scores = reranker.model.predict(pairs)
print("pairs:", len(pairs), "  scores:", scores.round(2))

# %% [markdown]
# Then we sort by the new score. `argsort` gives the positions in rising order, so we turn the sign.

# %%
order = np.argsort(-scores)
print("old ranks in new order:", (order + 1).tolist())

# %% [markdown]
# These lines together are a reranker. Here they are as a class.

# %%
class TinyReranker:
    def __init__(self, model, top_k):
        self.model, self.top_k = model, top_k

    def rerank(self, query, hits):
        """Returns the `top_k` hits with new scores, best first."""
        scores = self.model.predict([(query, hit.text) for hit in hits])
        order = np.argsort(-scores)[: self.top_k]
        return [rr.Hit(hits[i].doc_id, float(scores[i]), hits[i].text) for i in order]


tiny = TinyReranker(reranker.model, top_k=3)
rr.table(tiny.rerank(query, hits))

# %% [markdown]
# The class in the helper module does the same and checks its input. From here on we use that one.

# %%
reranked = reranker.rerank(query, hits, top_k=5)
assert [hit.doc_id for hit in reranked[:3]] == [hit.doc_id for hit in tiny.rerank(query, hits)]
rr.table(reranked)

# %% [markdown]
# ## 2.3 What changed?
#
# A line for each candidate, from its rank before to its rank after:

# %%
before, after = [hit.doc_id for hit in hits], [hit.doc_id for hit in reranked]
names = {0: "Python", 1: "machine learning", 3: "deep learning", 4: "language", 5: "PyTorch"}
moved = sum(old != new for old, new in zip(before, after, strict=True))
title = f"{names[after[0]]} is first after reranking; {moved} of 5 documents have a new rank"
figure = plots.rank_changes(before, after, title, names)
plots.show(
    figure,
    "Ranks before: " + ", ".join(names[i] for i in before) + ". "
    "Ranks after: " + ", ".join(names[i] for i in after) + ".",
)

# %%
first_before, first_after = names[before[0]], names[after[0]]
Markdown(
    f"Before reranking, *{first_before}* was first; now it is *{first_after}*. The document that "
    "tells how Python is *used* in machine learning was second for the bi-encoder, and is "
    f"number {after.index(5) + 1} for the cross-encoder."
)

# %% [markdown]
# For comparison: the official weights of `cross-encoder/ms-marco-MiniLM-L-6-v2` give 5.1547, 0.4332
# and -2.5431 to PyTorch, Python and machine learning, in this order. That is the published reference
# of the field for this example. Other weights give other numbers; the order is what counts.
#
# The two stages together are a **two-stage search**:

# %%
search = rr.TwoStageSearch(retriever, reranker, candidates=10, top_k=3)
rr.table(search.search(query))

# %% [markdown]
# ## 2.4 Two scores for one document: can they be compared?
#
# Every candidate now has two scores, a cosine and the cross-encoder's. We score all ten documents
# with both.
#
# **Predict first.** Will the points lie on a line?

# %%
ten = retriever.retrieve(query, top_k=10)
cosines = np.array([hit.score for hit in ten])
logits = reranker.score(query, [hit.text for hit in ten])
agreement = float(np.corrcoef(cosines, logits)[0, 1])
labels = [(c, s, names.get(h.doc_id, "")) for c, s, h in zip(cosines, logits, ten, strict=True)]
figure = plots.scatter(
    cosines,
    logits,
    f"The two scores agree in part (correlation {agreement:.2f})",
    "cosine by bi-encoder",
    "score by cross-encoder",
    labels=labels,
)
plots.show(figure, f"Ten documents by both scores; their correlation is {agreement:.2f}.")

# %%
Markdown(
    f"Cosines run from {cosines.min():.2f} to {cosines.max():.2f}, the cross-encoder's scores from "
    f"{logits.min():.2f} to {logits.max():.2f}. A cosine cannot leave the range from -1 to 1. The "
    "cross-encoder's score is a **logit**: any number, higher is better. So never sort a list that "
    "holds both kinds, and never add them as they are."
)

# %% [markdown]
# ## 2.5 Why can it see more?
#
# ### Which words carry the score?
#
# We leave out one word of the passage at a time and score it again. If the score falls, the word was
# carrying some of it. This is called **occlusion**.
#
# **Predict first.** Which word of document 5 matters most for our query?

# %%
drops = probes.occlude(reranker, query, documents[5])
pd.DataFrame(drops, columns=["word left out", "score falls by"]).round(2)

# %%
strongest = max(drops, key=lambda pair: pair[1])
named = {f"{number + 1} {word}": drop for number, (word, drop) in enumerate(drops)}
figure = plots.bars(
    named,
    f"Without '{strongest[0]}' the score falls most",
    "fall of the score when the word is left out",
    [plots.UP if drop > 0 else plots.DOWN for drop in named.values()],
)
plots.show(figure, "; ".join(f"{word}: {drop:.2f}" for word, drop in named.items()))

# %% [markdown]
# Now the same passage with another query. If the model reads both together, other words must matter.

# %%
other = "Which companies' software is popular in artificial intelligence?"
drops_other = probes.occlude(reranker, other, documents[5])
comparison = pd.DataFrame(drops, columns=["word left out", "first query"])
comparison["other query"] = [drop for _, drop in drops_other]
comparison.round(2)

# %%
both = comparison[["first query", "other query"]]
change = float((both["first query"] - both["other query"]).abs().max())
word = comparison["word left out"][int((both["first query"] - both["other query"]).abs().argmax())]
Markdown(
    f"The weight of *{word}* changes most, by {change:.2f}. The bi-encoder cannot do this: its "
    "embedding of the passage is the same for every query."
)

# %% [markdown]
# ### What can it tell apart?
#
# A probe is a small test made for one ability. Each of ours has a query, a passage that answers it,
# and one that does not, though it looks alike. A model passes if it gives the right one the higher
# score. There are eight probes of each of four kinds.

# %%
probe_pairs = json.loads((data.DATA / "probes.json").read_text(encoding="utf-8"))
for kind, items in probe_pairs.items():
    question, right, wrong = items[0]
    print(f"{kind}: {question}\n   right: {right}\n   wrong: {wrong}")

# %% [markdown]
# **Predict first.** In which kind will the cross-encoder beat the bi-encoder? In which will both fail?
# Whoever guesses passes half of the probes.

# %%
def passed(kind):
    """Returns how many probes of a kind each model passes."""
    results = {"bi-encoder": 0, "cross-encoder": 0}
    for question, right, wrong in probe_pairs[kind]:
        frame = probes.compare(retriever, reranker, question, [right, wrong])
        for model in results:
            results[model] += bool(frame[model]["A"] > frame[model]["B"])
    return results


probe_results = pd.DataFrame({kind: passed(kind) for kind in probe_pairs}).T
probe_results["of"] = [len(items) for items in probe_pairs.values()]
probe_results

# %%
total, n = probe_results.sum(), int(probe_results["of"].sum())
weak = probe_results["cross-encoder"].idxmin()
fooled = int(probe_results["of"][weak] - probe_results["cross-encoder"][weak])
Markdown(
    f"Of {n} probes, the bi-encoder passes **{total['bi-encoder']}** and the cross-encoder "
    f"**{total['cross-encoder']}**. The cross-encoder's weakest kind is *{weak}*, where it is fooled "
    f"in **{fooled}** of {probe_results['of'][weak]}. To see both texts at once makes such things "
    "*possible* to learn. It does not mean that they were learned."
)

# %% [markdown]
# These are the probes that fool this cross-encoder. Read them before you trust it.

# %%
failures = []
for kind, items in probe_pairs.items():
    for question, right, wrong in items:
        a, b = reranker.score(question, [right, wrong])
        if a <= b:
            failures.append((kind, question, right, wrong))
pd.DataFrame(failures, columns=["kind", "query", "right, but scored lower", "wrong"])

# %% [markdown]
# ### Does the order of words matter?
#
# A last probe: we shuffle the words of each document and ask both models how far the score falls. A
# model that only counts words would not notice.

# %%
rng = np.random.default_rng(0)
shuffled = [" ".join(rng.permutation(text.split())) for text in documents]
ours = retriever.doc_embeddings @ retriever.encode([query])[0]
theirs = retriever.encode(shuffled) @ retriever.encode([query])[0]
straight, mixed = reranker.score(query, documents), reranker.score(query, shuffled)
falls = pd.DataFrame({"bi-encoder": ours - theirs, "cross-encoder": straight - mixed})
spread = np.array([ours.std(), straight.std()])
(falls / spread).mean().rename("mean fall, in standard deviations").to_frame().round(2)

# %%
relative = (falls / spread).mean()
Markdown(
    "The fall is given in standard deviations of each model's scores over the ten documents, so that "
    f"the two can be compared: {relative['bi-encoder']:.2f} for the bi-encoder and "
    f"{relative['cross-encoder']:.2f} for the cross-encoder. Both notice "
    f"{'little' if relative.abs().max() < 0.5 else 'something'}. Most of what makes a passage "
    "relevant is in its words, whatever their order."
)

# %% [markdown]
# ## 2.6 What do the scores mean?
#
# We need more data for this. We take a fixed sample of the judged collection, two queries from each
# topic, evenly over the query types, and rerank 20 candidates for each. (In the whole collection every
# third query is a paraphrase. Here every type counts alike, so the means lie higher than in notebook 1.)

# %%
collection = rr.load_collection()
queries = evaluation.sample_queries(collection, per_topic=2)
retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
candidates = evaluation.retrieve_all(retriever, queries, top_k=20)
print(len(queries), "queries,", sum(len(hits) for hits in candidates.values()), "pairs")

# %% tags=["nbval-ignore-output"]
results = evaluation.rerank_all(reranker, queries, candidates, progress=widgets.progress)
assert all(len(results[q]) == len(candidates[q]) for q in queries)

# %% [markdown]
# **Predict first.** How well do the scores separate grade 3 from grade 0?

# %%
by_grade = {}
for query_id, ranked in results.items():
    for hit in ranked:
        grade = collection.qrels[query_id].get(hit.doc_id, 0)
        by_grade.setdefault(f"grade {grade}", []).append(hit.score)
by_grade = dict(sorted(by_grade.items()))
pd.DataFrame({name: pd.Series(values).describe() for name, values in by_grade.items()}).round(2)

# %%
middle = {name: float(np.median(values)) for name, values in by_grade.items()}
shares = {name: np.asarray(v) for name, v in by_grade.items() if name in ("grade 0", "grade 3")}
above = float((shares["grade 0"] > middle["grade 3"]).mean())
figure = plots.histogram(
    shares, "Relevant passages score higher, but not always", "score by cross-encoder"
)
figure.axes[0].set_yscale("log")
plots.show(
    figure,
    f"Scores of passages with grade 0 and grade 3. The medians are {middle['grade 0']:.2f} and "
    f"{middle['grade 3']:.2f}, and the two groups overlap.",
)

# %%
firsts = np.array([ranked[0].score for ranked in results.values()])
Markdown(
    f"The median score of grade 3 is {middle['grade 3']:.2f}, and {above:.1%} of the passages with "
    f"grade 0 score higher than that. The best score of a query lies anywhere between "
    f"{firsts.min():.2f} and {firsts.max():.2f}: a fixed threshold such as *score above 0* "
    "would cut off all answers of one query and none of another. Scores order the passages of *one* "
    "query. They do not compare queries."
)

# %% [markdown]
# People often put a logit through the function $1 / (1 + e^{-x})$, which maps it to the range from 0
# to 1, and read it as a probability. Is it one? If it were, then of all pairs with a value near 0.8
# about 80 % would be relevant.

# %%
flat = [(h.score, collection.qrels[q].get(h.doc_id, 0) > 0) for q, r in results.items() for h in r]
probability = 1 / (1 + np.exp(-np.array([score for score, _ in flat])))
relevant = np.array([is_relevant for _, is_relevant in flat])
bins = np.digitize(probability, [0.2, 0.4, 0.6, 0.8])
calibration = pd.DataFrame({"bin": bins, "claimed": probability, "really relevant": relevant})
calibration = calibration.groupby("bin").agg(
    pairs=("claimed", "size"), claimed=("claimed", "mean"), really=("really relevant", "mean")
)
calibration.round(2)

# %%
error = float(((calibration["claimed"] - calibration["really"]).abs() * calibration["pairs"]).sum())
error = error / int(calibration["pairs"].sum())
Markdown(
    f"On average, what is claimed and what is true differ by **{error:.2f}**. A number between 0 "
    "and 1 is not yet a probability. This model was trained to *order* passages, and nothing in its "
    "training asked for more."
)

# %% [markdown]
# ## 2.7 Does it help?
#
# Ten documents and one query prove nothing, as in notebook 1. The sample that we reranked above has
# the judgements. We compare query by query.

# %%
first = evaluation.evaluate(candidates, collection.qrels)
second = evaluation.evaluate(results, collection.qrels)
topic_of = [collection.query_info[q]["topic"] for q in first.index]
gain = {m: evaluation.bootstrap(second[m] - first[m], topic_of) for m in first}
pd.DataFrame(
    {
        "bi-encoder": first.mean().round(3),
        "two-stage": second.mean().round(3),
        "gain": {m: str(interval) for m, interval in gain.items()},
    }
)

# %%
ndcg = gain["nDCG@10"]
verdict = "helps" if ndcg.low > 0 else "hurts" if ndcg.high < 0 else "shows no clear effect"
difference = second["nDCG@10"] - first["nDCG@10"]
Markdown(
    f"On these {len(queries)} queries, reranking **{verdict}**: nDCG@10 changes by "
    f"{ndcg.mean:+.3f}, with a 95 % interval from {ndcg.low:+.3f} to {ndcg.high:+.3f}. It is better for "
    f"{(difference > 0).mean():.0%} of the queries and worse for {(difference < 0).mean():.0%}. "
    "Notebook 3 takes this question apart."
)

# %% [markdown]
# What does it cost? We measure both stages for one query, in turns.

# %% tags=["nbval-ignore-output"]
some = next(iter(queries.values()))
twenty = retriever.retrieve(some, top_k=20)
times = timing.side_by_side(
    {
        "retrieve 20 of 700": lambda: retriever.retrieve(some, top_k=20),
        "rerank 20": lambda: reranker.rerank(some, twenty),
    }
)
Markdown("\n".join(f"- {name}: **{time}**" for name, time in times.items()))

# %%
assert times["rerank 20"].median > times["retrieve 20 of 700"].median

# %% [markdown]
# The second stage costs more than the first, though it looked at 20 passages and not at 700. This is
# why it comes second.

# %% [markdown]
# ## 2.8 Labs
#
# ### Reranking lab
#
# Both orders side by side. **Try to find out:** Can you find a query where reranking brings up a
# passage from below rank 5? One where it pushes the right answer down?

# %%
widgets.RerankLab(retriever, reranker)

# %% [markdown]
# ### Occlusion lab
#
# Write a query and a passage of your own. **Try to find out:** Do the important words of the passage
# also stand in the query?

# %%
loaf = "Keep a loaf in a paper bag at room temperature. In the fridge it goes stale sooner."
widgets.OcclusionLab(reranker, "how do I keep bread fresh", loaf)

# %% [markdown]
# ### Probe lab
#
# Which of two passages does each model prefer? Choose an example, then change it. **Try to find out:**
# Which is the smallest change to passage B that makes the cross-encoder prefer it?

# %%
examples = {f"{kind} {n}": tuple(p) for kind, ps in probe_pairs.items() for n, p in enumerate(ps, 1)}
widgets.ProbeLab(retriever, reranker, examples)

# %% [markdown]
# ## Check yourself

# %%
widgets.Quiz(
    [
        (
            "Why can a cross-encoder not index passages in advance?",
            [
                ("Its vectors are too large", False, "It makes no vector of a passage at all."),
                ("It needs the query to start", True, "Query and passage go in as one text."),
                ("The weights are not free", False, "They are. It would not help."),
            ],
        ),
        (
            "The right answer is at rank 50, and we rerank 20 candidates. Where does it end up?",
            [
                ("at rank 1, if the model is good", False, "The model never gets to see it."),
                ("it stays at rank 50", True, "The reranker only orders what it is given."),
                ("somewhere in the first 20", False, "Only candidates can get there."),
            ],
        ),
        (
            "Query A's best passage scores 3.1, query B's scores -0.4. What follows?",
            [
                ("B has no answer in the collection", False, "See 2.6: there is no such threshold."),
                ("A's first hit is better than B's", False, "Scores of two queries do not compare."),
                ("nothing about A against B", True, "Scores order the passages of one query."),
            ],
        ),
        (
            "A cross-encoder could learn that 'no perfume' is the opposite of 'perfume'. Has ours?",
            [
                ("yes, it sees both texts", False, "To see is not yet to have learned."),
                ("no, no model can", False, "Some can. It depends on the training."),
                ("only a probe can tell", True, "That is what the probes in 2.5 are for."),
            ],
        ),
    ]
)

# %% [markdown]
# **Exercise 2.1 (warm-up).** The collection has 700 passages and 1,400 queries. How many pairs must
# the cross-encoder score for all queries, with 30 candidates each? And how many if there were no first
# stage? Give both numbers in a tuple.

# %%
answer = ...
exercises.check("2.1", answer)

# %% [markdown]
# **Exercise 2.2.** Write a reranker. `hits` is a list of `(doc_id, score, text)`. `score(query, texts)`
# returns a new score for each text. Return the hits with their new scores, best first, all of them.

# %%
def my_rerank(query, hits, score):
    return ...


exercises.check("2.2", my_rerank)

# %% [markdown]
# **Exercise 2.3.** The two models know different things, so why not use both? Their scores do not
# compare, but each can be brought to mean 0 and standard deviation 1 first. This is called a
# **z-score**. Write a function that takes two lists of scores for the same passages and returns the sum
# of their z-scores.

# %%
def sum_of_z_scores(first_scores, second_scores):
    return ...


exercises.check("2.3", sum_of_z_scores)

# %% [markdown]
# **Exercise 2.4 (open).** Find a query and two short passages of your own, of which the first answers
# the query and the second does not, so that the bi-encoder prefers the wrong one and the cross-encoder
# the right one. The Probe lab helps. Answer with a tuple `(query, right passage, wrong passage)`.

# %%
answer = ...
exercises.check("2.4", answer)

# %% [markdown]
# The worked solutions are in `solutions/02_cross_encoder.ipynb`.
#
# ## What you learned
#
# - A cross-encoder reads query and passage as one text and gives the pair one score.
# - It cannot index anything in advance, so it only reorders what a first stage has found.
# - Occlusion shows which words carry a score, and they depend on the query.
# - Probes show what a model can tell apart, and what fools it.
# - Its scores order the passages of one query. They are no probabilities and do not compare queries.
#
# ## What to try next
#
# - Open `reranking/search.py`: you now know every line of it.
# - Name another model from the Hugging Face hub: `rr.CrossEncoderReranker("cross-encoder/...")`.
# - Notebook 3 asks whether reranking is worth its time.

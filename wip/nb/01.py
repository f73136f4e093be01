# %% [markdown]
# # 1 · The bi-encoder: search by meaning
#
# **Time needed:** 45 minutes. **You need:** Python. Nothing about search.
#
# A search engine that compares words misses every answer that uses other words. In this notebook
# you build one that compares *meanings*. It is the first of two stages; notebook 2 adds the second.
#
# After this notebook you will be able to
#
# - say what an embedding is and what a cosine between two of them measures,
# - build a retriever, first as a loop and then as one matrix product,
# - measure a retriever on a judged collection, with the uncertainty of the result,
# - name the kinds of query for which it fails.

# %% [markdown]
# ## Setup
#
# Run this cell first. It loads the helper module of the course (the folder `reranking` beside this
# notebook), which you may open at any time.

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown
from sentence_transformers import util

import reranking as rr
from reranking import evaluation, exercises, plots, timing, widgets

pd.set_option("display.max_colwidth", 100)

# %% [markdown]
# ## 1.1 Can we find an answer by counting words?
#
# Here are ten short documents and one query. Search engines call a short document a *passage*.

# %%
documents, query = rr.load_documents()
print("query:", query, "\n")
for number, document in enumerate(documents):
    print(number, document)

# %% [markdown]
# **Predict first.** Which document answers the query best? Keep its number in mind.
#
# The oldest idea in search is to count the words that query and document share. Let us try it.

# %%
def words(text):
    """Returns the set of words of a text, in lower case and without punctuation."""
    return {word.strip(".,?!").lower() for word in text.split()}


shared = [words(query) & words(document) for document in documents]
pd.DataFrame({"shared": [len(s) for s in shared], "words": [" ".join(sorted(s)) for s in shared]})

# %% [markdown]
# Count by count, the words mislead:

# %%
most = max(len(s) for s in shared)
winners = [number for number, s in enumerate(shared) if len(s) == most]
Markdown(
    f"The most words in common are **{most}**, and the documents that reach it are "
    f"**{winners}**. Document 5, on PyTorch and TensorFlow, tells how Python is used, and it "
    f"shares {len(shared[5])} words with the query: {', '.join(sorted(shared[5]))}. "
    "Words such as *is* and *in* count as much as *Python*."
)

# %% [markdown]
# Better word counting exists. You will meet the best known, BM25, in notebook 3. But no way of
# counting can see that *deep learning* is a kind of *machine learning*. For this we need meanings.

# %% [markdown]
# ## 1.2 What is an embedding?
#
# An **embedding** is a list of numbers that a neural network computes from a text. The network was
# trained so that texts with similar meanings get similar lists. A network that turns one text into
# one embedding is called a **bi-encoder**: it encodes the query and the passage each on its own.
#
# We load one. It is small enough for any laptop.

# %%
retriever = rr.BiEncoderRetriever(model_name="sentence-transformers/all-MiniLM-L6-v2", top_k=5)
print("weights:", retriever.model_name)

# %% [markdown]
# Now we encode a single sentence and look at what comes out.

# %%
embedding = retriever.encode(["The doctor told her to rest."])[0]
print("shape:        ", embedding.shape)
print("first numbers:", embedding[:5].round(3))
print("length:       ", round(float(np.linalg.norm(embedding)), 4))

# %% [markdown]
# We see 384 numbers. None of them has a meaning of its own. Together they are the coordinates of a
# point in a space of 384 dimensions. The length of the list, seen as an arrow from the origin, is 1.
#
# **Predict first.** Below are three sentences. Which two will lie closest together?

# %%
sentences = [
    "The doctor told her to rest.",
    "A physician advised the patient to stay in bed.",
    "The doctor of history told a story.",
]
vectors = retriever.encode(sentences)
print("shape:", vectors.shape)
print((vectors @ vectors.T).round(3))

# %% [markdown]
# The product of two lists of length 1 is the **cosine** of the angle between the two arrows. It is
# 1 for the same direction, and near 0 for texts that have nothing to do with each other.

# %%
cosines = vectors @ vectors.T
Markdown(
    f"Sentences 0 and 1 share no word but *to*, and their cosine is **{cosines[0, 1]:.2f}**. "
    f"Sentences 0 and 2 share *the doctor* and *told*, and their cosine is **{cosines[0, 2]:.2f}**. "
    "The embedding follows the meaning and not the letters."
)

# %% [markdown]
# ## 1.3 How do we search with embeddings?
#
# We embed all documents once, in advance. This is called **indexing**. When a query comes, we embed
# it and look for the documents with the highest cosine. The obvious way is a loop.

# %%
retriever.index_documents(documents)
print("documents:", retriever.doc_embeddings.shape)

# %%
def retrieve_with_loop(query_embedding, doc_embeddings, top_k):
    """Returns [(document number, cosine)], best first, looking at one document after another."""
    scores = []
    for number, doc_embedding in enumerate(doc_embeddings):
        cosine = util.cos_sim(query_embedding, doc_embedding).item()
        scores.append((number, cosine))
    scores.sort(key=lambda pair: pair[1], reverse=True)
    return scores[:top_k]


query_embedding = retriever.encode([query])[0]
found = retrieve_with_loop(query_embedding, retriever.doc_embeddings, top_k=5)
[(number, round(cosine, 4)) for number, cosine in found]

# %% [markdown]
# The loop works. But it computes the same kind of product again and again. All products together
# are *one* product of a matrix with a vector, and for those every computer has very fast routines.

# %%
def retrieve_with_matrix(query_embedding, doc_embeddings, top_k):
    """Returns [(document number, cosine)], best first, with one matrix product."""
    cosines = doc_embeddings @ query_embedding  # (documents,)
    order = np.argsort(-cosines)[:top_k]
    return [(int(number), float(cosines[number])) for number in order]


same = retrieve_with_matrix(query_embedding, retriever.doc_embeddings, top_k=5)
assert [number for number, _ in same] == [number for number, _ in found]
[(number, round(cosine, 4)) for number, cosine in same]

# %% [markdown]
# Both give the same documents and the same cosines.
#
# **Predict first.** With 10,000 documents, how many times faster is the matrix product? We pretend
# to have that many by repeating our ten embeddings a thousand times, and let the two take turns.

# %% tags=["nbval-ignore-output"]
many = np.tile(retriever.doc_embeddings, (1000, 1))  # (10000, 384)
times = timing.side_by_side(
    {
        "loop": lambda: retrieve_with_loop(query_embedding, many, 5),
        "matrix product": lambda: retrieve_with_matrix(query_embedding, many, 5),
    },
    repeat=5,
)
ratio = times["loop"].median / times["matrix product"].median
Markdown(
    f"Loop: **{times['loop']}**. Matrix product: **{times['matrix product']}** (median and "
    f"quartiles of 5 runs). On this machine the matrix product is **{ratio:.0f} times** faster."
)

# %%
assert ratio > 20, "the matrix product should be far faster than the loop"

# %% [markdown]
# The class `BiEncoderRetriever` that we loaded above does exactly this: `index_documents` stores the
# embeddings, `retrieve` encodes the query, multiplies once and sorts the best few. You can read it
# in `reranking/search.py`.

# %% [markdown]
# ## 1.4 What does the first query find?
#
# **Predict first.** You chose the best document in 1.1. At which rank will it be?

# %%
hits = retriever.retrieve(query)
rr.table(hits)

# %% [markdown]
# A result is called a **hit**: the document's number, its score, and its text.

# %%
assert [round(hit.score, 4) for hit in hits] == [0.6194, 0.6004, 0.5793, 0.4139, 0.4065]
Markdown(
    f"First comes document **{hits[0].doc_id}** with {hits[0].score:.4f}. It says what Python is. "
    f"Document **{hits[1].doc_id}**, which says how Python is *used*, is only second with "
    f"{hits[1].score:.4f}. The gap is {hits[0].score - hits[1].score:.3f}. The other documents on "
    f"learning follow, and the rest are below {hits[-1].score:.2f}."
)

# %% [markdown]
# The good news: out of ten documents, the ones about the subject are on top. The bad news: the best
# answer is not first. The bi-encoder had to press each text into 384 numbers before it knew the
# question. It can tell what a text is *about* better than what it *answers*.

# %% [markdown]
# ## 1.5 What does the space look like?
#
# We cannot see 384 dimensions. We can look for the two directions in which the points differ most
# and draw those. This is called principal component analysis, and it is one line of NumPy.

# %%
points = np.vstack([retriever.doc_embeddings, query_embedding])  # (11, 384)
centred = points - points.mean(axis=0)
_, strengths, directions = np.linalg.svd(centred, full_matrices=False)
flat = centred @ directions[:2].T  # (11, 2)
flat = flat * np.sign(flat[-1])  # a direction has no fixed sign: put the query top right
share = float((strengths[:2] ** 2).sum() / (strengths**2).sum())
print(f"the two directions hold {share:.0%} of the spread")

# %%
labels = ["Python", "machine learning", "neural networks", "deep learning", "language", "PyTorch"]
labels += ["BM25", "vector search", "reranking", "hybrid search"]
figure = plots.space_map(flat[:-1], labels, "Documents on one subject lie together", flat[-1])
plots.show(
    figure,
    "A map of the ten documents in two dimensions. The documents on search form one group, those "
    "on learning another, and the query lies near Python, PyTorch and machine learning. The map "
    f"keeps {share:.0%} of the spread.",
)

# %% [markdown]
# The map shows groups, and the query sits among the documents on Python and learning. But a map in
# two dimensions leaves most of the spread out: two points that look close need not be. The full
# table of cosines leaves nothing out.

# %%
cosines = retriever.doc_embeddings @ retriever.doc_embeddings.T
figure = plots.heat_map(cosines, labels, "Two groups: learning and search")
nearest = np.unravel_index(np.argmax(cosines - np.eye(10)), cosines.shape)
plots.show(
    figure,
    "All cosines between the ten documents as a square of coloured cells. The closest pair are "
    f"{labels[nearest[0]]} and {labels[nearest[1]]} with {cosines[nearest]:.2f}.",
)

# %% [markdown]
# ## 1.6 How good is it, really?
#
# One query proves nothing. To *measure* a search engine we need many queries, and for each one the
# passages that a person judged to be answers. Such a set is called a **judged collection**, and its
# judgements are called **qrels**, for query relevance. The course has one of its own.

# %%
collection = rr.load_collection()
topics = {info["topic"] for info in collection.query_info.values()}
print(len(collection.passages), "passages,", len(collection.queries), "queries,", len(topics), "topics")

# %%
query_id = "t01q05"
print("query:", collection.queries[query_id], "\n")
for passage_id, grade in collection.qrels[query_id].items():
    print(f"grade {grade}:", collection.passages[passage_id], "\n")

# %% [markdown]
# Grade 3 means *answers completely*, 2 *answers in part*, 1 *is on the same sub-question*. A passage
# that is not listed has grade 0. The ten passages of a topic share subject and words, so that it is
# not enough to find the right subject.
#
# We index the passages and run all queries. This takes a few seconds.

# %%
retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
results = evaluation.retrieve_all(retriever, collection.queries, top_k=30)
print(len(results), "queries, each with", len(results[query_id]), "hits")

# %% [markdown]
# Four numbers sum up a list of hits. You will work each of them out by hand in notebook 3.
#
# | measure | the question it answers |
# | --- | --- |
# | nDCG@10 | are the best passages on top? 1 means the ideal order of the first ten |
# | RR@10 | how far down is the first relevant passage? 1 at rank 1, 1/2 at rank 2, … |
# | P@1 | is the first hit relevant? |
# | R@10 | which share of the relevant passages is among the first ten? |
#
# **Predict first.** For which share of the queries is the first hit relevant?

# %%
scores = evaluation.evaluate(results, collection.qrels)
topic_of = [collection.query_info[q]["topic"] for q in scores.index]
pd.DataFrame({name: [str(evaluation.bootstrap(scores[name], topic_of))] for name in scores})

# %% [markdown]
# The brackets hold a **95 % interval**. With other topics we would have got other numbers, and the
# interval says how different they might be. It is made by drawing topics at random, again and again,
# and computing the mean each time. This is called the bootstrap.

# %%
p1, ndcg = evaluation.bootstrap(scores["P@1"], topic_of), scores["nDCG@10"]
perfect = float((ndcg > 0.9999).mean())
Markdown(
    f"The first hit is relevant for **{p1.mean:.0%}** of the queries (between {p1.low:.0%} and "
    f"{p1.high:.0%}). The order of the first ten is perfect for {perfect:.0%} of the queries, and "
    f"for {float((ndcg == 0).mean()):.0%} not one of the first ten is relevant. A mean hides that."
)

# %% [markdown]
# ## 1.7 Where is a bi-encoder blind?
#
# Each query of the collection has a type. A *keyword* query is two to five words. A *paraphrase*
# uses everyday words where the answer uses terms. A *role* query asks who did what to whom.
#
# **Predict first.** Which type is hardest?

# %%
types = pd.Series({q: collection.query_info[q]["type"] for q in scores.index})
rows = {}
for kind in scores["nDCG@10"].groupby(types).mean().sort_values().index:
    values = scores["nDCG@10"][types == kind]
    groups = [collection.query_info[q]["topic"] for q in values.index]
    rows[f"{kind} ({len(values)})"] = (evaluation.bootstrap(values, groups), "bi-encoder")
hardest, easiest = list(rows)[0], list(rows)[-1]

# %%
figure = plots.intervals(
    rows, f"Hardest for the bi-encoder: {hardest.split()[0]}", "nDCG@10 with 95 % interval"
)
plots.show(
    figure,
    "nDCG@10 by query type, from hardest to easiest: "
    + ", ".join(f"{name} {interval.mean:.2f}" for name, (interval, _) in rows.items()),
)

# %%
low, high = rows[hardest][0], rows[easiest][0]
Markdown(
    f"Between the hardest type, *{hardest}*, and the easiest, *{easiest}*, lie "
    f"**{high.mean - low.mean:.2f}** points of nDCG@10. The number in brackets counts the queries."
)

# %% [markdown]
# Why? A bi-encoder turns a text into a point, and some differences hardly move the point. Here are
# three pairs of sentences. In each, the two say different things.
#
# **Predict first.** Guess the three cosines.

# %%
pairs = {
    "roles swapped": ("The dog bit the postman.", "The postman bit the dog."),
    "negation": ("This soap contains perfume.", "This soap contains no perfume."),
    "number changed": ("Bake the bread for 20 minutes.", "Bake the bread for 90 minutes."),
}
close = {name: float(np.prod(retriever.encode(pair), axis=0).sum()) for name, pair in pairs.items()}
pd.DataFrame({"cosine": close}).round(3)

# %%
hits_above = np.mean([hits[0].score < min(close.values()) for hits in results.values()])
Markdown(
    f"All three cosines are at least **{min(close.values()):.2f}**. For comparison: "
    f"{hits_above:.0%} of the first hits in our collection have a lower cosine with their query. "
    "To the bi-encoder, each pair is nearly the same text said twice."
)

# %% [markdown]
# Now look at real failures. Each example shows the query, the passage that came first, and the
# passage that should have. **Look for** words that query and wrong passage share.

# %%
widgets.BlindSpots(collection, results)

# %% [markdown]
# ## 1.8 Lab: search by meaning
#
# Type a query and press Enter. Choose the ten documents, the judged collection, or your own text
# or file. Nothing leaves your machine.
#
# **Try to find out:** Can you find a passage without using any of its words? Does adding *not* to
# your query change the first hit?

# %%
widgets.SearchLab(retriever)

# %% [markdown]
# ## Check yourself
#
# Four questions first. Each option explains itself when you choose it.

# %%
widgets.Quiz(
    [
        (
            "What does a bi-encoder see when it encodes a passage?",
            [
                ("the passage alone", True, "That is why passages can be encoded in advance."),
                ("the passage and the query", False, "That would be a cross-encoder: notebook 2."),
                ("all passages at once", False, "Each text becomes one point, on its own."),
            ],
        ),
        (
            "Two texts have a cosine of 0.95. What follows?",
            [
                ("They mean the same", False, "See 1.7: swapped roles hardly move the point."),
                ("They are about the same thing", True, "About the same, not saying the same."),
                ("One answers the other", False, "A question is also close to other questions."),
            ],
        ),
        (
            "Why is the matrix product faster than the loop, with the same results?",
            [
                ("It skips documents", False, "It looks at every document, as the loop does."),
                ("One call does all products", True, "No Python between two of them."),
                ("It rounds the numbers", False, "Both use the same 32-bit numbers."),
            ],
        ),
        (
            "What does the 95 % interval in 1.6 tell?",
            [
                ("95 % of the queries lie in it", False, "It is about the mean."),
                ("how the mean may vary with other topics", True, "That is what was redrawn."),
                ("the model is right in 95 % of cases", False, "P@1 says how often it is right."),
            ],
        ),
    ]
)

# %% [markdown]
# **Exercise 1.1 (warm-up).** What is the cosine between the sample query and document 8, the one on
# reranking? Put a number in place of `...`. The retriever can encode both.

# %%
answer = ...
exercises.check("1.1", answer)

# %% [markdown]
# **Exercise 1.2.** Write a function that returns the numbers of the `top_k` documents nearest to a
# query, best first, with one matrix product. It must work when `top_k` is larger than the number of
# documents.

# %%
def my_retrieve(query, documents, top_k):
    return ...


exercises.check("1.2", my_retrieve)

# %% [markdown]
# **Exercise 1.3.** Recall at depth *k* is the share of the relevant passages that are among the
# first *k* hits. Write it for one query: `hit_ids` is a list of ids, best first, and `judged` is
# `{passage id: grade}`.

# %%
def recall(hit_ids, judged, k):
    return ...


exercises.check("1.3", recall)

# %% [markdown]
# **Exercise 1.4 (open).** Fool the bi-encoder. Find a query for the ten documents whose best answer
# is *not* the first hit. Put the query and the number of the document that should be first in a
# tuple, such as `("my query", 3)`. Then say in one sentence why you think it fails.

# %%
answer = ...
exercises.check("1.4", answer)

# %% [markdown]
# The worked solutions are in `solutions/01_bi_encoder.ipynb`.
#
# ## What you learned
#
# - A bi-encoder turns each text into a point. The cosine between two points measures how much two
#   texts are *about* the same thing.
# - Passages are encoded once. A search is then one encoding and one matrix product.
# - A claim about search needs a judged collection, a measure and an interval.
# - A bi-encoder is weak where a small difference in words makes a large difference in meaning, and
#   where query and answer use different words.
#
# ## What to try next
#
# - Paste a page of your own notes into the lab and search it.
# - Look at `index_documents` in `reranking/search.py`. What would you store on disk?
# - Go on with notebook 2, which lets a second model read query and passage *together*.

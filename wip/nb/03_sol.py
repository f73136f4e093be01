# %% [markdown]
# # Solutions to notebook 3
#
# Try each exercise yourself first. Several answers can be right.

# %%
import sys

sys.path.insert(0, "..")

import numpy as np

import reranking as rr
from reranking import evaluation, exercises

# %% [markdown]
# ## Exercise 3.1
#
# The first relevant hit is at rank 2, so RR is 1/2. Two of three relevant passages were found. The
# ideal list has the grades 3, 3, 2: the passage that was not found belongs to it.

# %%
dcg = 2 / np.log2(3) + 3 / np.log2(4)
ideal = 3 / np.log2(2) + 3 / np.log2(3) + 2 / np.log2(4)
answer = (1 / 2, round(2 / 3, 3), round(float(dcg / ideal), 3))
print(answer)
exercises.check("3.1", answer)

# %% [markdown]
# ## Exercise 3.2
#
# The same loop as before, with a weight for each list.

# %%
def weighted_fuse(first, second, weight):
    total = {}
    for ids, share in ((first, 1), (second, weight)):
        for rank, doc_id in enumerate(ids, start=1):
            total[doc_id] = total.get(doc_id, 0) + share / (60 + rank)
    return sorted(total, key=total.get, reverse=True)


exercises.check("3.2", weighted_fuse)

# %% [markdown]
# ## Exercise 3.3
#
# Subtract query by query, and let the bootstrap draw topics.

# %%
def smallest_k(quality, topics):
    best = max(quality, key=lambda k: np.mean(quality[k]))
    for k in sorted(quality):
        interval = evaluation.bootstrap(quality[best] - quality[k], topics)
        if interval.low <= 0:
            return k


exercises.check("3.3", smallest_k)

# %% [markdown]
# ## Exercise 3.4
#
# You may find one by thinking: a passage that repeats the words of your query in another sense, or the
# opposite case. Here we let the judged queries tell. We go through a sample until reranking pushes a
# passage of grade 3 down from the first place.

# %%
collection = rr.load_collection()
retriever = rr.BiEncoderRetriever()
retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
reranker = rr.CrossEncoderReranker()


def pushed_down(query_id):
    """Returns the id of a passage of grade 3 that was first and is not any more, or None."""
    hits = retriever.retrieve(collection.queries[query_id], top_k=30)
    if collection.qrels[query_id].get(hits[0].doc_id, 0) == 3:
        new = reranker.rerank(collection.queries[query_id], hits, top_k=1)
        return hits[0].doc_id if new[0].doc_id != hits[0].doc_id else None

# %%
for query_id in evaluation.sample_queries(collection, per_topic=2):
    passage_id = pushed_down(query_id)
    if passage_id:
        break
answer = (collection.queries[query_id], passage_id)
print(answer)
print(collection.passages[passage_id])
exercises.check("3.4", answer)

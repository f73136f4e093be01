# %% [markdown]
# # Solutions to notebook 1
#
# Try each exercise yourself first. Several answers can be right.

# %%
import sys

sys.path.insert(0, "..")

import numpy as np

import reranking as rr
from reranking import evaluation, exercises

documents, query = rr.load_documents()
retriever = rr.BiEncoderRetriever().index_documents(documents)

# %% [markdown]
# ## Exercise 1.1
#
# The embeddings have length 1, so the product of two of them is their cosine.

# %%
first, second = retriever.encode([query, documents[8]])
answer = float(first @ second)
print(round(answer, 4))
exercises.check("1.1", answer)

# %% [markdown]
# ## Exercise 1.2
#
# Encode all documents, then the query, then multiply. A slice such as `[:top_k]` never complains when
# there is less to take.

# %%
def my_retrieve(query, documents, top_k):
    cosines = retriever.encode(documents) @ retriever.encode([query])[0]
    return np.argsort(-cosines)[:top_k]


exercises.check("1.2", my_retrieve)

# %% [markdown]
# ## Exercise 1.3
#
# Count the judged passages among the first *k* hits and divide by the number of judged passages.

# %%
def recall(hit_ids, judged, k):
    return len(set(hit_ids[:k]) & set(judged)) / len(judged)


exercises.check("1.3", recall)

# %% [markdown]
# On the whole collection it agrees with the library:

# %%
collection = rr.load_collection()
retriever.index_documents(collection.passages.values(), ids=collection.passages.keys())
queries = evaluation.sample_queries(collection, per_topic=1)
results = evaluation.retrieve_all(retriever, queries, top_k=10)
scores = evaluation.evaluate(results, collection.qrels, ["R@10"])
ours = [recall([hit.doc_id for hit in results[q]], collection.qrels[q], 10) for q in queries]
assert np.allclose(ours, scores["R@10"])
print("mean R@10:", round(float(np.mean(ours)), 3))

# %% [markdown]
# ## Exercise 1.4
#
# The words *features* and *data* pull towards the document on deep learning, but the query asks for
# the field that deep learning is a part of. The bi-encoder sees what the texts are about, and all of
# them are about the same.

# %%
answer = ("which field does deep learning belong to", 1)
exercises.check("1.4", answer)

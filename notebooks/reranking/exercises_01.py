"""The checks behind the exercises of notebook 1. See `exercises` for how they work."""

import numpy as np

from .exercises import check, exercise, sample

__all__ = ["check"]


@exercise("1.1", "They are far apart: the query is not about reranking.")
def cosine_with_document_8(answer):
    retriever, query = sample()
    cosines = retriever.doc_embeddings @ retriever.encode([query])[0]
    answer = float(answer)
    if abs(answer - cosines[8]) < 0.0051:  # two decimals are enough
        return None
    if abs(answer - np.degrees(np.arccos(cosines[8]))) < 0.5:
        return "this is the angle in degrees. The cosine is wanted."
    near = [number for number, cosine in enumerate(cosines) if abs(answer - cosine) < 0.002]
    if near:
        return f"this is the cosine with document {near[0]}. Documents are counted from 0."
    return "take retriever.encode([query, documents[8]]) and multiply the two rows."


@exercise("1.2", "One product, and it never asks for more than there is.")
def own_retriever(function):
    retriever, query = sample()
    documents = retriever.documents
    expected = [hit.doc_id for hit in retriever.retrieve(query, top_k=10)]
    found = function(query, documents, 5)
    if found is ...:
        return "the function still returns ...: write its body."
    found = list(found)
    if found and np.ndim(found[0]):
        return "return the numbers alone, without their cosines."
    found = [int(number) for number in found]
    if found == expected[::-1][:5]:
        return "the order is upside down: these are the documents farthest from the query."
    if sorted(found) == sorted(expected[:5]) and found != expected[:5]:
        return "these are the right documents in the wrong order. Sort by falling cosine."
    if found != expected[:5]:
        return f"for the sample query it should give {expected[:5]} and gives {found}."
    if [int(number) for number in function(query, documents, 99)] != expected:
        return "with top_k = 99 it should give all ten documents."
    return None


@exercise("1.3", "It counts what was found, and divides by what there was.")
def own_recall(function):
    hit_ids, judged = ["a", "b", "c", "d"], {"b": 3, "d": 1, "x": 1}
    first = function(hit_ids, judged, 2)
    if first is ...:
        return "the function still returns ...: write its body."
    if abs(first - 1 / 2) < 1e-9:
        return "divide by the number of relevant passages, not by k. That would be precision."
    if abs(first - 3 / 5) < 1e-9:
        return "count each relevant passage once. Do not add up the grades."
    if abs(first - 1) < 1e-9:
        return "a count is not yet a share: divide it by the number of relevant passages."
    if abs(function(hit_ids, judged, 4) - 2 / 3) < 1e-9 and abs(first - 1 / 3) > 1e-9:
        return "look at the first k hits only."
    if abs(first - 1 / 3) > 1e-9:
        return f"one of three relevant passages is in the first two: 1/3, not {first}."
    return None


@exercise(
    "1.4", "The bi-encoder puts another document first. Is yours the better answer? You must judge."
)
def fool_the_bi_encoder(answer):
    retriever, sample_query = sample()
    query, doc_id = answer
    if query.strip().lower() == sample_query.lower():
        return "this is the sample query. Find one of your own."
    if doc_id not in retriever.doc_ids:
        return f"document {doc_id!r} is not one of the ten, which are numbered 0 to 9."
    if len(query.split()) < 3:
        return "use at least three words, so that the query has one best answer."
    ranks = [hit.doc_id for hit in retriever.retrieve(query, top_k=10)]
    if ranks[0] == doc_id:
        return "the bi-encoder puts this document first, so it was not fooled."
    return None

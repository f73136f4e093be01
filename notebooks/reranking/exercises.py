"""The checks behind the exercises: each looks at an answer and gives a hint if it is wrong."""

from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO

from .data import load_collection, load_documents
from .search import BiEncoderRetriever, CrossEncoderReranker

CHECKS = {}  # name of the exercise -> (what a right answer shows, function returning a hint)


def check(name, answer):
    """Prints whether the answer to an exercise is right, else a hint.

    No answer makes it raise an error. Raises KeyError for a name that no exercise has.
    """
    praise, find_problem = CHECKS[name]
    if answer is ...:
        print(f"Exercise {name}: no answer yet. Replace ... by your own and run the cell again.")
        return
    try:
        hint = find_problem(answer)
    except Exception as error:
        hint = f"your answer stopped with {type(error).__name__}: {error}"
    print(f"Exercise {name}: not yet, {hint}" if hint else f"Exercise {name}: right. {praise}")


def exercise(name, praise):
    """Registers the function below it as the check of an exercise; it returns a hint or None."""

    def register(find_problem):
        CHECKS[name] = (praise, find_problem)
        return find_problem

    return register


@lru_cache(maxsize=1)
def sample():
    """Returns a retriever over the ten documents, and the sample query, for the checks."""
    documents, query = load_documents()
    return BiEncoderRetriever().index_documents(documents), query


@lru_cache(maxsize=2)
def sample_reranker(fast=False):
    """Returns a cross-encoder for the checks, in single precision or in eight bits (`fast`)."""
    with redirect_stdout(StringIO()):
        return CrossEncoderReranker(fast=fast)


@lru_cache(maxsize=1)
def judged_retriever():
    """Returns a retriever over the judged collection, and the collection, for the checks."""
    collection = load_collection()
    retriever = BiEncoderRetriever()
    return retriever.index_documents(
        collection.passages.values(), collection.passages.keys()
    ), collection

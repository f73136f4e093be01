"""Real models, loaded once for all tests."""

import os

os.environ["RERANKING_MODELS"] = "bundled"  # before anything loads a model

import pytest

import reranking as rr
from reranking import vector_sets, widgets


@pytest.fixture(scope="session")
def documents():
    return rr.load_documents()[0]


@pytest.fixture(scope="session")
def query():
    return rr.load_documents()[1]


@pytest.fixture(scope="session")
def retriever(documents):
    return rr.BiEncoderRetriever().index_documents(documents)


@pytest.fixture(scope="session")
def reranker():
    return rr.CrossEncoderReranker()


@pytest.fixture(scope="session")
def collection():
    return rr.load_collection()


@pytest.fixture(scope="session")
def fast():
    """The cross-encoder in eight bits."""
    return rr.CrossEncoderReranker(fast=True)


@pytest.fixture(scope="session")
def judged(retriever, collection):
    """A retriever over the judged collection."""
    return vector_sets.index_kept(widgets.share_model(retriever), collection.passages)

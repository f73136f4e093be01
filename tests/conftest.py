"""Real models, loaded once for all tests."""

import os

os.environ["RERANKING_MODELS"] = "bundled"  # before anything loads a model

import pytest

import reranking as rr


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

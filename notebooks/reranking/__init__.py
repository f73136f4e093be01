"""Two-stage retrieval with reranking: the helper module of the course.

Read the files in this order: `search`, `models`, `data`, `evaluation`, then whichever you need.
Importing the package is fast: PyTorch is loaded when a model is first asked for.
"""

from .data import Collection, load_collection, load_documents, read_passages
from .search import BiEncoderRetriever, CrossEncoderReranker, Hit, TwoStageSearch, table

__all__ = [
    "BiEncoderRetriever",
    "Collection",
    "CrossEncoderReranker",
    "Hit",
    "TwoStageSearch",
    "load_collection",
    "load_documents",
    "read_passages",
    "table",
]

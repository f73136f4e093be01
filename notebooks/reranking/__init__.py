"""Two-stage retrieval with reranking: the helper module of the course.

Each module begins with a line that says what it is for. Read them as you meet them:

- from notebook 1 on: search, models, hub, data, evaluation, timing, plots, widgets
- notebook 2: probes, int8
- notebook 3: first_stages, gallery, plots_of_time
- notebook 4: vector_sets, vector_indexes, index_measuring, scaling, distractors
- notebook 5: serving, batching, load, caching, deadlines, monitoring, learned_sparse,
  vector_database, cluster, cluster_costs, cluster_measuring
- notebook 6: training, cross_encoders, pools, lists, recipe

What you need not read: labs_01 to labs_06 with own_documents and previews, exercises and
exercises_01 to exercises_06, guard, database_trials.

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

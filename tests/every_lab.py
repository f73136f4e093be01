"""Every lab of the course by its name, on real models and data, but few queries."""

import reranking as rr
from reranking import (
    data,
    evaluation,
    first_stages,
    labs_01,
    labs_02,
    labs_03,
    labs_04,
    labs_05,
    labs_06,
    probes,
    scaling,
    vector_sets,
    widgets,
)

NAMES = (
    ["SearchLab", "BlindSpots", "RerankLab", "OcclusionLab", "ProbeLab", "BeatTheMachine"]
    + ["SideBySide", "PlannerLab", "DeadlineLab", "AdaptLab"]
    + [f"Quiz {number}" for number in range(1, 7)]
)
LOAF = "Keep a loaf in a paper bag at room temperature. In the fridge it goes stale sooner."


def makers():
    """Returns {name: function that makes the lab}; the models are loaded once."""
    documents = rr.load_documents()[0]
    retriever = rr.BiEncoderRetriever().index_documents(documents)
    reranker = rr.CrossEncoderReranker()
    collection = rr.load_collection()
    judged = vector_sets.index_kept(widgets.share_model(retriever), collection.passages)
    few = {q: collection.queries[q] for q in list(collection.queries)[::100]}
    hits = evaluation.retrieve_all(judged, few, top_k=10)
    systems = first_stages.systems_over(judged, reranker)
    pairs = {kind: tuple(some[0]) for kind, some in probes.load().items()}
    sizes, topics = scaling.load_record()[0], data.load_topics("dev")[:1]
    found = {
        "SearchLab": lambda: labs_01.SearchLab(retriever),
        "BlindSpots": lambda: labs_01.BlindSpots(collection, hits),
        "RerankLab": lambda: labs_02.RerankLab(retriever, reranker),
        "OcclusionLab": lambda: labs_02.OcclusionLab(reranker, "how to keep bread", LOAF),
        "ProbeLab": lambda: labs_02.ProbeLab(retriever, reranker, pairs),
        "BeatTheMachine": lambda: labs_03.BeatTheMachine(collection, hits, reranker),
        "SideBySide": lambda: labs_03.SideBySide(systems, collection, few, judged, reranker),
        "PlannerLab": lambda: labs_04.PlannerLab(sizes, encode=0.01, pair=0.01, cores=2),
        "DeadlineLab": lambda: labs_05.DeadlineLab(judged, reranker, collection),
        "AdaptLab": lambda: labs_06.AdaptLab(retriever, reranker.model, topics),
    }
    return found | {f"Quiz {n}": lambda n=n: widgets.Quiz(str(n)) for n in range(1, 7)}

"""The speed figures of the course, each a median with its spread: make benchmark."""

import os
import platform
import subprocess
import sys
import time

os.environ.setdefault("RERANKING_MODELS", "bundled")
sys.path.insert(0, "notebooks")

FIRST_ANSWER = """
import time; start = time.perf_counter()
import reranking as rr
documents, query = rr.load_documents()
retriever = rr.BiEncoderRetriever().index_documents(documents)
top = rr.CrossEncoderReranker().rerank(query, retriever.retrieve(query))
print(time.perf_counter() - start)
"""


def first_answers(repeat=3):
    """Returns the seconds from import to the first reranked answer, each in a new process."""
    seconds = []
    for _ in range(repeat):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FIRST_ANSWER],
            cwd="notebooks",
            capture_output=True,
            text=True,
            check=True,
        )
        seconds.append(float(done.stdout.split()[-1]))
    return seconds


def main():
    from sentence_transformers import util

    import reranking as rr
    from reranking import timing

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("import to first reranked answer:", timing.summarise(first_answers()))

    documents, query = rr.load_documents()
    passages = list(rr.load_collection().passages.values())
    retriever = rr.BiEncoderRetriever()
    start = time.perf_counter()
    retriever.index_documents(passages)
    print(f"passages embedded per second: {len(passages) / (time.perf_counter() - start):.0f}")
    many = [passages[i % len(passages)] for i in range(10_000)]
    retriever.doc_embeddings = retriever.doc_embeddings[[i % len(passages) for i in range(10_000)]]
    retriever.documents, retriever.doc_ids = many, list(range(10_000))
    embedding = retriever.encode([query])[0]

    def loop():
        scored = [
            (i, util.cos_sim(embedding, e).item()) for i, e in enumerate(retriever.doc_embeddings)
        ]
        return sorted(scored, key=lambda pair: -pair[1])[:10]

    def product():
        scores = retriever.doc_embeddings @ embedding
        return [(i, float(scores[i])) for i in rr.search.best(scores, 10)]

    assert [round(s, 5) for _, s in loop()] == [round(s, 5) for _, s in product()]
    times = timing.side_by_side({"loop": loop, "product": product}, repeat=7)
    print("10,000 passages, the same hits. Loop:", times["loop"], " product:", times["product"])
    print(f"speed-up: {times['loop'].median / times['product'].median:.0f} times")

    forms = {"default": rr.CrossEncoderReranker(), "eight bits": rr.CrossEncoderReranker(fast=True)}
    some = passages[::5]  # 140, from all topics
    times = timing.side_by_side(
        {name: lambda form=form: form.score(query, some) for name, form in forms.items()}, repeat=7
    )
    for name, timed in times.items():
        print(
            f"pairs reranked per second, {name}: {len(some) / timed.median:.0f} ({timed} for 140)"
        )
    print(f"speed-up: {times['default'].median / times['eight bits'].median:.2f} times")


if __name__ == "__main__":
    main()

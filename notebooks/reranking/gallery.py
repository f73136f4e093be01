"""The gallery of notebook 3: what came first before and after reranking, query by query."""

import html

from .widgets import CELL


def gallery(collection, before, after, changes):
    """Returns a table to display: for each query, what came first before and after reranking.

    `before` and `after` are {query id: list of Hit}, `changes` is {query id: change of nDCG@10};
    its order is kept. Where neither list begins with the best answer, that is shown too.
    """
    from IPython.display import HTML

    blocks = []
    for query_id, change in changes.items():
        judged = collection.qrels[query_id]
        best = max(judged, key=judged.get)
        rows = [
            ("first before", before[query_id][0].doc_id),
            ("first after", after[query_id][0].doc_id),
        ]
        if best not in [passage_id for _, passage_id in rows]:
            rows.append(("best answer", best))
        query, kind = collection.queries[query_id], collection.query_info[query_id]["type"]
        body = "".join(
            f'<tr><td style="{CELL}; white-space: nowrap">{label}<br>grade '
            f'{judged.get(passage_id, 0)}</td><td style="{CELL}">'
            f"{html.escape(collection.passages[passage_id])}</td></tr>"
            for label, passage_id in rows
        )
        blocks.append(
            f'<p style="margin: 12px 0 4px"><b>{html.escape(query)}</b> ({html.escape(kind)}, '
            f"nDCG@10 {change:+.2f})</p>"
            '<table style="border-collapse: collapse; table-layout: auto; line-height: 1.35">'
            f"{body}</table>"
        )
    return HTML("".join(blocks))

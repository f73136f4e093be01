"""The lab of notebook 4: what a search of your own would need."""

import html

import ipywidgets as ipw

from . import scaling
from .timing import format_seconds
from .widgets import LABEL, Lab, html_table, slider, wide


class PlannerLab(Lab):
    """Documents, traffic and a time budget in; index, candidates, memory, cores and price out."""

    def __init__(self, measured, encode, pair, cores, price=0.05):
        """`measured` is {index: {size: Measured}}; `encode` and `pair` are seconds.

        They are those to encode a query and to read one candidate, on `cores` cores.
        `price` is what a core costs in an hour, in any currency.
        """
        self.measured, self.encode, self.pair, self.cores = measured, encode, pair, cores
        self.documents = number(1_000_000, "documents", 1)
        self.per_second = ipw.BoundedFloatText(
            value=5, min=0.001, max=1e5, description="queries a second", style=LABEL, layout=wide()
        )
        self.budget = slider(500, 10, 5000, "budget, ms")
        self.most = slider(50, 1, 200, "candidates, most")
        self.price = ipw.BoundedFloatText(
            value=price, min=0, max=1e4, description="price, core-hour", style=LABEL, layout=wide()
        )
        controls = [self.documents, self.per_second, self.budget, self.most, self.price]
        super().__init__("Planner", controls)
        self.follow(*controls)

    def plans(self):
        """Returns the list of Plan for the controls as they stand, the best first."""
        if self.documents.value < 1:
            raise ValueError("At least one document is needed.")
        return scaling.plan(
            self.measured,
            self.documents.value,
            self.per_second.value,
            self.budget.value / 1000,
            self.encode,
            self.pair,
            self.most.value,
            self.cores,
        )

    def render(self):
        plans = self.plans()
        rows = []
        for p in plans:
            cost = p.cores * self.price.value * 24
            answer = p.problem or "holds"
            size = f"{p.nbytes / 1e9:.2f} GB" if p.nbytes >= 1e7 else f"{p.nbytes / 1e6:.2f} MB"
            cores = f"{p.cores} {'core' if p.cores == 1 else 'cores'}"
            rows.append(
                [f"{p.index}: {answer}", f"{format_seconds(p.latency)}, {p.candidates} candidates"]
                + [f"{size}, {cores}", f"{p.recall:.2f}", f"{cost:,.2f}"]
            )
        header = ["index", "per query", "memory for vectors, cores", "recall @100", "price a day"]
        table = html_table(header, rows)
        best = plans[0]
        if best.problem:
            advice = "No index holds. Raise the budget, or rerank on faster hardware."
        else:
            advice = (
                f"Take {best.index} and rerank {best.candidates} candidates, "
                f"on {best.cores} {'core' if best.cores == 1 else 'cores'}."
            )
        largest = max(max(sizes) for sizes in self.measured.values())
        if self.documents.value > largest:
            advice += f" Beyond {largest:,} documents this is a projection, not a measurement."
        return f"<p><b>{html.escape(advice)}</b></p>{table}"


def number(value, text, least):
    """Returns a box for a whole number, which reports when it is left."""
    return ipw.BoundedIntText(
        value=value, min=least, max=10**10, description=text, style=LABEL, layout=wide()
    )

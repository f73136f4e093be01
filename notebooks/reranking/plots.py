"""The figures of the course: data in, a Matplotlib Figure out. Those with a time: `plots_of_time`.

Nothing is computed here but what a figure shows of its data: bins, means, percentiles.
"""

import base64
import html
import io

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

# Colours that people with colour-blindness can tell apart (after Okabe and Ito, 2008), with a
# contrast of at least 3 to white. A system has the same colour in every figure.
COLOURS = {
    "BM25": "#7A7A7A",
    "bi-encoder": "#0072B2",
    "hybrid": "#009E73",
    "two-stage": "#D55E00",
    "cross-encoder": "#CC79A7",
    "ceiling": "#000000",
}
# No system has these. Labs draw with them too, so they stand out from black as well.
UP, DOWN, SAME = "#BE8400", "#2F95D8", "#6B6B6B"


def new_figure(width=8, height=4, columns=1, **options):
    """Returns a Figure and its axes, with the style that all figures of the course share."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, **options)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="both", color="#E5E5E5", linewidth=0.7)
        ax.set_axisbelow(True)
    return figure, axes if columns > 1 else axes[0]


def styled(series, styles):
    """Returns an iterator over ((name, values), style), a style for each of the series in turn.

    Raises ValueError if there are more series than styles: none may be left out in silence.
    """
    if len(series) > len(styles):
        raise ValueError(f"There are {len(series)} series, but only {len(styles)} can be drawn.")
    return zip(series.items(), styles, strict=False)


def show(figure, alt):
    """Displays a figure with its alternative text, which says in words what can be seen."""
    from IPython.display import display

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    picture = base64.b64encode(buffer.getvalue()).decode()
    page = (
        f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" '
        'style="max-width: 100%; height: auto; background: white">'
    )
    display({"text/html": page, "text/plain": alt}, raw=True)


def space_map(points, labels, title, query=None):
    """Returns a map of passages in two dimensions, `points` of shape (n, 2), with their labels.

    `query` is a point of shape (2,) drawn as a star.
    """
    figure, ax = new_figure(8, 5)
    ax.scatter(*points.T, c=COLOURS["bi-encoder"], s=60)
    near = np.ptp(points, axis=0) * (0.25, 0.06)
    for number, (point, label) in enumerate(zip(points, labels, strict=True)):
        if label:  # below the point where an earlier label is close
            crowded = (np.abs(points[:number] - point) < near).all(axis=1).any()
            place = (7, -12 if crowded else 4)
            ax.annotate(label, point, xytext=place, textcoords="offset points", fontsize=9)
    if query is not None:
        ax.scatter(*query, marker="*", s=260, c="black", zorder=3)
        ax.annotate("query", query, xytext=(9, -12), textcoords="offset points", fontsize=9)
    ax.margins(0.18, 0.12)
    ax.set(title=title, xlabel="first component", ylabel="second component")
    return figure


def heat_map(values, labels, title, unit="cosine"):
    """Returns a square of values, shape (n, n), with each value written in its cell."""
    figure, ax = new_figure(7.5, 6)
    ax.grid(False)
    image = ax.imshow(values, cmap="cividis", vmin=0, vmax=1)
    ticks = range(len(labels))
    ax.set_xticks(ticks, labels, rotation=40, ha="right", fontsize=9)
    ax.set_yticks(ticks, labels, fontsize=9)
    for (row, column), value in np.ndenumerate(values):
        colour = "black" if value > 0.47 else "white"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    figure.colorbar(image, label=unit, shrink=0.8)
    ax.set_title(title)
    return figure


def rank_changes(before, after, title, labels=None):
    """Returns a figure with a line for each passage from its rank before to its rank after.

    `before` and `after` are lists of ids, best first; `labels` is {id: short text}.
    """
    labels = labels or {}
    figure, ax = new_figure(8.5, 0.42 * len(before) + 1.4)
    ax.grid(False)
    for rank, doc_id in enumerate(before, start=1):
        text = labels.get(doc_id, str(doc_id))
        ax.text(-0.03, rank, f"{text}  {rank}", ha="right", va="center", fontsize=9)
        if doc_id in after:
            new = after.index(doc_id) + 1
            colour = UP if new < rank else DOWN if new > rank else SAME
            width = 2.5 if new != rank else 1.2
            ax.plot([0, 1], [rank, new], color=colour, linewidth=width, marker="o", clip_on=False)
            ax.text(1.03, new, f"{new}  {text}", ha="left", va="center", fontsize=9)
    ax.set(xlim=(-0.9, 1.9), ylim=(len(before) + 0.6, 0.2), xticks=[], yticks=[], title=title)
    ax.set_xlabel(
        "left: rank by bi-encoder · right: rank by cross-encoder · orange: up, blue: down"
    )
    ax.spines[:].set_visible(False)
    return figure


def intervals(rows, title, xlabel, reference=None):
    """Returns a figure with a point and its 95 % interval in each row.

    `rows` is {label: Interval} or {label: (Interval, system)}; the system decides the colour.
    `reference` draws a vertical line, such as 0 for "no difference".
    """
    figure, ax = new_figure(8, 0.42 * len(rows) + 1.5)
    for position, (_label, row) in enumerate(rows.items()):
        interval, system = row if isinstance(row[0], tuple) else (row, "two-stage")
        colour = COLOURS[system]
        ax.plot([interval.low, interval.high], [position, position], color=colour, linewidth=3)
        ax.plot(interval.mean, position, "o", color=colour, markersize=8)
    if reference is not None:
        ax.axvline(reference, color="black", linewidth=1)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(ylim=(len(rows) - 0.5, -0.5), title=title, xlabel=xlabel)
    return figure


def bars(values, title, xlabel, colours=None):
    """Returns horizontal bars for {label: value}, the first on top, with the values written."""
    figure, ax = new_figure(8, 0.38 * len(values) + 1.4)
    names = list(values)
    heights = [values[name] for name in names]
    ax.barh(range(len(names)), heights, color=colours or COLOURS["bi-encoder"])
    for position, value in enumerate(heights):
        side = "left" if value >= 0 else "right"
        ax.text(value, position, f" {value:.2f} ", va="center", ha=side, fontsize=9)
    ax.axvline(0, color="black", linewidth=1)
    ax.margins(x=0.15)
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.4, -0.6), title=title, xlabel=xlabel)
    return figure


def scatter(x, y, title, xlabel, ylabel, labels=()):
    """Returns a scatter of two measurements of the same things; `labels` is [(x, y, text)]."""
    figure, ax = new_figure(7, 4.5)
    ax.scatter(x, y, s=22, color=to_rgba(SAME, 0.6), edgecolor=SAME)
    ax.margins(x=0.2 if labels else 0.05)
    for left, height, text in labels:
        ax.annotate(text, (left, height), xytext=(6, 4), textcoords="offset points", fontsize=9)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure


def histogram(groups, title, xlabel, ylabel="number of pairs", share=False):
    """Returns overlaid histograms for {label: values}, four at most, with one set of bins for all.

    With `share`, the bars of each group add up to 1, so that groups of unlike size compare.
    """
    figure, ax = new_figure(8, 4)
    edges = np.histogram_bin_edges(np.concatenate([np.ravel(v) for v in groups.values()]), 40)
    for (label, values), colour in styled(groups, [SAME, UP, DOWN, "black"]):
        weights = np.full(np.size(values), 1 / np.size(values)) if share else None
        look = {"facecolor": to_rgba(colour, 0.5), "edgecolor": colour, "linewidth": 1.5}
        ax.hist(
            np.ravel(values), edges, weights=weights, label=label, histtype="stepfilled", **look
        )
    ax.legend(frameon=False)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure


def differences(values, title, ylabel):
    """Returns one bar for each of `values`, sorted: gains in orange, losses in blue."""
    figure, ax = new_figure(8.5, 4)
    values = np.sort(np.asarray(values, dtype=float))[::-1]
    colours = np.where(values > 0, UP, np.where(values < 0, DOWN, SAME))
    ax.bar(range(len(values)), values, width=1.0, color=colours)
    ax.axhline(0, color="black", linewidth=1)
    ax.axhline(values.mean(), color=SAME, linestyle="--", linewidth=1)
    ax.annotate(
        f"mean {values.mean():+.3f}",
        (len(values), values.mean()),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
    )
    ax.set(title=title, xlabel="queries, sorted by their difference", ylabel=ylabel)
    return figure


def curves(lines, title, xlabel, ylabel, logarithmic_x=False):
    """Returns a figure with a line for each {name: (xs, ys)}, four at most."""
    figure, ax = new_figure(8, 4)
    colours = (COLOURS[name] for name in ("bi-encoder", "two-stage", "ceiling", "hybrid"))
    for (name, (x, y)), (colour, mark) in styled(lines, list(zip(colours, "os^D", strict=True))):
        ax.plot(x, y, color=colour, marker=mark, label=name)
    if logarithmic_x:
        ax.set_xscale("log")
        ax.set_xticks(x, map(str, x))
        ax.minorticks_off()
    ax.legend(frameon=False)
    ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure


def learning(losses, alike, quality, lines, title):
    """Returns a figure: left the loss of each step, right nDCG@10 on dev on the way.

    `alike` is the loss of a model that gives all passages the same score, `quality` is
    {step: nDCG@10}, and `lines` is {system: nDCG@10} to compare with, two at most, drawn across.
    """
    figure, (left, right) = new_figure(9, 3.8, columns=2)
    colour, steps = COLOURS["cross-encoder"], range(1, len(losses) + 1)
    left.plot(steps, alike, ":", color=SAME, label="the same score for all")
    left.plot(steps, losses, "-o", color=colour, markersize=4, label="in training")
    left.set(xlabel="step", ylabel="loss, nats", ylim=(0, 1.4 * max(*alike, *losses)))
    right.plot(list(quality), list(quality.values()), "-o", color=colour, label="in training")
    for (name, value), style in styled(lines, ("--", ":")):
        right.axhline(value, color=COLOURS.get(name, "black"), linestyle=style, label=name)
    right.set(xlabel="step", ylabel="mean nDCG@10 on dev", ylim=(0, 1))
    for ax in (left, right):
        ax.legend(frameon=False, fontsize=9, loc="upper right" if ax is left else "lower right")
    figure.suptitle(title)
    return figure

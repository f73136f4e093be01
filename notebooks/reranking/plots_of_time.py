"""The figures that show a time: how it is spread, how it grows, and what quality it buys."""

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from .plots import COLOURS, DOWN, SAME, UP, new_figure


def logarithmic(ax):
    """Makes the x axis logarithmic, with plain numbers such as 20 and 50 at its ticks."""
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def spread(groups, title, xlabel, systems):
    """Returns a row of points for each {label: values}, on a logarithmic scale.

    A tall line marks the median, a short one the 95th percentile. `systems` is {label: system},
    which decides the colour.
    """
    figure, ax = new_figure(8.5, 0.5 * len(groups) + 1.5)
    for position, (label, values) in enumerate(groups.items()):
        values, colour = np.asarray(values, dtype=float), COLOURS[systems[label]]
        heights = position + 0.16 * np.sin(np.arange(len(values)) * 2.4)  # so that points differ
        ax.scatter(values, heights, s=18, alpha=0.5, color=colour)
        for share, height in ((50, 0.38), (95, 0.22)):
            place = np.percentile(values, share)
            ax.plot([place, place], [position - height, position + height], color=colour, lw=2.5)
    logarithmic(ax)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(ylim=(len(groups) - 0.5, -0.5), title=title, xlabel=xlabel)
    return figure


def dial(
    milliseconds,
    quality,
    ceiling,
    title,
    hollow=(),
    logarithmic_x=True,
):
    """Returns quality against time for each number of candidates k, and the ceiling above it.

    `milliseconds`, `quality` (an Interval) and `ceiling` are each {k: value}. The k in `hollow`
    are drawn hollow, as they rest on other queries. The time is on a logarithmic axis by default.
    """
    figure, ax = new_figure(8.5, 5)
    x = [milliseconds[k] for k in quality]
    ax.plot(x, [quality[k].mean for k in quality], color=COLOURS["two-stage"], lw=1)
    ax.plot(x, [ceiling[k] for k in quality], "--", color=COLOURS["ceiling"], lw=1.5)
    last = list(quality)[-1]
    ax.annotate(
        "ceiling: a perfect reranker",
        (x[-1], ceiling[last]),
        xytext=(0, 6),
        textcoords="offset points",
        ha="right",
        fontsize=9,
    )
    for k, interval in quality.items():
        face = "white" if k in hollow else COLOURS["two-stage"]
        ax.plot([milliseconds[k]] * 2, interval[1:], color=COLOURS["two-stage"], lw=1.5)
        ax.plot(
            milliseconds[k], interval.mean, "o", color=COLOURS["two-stage"], mfc=face, markersize=8
        )
        ax.annotate(
            f"k = {k}",
            (milliseconds[k], interval.mean),
            xytext=(6, -14),
            textcoords="offset points",
            fontsize=9,
        )
    if logarithmic_x:
        logarithmic(ax)
    unit = "milliseconds per query" + (" (logarithmic)" if logarithmic_x else "")
    ax.set(title=title, xlabel=unit, ylabel="nDCG@10 with 95 % interval")
    return figure


# Indexes are no systems, so they have colours and marks of their own.
INDEX_STYLES = {
    "loop": ("#7A7A7A", "v"),
    "exact": ("#332288", "o"),
    "bytes": (DOWN, "s"),
    "bits": ("#882255", "D"),
    "IVF": (UP, "^"),
    "HNSW": ("#117733", "P"),
}


def growth(lines, title, recorded=None, limits=None, projected=None):
    """Returns time over size on logarithmic axes: what was measured, recorded and projected.

    `lines` and `recorded` are {name: {size: Timing}}; recorded points are hollow. `limits` and
    `projected` are {name: {size: seconds}} and {name: {size: Interval of seconds}}.
    """
    figure, ax = new_figure(8.5, 5.5)
    told = set()  # systems in the legend

    def style(name):
        return INDEX_STYLES.get(name.split(",")[0], (COLOURS.get(name.split(",")[0], SAME), "o"))

    for name, times in lines.items():
        colour, mark = style(name)
        medians = np.array([t.median for t in times.values()])
        spread = [medians - [t.low for t in times.values()], [t.high for t in times.values()]]
        spread[1] = spread[1] - medians
        system = name.split(", k = ")[0]
        label = None if system in told else system
        told.add(system)
        ax.errorbar(
            list(times), medians, np.maximum(spread, 0), color=colour, marker=mark, label=label
        )
        if ", k = " in name:  # several lines of one system: each says at its end which it is
            place, text = (list(times)[-1], medians[-1]), name.split(", ", 1)[1]
            ax.annotate(text, place, xytext=(6, 4), textcoords="offset points", fontsize=9)
    for name, times in (recorded or {}).items():
        colour, mark = style(name)
        medians = [t.median for t in times.values()]
        label = None if name in lines else name
        look = {"color": colour, "marker": mark, "markerfacecolor": "white"}
        ax.plot(list(times), medians, "--", label=label, **look)
    for name, times in (limits or {}).items():
        ax.plot(list(times), list(times.values()), ":", color="black", label=name)
    for name, times in (projected or {}).items():
        colour, _ = style(name)
        low, high = [t.low for t in times.values()], [t.high for t in times.values()]
        ax.plot(list(times), [t.mean for t in times.values()], ":", color=colour, label=name)
        ax.fill_between(list(times), low, high, color=colour, alpha=0.3)
    ax.set(xscale="log", yscale="log", title=title)
    ax.set(xlabel="documents", ylabel="seconds per query")
    ax.legend(frameon=False, fontsize=9)
    return figure


def trade_off(points, title):
    """Returns change of quality against speed for {name: (pairs a second, Interval)}.

    Names that agree up to a comma share a colour; those that end in "cut" are drawn hollow.
    """
    figure, ax = new_figure(8.5, 5)
    ax.axhline(0, color="black", linewidth=1)
    palette = (COLOURS["cross-encoder"], UP, DOWN, SAME)
    kinds = list(dict.fromkeys(name.split(",")[0] for name in points))
    for name, (speed, interval) in points.items():
        colour = palette[kinds.index(name.split(",")[0]) % len(palette)]
        face = "white" if name.endswith("cut") else colour
        ends = np.abs(np.array(interval[1:]) - interval.mean)[:, None]
        caps = 9 if name.endswith("cut") else 4  # two intervals at the same speed: told apart
        look = {"mfc": face, "markersize": 9, "capsize": caps}
        ax.errorbar(speed, interval.mean, ends, fmt="o", color=colour, **look)
        place = (8, -12) if name.endswith("cut") else (8, 5)
        ax.annotate(
            name, (speed, interval.mean), xytext=place, textcoords="offset points", fontsize=9
        )
    logarithmic(ax)
    ax.margins(x=0.25)
    ax.set(title=title, xlabel="pairs a second (logarithmic)")
    ax.set_ylabel("change of nDCG@10 with 95 % interval")
    return figure

"""Repeated, warmed-up measurements, each as a median with its spread."""

import time
from typing import NamedTuple

import numpy as np


class Timing(NamedTuple):
    """Seconds: the median of the repetitions, with the quartiles as its spread."""

    median: float
    low: float
    high: float

    def __str__(self):
        median, low, high = (format_seconds(seconds) for seconds in self)
        return f"{median} [{low}, {high}]"


def measure(function, repeat=9, warm_up=1):
    """Returns the Timing of calling `function()` `repeat` times, after `warm_up` calls."""
    return side_by_side({"": function}, repeat, warm_up)[""]


def side_by_side(functions, repeat=9, warm_up=1):
    """Returns {name: Timing} for {name: function}.

    The functions take turns in every round, so that whatever else slows the machine for a while
    slows all of them alike.
    """
    seconds = {name: [] for name in functions}
    for turn in range(warm_up + repeat):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            elapsed = time.perf_counter() - start
            if turn >= warm_up:
                seconds[name].append(elapsed)
    return {name: summarise(values) for name, values in seconds.items()}


def summarise(seconds):
    """Returns the Timing of a list of measured seconds."""
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Timing(float(median), float(low), float(high))


def format_seconds(seconds):
    """Returns seconds as text with a unit that suits them: `1.2 s`, `34 ms`, `5.6 µs`."""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"

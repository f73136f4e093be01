"""The checks behind the exercises of notebook 4. See `exercises` for how they work."""

from .exercises import check, exercise

__all__ = ["check"]


@exercise("4.1", "As bytes they fit into the memory of a laptop.")
def memory_of_vectors(answer):
    as_float, as_bytes = answer
    if abs(as_float - 7.68) < 0.01 and abs(as_bytes - 1.92) < 0.01:
        return None
    if abs(as_float - 1.92) < 0.01 and abs(as_bytes - 7.68) < 0.01:
        return "the two numbers are the wrong way round."
    if as_float > 1e6:
        return "this is in bytes. Divide by 1,000,000,000."
    if abs(as_float - 7.15) < 0.01:
        return "this is in units of 1024 times 1024 times 1024 bytes. Divide by 1,000,000,000."
    if abs(as_float - 15.36) < 0.01:
        return "a float32 has 32 bits, and these are four bytes, not eight."
    return "multiply the passages by 384, and by the bytes that one number takes."


@exercise("4.2", "The order does not count here, as a reranker will set it anew.")
def own_recall_at(function):
    found, nearest = [7, 3, 9, 1], [3, 5, 7, 9]
    first = function(found, nearest, 2)
    if first is ...:
        return "the function still returns ...: write its body."
    second = function(found, nearest, 4)
    if abs(first) < 1e-9:
        return "you compare position by position. Count the shared numbers, whatever their place."
    if abs(first - 0.75) < 1e-9:
        return "look at the first k of both lists only."
    if abs(second - 3) < 1e-9:
        return "divide the number that both share by k."
    if abs(first - 1) < 1e-9:
        return "cut the list of the nearest at k too, not only the found ones."
    if abs(first - 0.5) > 1e-9 or abs(second - 0.75) > 1e-9:
        return f"the first two of both lists share one number of two: 0.5, not {first}."
    return None


@exercise("4.3", "Slope 1 is in proportion, slope 0 does not depend on the size.")
def own_log_slope(function):
    slope = function(100, 0.2, 10_000, 2.0)  # a hundredfold size, a tenfold time
    if slope is ...:
        return "the function still returns ...: write its body."
    if abs(slope - 0.5) < 1e-6:
        return None
    if abs(slope - 2) < 1e-6:
        return "this is the step to the right over the step upwards. Turn it round."
    if abs(slope - 1.8 / 9900) < 1e-6:
        return "this is the slope on plain axes. Take the logarithm of sizes and seconds."
    if abs(slope - 0.1) < 1e-6:
        return "divide the logarithms of the two ratios, not the ratios."
    if abs(slope + 0.5) < 1e-6:
        return "the sign is wrong: subtract a from b, for sizes and for seconds."
    return f"from 100 to 10,000 documents and from 0.2 s to 2 s it is 0.5, not {slope}."


@exercise("4.4", "What is left of the budget, divided by the time of a pair, within both limits.")
def own_largest_k(function):
    usual = function(200_000, 0.5, 0.010, 0.005, 0.008)
    if usual is ...:
        return "the function still returns ...: write its body."
    if usual == 62:
        return "take off what encoding and searching need before you divide."
    if usual == 61:
        return "the last candidate does not fit any more: round down, not up."
    if abs(usual - 60.625) < 1e-6:
        return "a candidate cannot be cut into pieces: return a whole number."
    if usual != 60:
        return f"for the search above it should be 60, and it is {usual}."
    if function(200_000, 0.001, 0.010, 0.005, 0.008) != 0:
        return "if encoding and searching use up the budget, it should be 0."
    if function(20, 0.5, 0.010, 0.005, 0.008) != 20:
        return "with 20 documents there cannot be more than 20 candidates."
    return None

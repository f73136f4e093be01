# %% [markdown]
# # Solutions to notebook 4
#
# Try each exercise yourself first. Several answers can be right.

# %%
import sys

sys.path.insert(0, "..")

import numpy as np

from reranking import exercises

# %% [markdown]
# ## Exercise 4.1
#
# A float32 takes four bytes. So it is passages times numbers times four, and a quarter of that in
# bytes.

# %%
passages, numbers = 5_000_000, 384
answer = (passages * numbers * 4 / 1e9, passages * numbers / 1e9)
print(answer)
exercises.check("4.1", answer)

# %% [markdown]
# ## Exercise 4.2
#
# Cut both lists at *k* and count what they share. The order within the first *k* does not matter, as a
# reranker will set it anew.


# %%
def recall_at(found, nearest, k):
    return len(set(found[:k]) & set(nearest[:k])) / len(nearest[:k])


exercises.check("4.2", recall_at)

# %% [markdown]
# ## Exercise 4.3
#
# A slope is the step upwards divided by the step to the right, here both of logarithms. The base of
# the logarithm does not matter, as it cancels.


# %%
def log_slope(size_a, seconds_a, size_b, seconds_b):
    return np.log(seconds_b / seconds_a) / np.log(size_b / size_a)


print("ten times the documents, ten times the time:", log_slope(100, 0.2, 1000, 2.0))
print("ten times the documents, the same time:", log_slope(100, 0.2, 1000, 0.2))
exercises.check("4.3", log_slope)

# %% [markdown]
# ## Exercise 4.4
#
# What encoding and searching leave of the budget is divided among the candidates. The hundredth part
# of a millisecond that is added keeps an even division from being spoiled by rounding.


# %%
def largest_k(documents, budget, encode, search, pair):
    left = budget - encode - search
    return max(0, min(documents, int((left + 1e-5) / pair)))


print("candidates:", largest_k(200_000, 0.5, 0.010, 0.005, 0.008))
exercises.check("4.4", largest_k)

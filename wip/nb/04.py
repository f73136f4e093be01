# %% [markdown]
# # 4 · Scaling: from ten documents to a million
#
# **Time needed:** 75 minutes. **You need:** notebooks 1 and 2. Notebook 3 helps.
#
# Ten documents are searched in no time by anything. A well-known introductory notebook times both
# models on ten documents and draws straight lines from there: the cross-encoder is 7 times slower at
# any size, and the bi-encoder needs 113 seconds for 100,000 documents. In this notebook you measure
# what really happens.
#
# After this notebook you will be able to
#
# - say how the time of a search grows with the number of documents, and why,
# - trade memory, time and recall with compressed vectors and approximate indexes,
# - tell a measurement from a projection,
# - plan a two-stage search: which index, how many candidates, how much memory, how many cores.

# %% [markdown]
# ## Setup

# %%
import faiss
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from sentence_transformers import util

import reranking as rr
from reranking import evaluation, exercises, labs_04, plots, scaling, timing, widgets

# %% [markdown]
# These settings fit two slow cores. You may raise them on a stronger machine.

# %%
SIZE = 1_000_000  # vectors in the largest collection that is built here
DEPTH = 10  # candidates that are reranked where quality is measured
PRICE = 0.05  # what one core costs in an hour, in your currency

# %% [markdown]
# We load both models, the judged collection, and a fixed sample of its queries: two from each topic.

# %%
retriever = rr.BiEncoderRetriever()
reranker = rr.CrossEncoderReranker()
collection = rr.load_collection()
queries = evaluation.sample_queries(collection, per_topic=2)
query_vectors = retriever.encode(queries.values())
print(query_vectors.shape)

# %% [markdown]
# ## 4.1 Where do a million vectors come from?
#
# To encode a million passages would take this machine hours. So we start from 6,000 real passages:
# the 700 of the judged collection, 3,490 more that were written for this course, and 1,810
# docstrings of installed Python packages. Their embeddings are kept in a file.

# %%
million = scaling.Million(SIZE)
own = retriever.encode(list(collection.passages.values())[:20])
assert (
    np.sum(own * million.real[:20], axis=1) > 0.999
).all()  # the file holds what we would encode
print("real vectors:", million.real.shape)

# %% [markdown]
# The others are *generated*. Each has a real passage as its parent. It is placed as far from the
# parent as the parent's own nearest neighbour is, in the direction of three other passages from
# the wider surroundings, drawn at random. One seed decides them all, so they are always the same.

# %%
number = SIZE // 2
vector = million.rows([number])[0]
parent = int(million.parent[number])
print("length:", round(float(vector @ vector), 3), "  parent: passage", parent)
print("cosine with the parent:", round(float(vector @ million.real[parent]), 2))
print("numbers in a row:", vector[:5].round(3))

# %% [markdown]
# Made-up data can fool us. Points thrown about at random would be far from each other, all equally,
# and no index could search them well. So we check the property that decides how hard search is: the
# distance from a vector to its **nearest neighbour**.
#
# **Predict first.** As a collection grows, does this distance grow, shrink or stay?

# %%
rng = np.random.default_rng(0)
rows = {}
for size in (750, 1500, 3000, 6000):
    real = million.real[rng.permutation(scaling.REAL)[:size]]
    made = million.rows(rng.integers(scaling.REAL, SIZE, size=size))
    rows[size] = [np.median(scaling.nearest_distances(vectors)) for vectors in (real, made)]
distances = pd.DataFrame(rows, index=["real", "generated"]).T
distances.round(2)

# %%
off = (distances["generated"] / distances["real"] - 1).abs().max()
real_slope = scaling.slope(distances["real"].to_dict())
assert off < 0.1 and abs(real_slope - scaling.SHRINK) < 0.02
Markdown(
    "It shrinks, slowly: in a larger collection somebody stands closer. In samples of equal size, "
    "the median distances among generated vectors and among real ones differ by at most "
    f"**{off:.0%}**. With each tenfold growth the real distance falls by "
    f"{1 - 10**real_slope:.0%}."
)

# %% [markdown]
# The median could hide a difference. Here are all distances of the last row.

# %%
both = {"real": scaling.nearest_distances(real), "generated": scaling.nearest_distances(made)}
thirds = {name: np.percentile(values, [10, 90]).round(2) for name, values in both.items()}
figure = plots.histogram(
    both,
    f"Generated vectors keep the neighbour distances of real ones (medians within {off:.0%})",
    "distance to the nearest neighbour",
    "vectors",
)
plots.show(
    figure,
    "Two overlapping histograms. Eight of ten distances lie between "
    + ", and ".join(f"{low} and {high} for {name} vectors" for name, (low, high) in thirds.items()),
)

# %% [markdown]
# What matters most is how near the *queries* come. We compare their cosines with the best, the 10th
# and the 100th of 6,000 vectors.

# %%
ranks = {}
for name, vectors in (("real", million.real), ("generated", made)):
    best = -np.sort(-(query_vectors @ vectors.T), axis=1)[:, [0, 9, 99]]
    ranks[name] = np.median(best, axis=0)
near = pd.DataFrame(ranks, index=["best", "10th", "100th"]).T
near.round(2)

# %%
assert abs(near["100th"]["real"] - near["100th"]["generated"]) < 0.05
assert near["best"]["real"] > near["best"]["generated"]
Markdown(
    f"At rank 100 the two agree: {near['100th']['real']:.2f} and {near['100th']['generated']:.2f}. "
    f"At rank 1 they do not: {near['best']['real']:.2f} against {near['best']['generated']:.2f}. "
    "The real passages hold the *answers*, and a generated vector answers nothing. Keep in mind that "
    "generated vectors show how search scales. They cannot show everything about quality."
)

# %% [markdown]
# ## 4.2 How slow is the loop, really?
#
# This is the loop of notebook 1. It calls `util.cos_sim` for one document after another.


# %%
def search_with_loop(query_vector, vectors, top_k):
    """Returns the numbers of the nearest vectors, looking at one after another."""
    scores = [util.cos_sim(query_vector, vector).item() for vector in vectors]
    return sorted(range(len(scores)), key=lambda number: -scores[number])[:top_k]


vectors = million.first(10_000)
loop_found = search_with_loop(query_vectors[0], vectors, 5)
loop_found

# %% [markdown]
# **FAISS** is a library for searching vectors. Its *flat* index looks at every vector, as the loop
# does, and so it is **exact**: it always finds the nearest. Every other index will be judged by it.

# %%
exact = scaling.Exact()
exact.add(vectors)
exact_found = exact.search(query_vectors[0], 5).tolist()
assert exact_found == loop_found
exact_found

# %% [markdown]
# The same documents. Now the time, on the same 10,000 vectors, in turns. The encoding of the query is
# a cost of its own, so we time it apart. FAISS runs on one core here and in the whole notebook.
#
# **Predict first.** How many times faster than the loop is the exact search?

# %%
text = list(queries.values())[0]
times = timing.side_by_side(
    {
        "encode the query": lambda: retriever.encode([text]),
        "loop": lambda: search_with_loop(query_vectors[0], vectors, 5),
        "matrix product": lambda: np.argsort(-(vectors @ query_vectors[0]))[:5],
        "exact (FAISS)": lambda: exact.search(query_vectors[0], 5),
    },
    repeat=3,
)
loop_ratio = times["loop"].median / times["exact (FAISS)"].median

# %% tags=["nbval-ignore-output"]
lines = "\n".join(f"- {name}: **{time}**" for name, time in times.items())
Markdown(
    f"{lines}\n\nExact search at 10,000 documents is **{loop_ratio:,.0f} times** faster than the loop. "
    f"At the pace of the loop, 100,000 documents take {10 * times['loop'].median:.0f} s."
)

# %%
assert loop_ratio > 500, "exact search should be at least 500 times faster than the loop"

# %% [markdown]
# So the 113 seconds of the introduction say something about calling a function 100,000 times. They
# say nothing about bi-encoders. And the time to encode the query does not depend on the number of
# documents at all, so a straight line from ten documents must be wrong.

# %% [markdown]
# ## 4.3 What limits an exact search?
#
# To look at every vector, the processor must read every vector from memory.

# %%
sizes = [100, 1_000, 10_000, 100_000, SIZE]
megabytes = {f"{size:,}": size * 384 * 4 / 1e6 for size in sizes}
pd.DataFrame({"float32 vectors, MB": megabytes}).round(2)

# %% [markdown]
# How many bytes can one core read in a second? We measure it with the least work that touches all
# bytes: a sum. This is the **memory bandwidth**. No search that reads all vectors can be faster.

# %%
bandwidth = scaling.memory_bandwidth()
limit = {size: size * 384 * 4 / bandwidth for size in sizes}
assert limit[SIZE] > limit[100]

# %% [markdown]
# There are three ways past this limit. Read **fewer bytes** of each vector. Read **fewer vectors**.
# Or do both.

# %% [markdown]
# ## 4.4 Fewer bytes: can a vector be rounded?
#
# Each of the 384 numbers takes four bytes. We round it to a whole number from -127 to 127, which
# takes one.

# %%
store = scaling.Bytes()
rounded = store.rounded(vectors[:1])
print("before:", vectors[0][:6].round(4))
print("bytes: ", rounded[0][:6].astype(int))
print("after: ", (rounded[0][:6] / store.SCALE).round(4))

# %% [markdown]
# The errors are small, and they partly cancel in the sum over 384 products. What counts is whether the
# same documents are found. We measure it by **recall@100**: the share of the true 100 nearest that a
# search finds among its first 100.
#
# **Predict first.** What is the recall@100 of vectors in bytes?

# %%
store.add(vectors)
truth = np.array([exact.search(query, 100) for query in query_vectors])
bytes_recall = scaling.recall(store, query_vectors, truth)
print("recall@100:", round(bytes_recall, 2), "at a quarter of the memory")

# %% [markdown]
# Can we go further? We keep only the *sign* of each number: one **bit**, a 32nd of the memory. Two
# vectors are compared by counting the bits that differ.

# %%
signs = np.packbits(vectors > 0, axis=1)
differing = np.unpackbits(signs[0] ^ signs[1]).sum()
print("a vector in bits:", signs[0][:8], "…", signs.shape[1], "bytes")
print("passages 0 and 1 differ in", differing, "of 384 signs")

# %% [markdown]
# This is coarse. But a coarse search may *propose*, and a finer one *decide*: take more candidates
# than needed by their bits, and put them in order by their bytes. This is called **rescoring**.

# %%
bits = scaling.Bits(store)
bits.add(vectors)
bits_recall = {}
for candidates in (100, 200, 500, 1000, 2000):
    bits.dial = candidates
    bits_recall[candidates] = scaling.recall(bits, query_vectors, truth)
pd.DataFrame({"recall@100": bits_recall}).rename_axis("candidates rescored").round(2)

# %%
assert bits_recall[2000] > bits_recall[100]
Markdown(
    f"Without more candidates, the bits find {bits_recall[100]:.0%} of the nearest. With 2,000 of "
    f"10,000 rescored they find {bits_recall[2000]:.0%}. Do you recognise the pattern? A cheap first "
    "stage proposes and a costly second stage decides. Two-stage search is everywhere."
)

# %% [markdown]
# ## 4.5 Fewer vectors: must we look at all of them?
#
# We put the vectors into drawers. Each drawer has a centre, and a vector goes into the drawer whose
# centre is nearest. Here every 60th real passage is a centre.

# %%
centres = million.real[::60]  # (100, 384)
drawer_of = np.argmax(vectors @ centres.T, axis=1)
filled = np.bincount(drawer_of, minlength=100)
print("drawers:", len(centres), "  vectors in a drawer:", filled.min(), "to", filled.max())

# %% [markdown]
# To search, we open only the drawers whose centres are nearest to the query.


# %%
def search_drawers(query, opened, top_k):
    """Returns the numbers of the nearest vectors in the `opened` nearest drawers."""
    nearest = np.argsort(-(centres @ query))[:opened]
    inside = np.flatnonzero(np.isin(drawer_of, nearest))
    return inside[np.argsort(-(vectors[inside] @ query))[:top_k]]


found = search_drawers(query_vectors[0], opened=25, top_k=100)
print("recall@100 of one query:", np.isin(truth[0], found).mean())

# %% [markdown]
# A vector next door may be missed: it lies just across the border. The number of opened drawers is a
# dial between time and recall.
#
# **Predict first.** We open a quarter of the drawers. Which share of the nearest do we find?

# %%
dial = {}
for opened in (1, 2, 5, 10, 25, 50, 100):
    founds = [search_drawers(query, opened, 100) for query in query_vectors[::4]]
    shares = [np.isin(t, f).mean() for t, f in zip(truth[::4], founds, strict=True)]
    dial[opened] = float(np.mean(shares))
dial

# %%
figure = plots.curves(
    {"drawers": (list(dial), list(dial.values()))},
    f"A quarter of the drawers holds {dial[25]:.0%} of the nearest",
    "drawers opened, of 100",
    "recall@100",
)
plots.show(figure, "Recall against drawers: " + ", ".join(f"{k}: {v:.2f}" for k, v in dial.items()))

# %% [markdown]
# A search that may miss some of the nearest is called **approximate**. The drawers are known as
# **IVF**, for inverted file. The IVF index of the helper module has better centres and keeps a
# *sketch* of 96 bytes of each vector in the drawers. The best by sketch are rescored by their bytes.
#
# A second idea is a graph. Each vector is linked to some near ones. A search starts anywhere and
# walks from link to link, always closer to the query. The best known graph is called **HNSW**. It
# needs more memory, for the links, and takes long to build.
#
# Each approximate index has a dial. We want a recall@100 of 0.95. For every size we set the dial to
# the first position that reaches 0.96 on half of our queries, and report the other half. We never choose on the
# queries that we report.

# %%
measured = {name: {} for name in scaling.INDEXES}
for size in widgets.progress([100, 1_000, 10_000, 100_000], "four sizes"):
    names = [n for n in scaling.INDEXES if n != "HNSW" or size <= 10_000]  # it is slow to build
    indexes = scaling.build(names, million, size)
    truth = np.array([indexes["exact"].search(q, min(100, size)) for q in query_vectors])
    for name, result in scaling.tune_and_measure(indexes, query_vectors, truth).items():
        measured[name][size] = result
del indexes

# %%
lowest = {name: min(m.recall for m in by_size.values()) for name, by_size in measured.items()}
assert lowest["exact"] > 0.999 and min(lowest.values()) > 0.9
print("every index, every size: recall@100 above 0.9")

# %% [markdown]
# ## 4.6 A million vectors
#
# As float32 they would take 1.5 GB. We never hold them all. They are generated in blocks of
# 50,000, and each block is used in three ways before the next one takes its place:
#
# - an *exact search* looks at it in full precision. The times of the blocks add up to the time of an
#   exact search over all, because to look at a million vectors is to look at 50,000 twenty times.
# - its bytes go into the store,
# - its sketches go into the drawers.

# %%
store = scaling.Bytes(SIZE)
ivf = scaling.IVF(store, million.sample(SIZE, 40_000), SIZE)
probes = np.random.default_rng(1).integers(SIZE, size=100)
scan = scaling.FullScan(np.vstack([query_vectors, million.rows(probes)]))
for start in widgets.progress(million.starts(), "a million"):
    block = million.block(start)
    scan.see(start, block)
    store.add(block)
    ivf.add(block)
print(f"{store.faiss.ntotal:,} vectors, {ivf.nbytes / 1e6:.0f} MB for bytes, sketches and drawers")

# %% [markdown]
# A hundred of the vectors themselves went along as queries, as a last check of the data: are they as
# near to their neighbours as the real ones promise for this size?

# %%
neighbour = float(np.median(scaling.distance(scan.scores[len(queries) :, 1])))
promised = float(distances["real"][6000] * (SIZE / scaling.REAL) ** real_slope)
assert abs(neighbour / promised - 1) < 0.15
print(
    f"median distance to the nearest: {neighbour:.2f}, drawn on from the real ones: {promised:.2f}"
)

# %%
truth = scan.numbers[: len(queries)]
large = scaling.tune_and_measure({"bytes": store, "IVF": ivf}, query_vectors, truth)
large["exact"] = scan.measured()
for name, result in large.items():
    measured[name][SIZE] = result
approximate_ratio = large["exact"].time.median / large["IVF"].time.median

# %% [markdown]
# **Predict first.** How many times faster than exact search is the approximate one? And how much of
# that comes from the bytes alone?

# %% tags=["nbval-ignore-output"]
by_bytes = large["exact"].time.median / large["bytes"].time.median
Markdown(
    f"At {SIZE:,} documents, exact search takes **{large['exact'].time}** a query, bytes "
    f"{large['bytes'].time} and IVF **{large['IVF'].time}**. IVF is **{approximate_ratio:.0f} times** "
    f"faster than exact, with a recall@100 of **{large['IVF'].recall:.3f}**. Bytes alone, with every "
    f"vector looked at, give {by_bytes:.1f} times, with a recall of {large['bytes'].recall:.3f}."
)

# %%
assert large["IVF"].recall >= 0.95, "IVF should find 95 % of the true 100 nearest"
if SIZE >= 1_000_000:
    assert approximate_ratio > 20, "IVF should be at least 20 times faster than exact search"

# %% [markdown]
# ## 4.7 How does search time grow?
#
# Some points are missing: to build a graph over a million vectors takes longer than this whole
# notebook may. They were measured once, by the command `make scaling`, and kept in a file.

# %%
recorded, machine, date = scaling.load_record()
largest = recorded["HNSW"][1_000_000]
minutes = largest.build / 60
Markdown(
    f"Recorded on {date}, on a machine with this processor: {machine}. The graph over a million "
    f"vectors took **{minutes:.0f} minutes** to build, and needs {largest.nbytes / 1e9:.2f} GB. "
    f"Its recall@100 is {largest.recall:.2f}."
)

# %% [markdown]
# Both axes below are logarithmic. There, a straight line upwards has a **slope**: slope 1 means ten
# times the documents take ten times as long, slope 0 means that the size does not matter.
#
# **Predict first.** Which index has the smallest slope?


# %%
def medians(by_size, least=10_000):
    """Returns {size: median seconds} from `least` documents on: below, fixed costs rule."""
    return {size: m.time.median for size, m in by_size.items() if size >= least}


recorded_slopes = {name: scaling.slope(medians(by_size)) for name, by_size in recorded.items()}
shared = {name: medians(by_size) for name, by_size in measured.items() if len(by_size) > 4}
slopes = {name: scaling.slope(times) for name, times in shared.items()}
flattest = min(recorded_slopes, key=recorded_slopes.get)


# %% tags=["nbval-ignore-output"]
def all_times(indexes):
    return {name: {size: m.time for size, m in sizes.items()} for name, sizes in indexes.items()}


figure = plots.growth(
    all_times(measured) | {"loop": {10_000: times["loop"]}},
    f"From 10,000 documents on, {flattest} grows most slowly (slope {recorded_slopes[flattest]:.2f})",
    recorded={"HNSW": all_times(recorded)["HNSW"]},
    limits={f"one core reading float32, {bandwidth / 1e9:.0f} GB/s": limit},
)
alt = ", ".join(f"{n} {m.time}" for n, m in large.items())
plots.show(
    figure, f"Time per query over documents; hollow points are recorded. At {SIZE:,}: {alt}."
)

# %%
for name, slope in slopes.items():
    difference = abs(slope - recorded_slopes[name])
    assert difference < 0.5, f"{name}: slope {slope:.2f}, recorded {recorded_slopes[name]:.2f}"
print("The recorded slopes hold here for", ", ".join(slopes))

# %% tags=["nbval-ignore-output"]
share = limit[SIZE] / large["exact"].time.median
slope_text = ", ".join(f"{name} {slope:.2f}" for name, slope in slopes.items())
Markdown(
    f"Slopes measured here: {slope_text}. Exact search at {SIZE:,} documents runs at {share:.0%} of "
    "the pace of the sum above, the limit: no cleverer program could do much better *and* read "
    "everything. At 100 documents "
    f"everything takes less than {max(m[100].time.median for m in measured.values()) * 1e3:.1f} ms. "
    "Small collections need no index."
)

# %%
assert max(m[100].time.median for m in measured.values()) < 0.1

# %% [markdown]
# What does each index need beside time? Memory and building time, from the recorded run at a million:

# %%
at_million = {name: by_size[1_000_000] for name, by_size in recorded.items()}
pd.DataFrame(
    {
        "memory, GB": {name: round(m.nbytes / 1e9, 2) for name, m in at_million.items()},
        "built in, s": {name: round(m.build) for name, m in at_million.items()},
        "recall@100": {name: round(m.recall, 3) for name, m in at_million.items()},
        "time per query": {name: str(m.time) for name, m in at_million.items()},
    }
)

# %% [markdown]
# No line wins in all columns. This is why there is more than one index.

# %% [markdown]
# ## 4.8 The cross-encoder alone: how far can we measure?
#
# Without a first stage, the cross-encoder must read every document for every query. We time ten
# batches of ten passages, drawn at random. Each batch gives a time per pair.

# %%
rng = np.random.default_rng(2)
passages = list(collection.passages.values())
batches = [[passages[i] for i in rng.integers(700, size=10)] for _ in range(10)]
reranker.score(text, batches[0])  # warm
seconds = [timing.measure(lambda b=b: reranker.score(text, b), 1, 0).median for b in batches]
pair = evaluation.bootstrap(np.array(seconds) / 10)

# %% [markdown]
# 200 passages can still be measured. Does the time per pair predict it?

# %%
measured_200 = timing.measure(lambda: reranker.score(text, passages[:200]), 1, 0)
alone = {10: timing.summarise(seconds), 200: measured_200}
predicted = 200 * pair.mean
assert 0.4 < predicted / measured_200.median < 2.5

# %% [markdown]
# **Predict first.** How long would one query take with a million documents?

# %% tags=["nbval-ignore-output"]
projected = {n: evaluation.Interval(*(n * p for p in pair)) for n in sizes}
hours = [f"{value / 3600:.1f}" for value in projected[SIZE]]
Markdown(
    f"Measured: **{measured_200.median:.2f} s** for 200 passages, where {predicted:.2f} s were "
    f"predicted. *Projected*, not measured: {projected[10_000].mean:.0f} s for 10,000 documents, "
    f"{projected[100_000].mean / 60:.0f} minutes for 100,000 and **{hours[0]} hours** for {SIZE:,} "
    f"(between {hours[1]} and {hours[2]}). For one query."
)

# %%
assert projected[100_000].low > 60, "100,000 pairs take more than a minute"

# %% [markdown]
# The interval covers the scatter of the ten batches. It does not cover passages of another length or
# another machine.
#
# ## 4.9 Two stages: what is left of the size?
#
# A two-stage search encodes the query, searches the vectors and reranks *k* candidates. Only the
# middle part depends on the number of documents. We measure the other two.

# %%
depths = (10, 50, 100, 200)
encode = timing.measure(lambda: retriever.encode([text]), repeat=9)
rerank = {k: timing.measure(lambda k=k: reranker.score(text, passages[:k]), 1, 0) for k in depths}
assert rerank[200].median > rerank[10].median


# %% tags=["nbval-ignore-output"]
def two_stage(size, k):
    """Returns the median seconds of encoding, searching by bytes or IVF, and reranking."""
    search = min(measured[name][size].time.median for name in ("bytes", "IVF"))
    return encode.median + search + rerank[k].median


table = {f"{n:,}": [timing.format_seconds(two_stage(n, k)) for k in depths] for n in sizes}
pd.DataFrame(table, index=[f"k = {k}" for k in depths]).T.rename_axis("documents")

# %%
growth = two_stage(SIZE, 50) / two_stage(100, 50)
assert growth < 3, "ten thousand times the documents, but nearly the same time"

# %% tags=["nbval-ignore-output"]
figure = plots.growth(
    {"cross-encoder": alone},
    f"10,000 times the documents make two-stage search {growth:.2f} times slower",
    limits={f"two-stage, k = {k}": {n: two_stage(n, k) for n in sizes} for k in (10, 200)},
    projected={"cross-encoder, projected": projected},
)
plots.show(
    figure,
    "Time per query over documents. The cross-encoder alone rises in proportion; its line is dotted "
    f"where it is projected. Two-stage search with 50 candidates: {two_stage(100, 50):.2f} s at 100 "
    f"documents, {two_stage(SIZE, 50):.2f} s at {SIZE:,}.",
)

# %% [markdown]
# ### Is the folklore right?
#
# It is often said that two-stage search is 10 times faster than the cross-encoder alone at 10,000
# documents, 100 times at 100,000, and that at a million the cross-encoder alone is impractical.

# %%
ratios = {(n, k): projected[n].mean / two_stage(n, k) for n in sizes for k in depths}
assert ratios[10_000, 50] < ratios[100_000, 50] < ratios[SIZE, 50]

# %% tags=["nbval-ignore-output"]
claims = {10_000: 10, 100_000: 100}
for size, claim in claims.items():
    print(f"{size:>9,} documents: claimed {claim}x, here", end=" ")
    print(", ".join(f"{ratios[size, k]:,.0f}x with k = {k}" for k in depths))
print(f"{SIZE:>9,} documents: {ratios[SIZE, 50]:,.0f}x with k = 50")

# %%
assert all(ratios[size, 50] > claim for size, claim in claims.items())
Markdown(
    "The claims are too modest. The ratio is close to *documents divided by candidates*, whatever the "
    f"model: 10,000 / 50 = {10_000 // 50} and 100,000 / 50 = {100_000 // 50:,}. A ratio without its "
    "*k* says nothing. The last claim holds: nobody waits for a million pairs."
)

# %% [markdown]
# ## 4.10 Does quality survive a million distractors?
#
# Speed is half of the story. The answers are still there, but a million others compete with them.
# Documents that do not answer are called **distractors**. We look at one query from each topic and
# at three sizes: the judged 700, the 6,000 real ones, and the million.

# %%
some = dict(list(queries.items())[::2])
ids = list(collection.passages)
found = {
    size: np.argsort(-(query_vectors[::2] @ million.real[:size].T), axis=1)[:, :100]
    for size in (700, scaling.REAL)
}
found[SIZE] = scan.numbers[: len(queries) : 2]

# %% [markdown]
# First the bi-encoder alone. **Predict first.** How much of its recall is lost?


# %%
def quality(lists, measures):
    """Returns the measures of {query id: vector numbers}, a row for each query."""
    hits = {query_id: scaling.as_hits(numbers, ids) for query_id, numbers in lists.items()}
    return evaluation.evaluate(hits, collection.qrels, measures)


measures = ["nDCG@10", f"R@{DEPTH}", "R@100"]
first_stage = {n: quality(dict(zip(some, f, strict=True)), measures) for n, f in found.items()}
pd.DataFrame({f"{n:,}": scores.mean() for n, scores in first_stage.items()}).T.round(3)

# %%
lost = first_stage[700].mean() - first_stage[SIZE].mean()
Markdown(
    f"From 700 documents to {SIZE:,}, R@100 falls by **{lost['R@100']:.2f}** and nDCG@10 by "
    f"**{lost['nDCG@10']:.2f}**. We searched *exactly*, so no index is to blame: the places went to "
    "vectors that lie nearer to the query."
)

# %% [markdown]
# Now the second stage. A generated vector has no text that a cross-encoder could read. So we look at
# both ends of what could happen. In the *best case* the cross-encoder sees through every generated
# distractor and puts it last. In the *worst case* it takes each for its parent and gives it the
# parent's score, even if the parent is the answer.

# %%
tops = np.hstack([rows[:, :DEPTH] for rows in found.values()])
candidates = {query_id: np.unique(row) for query_id, row in zip(some, tops, strict=True)}
texts = scaling.real_passages()
scores = scaling.passage_scores(reranker, some, candidates, million, texts, widgets.progress)
print(len(scores), "queries,", sum(len(s) for s in scores.values()), "pairs scored")

# %%
second_stage = {}
for size, rows in found.items():
    for case in ("last", "like their parent"):
        orders = {}
        for query_id, numbers in zip(some, rows[:, :DEPTH], strict=True):
            orders[query_id] = scaling.order_by(numbers, scores[query_id], million, case)
        second_stage[size, case] = quality(orders, ["nDCG@10"])["nDCG@10"]

# %%
topic_of = [collection.query_info[query_id]["topic"] for query_id in some]
summary = {
    f"{size:,}": {
        "bi-encoder": str(evaluation.bootstrap(first_stage[size]["nDCG@10"], topic_of)),
        "two-stage, best case": str(evaluation.bootstrap(second_stage[size, "last"], topic_of)),
        "worst case": str(evaluation.bootstrap(second_stage[size, "like their parent"], topic_of)),
    }
    for size in found
}
pd.DataFrame(summary).T.rename_axis("documents")

# %%
base = first_stage[SIZE]["nDCG@10"]
ends = [(second_stage[SIZE, case] - base).mean() for case in ("like their parent", "last")]
kept = first_stage[SIZE][f"R@{DEPTH}"].mean()
Markdown(
    f"With {SIZE:,} documents, reranking {DEPTH} candidates changes nDCG@10 by something between "
    f"**{ends[0]:+.3f}** and **{ends[1]:+.3f}**. The ceiling is the first stage: only {kept:.0%} of "
    f"the relevant passages are still among its first {DEPTH}. A larger collection needs a larger "
    "*k*. The judgements are few: with one query a topic the intervals are wide."
)

# %% [markdown]
# ## 4.11 Faster on the same machine
#
# Nearly all the time goes into the cross-encoder. Here are the usual ways to make it faster. Some
# change only the speed: how many pairs go into one **batch**, whether pairs of like length share a
# batch, how many **threads** work. Others change the scores a little: cutting long passages, numbers
# of two bytes (**bfloat16**), products in bytes (**int8**). We rerank ten candidates of 35 queries.

# %%
chosen = list(some)[::2]
pairs = [(some[q], passages[n]) for q in chosen for n in found[700][list(some).index(q), :10]]
part = pairs[::5]
model = reranker.model
reference, usual = scaling.score_pairs(model, pairs)
speed_only = {
    "one pair a batch": scaling.score_pairs(model, part[:35], batch=1),
    "64 pairs a batch": scaling.score_pairs(model, part, batch=64),
    "not sorted by length": scaling.score_pairs(model, part, by_length=False),
}

# %%
threads = torch.get_num_threads()
torch.set_num_threads(1)
speed_only["one thread"] = scaling.score_pairs(model, part)
torch.set_num_threads(threads)
for name, (changed, _) in speed_only.items():
    assert np.allclose(changed, reference[::5][: len(changed)], atol=1e-3), name

# %% [markdown]
# The assertion says that none of these four changes a score. The next three may.

# %%
changing = {"at most 64 tokens": scaling.score_pairs(model, pairs, tokens=64)}
if scaling.has_bfloat16():
    changing["bfloat16"] = scaling.score_pairs(scaling.in_bfloat16(model), pairs)
changing["int8"] = scaling.score_pairs(scaling.in_int8(model), pairs)


# %%
def ndcg_of(scores):
    """Returns nDCG@10 for each chosen query, with its ten candidates in the order of the scores."""
    orders = {}
    for i, query_id in enumerate(chosen):
        numbers = found[700][list(some).index(query_id), :10]
        orders[query_id] = numbers[np.argsort(-scores[10 * i : 10 * i + 10], kind="stable")]
    return quality(orders, ["nDCG@10"])["nDCG@10"]


before = ndcg_of(reference)
effect = {name: evaluation.bootstrap(ndcg_of(s) - before) for name, (s, _) in changing.items()}

# %% tags=["nbval-ignore-output"]
settings = {"as it is: 32 a batch, sorted": (reference, usual)} | speed_only | changing
pd.DataFrame(
    {
        "pairs a second": {name: round(1 / s) for name, (_, s) in settings.items()},
        "times as fast": {name: round(usual / s, 2) for name, (_, s) in settings.items()},
        "change of nDCG@10": {name: str(effect.get(name, "none")) for name in settings},
    }
)

# %%
best_exact = max(speed_only, key=lambda name: usual / speed_only[name][1])
assert all(seconds > 0 for _, seconds in settings.values())
assert all(abs(interval.mean) < 0.2 for interval in effect.values())
print("settings compared:", len(settings))

# %% [markdown]
# Read both columns together. A setting is worth having if it is faster and its interval holds 0, or
# if the loss is one that you accept. Which of them gain depends on the processor: bfloat16 and int8
# are fast only where it has instructions for them. Notebook 5 takes int8 further.

# %% [markdown]
# ## 4.12 What does it cost?
#
# A core that is busy for a second is a **core-second**. It is what one pays for. Encoding and
# reranking use all cores, the search uses one.


# %%
def core_seconds(size, k, index="IVF"):
    """Returns the core-seconds of one query: encoding, searching, reranking k candidates."""
    model_seconds = encode.median + (rerank[k].median if k else 0)
    return measured[index][size].time.median + threads * model_seconds


systems = {
    "bi-encoder, exact": core_seconds(SIZE, 0, "exact"),
    "bi-encoder, IVF": core_seconds(SIZE, 0),
    **{f"two-stage, IVF, k = {k}": core_seconds(SIZE, k) for k in depths},
    "cross-encoder alone (projected)": threads * SIZE * pair.mean,
}

# %% tags=["nbval-ignore-output"]
cost = pd.DataFrame({"core-seconds per 1,000 queries": {n: 1000 * s for n, s in systems.items()}})
cost["price per 1,000 queries"] = cost["core-seconds per 1,000 queries"] / 3600 * PRICE
cost.map(lambda value: f"{value:,.4f}" if value < 1 else f"{value:,.1f}")

# %%
assert cost.iloc[-1, 0] > 1000 * cost.iloc[-2, 0], "the cross-encoder alone costs far more"
Markdown(f"At {PRICE} per core-hour: change `PRICE` in the setup and run the table again.")

# %% [markdown]
# ## 4.13 Lab: plan your own
#
# How many documents do you have, how many queries a second, and how long may one take? The answers
# come from the measurements of this very run. Only HNSW at large sizes is recorded.
#
# **Try to find out:** What is the largest collection for which an exact search is good enough? What
# does halving the budget do to the number of candidates, and to the cores?

# %% tags=["nbval-ignore-output"]
merged = {name: recorded[name] | measured[name] for name in scaling.INDEXES}
planner = labs_04.PlannerLab(merged, encode.median, pair.mean, threads, PRICE)
planner

# %%
assert len(planner.plans()) == len(scaling.INDEXES)

# %% [markdown]
# ## Check yourself

# %%
widgets.Quiz(
    [
        (
            "A search over 10,000 documents takes 0.3 ms, the encoding of the query 10 ms. How long "
            "does a search over 20,000 documents take in all?",
            [
                ("about 10.6 ms", True, "Only the search doubles. The encoding stays."),
                ("about 20.6 ms", False, "The query is encoded once, whatever the size."),
                ("about 10.3 ms", False, "An exact search reads twice as many vectors."),
            ],
        ),
        (
            "Why is a search over bytes faster than one over float32, though both look at everything?",
            [
                ("It skips vectors", False, "It looks at each of them."),
                ("It reads a quarter of the memory", True, "Reading is what limits a full scan."),
                ("Whole numbers are more exact", False, "They are less exact: see the recall."),
            ],
        ),
        (
            "An index has recall@100 of 0.95, and 100 candidates are reranked. What follows?",
            [
                ("5 % of the answers are lost", False, "The lost ones are rarely the answers."),
                ("the reranker never sees 5 of the 100 nearest", True, "On average, that is."),
                ("nDCG@10 falls by 0.05", False, "Only a measurement on judgements could tell."),
            ],
        ),
        (
            "Two-stage search is said to be 200 times faster than a cross-encoder alone. What is "
            "missing in this sentence?",
            [
                ("documents and candidates", True, "The ratio is about one divided by the other."),
                ("the programming language", False, "It hardly matters here."),
                ("the vector size", False, "The cross-encoder rules, and it has no vectors."),
            ],
        ),
    ]
)

# %% [markdown]
# **Exercise 4.1 (warm-up).** You have 5 million passages with 384 numbers each. How many gigabytes
# (of 1,000,000,000 bytes) do the vectors take as float32, and how many as bytes? Give a tuple.

# %%
answer = ...
exercises.check("4.1", answer)

# %% [markdown]
# **Exercise 4.2.** Write recall@k of an approximate search: `found` and `nearest` are lists of
# document numbers, best first, the second one by an exact search.


# %%
def recall_at(found, nearest, k):
    return ...


exercises.check("4.2", recall_at)

# %% [markdown]
# **Exercise 4.3.** Write the slope between two measurements on logarithmic axes: the search takes
# `seconds_a` at `size_a` documents and `seconds_b` at `size_b`.


# %%
def log_slope(size_a, seconds_a, size_b, seconds_b):
    return ...


exercises.check("4.3", log_slope)

# %% [markdown]
# **Exercise 4.4 (open).** Plan a search: 200,000 documents, a budget of 0.5 seconds a query, 10 ms to
# encode, 5 ms to search, and 8 ms for the cross-encoder to read one candidate. Write a function for
# the largest *k* that fits any such budget. It must be 0 if nothing fits, and no more than the
# number of documents.


# %%
def largest_k(documents, budget, encode, search, pair):
    return ...


exercises.check("4.4", largest_k)

# %% [markdown]
# The worked solutions are in `solutions/04_scaling.ipynb`.
#
# ## What you learned
#
# - A loop in Python measures Python. One product over all vectors is hundreds of times faster.
# - A full scan is limited by the memory. Rounding to bytes reads a quarter of it and finds nearly the
#   same. Approximate indexes read fewer vectors and have a dial between time and recall.
# - The time of a two-stage search hardly depends on the number of documents: the reranking of *k*
#   candidates rules. The cross-encoder alone grows in proportion.
# - More documents are a problem of *quality* before they are one of speed: distractors take the
#   places of the answers among the candidates.
# - A projection is not a measurement. Say which one you show.
#
# ## What to try next
#
# - Set `SIZE` to 2,000,000 if you have the memory. Does the slope hold?
# - Open `reranking/scaling.py` and give HNSW more links. What happens to memory and recall?
# - Run `make scaling` on your own machine and compare the recorded figures with ours.

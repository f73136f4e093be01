import json, sys, time, os

os.environ.update(RERANKING_MODELS="bundled", OMP_NUM_THREADS="1", MPLBACKEND="agg")
nb = sys.argv[1]
os.chdir("/work/main/notebooks")
sys.path.insert(0, ".")
from IPython.core.interactiveshell import InteractiveShell
import contextlib, io

sh = InteractiveShell.instance()
rows = []
d = json.load(open(nb))
for i, c in enumerate(d["cells"]):
    if c["cell_type"] != "code":
        continue
    t = time.time()
    p = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        r = sh.run_cell("".join(c["source"]))
    if not r.success:
        print(i, "ERROR", r.error_in_exec, file=sys.stderr)
    rows.append((time.process_time() - p, time.time() - t, i))
print("total cpu %.0f wall %.0f" % (sum(r[0] for r in rows), sum(r[1] for r in rows)))
for r in sorted(rows, reverse=True)[:16]:
    print(
        "cell %d cpu %.1f wall %.1f" % (r[2], r[0], r[1]),
        "".join(d["cells"][r[2]]["source"]).split("\n")[0][:70],
    )
import resource

print("peak GB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)

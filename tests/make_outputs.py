"""Runs notebooks with the bundled weights and saves their outputs: make_outputs.py NOTEBOOK ..."""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path):
    """Returns the seconds and the gigabytes that a notebook took; saves it with clean outputs."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute(cleanup_kc=False)
    seconds = time.perf_counter() - start
    peak = peak_memory(client.km.provisioner.pid)
    client._cleanup_kernel()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)  # a saved page has no kernel to ask
    nbformat.write(notebook, path)
    return seconds, peak


def peak_memory(pid):
    """Returns the peak resident size of a process in GB, or nan where Linux' /proc is missing."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(s.split()[1]) / 1e6 for s in lines if s.startswith("VmHWM")), float("nan"))


if __name__ == "__main__":
    os.environ["RERANKING_MODELS"] = "bundled"
    for name in sys.argv[1:]:
        seconds, peak = run(Path(name))
        print(f"{name}: {seconds:.0f} s, at most {peak:.2f} GB", flush=True)

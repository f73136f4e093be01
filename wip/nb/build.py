"""percent .py -> ipynb with stable ids. build.py SRC.py DST.ipynb"""
import sys,jupytext,nbformat,hashlib
src,dst=sys.argv[1:3]; nb=jupytext.read(src,fmt="py:percent"); 
for i,c in enumerate(nb.cells): c["id"]=f"cell-{i:03d}"
nb.metadata={"kernelspec":{"display_name":"Python 3","language":"python","name":"python3"},"language_info":{"name":"python"}}
nb.nbformat=4; nb.nbformat_minor=5
nbformat.write(nb,dst)

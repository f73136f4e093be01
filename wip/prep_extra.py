"""merge extra queries and finished new topics -> extra.json / more.json (+ embeddings)"""
import json,glob,sys,numpy as np,os
T=json.load(open("train.json")); names={t["topic"] for t in T}; ids={f"p{i}" for i in range(1,11)}
E=[]
for f in sorted(glob.glob("extra/out_*.jsonl")):
    for l in open(f):
        t=json.loads(l)
        if t["topic"] not in names: print("unknown",t["topic"]); continue
        t["queries"]=[q for q in t["queries"] if set(q["rel"])<=ids and any(v==3 for v in q["rel"].values())]; E.append(t)
json.dump(E,open("extra.json","w")); print("extra",len(E),sum(len(t["queries"]) for t in E))
from embed import emb
emb([q["text"] for t in E for q in t["queries"]],"extra_q")
M=[]; seen=set(l.split(": ",1)[1].strip().lower() for l in open("topics/taken.txt"))
for f in sorted(glob.glob("topics/batch_*.jsonl")):
    for l in open(f):
        try: t=json.loads(l)
        except Exception as e: print(f,e); continue
        if t["topic"].lower() in seen or len(t["passages"])!=10: print("skip",t["topic"]); continue
        seen.add(t["topic"].lower()); M.append(t)
json.dump(M,open("more.json","w")); print("more",len(M))
emb([p["text"] for t in M for p in t["passages"]],"more_p"); emb([q["text"] for t in M for q in t["queries"]],"more_q")

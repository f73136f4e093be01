"""form of the new topics; nearness to foreign collections, to test, dev and what exists; writes r12/new.jsonl, new_dev.jsonl"""
import sys,json,glob,re,numpy as np; sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(1)
from sentence_transformers import SentenceTransformer
from reranking import models
t=SentenceTransformer(str(models.find_bi_encoder().folder),model_kwargs=dict(attn_implementation="sdpa")).bfloat16()
f=lambda x: torch.nn.functional.normalize(t.encode(list(x),convert_to_tensor=True,show_progress_bar=False,batch_size=32).float(),dim=1).numpy()
import os
def cached(n,texts):
    p=f"/work/lab/new/emb_{n}.npy"
    if os.path.exists(p): return np.load(p).astype(np.float32)
    e=f(texts); np.save(p,e.astype(np.float16)); return e
FP=[];FQ=[]
for c in ("vaswani","scifact_dev","fiqa_part"):
    docs=[json.loads(l) for l in open(f"/tmp/fc/{c}/corpus.jsonl")]; q=[json.loads(l) for l in open(f"/tmp/fc/{c}/queries.jsonl")]
    FP.append(cached(c+"_p",[(d.get("title","")+" "+d["text"]).strip() for d in docs])); FQ.append(cached(c+"_q",[x["text"] for x in q])); print(c,len(docs),len(q),flush=True)
FP=np.concatenate(FP);FQ=np.concatenate(FQ)
if len(sys.argv)>1: sys.exit()
T=[];bad=[]
for fn in sorted(glob.glob("/work/lab/new/a?.jsonl")):
    for i,l in enumerate(open(fn)):
        try:
            d=json.loads(l); assert set(d)=={"topic","domain","passages","queries"},"keys"
            ids=[p["id"] for p in d["passages"]]; assert ids==["p1","p2","p3","p4"],"ids"
            for p in d["passages"]: p["text"]=re.sub(r"\s+"," ",p["text"]).strip(); assert 55<=len(p["text"].split())<=330,f"len {len(p['text'].split())}"
            assert 4<=len(d["queries"])<=7,"n queries"
            for q in d["queries"]:
                q["text"]=q["text"].strip(); assert q["text"] and set(q)=={"text","type","rel"},"q keys"; q["rel"]={k:int(v) for k,v in q["rel"].items() if int(v)}
                assert set(q["rel"])<=set(ids) and max(q["rel"].values())==3 and min(q["rel"].values())>0,"rel"
            d["file"]=fn[-8:-6]; T.append(d)
        except Exception as e: bad.append((fn,i,str(e)))
print(len(T),"bad",bad)
E=[json.loads(l) for n in ("train","dev","more","long","long_dev") for l in open(f"/work/main/data/training/{n}.jsonl")]
names={d["topic"].lower() for d in E}; seen=set()
old=cached("old_p",[p["text"] for d in E for p in d["passages"]]); oldn=[d["topic"] for d in E for p in d["passages"]]
import csv
from reranking import data
coll=data.load_collection(); oc=cached("coll_p",list(coll.passages.values()))
keep=[]
for d in T:
    p=f(x["text"] for x in d["passages"]); q=f(x["text"] for x in d["queries"])
    why=[]
    a=(p@FP.T).max(); b=(q@FQ.T).max(); c=(p@old.T).max(); e=(p@oc.T).max()
    if a>.75: why.append(f"foreign passage {a:.2f}")
    if b>.8: why.append(f"foreign query {b:.2f}")
    if c>.85: why.append(f"old passage {c:.2f} {oldn[int((p@old.T).max(0).argmax())]}")
    if e>.8: why.append(f"test collection {e:.2f}")
    if d["topic"].lower() in names|seen: why.append("name")
    seen.add(d["topic"].lower())
    if why: print("OUT",d["file"],d["topic"],why)
    else: keep.append(d)
by={}
for d in keep: by.setdefault(d.pop("file"),[]).append(d)
rng=np.random.default_rng(7); tr=[];dv=[]
for k,v in by.items():
    o=rng.permutation(len(v)); dv+=[v[i] for i in sorted(o[:5])]; tr+=[v[i] for i in sorted(o[5:])]
for n,x in (("new",tr),("new_dev",dv)):
    open(f"/work/lab/r12/{n}.jsonl","w").write("".join(json.dumps(d,ensure_ascii=False)+"\n" for d in x)); print(n,len(x),sum(len(d["queries"]) for d in x))

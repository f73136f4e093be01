
import sys,json,glob,re,numpy as np; sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(1)
from sentence_transformers import SentenceTransformer
from reranking import models
t=SentenceTransformer(str(models.find_bi_encoder().folder),model_kwargs=dict(attn_implementation="sdpa")).bfloat16()
f=lambda x: torch.nn.functional.normalize(t.encode(list(x),convert_to_tensor=True,show_progress_bar=False,batch_size=64).float(),dim=1).numpy()
L=lambda n: np.load(f"/work/lab/new/emb_{n}.npy").astype(np.float32)
FP=np.concatenate([L(c+"_p") for c in ("vaswani","scifact_dev","fiqa_part")]); FQ=np.concatenate([L(c+"_q") for c in ("vaswani","scifact_dev","fiqa_part")])
probes=[x for v in json.load(open("/work/main/data/probes.json")).values() for x in v]
pr=f([y for x in probes for y in x]); old=L("old_p"); oc=L("coll_p")
T=[];bad=[];names=set()
for fn in sorted(glob.glob("/work/lab/new/m?.jsonl")):
    for i,l in enumerate(open(fn)):
        try:
            d=json.loads(l); d={k:d[k] for k in ("topic","domain","passages","queries")}
            ids=[p["id"] for p in d["passages"]]; assert ids==["p1","p2","p3","p4"],"ids"
            for p in d["passages"]: p["text"]=re.sub(r"\s+"," ",p["text"]).strip(); assert 4<=len(p["text"].split())<=90,f"len {len(p['text'].split())}"
            assert len({p["text"] for p in d["passages"]})==4
            assert 3<=len(d["queries"])<=6,"n"
            for q in d["queries"]:
                q["text"]=q["text"].strip(); q["rel"]={k:int(v) for k,v in q["rel"].items() if int(v)}
                assert q["text"] and set(q)=={"text","type","rel"} and set(q["rel"])<={"p1","p2","p4"} and max(q["rel"].values())==3,"rel"
            n=d["topic"].lower()
            if n in names: d["topic"]+=" ("+fn[-8:-6]+")"
            assert d["topic"].lower() not in names; names.add(d["topic"].lower()); d["file"]=fn[-8:-6]; T.append(d)
        except Exception as e: bad.append((fn[-8:],i,repr(e)))
print(len(T),len(bad),bad[:20])
P=f([p["text"] for d in T for p in d["passages"]]); Q=[q["text"] for d in T for q in d["queries"]]; E=f(Q); k=0; keep=[]; seen=set(); out=0
for j,d in enumerate(T):
    q=E[k:k+len(d["queries"])]; k+=len(d["queries"]); p=P[4*j:4*j+4]
    why=[]
    for n,x,y,lim in (("probe",q,pr,.75),("probe p",p,pr,.75),("foreign",p,FP,.8),("fq",q,FQ,.85),("test",p,oc,.8)):
        m=(x@y.T).max()
        if m>lim: why.append(f"{n} {m:.2f}")
    prev=P[:4*j]
    if j and (p@prev.T).max()>.93: why.append("twin %.2f"%(p@prev.T).max())
    if why: out+=1; print("OUT",d["file"],d["topic"],why)
    else: keep.append(d)
by={}
for d in keep: by.setdefault(d.pop("file"),[]).append(d)
rng=np.random.default_rng(8); tr=[];dv=[]
for k,v in by.items():
    o=rng.permutation(len(v)); dv+=[v[i] for i in sorted(o[:8])]; tr+=[v[i] for i in sorted(o[8:])]
for n,x in (("contrasts",tr),("contrasts_dev",dv)):
    open(f"/work/lab/r12/{n}.jsonl","w").write("".join(json.dumps(d,ensure_ascii=False)+"\n" for d in x)); print(n,len(x),sum(len(d["queries"]) for d in x))
print("out",out)

"""contrasts_dev and probes: share of pairs (a grade-3 passage, an ungraded one of the topic) in the right order"""
import sys,json,os,numpy as np; sys.path.insert(0,"/work/main/notebooks"); os.environ["RERANKING_MODELS"]="bundled"; import torch; torch.set_num_threads(1)
import reranking as rr; from reranking import int8
T=[json.loads(l) for l in open("/work/lab/r12/contrasts_dev.jsonl")]
def items():
    for d in T:
        tx={p["id"]:p["text"] for p in d["passages"]}
        for q in d["queries"]: yield d,q,tx
I=list(items())
def measure(score):
    ok=[];mini=[];trap=[]
    S=score([(q["text"],tx[k]) for d,q,tx in I for k in tx]).reshape(-1,4)
    for (d,q,tx),s in zip(I,S):
        s=dict(zip(tx,s)); right=[k for k,v in q["rel"].items() if v==3]; wrong=[k for k in tx if k not in q["rel"]]
        ok.append(min(s[k] for k in right)>max([s[k] for k in wrong],default=-99))
        for a,b in (("p1","p2"),("p2","p1")):
            if a in right and b not in q["rel"]: mini.append(s[a]>s[b])
        trap.append(np.mean([s[k]>s["p3"] for k in right]))
    return f"all right {np.mean(ok):.3f}, minimal pair {np.mean(mini):.3f} of {len(mini)}, over the trap {np.mean(trap):.3f}"
def probes(score):
    out={}
    for k,v in json.load(open("/work/main/data/probes.json")).items():
        s=score([(q,x) for q,a,b in v for x in (a,b)]).reshape(-1,2); out[k]=int((s[:,0]>s[:,1]).sum())
    return out
r=rr.BiEncoderRetriever()
bi=lambda P: (np.asarray(r.encode([p for _,p in P]))*np.asarray(r.encode([q for q,_ in P]))).sum(1)
print("bi",measure(bi),probes(bi))
for w in sys.argv[1:]:
    if not os.path.exists(w+"/"+int8.FILE): int8.write_int8(w)
    m=int8.Int8CrossEncoder(w); f=lambda P: np.asarray(m.predict(P)); print(w,measure(f),probes(f),flush=True)

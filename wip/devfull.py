import sys,json,numpy as np,os,warnings; warnings.simplefilter("ignore")
sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(int(__import__("os").environ.get("T","1")))
import reranking as rr; from reranking import int8,evaluation,data
W=sys.argv[1]; n8=W.rstrip("/")+"/"+int8.FILE
int8.write_int8(W)
T=json.load(open("dev.json")); P={};Q={};R={};ty={};tp={}
for i,t in enumerate(T):
    for p in t["passages"]: P[f"{i}{p['id']}"]=p["text"]
    for j,q in enumerate(t["queries"]): k=f"{i}q{j}"; Q[k]=q["text"]; R[k]={f"{i}{a}":g for a,g in q["rel"].items()}; ty[k]=q["type"]; tp[k]=i
r=rr.BiEncoderRetriever().index_documents(P.values(),ids=P.keys())
first=evaluation.retrieve_all(r,Q,top_k=30)
mp=np.load("emb_dev_p.npy").astype(np.float32)@np.load("emb_dev_q.npy").astype(np.float32).T
pid=list(P); col={k:c for c,k in enumerate(Q)}
m=int8.Int8CrossEncoder(W)
S={}
for k,h in first.items(): S[k]=m.predict([(Q[k],x.text) for x in h])
z=lambda x:(x-x.mean())/x.std()
def order(h,s): return [h[i]._replace(score=float(s[i])) for i in np.argsort(-s)]
sysd={"bi":first,"two-stage":{k:order(first[k],S[k]) for k in Q},"zsum":{k:order(first[k],z(S[k])+z(np.array([x.score for x in first[k]]))) for k in Q},
 "mpnet":{k:[rr.Hit(pid[i],float(mp[i,col[k]]),"") for i in np.argsort(-mp[:,col[k]])[:30]] for k in Q}}
nd={n:evaluation.evaluate(x,R,["nDCG@10"])["nDCG@10"] for n,x in sysd.items()}
for n,v in nd.items():
    print(f"{n:10} {v.mean():.4f} gain {evaluation.bootstrap(v-nd['bi'],[tp[k] for k in v.index])}", " ".join(f"{t[:4]} {np.mean([v[k] for k in Q if ty[k]==t]):.3f}" for t in sorted(set(ty.values()))))
def restr(keep): 
    out={}
    for k in Q:
        h=[(x,s) for x,s in zip(first[k],S[k]) if keep(k,x.doc_id)]
        out[k]=order([a for a,_ in h],np.array([b for _,b in h])) if h else []
    return out
top=lambda k,d: d.startswith(f"{tp[k]}p")
for n,x in {"in-topic only":restr(top),"ceiling":{k:sorted(first[k],key=lambda h:-R[k].get(h.doc_id,0)) for k in Q}}.items():
    v=evaluation.evaluate({k:[h._replace(score=100.-i) for i,h in enumerate(x[k])] for k in x},R,["nDCG@10"])["nDCG@10"].reindex(list(Q)).fillna(0)
    print(f"{n:10} {v.mean():.4f}", " ".join(f"{t[:4]} {np.mean([v[k] for k in Q if ty[k]==t]):.3f}" for t in sorted(set(ty.values()))))
import collections
print("first hit out of topic:", np.mean([not top(k,sysd["two-stage"][k][0].doc_id) for k in Q]), "bi", np.mean([not top(k,first[k][0].doc_id) for k in Q]))

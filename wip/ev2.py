"""usage: ev.py FOLDER…: two-stage by int8 on dev (depth 30), away (held-out pairs) and forum dev (depth 20)"""
import sys,json,os,numpy as np,warnings; warnings.simplefilter("ignore")
sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(int(os.environ.get("T","1")))
from reranking import int8,evaluation
import reranking as rr
SET=os.environ.get("SETS","dev,pairs,forum").split(",")
z=lambda x:(x-x.mean())/(x.std() or 1)
def task(n):
    d=json.load(open(n+".json")); mp,mq=[np.load(f"mini_{n}_{k}.npy").astype(np.float32) for k in "pq"]; depth=30 if n=="dev" else 20
    ids=list(range(0,len(d["q"]),int(os.environ.get("STEP","2")))) if n=="dev" else [i for i,h in enumerate(d.get("dev",d.get("hold"))) if h and i<len(mq)]
    if n=="pairs": ids=ids[::2]
    if n=="forum": ids=ids[:: max(1,len(ids)//120)]
    if n=="forum2": a=[i for i in ids if d["hold"][i]==1]; b=[i for i in ids if d["hold"][i]==2]; ids=a[::3]+b[::2]
    out=[]
    for i in ids:
        s=mp@mq[i]; top=np.argsort(-s)[:depth]; out.append((i,d["q"][i],top,s[top],d["g"][i]))
    return d,out
def nd(order,g):
    r=[2**g.get(str(int(x)),0)-1 for x in order[:10]]; ide=sorted((2**v-1 for v in g.values()),reverse=True)[:10]
    return sum(x/np.log2(i+2) for i,x in enumerate(r))/sum(x/np.log2(i+2) for i,x in enumerate(ide))
T={n:task(n) for n in SET}
for W in sys.argv[1:]:
    if os.environ.get("FP32"):
        import torch
        from sentence_transformers import CrossEncoder
        m=CrossEncoder(W)
    else:
        if not os.path.exists(W+"/"+int8.FILE) or os.environ.get("FORCE"): int8.write_int8(W)
        m=int8.Int8CrossEncoder(W)
    for n in SET:
        d,L=T[n]; b=[];t=[];zz=[];ty=[]
        S=m.predict([(q,d["p"][x]) for _,q,top,_,_ in L for x in top]); S=np.asarray(S).reshape(len(L),-1)
        for (i,q,top,s,g),y in zip(L,S):
            b.append(nd(top,g)); t.append(nd(top[np.argsort(-y)],g)); zz.append(nd(top[np.argsort(-(z(y)+z(s)))],g)); ty.append(d["ty"][i])
        b,t,zz=map(np.array,(b,t,zz))
        if n=="forum2":
            for nm,sl in (("old",slice(0,122)),("new",slice(122,None))): print(f"   {nm} bi {b[sl].mean():.4f} two {t[sl].mean():.4f} z {zz[sl].mean():.4f}",end=" ")
        ty=np.array(ty); gn=t-b
        print(f"{W} {n}: n {len(b)} bi {b.mean():.4f} two-stage {t.mean():.4f} gain {gn.mean():+.4f}±{1.96*gn.std()/len(gn)**.5:.3f} zsum {zz.mean():.4f} |"," ".join(f"{k[:9]} {gn[ty==k].mean():+.3f}" for k in sorted(set(ty))),flush=True)

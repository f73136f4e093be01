"""Mixed training. usage: train.py --init W --out D --steps N --decay N --lr LR --judged 2 --pairs 3"""
import json,random,time,argparse,math,os,glob,numpy as np,torch,torch.nn.functional as F
from transformers import AutoModelForSequenceClassification, AutoTokenizer
ap=argparse.ArgumentParser()
ap.add_argument("--init",default="/work/shared/cross-encoder/weights"); ap.add_argument("--out",default="run1")
ap.add_argument("--steps",type=int,default=6000); ap.add_argument("--decay",type=int,default=1500); ap.add_argument("--lr",type=float,default=1.5e-4)
ap.add_argument("--judged",type=int,default=2); ap.add_argument("--pairs",type=int,default=3); ap.add_argument("--alpha",type=float,default=0.7); ap.add_argument("--seed",type=int,default=0)
ap.add_argument("--eval_every",type=int,default=500)
a=ap.parse_args(); random.seed(a.seed); torch.manual_seed(a.seed); rng=np.random.default_rng(a.seed); torch.set_num_threads(int(os.environ.get("THREADS","1")))
os.makedirs(a.out,exist_ok=True)
tok=AutoTokenizer.from_pretrained(a.init)
m=AutoModelForSequenceClassification.from_pretrained(a.init,num_labels=1,attention_probs_dropout_prob=0.0,hidden_dropout_prob=0.0,attn_implementation="eager",dtype=torch.float32)
for n,p in m.named_parameters(): p.requires_grad=not("word_embeddings" in n or "position_embeddings" in n)
params=[p for p in m.parameters() if p.requires_grad]
opt=torch.optim.AdamW(params,lr=a.lr,weight_decay=0.01,betas=(0.9,0.98),fused=True)
ema={n:p.detach().clone() for n,p in m.named_parameters() if p.requires_grad}
# ---- judged
def load(name):
    T=json.load(open(f"{name}.json")); return T,np.load(f"emb_{name}_p.npy").astype(np.float32),np.load(f"emb_{name}_q.npy").astype(np.float32)
MJ=[];MPV=[]
J=[] # (query, [passage idx of topic], grades, qvec)
PT=[];PV=[]
for name in [n for n in ("train","more","extra") if os.path.exists(f"emb_{n}_q.npy")]:
    T=json.load(open(f"{name}.json")); Q=np.load(f"emb_{name}_q.npy").astype(np.float32); k=0; MJ.append(np.load(f"mini_{name}_q.npy").astype(np.float32))
    if name!="extra":
        MPV.append(np.load(f"mini_{name}_p.npy").astype(np.float32)); base=len(PT); PV.append(np.load(f"emb_{name}_p.npy").astype(np.float32)); idx={}
        for t in T:
            if name=="train": topic0=globals().setdefault("topic0",{}); topic0[t["topic"]]=len(PT)
            t["_b"]=len(PT); PT+=[p["text"] for p in t["passages"]]
    for t in T:
        b=t["_b"] if "_b" in t else topic0[t["topic"]]
        for q in t["queries"]:
            J.append((q["text"],b,[q["rel"].get(f"p{i+1}",0) for i in range(10)],Q[k])); k+=1
PV=np.concatenate(PV); MPV=np.concatenate(MPV); MJ=np.concatenate(MJ); assert len(MJ)==len(J) and len(MPV)==len(PT)
print("judged queries",len(J),"passages",len(PT),flush=True)
# ---- pairs
D=json.load(open("pairs.json")); DQ=np.load("emb_pairs_q.npy").astype(np.float32); DP=np.load("emb_pairs_p.npy").astype(np.float32) 
orderJ=[];orderP=[]
def sample_judged():
    global orderJ
    if not orderJ: orderJ=list(rng.permutation(len(J)))
    i=orderJ.pop(); q,b,g,v=J[i]; s=PV@v; s2=s.copy(); s2[b:b+10]=-9
    m2=MPV@MJ[i]; m2[b:b+10]=-9
    near=np.union1d(np.argpartition(-s2,12)[:12],np.argpartition(-m2,25)[:25])
    g=np.array(g,float); pos=np.flatnonzero(g>0)[:3]; rest=np.setdiff1d(np.arange(10),pos)
    w0=np.exp(8*(s[b+rest]-s[b+rest].max())); k=5-len(pos)
    neg=rng.choice(rest,k,False,p=w0/w0.sum()); pick=np.r_[pos,neg].astype(int)
    return q,b,g,s,pick,rng.choice(near,10,False)
def finish_judged(L):
    with torch.no_grad(): x=scores([(q,PT[j]) for q,b,g,s,pick,far in L for j in far]).view(len(L),10).numpy()
    out=[]
    for (q,b,g,s,pick,far),y in zip(L,x):
        o=np.argsort(-y); far=far[np.r_[o[:3],o[3+rng.integers(7)]]]
        c=np.r_[b+pick,far]; gg=np.r_[g[pick],np.zeros(4)]; cos=s[c]
        w=np.where(gg==3,1.0,np.where(gg==2,0.25,np.where(gg==1,0.06,0.0))); w/=w.sum()
        t=np.exp(20*(cos-cos.max())); t/=t.sum()
        out.append((0.0,q,[PT[j] for j in c],a.alpha*w+(1-a.alpha)*t,16*cos-7+1.5*gg))
    return out
def sample_pair():
    global orderP
    if not orderP: orderP=list(rng.permutation(len(D["q"])))
    i=orderP.pop(); q,pos,neg=D["q"][i]; s=DP@DQ[i]; p=pos[rng.integers(len(pos))]
    lim=max(0.9,s[p]+0.05) if False else s[p]+0.03
    top=np.argpartition(-s,60)[:60]; top=top[np.argsort(-s[top])]; ok=[j for j in top if j not in pos and s[j]<lim]
    n=list(rng.permutation(neg)[:1]); 
    for part,k in ((ok[:12],3),(ok[12:],2)):
        if part: n+=[int(j) for j in rng.choice(part,min(k,len(part)),False) if j not in n]
    while len(n)<5:
        j=int(rng.integers(len(DP)));
        if j not in n and j not in pos: n.append(j)
    c=np.array([p]+n[:5]); cos=s[c]; w=np.zeros(6); w[0]=1; t=np.exp(20*(cos-cos.max())); t/=t.sum()
    g=np.zeros(6); g[0]=3
    return q,[D["p"][j] for j in c],a.alpha*w+(1-a.alpha)*t,16*cos-7+1.5*g
def scores(pairs,chunk=24,ml=160):
    o=sorted(range(len(pairs)),key=lambda i:len(pairs[i][0])+len(pairs[i][1])); out=[]
    for i in range(0,len(o),chunk):
        c=[pairs[j] for j in o[i:i+chunk]]; x=tok([p for p,_ in c],[p for _,p in c],padding=True,truncation="only_second",max_length=ml,return_tensors="pt")
        with torch.autocast("cpu",dtype=torch.bfloat16): out.append(m(**x).logits.view(-1).float())
    inv=torch.empty(len(o),dtype=torch.long); inv[torch.tensor(o)]=torch.arange(len(o)); return torch.cat(out)[inv]
dT=json.load(open("dev.json")); dP=np.load("emb_dev_p.npy").astype(np.float32); dQ=np.load("emb_dev_q.npy").astype(np.float32)
def ndcg(L,al,k=10):
    f=lambda x:sum((2**r-1)/math.log2(i+2) for i,r in enumerate(x[:k])); return f(L)/f(sorted(al,reverse=True))
@torch.no_grad()
def dev(full=False):
    m.eval(); r=[];te=[];ty=[];k=0
    for ti,t in enumerate(dT):
        for qi,q in enumerate(t["queries"]):
            if full or qi%4==0:
                s=scores([(q["text"],p["text"]) for p in t["passages"]],10).numpy(); g=lambda s:ndcg([q["rel"].get(t["passages"][j]["id"],0) for j in np.argsort(-s)],q["rel"].values())
                r.append(g(s)); te.append(g(dP[ti*10:ti*10+10]@dQ[k])); ty.append(q["type"])
            k+=1
    m.train(); ty=np.array(ty); r=np.array(r)
    return np.mean(r),np.mean(te)," ".join(f"{x[:4]} {r[ty==x].mean():.3f}" for x in sorted(set(ty)))
def swap():
    for n,p in m.named_parameters():
        if n in ema: p.data,ema[n]=ema[n],p.data
def evaluate(tag):
    d0=0; swap(); d1=dev(); m.half().save_pretrained(f"{a.out}/{tag}") if False else m.save_pretrained(f"{a.out}/ema"); tok.save_pretrained(f"{a.out}/ema"); swap()
    print(tag,"DEV raw %.4f ema %.4f (teacher %.4f) %s"%(d0,d1[0],d1[1],d1[2]),flush=True)
st=0
ck=f"{a.out}/state.pt"
if os.path.exists(ck):
    z=torch.load(ck); m.load_state_dict(z["m"]); opt.load_state_dict(z["opt"]); st=z["st"]; ema=z["ema"]; rng=np.random.default_rng(a.seed+st); print("resume",st,flush=True)
else: evaluate("start")
start=time.time(); hist=[]; n=0
steps=a.steps
while st<steps:
    if os.path.exists(f"{a.out}/DECAY"): # decay from now on
        steps=st+a.decay; os.rename(f"{a.out}/DECAY",f"{a.out}/decay_from_{st}"); print("decay from",st,"to",steps,flush=True)
    lr=a.lr*min((st+1)/100,1)*min(1,max(0.02,(steps-st)/a.decay))
    for gq in opt.param_groups: gq["lr"]=lr
    B=finish_judged([sample_judged() for _ in range(a.judged)])+[(1.0,)+sample_pair() for _ in range(a.pairs)]
    pr=[(q,p) for _,q,ps,_,_ in B for p in ps]; s=scores(pr); k=0; kls=[[],[]]; loss=0
    for kind,q,ps,t,z in B:
        x=s[k:k+len(ps)]; k+=len(ps); t=torch.tensor(t,dtype=torch.float32)
        kl=F.kl_div(torch.log_softmax(x,0),t,reduction="sum"); mse=((x-torch.tensor(z,dtype=torch.float32))**2).mean(); loss=loss+kl+0.02*mse; kls[int(kind)].append(kl.item())
    loss=loss/len(B); opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(params,1.0); opt.step(); st+=1; n+=len(pr)
    d=min(0.998,(st+1)/(st+20))
    with torch.no_grad():
        for nme,p in m.named_parameters():
            if nme in ema: ema[nme].lerp_(p,1-d)
    hist.append((np.mean(kls[0]),np.mean(kls[1]) if kls[1] else 0))
    if st%50==0: print(st,"%.1f min"%((time.time()-start)/60),"pairs/s %.0f"%(n/(time.time()-start)),"kl judged %.3f pairs %.3f"%tuple(np.mean(hist[-100:],0)),"lr %.1e"%lr,flush=True)
    if st%a.eval_every==0 or st==steps:
        evaluate(str(st)); torch.save({"m":m.state_dict(),"opt":opt.state_dict(),"st":st,"ema":ema},ck)
swap(); print("FULL",dev(True)); m.save_pretrained(f"{a.out}/final"); tok.save_pretrained(f"{a.out}/final")

"""Mixed training with long texts. usage: train5.py --init W --out D --steps N --decay N"""
import json,time,argparse,math,os,numpy as np,torch,torch.nn.functional as F
from transformers import AutoModelForSequenceClassification, AutoTokenizer
ap=argparse.ArgumentParser()
ap.add_argument("--init",default="/work/main/data/cross-encoder"); ap.add_argument("--out",default="run7")
ap.add_argument("--steps",type=int,default=2000); ap.add_argument("--decay",type=int,default=600); ap.add_argument("--lr",type=float,default=1e-4)
ap.add_argument("--mix",default="judged:2,pairs:2,forum:2"); ap.add_argument("--alpha",default="judged:0.7,pairs:0.5,forum:0.5"); ap.add_argument("--seed",type=int,default=0)
ap.add_argument("--save",type=int,default=100); ap.add_argument("--brake",default="/work/main/data/cross-encoder"); ap.add_argument("--ml",type=int,default=320)
a=ap.parse_args(); torch.manual_seed(a.seed); torch.set_num_threads(1)
MIX={k:int(v) for k,v in (x.split(":") for x in a.mix.split(","))}; AL={k:float(v) for k,v in (x.split(":") for x in a.alpha.split(","))}
os.makedirs(a.out,exist_ok=True)
tok=AutoTokenizer.from_pretrained(a.init)
m=AutoModelForSequenceClassification.from_pretrained(a.init,num_labels=1,attention_probs_dropout_prob=0.0,hidden_dropout_prob=0.0,attn_implementation="eager",dtype=torch.float32)
for n,p in m.named_parameters(): p.requires_grad=not("word_embeddings" in n or "position_embeddings" in n)
old=AutoModelForSequenceClassification.from_pretrained(a.brake,num_labels=1,dtype=torch.bfloat16).eval()
params=[p for p in m.parameters() if p.requires_grad]
opt=torch.optim.AdamW(params,lr=a.lr,weight_decay=0.01,betas=(0.9,0.98),fused=True)
ema={n:p.detach().clone() for n,p in m.named_parameters() if p.requires_grad}
f32=lambda f:np.load(f).astype(np.float32)
P=[];Q=[];G=[];N=[];K=[];TP=[];TQ=[]
for name in MIX:
    
    FN=os.environ.get("FORUM","forum") if name=="forum" else name; d=json.load(open(f"{FN}.json")); b=len(P); P+=d["p"]; nq=len(np.load(f"emb_{FN}_q.npy"))
    tp,tq=[f32(f"emb_{FN}_{y}.npy") for y in "pq"]
    keep=[i for i in range(nq) if not d.get("hold",[False]*nq)[i]]
    for i in keep:
        Q.append(d["q"][i]); G.append({b+int(k):v for k,v in d["g"][i].items()}); N.append([b+j for j in d["near"][i]]); K.append(name)
    TP.append(tp);TQ.append(tq[keep])
TP,TQ=map(np.concatenate,(TP,TQ)); K=np.array(K); print("queries",{k:int((K==k).sum()) for k in MIX},"passages",len(P),flush=True)
W=np.array([0,0.06,0.25,1.0])
def turn(kind,t):
    idx=np.flatnonzero(K==kind); r,j=divmod(t,len(idx)); return int(idx[np.random.default_rng([a.seed,r,ord(kind[0])]).permutation(len(idx))[j]])
def make(kind,t,rng):
    i=turn(kind,t); s=TP@TQ[i]; g=G[i]; near=[n for n in N[i] if n not in g]
    ans=sorted(g,key=g.get,reverse=True)[:3]; best=max(s[x] for x in ans if g[x]==max(g.values()))
    if kind=="pairs": ans=[int(rng.choice([x for x in ans if g[x]==3]))]
    near=np.array(near,int)
    kn={"judged":5-len(ans),"forum":4-len(ans),"pairs":1}[kind]
    if len(near)>kn:
        w=np.exp(8*(s[near]-s[near].max())); near=rng.choice(near,kn,False,p=w/w.sum())
    ban=set(g)|set(N[i]); far=np.argpartition(-s,40)[:40]; far=np.array([x for x in far if x not in ban and s[x]<best+0.05],int)
    kf={"judged":4,"forum":3,"pairs":5}[kind]
    far=far[np.argsort(-(s[far]+rng.normal(0,0.08,len(far))))][:kf] # nearest first, with some noise
    if len(far)<kf or rng.random()<0.5: far=np.r_[far[:kf-1],rng.integers(len(P))]
    c=np.r_[ans,near,far].astype(int); c=np.array(list(dict.fromkeys(c.tolist()))); cos=s[c]; gg=np.array([g.get(int(x),0) for x in c])
    w=W[gg]; w=w/w.sum(); q=np.exp(20*(cos-cos.max())); q/=q.sum(); al=AL[kind]
    return kind,Q[i],[P[x] for x in c],(al,w,cos),16*cos-7+1.5*gg
def scores(pairs,budget=4000):
    x=tok([p for p,_ in pairs],[p for _,p in pairs],truncation="only_second",max_length=a.ml); L=[len(z) for z in x["input_ids"]]
    o=sorted(range(len(pairs)),key=lambda i:L[i]); out=[];i=0
    while i<len(o):
        j=i+1
        while j<len(o) and L[o[j]]*(j+1-i)<=budget: j+=1
        b=tok.pad({k:[v[t] for t in o[i:j]] for k,v in x.items()},return_tensors="pt"); i=j
        with torch.autocast("cpu",dtype=torch.bfloat16): out.append(m(**b).logits.view(-1).float())
    inv=torch.empty(len(o),dtype=torch.long); inv[torch.tensor(o)]=torch.arange(len(o)); return torch.cat(out)[inv]
@torch.inference_mode()
def before(B):
    # the shipped model's own scores of the judged lists: it keeps what it knows at home
    pr=[(q,p) for k,q,ps,_,_ in B if k=="judged" for p in ps]; x=tok([p for p,_ in pr],[p for _,p in pr],truncation="only_second",max_length=a.ml); L=[len(z) for z in x["input_ids"]]
    o=sorted(range(len(pr)),key=lambda i:L[i]); out=np.zeros(len(pr),np.float32)
    for i in range(0,len(o),16):
        b=tok.pad({k:[v[t] for t in o[i:i+16]] for k,v in x.items()},return_tensors="pt"); out[o[i:i+16]]=old(**b).logits.view(-1).float().numpy()
    return out
def save(folder):
    for n,p in m.named_parameters():
        if n in ema: p.data,ema[n]=ema[n],p.data
    m.save_pretrained(folder); tok.save_pretrained(folder)
    for n,p in m.named_parameters():
        if n in ema: p.data,ema[n]=ema[n],p.data
m.eval(); st=0; ck=f"{a.out}/state.pt"
if os.path.exists(ck):
    z=torch.load(ck); m.load_state_dict(z["m"]); opt.load_state_dict(z["opt"]); st=z["st"]; ema=z["ema"]; print("resume",st,flush=True)
start=time.time(); hist={k:[] for k in MIX}; s0=st; steps=a.steps
while st<steps:
    if os.path.exists(f"{a.out}/DECAY"): steps=st+a.decay; os.rename(f"{a.out}/DECAY",f"{a.out}/decay_from_{st}"); print("decay from",st,flush=True)
    rng=np.random.default_rng([a.seed,st]); lr=a.lr*min((st+1)/50,1)*min(1,max(0.02,(steps-st)/a.decay))
    for gq in opt.param_groups: gq["lr"]=lr
    B=[make(k,v*st+i,rng) for k,v in MIX.items() if (K==k).any() for i in range(v)]
    pr=[(q,p) for _,q,ps,_,_ in B for p in ps]; s=scores(pr); so=before(B); ko=0; k=0; loss=0
    for kind,q,ps,t,z in B:
        x=s[k:k+len(ps)]; k+=len(ps); al,w,cos=t; lg=20*cos
        if kind=="judged": lg=0.6*so[ko:ko+len(ps)]+12*cos; ko+=len(ps)
        qd=np.exp(lg-lg.max()); qd/=qd.sum(); t=torch.tensor(al*w+(1-al)*qd,dtype=torch.float32)
        kl=F.kl_div(torch.log_softmax(x,0),t,reduction="sum"); loss=loss+kl+0.02*((x-torch.tensor(z,dtype=torch.float32))**2).mean(); hist[kind].append(kl.item())
    loss=loss/len(B); opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(params,1.0); opt.step(); st+=1
    d=min(0.995,(st+1)/(st+20))
    with torch.no_grad():
        for nme,p in m.named_parameters():
            if nme in ema: ema[nme].lerp_(p,1-d)
    if st%25==0: print(st,"%.1f min, %.2f s/step"%((time.time()-start)/60,(time.time()-start)/(st-s0))," ".join(f"{k} {np.mean(v[-200:]):.3f}" for k,v in hist.items() if v),"lr %.1e"%lr,flush=True)
    if st%a.save==0 or st==steps:
        save(f"{a.out}/{st}"); torch.save({"m":m.state_dict(),"opt":opt.state_dict(),"st":st,"ema":ema},ck+".tmp"); os.replace(ck+".tmp",ck)

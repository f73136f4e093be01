"""usage: run.py OUT SEED STEPS PARTS(json) ; resumable by state.pt; reloads data when r12/version changes"""
import sys,os,json,time,copy,numpy as np; sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(1)
from functools import partial
from pathlib import Path
from reranking import training, data
from reranking.lists import *
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
def mine(module,q,k,v,mask=None,scaling=None,dropout=0.0,**kw):
    s=torch.matmul(q*(scaling if scaling is not None else q.shape[-1]**-.5),k.transpose(2,3))
    if mask is not None: s=s+mask.to(s.dtype)
    with torch.autocast("cpu",enabled=False): a=torch.softmax(s,-1)
    return torch.matmul(a,v).transpose(1,2).contiguous(),None
ALL_ATTENTION_FUNCTIONS.register("mine",mine); ALL_MASK_ATTENTION_FUNCTIONS.register("mine",ALL_MASK_ATTENTION_FUNCTIONS["eager"])
training.MICRO_BATCH=8
out=Path(sys.argv[1]); seed=int(sys.argv[2]); steps=int(sys.argv[3]); parts=json.loads(sys.argv[4]); lr=float(os.environ.get("LR","1e-4")); start=os.environ.get("START","/work/main/data/cross-encoder")
out.mkdir(exist_ok=True); R=Path("/work/lab/r12")
def build():
    pools={"judged":load_judged(),"long":load_long(),"pairs":load_pairs("/work/shared/question-pairs",12)}
    if not (R/"teacher_pairs_passages.npy").exists(): del pools["pairs"]
    vec={n:[np.load(R/f"teacher_{n}_{k}.npy").astype(np.float32) for k in ("queries","passages")] for n in pools}
    if (R/"new.jsonl").exists():
        p=judged_pool([json.loads(l) for l in open(R/"new.jsonl")])
        pools["long"]=join([pools["long"],p])
        vec["long"]=[np.concatenate([v,np.load(R/f"teacher_new_{k}.npy").astype(np.float32)]) for v,k in zip(vec["long"],("queries","passages"))]
    if (R/"contrasts.jsonl").exists():
        pools["contrasts"]=judged_pool([json.loads(l) for l in open(R/"contrasts.jsonl")])
        vec["contrasts"]=[np.load(R/f"teacher_contrasts_{k}.npy").astype(np.float32) for k in ("queries","passages")]
    for n in pools: assert len(pools[n].queries)==len(vec[n][0]) and len(pools[n].passages)==len(vec[n][1]),n
    joined=join(pools.values()); vq,vp=(np.concatenate(x) for x in zip(*vec.values())); mixers={};first=0
    for n,p in pools.items():
        asked=range(first,first+len(p.queries)); mixers[n]=Cached(joined,vq,vp,seed,asked); first=asked.stop
    print("built",{n:(len(p.queries),len(p.passages)) for n,p in pools.items()},flush=True)
    return mixers
class Cached(ListMaker):
    kept=(None,None)
    def cosines(self,query):
        if self.kept[0]!=query: self.kept=(query,ListMaker.cosines(self,query))
        return self.kept[1]
version=lambda: (R/"version").read_text() if (R/"version").exists() else ""
def load(): 
    m=training.new_cross_encoder(start); m.model.set_attn_implementation("mine"); return m
m=load(); before=load()
tr=training.Trainer(m,steps,learning_rate=lr,tokens=320,warm_up=50)
state=out/"state.pt"
if state.exists(): tr.restore(torch.load(state,weights_only=True)); print("resumed",tr.step)
score_before=partial(tr.score,model=before)
def save():
    with tr.averaged():
        sd={k:v.half() for k,v in m.model.state_dict().items()}
        from safetensors.torch import save_file
        f=out/f"w{tr.step}"; f.mkdir(exist_ok=True)
        save_file({k:v.contiguous() for k,v in sd.items()},f/"model.safetensors",metadata={"format":"pt"})
        for x in ("config.json","tokenizer.json","tokenizer_config.json"):
            (f/x).write_bytes((Path("/work/main/data/cross-encoder")/x).read_bytes())
    training.replace_file(state, lambda p: torch.save(tr.state(), p))
v=None; losses=[]; t0=time.time()
while tr.step<steps:
    if version()!=v: v=version(); mixers=build()
    step=tr.step; rng=np.random.default_rng([seed,3,step]); lists=[]
    for n,mx in mixers.items():
        count,own,others,alpha,part=parts[n]
        for turn in range(count*step,count*(step+1)): lists.append(mx.mixed(turn,rng,own,others,alpha,score=score_before if part else None))
    losses.append(tr.learn(lists))
    if tr.step%20==0: print(tr.step,f"loss {np.mean(losses[-20:]):.4f} {(time.time()-t0)/len(losses):.2f} s/step",flush=True)
    if tr.step%100==0 or tr.step==steps: save()

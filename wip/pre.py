import sys,time,numpy as np; sys.path.insert(0,"/work/main/notebooks"); import torch; torch.set_num_threads(1)
from reranking.lists import load_long,load_judged,load_pairs
from sentence_transformers import SentenceTransformer
from pathlib import Path
out=Path("/work/lab/r12")
t=SentenceTransformer("/work/lab/mp/all-mpnet-base-v2",model_kwargs=dict(attn_implementation="eager")).bfloat16(); t.max_seq_length=256
import json
from reranking.lists import judged_pool
P={"contrasts":lambda: judged_pool([json.loads(l) for l in open(out/"contrasts.jsonl")]),"new":lambda: judged_pool([json.loads(l) for l in open(out/"new.jsonl")]),"long":load_long,"judged":load_judged,"pairs":lambda: load_pairs("/work/shared/question-pairs",12)}
for n in sys.argv[1:]:
    p=P[n]()
    print(n,len(p.queries),len(p.passages),flush=True)
    for k,x in (("queries",p.queries),("passages",p.passages)):
        s=time.time(); e=t.encode(list(x),normalize_embeddings=True,convert_to_tensor=True,show_progress_bar=False,batch_size=16).float().numpy()
        e/=np.linalg.norm(e,axis=1,keepdims=True)
        np.save(out/f"teacher_{n}_{k}.npy",e.astype(np.float16)); print(n,k,len(x)/(time.time()-s),flush=True)

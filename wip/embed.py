"""Teacher embeddings."""
import json,gzip,random,os,sys,time,numpy as np,torch
os.environ["HF_HUB_OFFLINE"]="1"; torch.set_num_threads(1)
from sentence_transformers import SentenceTransformer
m=SentenceTransformer(os.environ.get("TEACHER","/work/lab/mp/all-mpnet-base-v2"),device="cpu"); m.max_seq_length=256
def emb(x,name):
    t=time.time(); o=sorted(range(len(x)),key=lambda i:len(x[i])); out=None
    with torch.inference_mode():
        for i in range(0,len(o),32):
            c=o[i:i+32]
            with torch.autocast("cpu",dtype=torch.bfloat16): e=m.encode([x[j] for j in c],batch_size=32,normalize_embeddings=True,convert_to_tensor=True,show_progress_bar=False)
            if out is None: out=np.zeros((len(x),e.shape[1]),np.float16)
            out[c]=e.float().numpy()
            if i%1600==0: print(name,i,len(x),"%.0fs"%(time.time()-t),flush=True)
    np.save(f"emb_{name}.npy",out); print(name,len(x),'%.0fs'%(time.time()-t),flush=True)
if __name__=="__main__":
    for name in sys.argv[1:]:
        d=json.load(open(f"{name}.json")); emb(d["p"],name+"_p"); emb(d["q"],name+"_q")

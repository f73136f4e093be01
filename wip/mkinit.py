import numpy as np,shutil,sys,torch
from safetensors.torch import load_file,save_file
z=np.load("delta4.npz"); W="/work/main/data/cross-encoder"; s=load_file(W+"/model.safetensors")
f=float(sys.argv[1]); out=sys.argv[2]; shutil.rmtree(out,ignore_errors=True); shutil.copytree(W,out,ignore=shutil.ignore_patterns("*.onnx"))
for k,v in s.items():
    if k not in z: print("same",k); continue
    b=z[k]; q=np.stack([b&15,b>>4],1).reshape(-1)[:v.numel()].astype(np.float32)-8; sc=z[k+"/s"].astype(np.float32)
    d=q.reshape(v.shape)*sc.reshape(-1,*[1]*(v.dim()-1)) if v.dim()>1 else q*sc
    s[k]=(v.float()+f*torch.tensor(d)).half()
save_file(s,out+"/model.safetensors",metadata={"format":"pt"})

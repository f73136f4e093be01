import numpy as np,torch
from safetensors.torch import load_file
a=load_file("/work/main/data/cross-encoder/model.safetensors"); b=load_file("s9/model.safetensors"); out={}
for k in a:
    d=(b[k].float()-a[k].float()).numpy()
    if not np.abs(d).max(): continue
    r=d.reshape(d.shape[0],-1) if d.ndim>1 else d.reshape(1,-1); s=np.maximum(np.abs(r).max(1,keepdims=True)/7,1e-9); q=(np.round(r/s)+8).clip(1,15).astype(np.uint8).reshape(-1)
    if len(q)%2: q=np.r_[q,8]
    out[k]=q[::2]|(q[1::2]<<4); out[k+"/s"]=s.astype(np.float16)
np.savez_compressed("delta_s9.npz",**out)

import json,numpy as np,torch,sys; torch.set_num_threads(1); sys.path.insert(0,"/work/main/notebooks")
import reranking as rr
r=rr.BiEncoderRetriever()
for n in ("train","more","extra"):
    T=json.load(open(f"{n}.json"))
    with torch.autocast("cpu",dtype=torch.bfloat16):
        if n!="extra": np.save(f"mini_{n}_p.npy",r.encode([p["text"] for t in T for p in t["passages"]]).astype(np.float16))
        np.save(f"mini_{n}_q.npy",r.encode([q["text"] for t in T for q in t["queries"]]).astype(np.float16))
    print(n,flush=True)

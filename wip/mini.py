import json,sys,os,numpy as np
sys.path.insert(0,"/work/main/notebooks"); os.environ["RERANKING_MODELS"]="bundled"
import torch; torch.set_num_threads(1)
import reranking as rr
r=rr.BiEncoderRetriever()
for n in sys.argv[1:]:
    d=json.load(open(f"{n}.json"))
    with torch.autocast("cpu",dtype=torch.bfloat16):
        for k in "pq": np.save(f"mini_{n}_{k}.npy",np.asarray(r.encode(d[k])).astype(np.float16))
    print(n,flush=True)

import json,sys,os,numpy as np
sys.path.insert(0,"/work/main/notebooks"); os.environ["RERANKING_MODELS"]="bundled"
import torch; torch.set_num_threads(1)
import reranking as rr
r=rr.BiEncoderRetriever(); r.model.max_seq_length=160
for n in ("scifact_dev","fiqa_part","vaswani"):
    for k,f in (("p","corpus"),("q","queries")):
        t=[((x.get("title") or "")+" "+x["text"]).strip() for x in map(json.loads,open(f"/tmp/fc/{n}/{f}.jsonl"))]
        with torch.autocast("cpu",dtype=torch.bfloat16): np.save(f"fc_{n}_{k}.npy",np.asarray(r.encode(t)).astype(np.float16))
    print(n,flush=True)

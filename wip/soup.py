import sys,torch,shutil; from pathlib import Path; from safetensors.torch import load_file,save_file
out=Path(sys.argv[1]); parts=[(p.rsplit("=",1)[0],float(p.rsplit("=",1)[1])) for p in sys.argv[2:]]; tot=sum(w for _,w in parts); acc={}
for f,w in parts:
    for k,v in load_file(f+"/model.safetensors").items(): acc[k]=acc.get(k,0)+v.float()*(w/tot)
out.mkdir(exist_ok=True)
for x in ("config.json","tokenizer.json","tokenizer_config.json"): (out/x).write_bytes((Path("/work/main/data/cross-encoder")/x).read_bytes())
save_file({k:v.half().contiguous() for k,v in acc.items()},out/"model.safetensors",metadata={"format":"pt"})

import sys,shutil,torch; from safetensors.torch import load_file,save_file
out,*src=sys.argv[1:]; shutil.copytree(src[0],out,dirs_exist_ok=True)
S=[load_file(s+"/model.safetensors") for s in src]
save_file({k:sum(s[k].float() for s in S)/len(S) if S[0][k].is_floating_point() else S[0][k] for k in S[0]},out+"/model.safetensors",metadata={"format":"pt"})

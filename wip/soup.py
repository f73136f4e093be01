import sys,shutil; from safetensors.torch import load_file,save_file
# soup.py OUT w:folder ...
out,*src=sys.argv[1:]; src=[(float(a),b) for a,b in (s.split(":") for s in src)]; t=sum(w for w,_ in src)
shutil.rmtree(out,ignore_errors=True); shutil.copytree("base",out,ignore=shutil.ignore_patterns("*.onnx"))
S=[(w/t,load_file(b+"/model.safetensors")) for w,b in src]
save_file({k:(sum(w*s[k].float() for w,s in S)).half() if S[0][1][k].is_floating_point() else S[0][1][k] for k in S[0][1]},out+"/model.safetensors",metadata={"format":"pt"})

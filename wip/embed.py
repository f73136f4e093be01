"""Teacher embeddings. judged first, then question pairs."""
import json,gzip,random,os,sys,time,numpy as np,torch
os.environ["HF_HUB_OFFLINE"]="1"; random.seed(0); torch.set_num_threads(2)
from sentence_transformers import SentenceTransformer
m=SentenceTransformer("/work/lab/mp/all-mpnet-base-v2",device="cpu"); m.max_seq_length=160
def emb(x,name):
    t=time.time(); o=sorted(range(len(x)),key=lambda i:len(x[i])); out=np.zeros((len(x),768),np.float16)
    with torch.inference_mode():
        for i in range(0,len(o),48):
            c=o[i:i+48]
            with torch.autocast("cpu",dtype=torch.bfloat16): e=m.encode([x[j] for j in c],batch_size=48,normalize_embeddings=True,convert_to_tensor=True,show_progress_bar=False)
            out[c]=e.float().numpy()
    np.save(f"emb_{name}.npy",out); print(name,len(x),'%.0fs'%(time.time()-t),flush=True)
what=sys.argv[1] if __name__=="__main__" else "none"
if what=="judged":
    S="/work/shared/judged-topics/"; sp=json.load(open(S+"splits.json")); A=[json.loads(l) for l in open(S+"topics.jsonl")]
    for s in ("train","dev"):
        T=[t for t in A if t["topic"] in set(sp[s])]
        json.dump(T,open(f"{s}.json","w"))
        emb([p["text"] for t in T for p in t["passages"]],s+"_p"); emb([q["text"] for t in T for q in t["queries"]],s+"_q")
elif what=="pairs":
    cap={"boolq_valtest":2600,"nq_open_dev":2611,"clapnq_answers":1700,"clapnq_dev":299,"qed_dev":334,"selqa_devtest":1200,"covidqa_deepset":700,"covidfaq_deepset":300,"pubmedqa_pqal":972,"bioasq_4b4":100,"xquad_en":200,"squad2_dev_half":800,"qnli_dev":500,"squad_nqg_test":1200,"squad_nqg_dev":400,"go_faq":84,"perlfaq":292,"ds_interviews":139,"medquad":700}
    by={}
    for l in gzip.open("/work/shared/question-pairs/pairs.jsonl.gz","rt"): r=json.loads(l); by.setdefault(r["source"],[]).append(r)
    cut=lambda x:" ".join(x.split()[:90])
    Q=[];P={}
    for k,v in by.items():
        v=random.sample(v,min(cap[k],len(v)))
        for r in v:
            pos=[P.setdefault(cut(x),len(P)) for x in r["positives"]]; neg=[P.setdefault(cut(x),len(P)) for x in r["negatives"][:4]]
            Q.append((r["query"],pos,neg))
    json.dump({"q":Q,"p":list(P)},open("pairs.json","w")); print(len(Q),len(P),flush=True)
    emb([q for q,_,_ in Q],"pairs_q"); emb(list(P),"pairs_p")

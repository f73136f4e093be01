import json,gzip,random
from pathlib import Path
D=Path("/work/main/data/training")
L=lambda n:[json.loads(l) for l in open(D/f"{n}.jsonl")]
train,more,extra,dev=map(L,("train","more","extra","dev"))
def pool(topics,xs=()):
    p=[];q=[];g=[];near=[];ty=[];tp=[];first={}
    for t in topics: first[t["topic"]]=(len(p),len(t["passages"])); p+=[x["text"] for x in t["passages"]]
    for t in (*topics,*xs):
        b,n=first[t["topic"]]
        for x in t["queries"]:
            gr={str(b+int(i[1:])-1):v for i,v in x["rel"].items() if v}
            q.append(x["text"]); g.append(gr); near.append([i for i in range(b,b+n) if str(i) not in gr]); ty.append(x["type"]); tp.append(t["topic"])
    return dict(p=p,q=q,g=g,near=near,ty=ty,tp=tp)
json.dump(pool(train+more,extra),open("judged.json","w")); json.dump(pool(dev),open("dev.json","w"))
by={}
for l in gzip.open("/work/shared/question-pairs/pairs.jsonl.gz","rt"): r=json.loads(l); by.setdefault(r["source"],[]).append(r)
old={"boolq_valtest":2600,"nq_open_dev":2611,"clapnq_answers":1700,"clapnq_dev":299,"qed_dev":334,"selqa_devtest":1200,"covidqa_deepset":700,"covidfaq_deepset":300,"pubmedqa_pqal":972,"bioasq_4b4":100,"xquad_en":200,"squad2_dev_half":800,"qnli_dev":500,"squad_nqg_test":1200,"squad_nqg_dev":400,"go_faq":84,"perlfaq":292,"ds_interviews":139,"medquad":700}
random.seed(0); seen={}
for k,v in by.items(): seen[k]={id(x) for x in random.sample(v,min(old[k],len(v)))}
cap={"boolq_valtest":1800,"nq_open_dev":1000,"clapnq_answers":1000,"clapnq_dev":200,"qed_dev":200,"selqa_devtest":300,"covidqa_deepset":700,"covidfaq_deepset":300,"pubmedqa_pqal":900,"bioasq_4b4":100,"xquad_en":50,"squad2_dev_half":400,"qnli_dev":150,"squad_nqg_test":400,"squad_nqg_dev":200,"go_faq":84,"perlfaq":292,"ds_interviews":139,"medquad":1200}
P={};Q=[];G=[];N=[];S=[];V=[]
rng=random.Random(1)
for k,v in by.items():
    fresh=[x for x in v if id(x) not in seen[k]]; rng.shuffle(fresh)
    hold=fresh[:40] if len(fresh)>=100 else []
    h={id(x) for x in hold}; rest=[x for x in v if id(x) not in h]; rng.shuffle(rest); 
    for x in hold+rest[:int(cap[k]*.5)]:
        pos=[P.setdefault(t,len(P)) for t in x["positives"]]; neg=[P.setdefault(t,len(P)) for t in x["negatives"][:4]]
        Q.append(x["query"]); G.append({str(i):3 for i in pos}); N.append(neg); S.append(k); V.append(id(x) in h)
json.dump(dict(p=list(P),q=Q,g=G,near=N,ty=S,hold=V),open("pairs.json","w"))
for n in ("judged","dev","pairs"): d=json.load(open(n+".json")); print(n,len(d["p"]),len(d["q"]))
import collections; print(collections.Counter(s for s,v in zip(S,V) if v)); print(sum(len(p.split()) for p in P)/len(P))

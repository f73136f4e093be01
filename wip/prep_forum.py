import json,glob,random
p=[];q=[];g=[];near=[];ty=[];tp=[];hold=[]
for f in sorted(glob.glob("forum/w*.jsonl")):
    for n,l in enumerate(open(f)):
        try: t=json.loads(l)
        except Exception: continue
        b=len(p); p+=[x["text"] for x in t["passages"]]
        for x in t["queries"]:
            gr={str(b+int(i[1:])-1):v for i,v in x["rel"].items() if v}
            q.append(x["text"]); g.append(gr); near.append([i for i in range(b,b+4) if str(i) not in gr]); ty.append(f[6:8]); tp.append(f"{f[6:8]}-{n}"); hold.append(n%10==0)
json.dump(dict(p=p,q=q,g=g,near=near,ty=ty,tp=tp,hold=hold),open("forum.json","w")); print(len(p),len(q),sum(hold))

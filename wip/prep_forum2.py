import json
p=[];q=[];g=[];near=[];ty=[];tp=[];hold=[]
for f,h in (("/work/main/data/training/long",False),("/work/main/data/training/long_dev",True),("/work/lab/r12/new_dev",True)):
    for l in open(f+".jsonl"):
        t=json.loads(l); b=len(p); p+=[x["text"] for x in t["passages"]]
        for x in t["queries"]:
            gr={str(b+int(i[1:])-1):v for i,v in x["rel"].items() if v}
            q.append(x["text"]); g.append(gr); near.append([i for i in range(b,b+len(t["passages"])) if str(i) not in gr]); ty.append(x["type"]); tp.append(t["topic"]); hold.append(h and (2 if "new" in f else 1))
json.dump(dict(p=p,q=q,g=g,near=near,ty=ty,tp=tp,hold=hold),open("forum2.json","w")); print(len(p),len(q),sum(hold))

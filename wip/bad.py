import json,numpy as np
f=json.load(open("forum.json")); mp,mq=[np.load(f"mini_forum_{k}.npy").astype(np.float32) for k in "pq"]
bad=set(); tpp={}
for i in range(len(f["q"])):
    for n in list(f["g"][i])+f["near"][i]: tpp[int(n)]=f["tp"][i]
for n in ("scifact_dev","fiqa_part","vaswani"):
    try: P,Q=[np.load(f"fc_{n}_{k}.npy").astype(np.float32) for k in "pq"]
    except FileNotFoundError: print("no",n); continue
    x=(mp@P.T).max(1); y=(mq@Q.T).max(1)
    bad|={tpp[i] for i in np.flatnonzero(x>.75)}|{f["tp"][i] for i in np.flatnonzero(y>.8)}
print(len(bad),bad); json.dump(sorted(bad),open("bad.json","w"))
for F in ("forumA","forum"):
    d=json.load(open(F+".json")); d["hold"]=[h or t in bad for h,t in zip(d["hold"],d["tp"])]; d["dev"]=[int(t.split("-")[1])%10==0 for t in d["tp"]]; json.dump(d,open(F+".json","w"))

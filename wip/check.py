"""usage: python3 check.py FILE.jsonl : prints what is wrong with each record, then totals."""
import json, sys
bad = n = p = q = 0
words = []
for number, line in enumerate(open(sys.argv[1], encoding="utf-8"), 1):
    if not line.strip():
        continue
    n += 1
    try:
        r = json.loads(line)
        assert set(r) == {"topic", "domain", "passages", "queries"}, "fields"
        ids = [x["id"] for x in r["passages"]]
        assert ids == ["p1", "p2", "p3", "p4"], "four passages p1..p4"
        for x in r["passages"]:
            w = len(x["text"].split()); words.append(w)
            assert 60 <= w <= 330, f"{x['id']} has {w} words (60 to 330)"
        assert 4 <= len(r["queries"]) <= 6, "4 to 6 queries"
        for x in r["queries"]:
            assert set(x) == {"text", "type", "rel"}, "query fields"
            assert x["rel"] and set(x["rel"]) <= set(ids) and set(x["rel"].values()) <= {1, 2, 3}, "rel"
            assert 1 <= sum(v == 3 for v in x["rel"].values()) <= 2, f"one or two passages of grade 3: {x['text']}"
        p += 4; q += len(r["queries"])
    except Exception as e:
        bad += 1; print("line", number, type(e).__name__, e)
print(f"{n} records, {p} passages, {q} queries, {bad} bad; passage words: mean {sum(words)/max(1,len(words)):.0f}, over 200: {sum(w>200 for w in words)}")

"""Every data file keeps its promises, and a learner's own documents are read."""

import json
import os
import re
from collections import Counter

import numpy as np
import pytest

from reranking import data

TYPES = {"question", "keyword", "howto", "paraphrase", "negation", "role", "number", "compare"}
IDS = [f"p{i}" for i in range(1, 11)]
USUAL = 10, 20, 95  # passages of a topic, and the fewest and most words of each
FORMS = {"long": (4, 60, 330), "contrasts": (4, 8, 60)}  # the same where a file differs
TRAINING = sorted(path.stem for path in (data.DATA / "training").glob("*.jsonl"))


def topics_of(split):
    return data.load_topics(split)


def test_sample_documents_are_the_ten_of_the_field(documents, query):
    assert len(documents) == 10 and query == "How is Python used in machine learning?"
    assert (
        documents[5] == "Python libraries like PyTorch and TensorFlow are used for deep learning."
    )


def test_the_split_has_the_promised_size(collection):
    assert len(topics_of("train")) == 329 and len(topics_of("dev")) == 20
    assert len(collection.passages) == 700 and len(collection.queries) == 1400
    assert len({info["topic"] for info in collection.query_info.values()}) == 70


@pytest.mark.parametrize("split", TRAINING)
def test_training_topics_are_well_formed(split):
    form = split.removesuffix("_dev")
    count, least, most = FORMS.get(form, USUAL)
    types = TYPES | {"claim", "title", "counterargument"} if form in FORMS else TYPES
    for topic in topics_of(split):
        name, ids = topic["topic"], IDS[:count]
        if "passages" in topic:
            assert [p["id"] for p in topic["passages"]] == ids, name
            assert all(least <= len(p["text"].split()) <= most for p in topic["passages"]), name
        assert len({q["text"] for q in topic["queries"]}) == len(topic["queries"]), name
        for query in topic["queries"]:
            assert query["type"] in types and query["text"].strip() == query["text"], name
            assert set(query["rel"]) <= set(ids) and set(query["rel"].values()) <= {1, 2, 3}, name
            assert 1 <= list(query["rel"].values()).count(3) <= 2, (name, query["text"])


def test_test_queries_are_judged_and_have_a_complete_answer(collection):
    assert set(collection.qrels) == set(collection.queries)
    for query_id, judged in collection.qrels.items():
        assert set(judged.values()) <= {1, 2, 3} and 3 in judged.values(), query_id
        topic = {passage_id.split("p")[0] for passage_id in judged}
        assert topic == {query_id.split("q")[0]}, "judged passages are of the query's topic"
        assert collection.query_info[query_id]["type"] in TYPES
    assert all(20 <= len(text.split()) <= 95 for text in collection.passages.values())
    assert not any("\ufffd" in text for text in collection.passages.values()), "broken encoding"


def everything(collection):
    """Returns {split: [passage texts]} over all splits."""
    texts = {"test": list(collection.passages.values())}
    for split in TRAINING:
        rows = [t for t in topics_of(split) if "passages" in t]
        if rows:
            texts[split] = [p["text"] for t in rows for p in t["passages"]]
    return texts


def test_no_passage_and_no_query_is_in_two_splits(collection):
    counts = Counter(text for texts in everything(collection).values() for text in texts)
    assert max(counts.values()) == 1
    trained = {q["text"] for split in TRAINING for q in queries_of(split)}
    assert not trained & set(collection.queries.values())


def queries_of(split):
    return [q for t in topics_of(split) for q in t["queries"]] if split in TRAINING else []


def test_no_passage_is_nearly_one_of_another_split(collection):
    """Two passages are near-duplicates if they share over half of their five-word sequences."""

    def shingles(text):
        words = re.findall(r"\w+", text.lower())
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    seen, texts = {}, everything(collection)
    for split, passages in texts.items():
        for number, text in enumerate(passages):
            own = shingles(text)
            shared = Counter(other for s in own for other in seen.get(s, ()))
            for (other_split, other), count in shared.items():
                if other_split != split:
                    size = min(len(own), len(shingles(texts[other_split][other])))
                    assert count <= size / 2, (split, number, other_split, other)
            for s in own:
                seen.setdefault(s, []).append((split, number))


def test_probes_have_a_query_a_right_and_a_wrong_passage():
    probes = json.loads((data.DATA / "probes.json").read_text(encoding="utf-8"))
    assert all(len(items) == 8 for items in probes.values())
    assert all(len({*probe}) == 3 for items in probes.values() for probe in items)


def write_collection(folder, qrels="query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\n"):
    (folder / "qrels").mkdir()
    corpus = [{"_id": "d1", "title": "A title", "text": "A text."}, {"_id": "d2", "text": "More."}]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)), encoding="utf-8")
    queries = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": "not judged"}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text(qrels, encoding="utf-8")


def test_any_folder_in_beir_layout_loads_in_one_call(tmp_path):
    write_collection(tmp_path)
    loaded = data.load_collection(tmp_path)
    assert loaded.passages == {"d1": "A title A text.", "d2": "More."}
    assert loaded.queries == {"q1": "one"} and loaded.qrels == {"q1": {"d1": 2}}


def test_a_judgement_of_an_unknown_passage_is_an_error(tmp_path):
    write_collection(tmp_path, "query-id\tcorpus-id\tscore\nq1\td9\t1\n")
    with pytest.raises(ValueError, match="d9"):
        data.load_collection(tmp_path)


def test_own_text_is_cut_at_empty_lines():
    assert data.read_passages("one\nline\r\n\r\n  two  \n\n\n") == ["one line", "two"]


def test_own_csv_takes_the_named_or_the_longest_column():
    content = b"id,short,long\n1,a,first passage here\n2,b,second passage here\n"
    assert data.read_passages(content, "x.csv")[0] == "first passage here"
    assert data.read_passages(content, "x.csv", "short") == ["a", "b"]


def test_own_json_lines_take_a_field_or_bare_strings():
    assert data.read_passages('{"text": "one"}\n"two"\n', "x.jsonl") == ["one", "two"]
    assert data.read_passages('{"body": "one"}', "x.jsonl", "body") == ["one"]


@pytest.mark.parametrize(
    ("content", "name", "column", "message"),
    [
        ("", "x.txt", None, "no passages"),
        ("  \n\n ", "x.txt", None, "no passages"),
        (b"\xff\xfe\x00", "x.txt", None, "UTF-16"),
        ("Käse".encode("latin-1"), "x.txt", None, "not text in UTF-8"),
        (b"PK\x03\x04\x00\x00", "x.txt", None, "not a text file"),
        ("", "x.csv", None, "no text in any column"),
        ('a,b\n1,"2\n', "x.csv", None, "not a CSV file that can be read"),
        ("text\nHello, world\n", "x.csv", None, "row 2 has 2 cells"),
        ("", "x.jsonl", None, "no text in any column"),
        ("[1, 2]", "x.jsonl", None, "object 1 is neither"),
        ('{"text": "a"}\n{"other": "b"}', "x.jsonl", None, "object 2 has no text in the field"),
        ("[" * 100_000, "x.jsonl", None, "line 1 is too large"),
        ("a,b\n1,2\n", "x.csv", "c", "no column 'c'"),
        ('{"text": ', "x.jsonl", None, "line 1 is not JSON"),
        ('{"text": 3}', "x.jsonl", None, "no text"),
    ],
)
def test_a_bad_file_gets_a_clear_error(content, name, column, message):
    with pytest.raises(ValueError, match=message):
        data.read_passages(content, name, column)


def test_own_csv_may_use_semicolons_and_quotes():
    content = 'id;body\r\n1;"one; with ""quotes"" and\na line break"\r\n2;two\r\n'
    assert data.read_passages(content, "x.csv") == ['one; with "quotes" and a line break', "two"]


def test_own_json_lines_are_cut_at_line_ends_only():
    assert data.read_passages('{"text": "one\u2028two"}\n', "x.jsonl") == ["one two"]


def fill(folder):
    (folder / "below" / ".hidden").mkdir(parents=True)
    (folder / "b.txt").write_text("one\n\ntwo")
    (folder / "below" / "c.csv").write_text("id,body\n1,three\n")
    (folder / "below" / ".hidden" / "d.txt").write_text("never")
    (folder / "a.md").write_bytes(b"\xff broken")
    (folder / "picture.png").write_bytes(b"\x89PNG")


def test_a_folder_is_read_with_a_line_for_each_bad_file(tmp_path):
    fill(tmp_path)
    passages, problems = data.read_folder(str(tmp_path))
    assert passages == ["one", "two", "three"] and problems == [
        "a.md is not text in UTF-8. Save it as UTF-8 first."
    ]
    assert data.read_folder(str(tmp_path / "b.txt")) == (["one", "two"], [])
    assert data.read_folder(str(tmp_path), stopped=lambda: True)[0] == []


@pytest.mark.parametrize("path", ["", "  ", "/no/such/folder", "~nobody-here/x", "a\0b"])
def test_a_folder_that_is_not_there_gets_a_clear_error(path):
    with pytest.raises(ValueError, match="Type the path|no folder|cannot be read|null"):
        data.read_folder(path)


def test_a_folder_without_text_or_permission_gets_a_clear_error(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match="holds no file in .txt"):
        data.read_folder(str(tmp_path))
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    me = os.geteuid()
    try:
        if me == 0:  # the superuser may read everything, so be somebody else
            os.chmod(tmp_path, 0o755)
            os.seteuid(65534)
        with pytest.raises(ValueError, match="no permission"):
            data.read_folder(str(locked))
    finally:
        os.seteuid(me)


def test_own_documents_are_limited():
    assert len(data.read_passages("\n\n".join(map(str, range(6000))))) == 5000


def test_data_card_states_the_counts(collection):
    card = (data.DATA / "README.md").read_text(encoding="utf-8")
    grades = Counter(g for judged in collection.qrels.values() for g in judged.values())
    counts = [(len(data.load_topics(split)), "topics") for split in ("train", "dev")]
    counts += [(70, "topics"), (len(collection.passages), "passages")]
    counts += [(len(collection.queries), "queries")]
    counts += [(number, f"(grades )?of {grade}") for grade, number in grades.items()]
    for number, noun in counts:
        assert re.search(rf"(?<![\d,]){number:,} {noun}\b", card), (number, noun)
    assert np.array(list(grades)).max() == 3

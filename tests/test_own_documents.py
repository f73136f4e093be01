"""A learner's own documents in the search labs, with the real controls and the real model."""

import time

import pytest

from reranking import labs_01, own_documents
from reranking.own_documents import FILE, FOLDER, JUDGED, TEN, TEXT

HTML = "<img src=x onerror=alert(1)>"


@pytest.fixture
def lab(retriever):
    return labs_01.SearchLab(retriever)


def upload(documents, name, content):
    """Fills the upload control as the page does."""
    file = {"name": name, "type": "", "size": len(content), "last_modified": 0}
    documents.file.set_state({"value": [file | {"content": memoryview(content)}]})


def press_load(documents):
    documents.start.click()
    documents.thread.join(60)
    assert not documents.thread.is_alive() and documents.stop.disabled
    return documents.message.value


def test_the_judged_collection_is_searched_at_once(lab):
    lab.documents.choice.value = JUDGED
    lab.query.value = "why are automatic reruns of failed tests dangerous"
    assert "Automatic retries" in lab.result.value and "700 passages" in lab.documents.message.value
    lab.documents.choice.value = TEN
    assert "Automatic retries" not in lab.result.value


def test_pasted_text_is_searched_and_never_rendered_as_html(lab):
    lab.documents.choice.value = TEXT
    lab.query.value = f"cats {HTML}"
    assert "Not possible" in press_load(lab.documents) and lab.documents.active == TEN
    lab.documents.text.value = f"Cats sleep all day. {HTML}\n\nDogs want to go out."
    assert "2 passages" in press_load(lab.documents)
    assert "Cats sleep" in lab.result.value and "<img" not in lab.result.value
    assert "<img" not in lab._repr_mimebundle_()["text/html"]


def test_the_column_of_an_uploaded_csv_is_chosen_from_a_list(lab):
    documents = lab.documents
    documents.choice.value = FILE
    assert "No file is chosen" in press_load(documents)
    upload(documents, "x.csv", b"id,body\n7,Cats sleep all day long.\n8,Dogs go out.\n")
    assert documents.column.options == ("body", "id") and documents.column.layout.display is None
    press_load(documents)
    assert "Cats sleep" in lab.result.value
    documents.column.value = "id"
    press_load(documents)
    assert "Cats sleep" not in lab.result.value and ">7<" in lab.result.value


def test_the_key_of_uploaded_json_lines_is_chosen_from_a_list(lab):
    lab.documents.choice.value = FILE
    upload(lab.documents, "x.jsonl", b'{"id": 1, "title": "Cats", "body": "They sleep all day."}')
    assert lab.documents.column.options == ("body", "title")
    press_load(lab.documents)
    assert "They sleep" in lab.result.value
    upload(lab.documents, "x.txt", b"One passage.")
    assert lab.documents.column.layout.display == "none"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"", "holds no passages"),
        ("x.txt", "K\u00e4se".encode("latin-1"), "not text in UTF-8"),
        ("x.txt", "text".encode("utf-16"), "UTF-16"),
        ("x.txt", b"\x7fELF\x00", "not a text file"),
        ("x.csv", b'a,b\n1,"2', "not a CSV file"),
        ("x.jsonl", b'{"text": ', "line 1 is not JSON"),
        ("x.jsonl", b'{"number": 3}', "no text in any column"),
        (f"{HTML}.txt", b"\x00", "not a text file"),
    ],
)
def test_a_bad_file_is_explained_and_the_former_documents_stay(lab, name, content, message):
    lab.documents.choice.value = FILE
    before = lab.result.value
    upload(lab.documents, name, content)
    said = press_load(lab.documents)
    assert "Not possible" in said and message in said and "<img" not in said
    assert "Still searching the ten documents" in said and lab.result.value == before
    upload(lab.documents, "x.txt", b"Cats sleep.")
    assert "Searching my own file" in press_load(lab.documents)


def test_a_folder_is_loaded_and_a_missing_one_is_explained(lab, tmp_path):
    lab.documents.choice.value = FOLDER
    lab.documents.folder.value = str(tmp_path / "missing")
    assert "There is no folder" in press_load(lab.documents)
    (tmp_path / "a.txt").write_text("Cats sleep all day.\n\nDogs go out.")
    (tmp_path / "b.txt").write_bytes(b"\xff")
    lab.documents.folder.value = str(tmp_path)
    said = press_load(lab.documents)
    assert "b.txt is not text in UTF-8" in said and "2 passages" in said
    assert "Cats sleep" in lab.result.value


def test_more_passages_than_the_limit_are_cut_with_a_message(lab, monkeypatch):
    monkeypatch.setattr(own_documents.data, "LIMIT", 3)
    lab.documents.choice.value = TEXT
    lab.documents.text.value = "\n\n".join(f"passage {i}" for i in range(5))
    said = press_load(lab.documents)
    assert "5 passages, more than 3" in said and "my own text: 3 passages" in said


def test_stop_ends_a_load_soon_and_keeps_the_former_documents(lab, collection):
    documents, before = lab.documents, lab.result.value
    documents.choice.value = TEXT
    documents.text.value = "\n\n".join([*collection.passages.values()] * 8)
    documents.start.click()
    while documents.bar.value == 0:
        time.sleep(0.01)
    assert documents.bar.max == 5000 and documents.choice.disabled
    start = time.perf_counter()
    lab.query.value = "while it loads, the lab still answers"
    assert "<table" in lab.result.value and lab.status.value == ""
    documents.stop.click()
    documents.thread.join(60)
    assert time.perf_counter() - start < 10  # below one second on a quiet machine
    assert "Stopped after" in documents.message.value and documents.active == TEN
    lab.query.value = "How is Python used in machine learning?"
    assert lab.result.value == before and documents.stop.disabled

"""The sample documents, the judged collection, and a learner's own documents."""

import csv
import io
import json
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).resolve().parents[2] / "data"


class Collection(NamedTuple):
    """Passages, queries and relevance judgements (qrels), each by its id."""

    passages: dict  # id -> text
    queries: dict  # id -> text
    qrels: dict  # query id -> {passage id: grade}, grades above 0 only
    query_info: dict  # query id -> metadata, such as {"type": "paraphrase", "topic": ...}


def load_documents():
    """Returns the ten sample documents (a list of texts) and the sample query."""
    sample = json.loads((DATA / "documents.json").read_text(encoding="utf-8"))
    return sample["documents"], sample["query"]


def load_collection(folder=DATA / "collection", split="test"):
    """Returns the Collection in a folder in BEIR layout, the course's own by default.

    A passage's text is its title, if it has one, followed by its text. Raises FileNotFoundError
    if a file is missing, ValueError if a judgement names a query or passage that is not there.
    """
    folder = Path(folder)
    passages, queries, info = {}, {}, {}
    for row in read_json_lines(folder / "corpus.jsonl"):
        passages[row["_id"]] = f"{row.get('title') or ''} {row['text']}".strip()
    for row in read_json_lines(folder / "queries.jsonl"):
        queries[row["_id"]] = row["text"]
        info[row["_id"]] = row.get("metadata") or {}
    qrels = {}
    with open(folder / "qrels" / f"{split}.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            query_id, passage_id, grade = row["query-id"], row["corpus-id"], int(row["score"])
            if query_id not in queries or passage_id not in passages:
                raise ValueError(f"{query_id} {passage_id}: judged, but not in the collection.")
            if grade > 0:
                qrels.setdefault(query_id, {})[passage_id] = grade
    judged = {query_id: text for query_id, text in queries.items() if query_id in qrels}
    return Collection(passages, judged, qrels, info)


def load_topics(split):
    """Returns the judged topics of "train" or "dev", as they were written: a list of dicts."""
    return list(read_json_lines(DATA / "training" / f"{split}.jsonl"))


def topics_as_collection(topics):
    """Returns judged topics as one Collection, so that they can be searched and measured."""
    passages, queries, qrels, info = {}, {}, {}, {}
    for number, topic in enumerate(topics, start=1):
        for passage in topic["passages"]:
            passages[f"t{number:03d}{passage['id']}"] = passage["text"]
        for position, query in enumerate(topic["queries"], start=1):
            query_id = f"t{number:03d}q{position:02d}"
            queries[query_id] = query["text"]
            qrels[query_id] = {f"t{number:03d}{p}": grade for p, grade in query["rel"].items()}
            info[query_id] = {"type": query["type"], "topic": topic["topic"]}
    return Collection(passages, queries, qrels, info)


def read_json_lines(path):
    """Yields the objects of a JSON Lines file; raises ValueError with the line that is wrong."""
    with open(path, encoding="utf-8") as file:
        yield from parse_json_lines(file, Path(path).name)


def parse_json_lines(lines, name):
    """Yields one object a line; raises ValueError with name and number of a line that is not."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{name}, line {number} is not JSON: {error.msg}.") from None


def read_passages(content, name="text", column=None, limit=5000):
    """Returns a learner's own passages as a list of texts, at most `limit` of them.

    `content` is text or bytes in UTF-8. The ending of `name` says what it holds: `.csv` (one
    passage a row, in `column`), `.jsonl` (one object a line, in `column`, "text" by default), else
    plain text with an empty line between two passages. Raises ValueError with what to do.
    """
    if isinstance(content, (bytes, bytearray, memoryview)):
        try:
            content = bytes(content).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{name} is not text in UTF-8. Save it as UTF-8 first.") from None
    if name.lower().endswith(".csv"):
        passages = from_csv(content, name, column)
    elif name.lower().endswith((".jsonl", ".ndjson")):
        passages = from_json_lines(content, name, column or "text")
    else:
        passages = content.replace("\r\n", "\n").split("\n\n")
    passages = [" ".join(passage.split()) for passage in passages]
    passages = [passage for passage in passages if passage][:limit]
    if not passages:
        raise ValueError(f"{name} holds no passages. Separate passages by an empty line.")
    return passages


def csv_columns(content):
    """Returns the names of the columns in the first line of a CSV text."""
    return next(csv.reader(io.StringIO(content)), [])


def from_csv(content, name, column):
    """Returns the passages in one column; without a name, the column with the longest texts."""
    try:
        rows = list(csv.DictReader(io.StringIO(content)))
    except csv.Error as error:
        raise ValueError(f"{name} is not a CSV file: {error}.") from None
    columns = csv_columns(content)
    if column is None and rows:
        column = max(columns, key=lambda c: sum(len(row.get(c) or "") for row in rows))
    if rows and column not in columns:
        raise ValueError(f"{name} has no column {column!r}. It has: {', '.join(columns)}.")
    return [row[column] or "" for row in rows]


def from_json_lines(content, name, field):
    """Returns the texts in one field of each object; a line may also be a bare string."""
    passages = []
    for number, row in enumerate(parse_json_lines(content.splitlines(), name), start=1):
        text = row if isinstance(row, str) else isinstance(row, dict) and row.get(field)
        if not isinstance(text, str):
            raise ValueError(f"{name}, object {number} has no text in the field {field!r}.")
        passages.append(text)
    return passages

"""The sample documents, the judged collection, and a learner's own documents."""

import csv
import io
import json
import os
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
    """Returns the judged topics of a file in data/training, such as "dev": a list of dicts."""
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
            except (ValueError, RecursionError):  # a number too long, brackets too deep
                raise ValueError(f"{name}, line {number} is too large to read.") from None


# A learner's own documents

LIMIT = 5000  # passages
MOST_BYTES = 50_000_000  # of one file
TABLES = (".csv", ".jsonl", ".ndjson")  # the files in which a passage is a row
ENDINGS = (".txt", ".md", *TABLES)


def read_passages(content, name="text", column=None, limit=LIMIT):
    """Returns a learner's own passages as a list of texts, at most `limit` of them (None: all).

    `content` is text or bytes in UTF-8. The ending of `name` says what it holds: `.csv` or
    `.jsonl` (one passage a row, in `column`, see `text_columns` for the default), else plain text
    with an empty line between two passages. Raises ValueError with what to do.
    """
    content = decode(content, name)
    if name.lower().endswith(TABLES):
        passages = read_column(read_rows(content, name), name, column)
    else:
        passages = content.replace("\r\n", "\n").split("\n\n")
    passages = [" ".join(passage.split()) for passage in passages]
    passages = [passage for passage in passages if passage][:limit]
    if not passages:
        raise ValueError(f"{name} holds no passages. Separate passages by an empty line.")
    return passages


def decode(content, name):
    """Returns bytes in UTF-8 as text; raises ValueError if they are something else."""
    if isinstance(content, str):
        return content
    content = bytes(content)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{name} is text in UTF-16. Save it as UTF-8 first.")
    if b"\0" in content:
        raise ValueError(f"{name} is not a text file. Choose plain text, CSV or JSON Lines.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not text in UTF-8. Save it as UTF-8 first.") from None


def read_rows(content, name):
    """Returns the rows of a CSV or JSON Lines text, each as {column: value}.

    A JSON line that is a bare string counts as {"text": string}. Raises ValueError.
    """
    if name.lower().endswith(".csv"):
        return csv_rows(content, name)
    rows = []
    for number, row in enumerate(parse_json_lines(content.split("\n"), name), start=1):
        if not isinstance(row, (str, dict)):
            raise ValueError(f"{name}, object {number} is neither an object nor a text.")
        rows.append({"text": row} if isinstance(row, str) else row)
    return rows


def csv_rows(content, name):
    """Returns the rows of a CSV text as dicts; commas, semicolons or tabs may separate cells."""
    separator = max(",;\t", key=content.partition("\n")[0].count)
    try:
        lines = list(csv.reader(io.StringIO(content), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ValueError(f"{name} is not a CSV file that can be read: {error}.") from None
    header = lines[0] if lines else []
    for number, cells in enumerate(lines, start=1):
        if any(cells[len(header) :]):
            raise ValueError(
                f"{name}, row {number} has {len(cells)} cells, but the first row has "
                f"{len(header)}. Put a text that holds a comma in double quotes."
            )
    return [dict(zip(header, cells, strict=False)) for cells in lines[1:] if cells]


def text_columns(rows):
    """Returns the columns that hold text: "text" first if it is one, then those with more text."""
    lengths = {}
    for row in rows:
        for column, value in row.items():
            if isinstance(value, str) and value.strip():
                lengths[column] = lengths.get(column, 0) + len(value)
    return sorted(lengths, key=lambda column: (column != "text", -lengths[column]))


def read_column(rows, name, column=None):
    """Returns the texts in one column of `rows`, the first of `text_columns` by default."""
    columns = text_columns(rows)
    if not columns:
        raise ValueError(f"{name} has no text in any column.")
    column = columns[0] if column is None else column
    if column not in columns:
        raise ValueError(f"{name} has no column {column!r}. It has: {', '.join(columns)}.")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get(column, "" if name.lower().endswith(".csv") else None), str):
            raise ValueError(f"{name}, object {number} has no text in the field {column!r}.")
    return [row.get(column, "") for row in rows]


def read_file(path):
    """Returns the passages of one file; raises ValueError if it cannot be read."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.name} is larger than {MOST_BYTES / 1e6:.0f} MB. Split it.")
        return read_passages(path.read_bytes(), path.name, limit=None)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}.") from None


def read_folder(path, limit=LIMIT, stopped=lambda: False):
    """Returns the passages of all files in a folder, and a line for each file that is no good.

    Files whose names end in ENDINGS are read, in alphabetical order, those in folders below too;
    hidden ones are not. It goes on until more than `limit` passages are found, or until `stopped`
    returns True. `path` may also name one file. Raises ValueError if nothing can be read.
    """
    if not path.strip():
        raise ValueError("Type the path of a folder first.")
    passages, problems = [], []
    try:
        place = Path(path.strip()).expanduser()
        if place.is_file():
            return read_file(place), []
        os.listdir(place)
    except FileNotFoundError:
        raise ValueError(f"There is no folder {path}.") from None
    except PermissionError:
        raise ValueError(f"You have no permission to read {path}.") from None
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from None
    for folder, below, names in os.walk(place):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if stopped() or len(passages) > limit:
                return passages, problems
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                try:
                    passages += read_file(Path(folder, name))
                except ValueError as error:
                    problems.append(str(error))
    if not passages:
        endings = ", ".join(ENDINGS)
        raise ValueError(problems[0] if problems else f"{path} holds no file in {endings}.")
    return passages, problems

"""A first stage that keeps its passages in a database on disk: LanceDB, inside this process.

`DatabaseRetriever` has the interface of `BiEncoderRetriever`, so a `TwoStageSearch` takes either.
What it adds: passages come and go one at a time, a search can be limited to a topic, and what was
written is still there after the process has died.
"""

import json
import threading
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

from .search import Hit, check_documents, check_query, check_top_k

DIMENSIONS = 384
TABLE = "passages"
SCHEMA = pa.schema(
    [
        ("key", pa.string()),  # the id as JSON, so that 7 and "7" stay apart
        ("text", pa.string()),
        ("topic", pa.string()),
        ("vector", pa.list_(pa.float32(), DIMENSIONS)),
    ]
)


class DatabaseRetriever:
    """First stage on a database: exact search by cosine, over the passages in a folder.

    A write is acknowledged when its method returns. From then on every search sees it, and it
    outlives the process. A write that was cut off before leaves nothing behind.
    """

    def __init__(self, folder, encoder=None, top_k=5):
        """Opens the database in `folder`, or begins an empty one.

        `encoder` has `encode(texts)`, such as a BiEncoderRetriever. Without it, vectors must be
        given to every call. Raises ValueError if something else lies in the folder.
        """
        self.top_k, self.encoder = check_top_k(top_k), encoder
        self.folder = Path(folder)
        if self.folder.is_file():
            raise ValueError(f"{folder} is a file. A database needs a folder of its own.")
        database = lancedb.connect(self.folder)
        self.table = database.create_table(TABLE, schema=SCHEMA, exist_ok=True)
        if not self.table.schema.equals(SCHEMA):
            raise ValueError(f"{folder} holds another kind of table. Choose another folder.")
        self.writing = threading.Lock()  # one write at a time; searches need not wait

    def __len__(self):
        return self.table.count_rows()

    def encode(self, texts):
        """Returns the embeddings of texts: (n, 384) float32, rows of length 1."""
        if self.encoder is None:
            raise RuntimeError("There is no encoder. Open the database with one, or pass vectors.")
        return self.encoder.encode(texts)

    def index_documents(self, documents, ids=None, topics=None, vectors=None):
        """Returns the retriever itself, with `documents` in place of what it held before.

        As in BiEncoderRetriever, `ids` are numbers from 0 unless given. `topics` has a text for
        each passage, to filter by. `vectors` is (n, 384), rows of length 1; without it the encoder
        makes them. Raises ValueError as `add` does, RuntimeError without vectors and encoder.
        """
        documents = check_documents(documents)
        ids = range(len(documents)) if ids is None else ids
        rows = self.rows(documents, ids, topics, vectors)
        with self.writing:
            self.table.add(rows, mode="overwrite")  # one new version: all or nothing
        return self

    def add(self, documents, ids, topics=None, vectors=None):
        """Adds passages, all or none; a passage whose id is there already is replaced.

        `topics` has a text for each, to filter by. Raises ValueError for ids that are not a text or
        a whole number, or not one for each passage; for empty passages; for wrong vectors.
        """
        rows = self.rows(documents, ids, topics, vectors)
        change = self.table.merge_insert("key")
        change = change.when_matched_update_all().when_not_matched_insert_all()
        with self.writing:
            change.execute(rows)

    def delete(self, ids):
        """Deletes the passages with these ids, all or none; returns how many were there."""
        keys = [quoted(as_key(doc_id)) for doc_id in as_list(ids)]
        if not keys:
            return 0
        with self.writing:
            return self.table.delete(f"key IN ({', '.join(keys)})").num_deleted_rows

    def tidy(self):
        """Joins the small files of many writes into larger ones. Searches become faster again."""
        with self.writing:
            self.table.optimize()

    def retrieve(self, query, top_k=None, topic=None):
        """Returns the `top_k` passages nearest to the query as a list of Hit, best first.

        With `topic`, only passages of this topic are looked at. Raises ValueError for an empty
        query or a `top_k` below 1, RuntimeError when the database holds nothing.
        """
        return self.retrieve_many([query], top_k, topic)[0]

    def retrieve_many(self, queries, top_k=None, topic=None):
        """Returns a list of Hit for each query, with one encoding for all."""
        queries = [check_query(query) for query in queries]
        top_k = self.top_k if top_k is None else check_top_k(top_k)
        if not len(self):
            raise RuntimeError("The database is empty. Call index_documents or add first.")
        return [self.nearest(vector, top_k, topic) for vector in self.encode(queries)]

    def nearest(self, vector, top_k, topic=None):
        """Returns the `top_k` passages nearest to a vector (384 numbers) as a list of Hit."""
        search = self.table.search(np.asarray(vector, np.float32)).distance_type("dot")
        if topic is not None:
            search = search.where(f"topic = {quoted(topic)}", prefilter=True)
        found = search.limit(top_k).select(["key", "text", "_distance"]).to_arrow().to_pylist()
        return [Hit(json.loads(r["key"]), 1 - r["_distance"], r["text"]) for r in found]

    def ids(self):
        """Returns the ids of all passages, as a set."""
        keys = self.table.search().select(["key"]).to_arrow()["key"].to_pylist()
        return {json.loads(key) for key in keys}

    def rows(self, documents, ids, topics, vectors):
        """Returns what is to be written as an Arrow table; raises ValueError if it does not fit."""
        documents, ids = check_documents(documents), as_list(ids)
        topics = [""] * len(documents) if topics is None else as_list(topics)
        for name, values in (("ids", ids), ("topics", topics)):
            if len(values) != len(documents):
                raise ValueError(f"There are {len(documents)} documents but {len(values)} {name}.")
        keys = [as_key(doc_id) for doc_id in ids]
        if len(set(keys)) < len(keys):
            twice = next(doc_id for doc_id in ids if ids.count(doc_id) > 1)
            raise ValueError(f"The id {twice!r} stands in the list twice. Ids must differ.")
        for topic in topics:
            quoted(topic)
        vectors = np.asarray(self.encode(documents) if vectors is None else vectors, np.float32)
        if vectors.shape != (len(documents), DIMENSIONS) or not np.isfinite(vectors).all():
            wanted = f"{len(documents)} rows of {DIMENSIONS} finite numbers"
            raise ValueError(f"The vectors must be {wanted}, not {vectors.shape}.")
        if np.abs(np.linalg.norm(vectors, axis=1) - 1).max() > 0.01:
            raise ValueError("The vectors must have length 1. Divide each by its length.")
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
        return pa.table([keys, documents, topics, column], schema=SCHEMA)


def as_list(values):
    """Returns the values as a list; a single text would be taken apart, so it is refused."""
    if isinstance(values, (str, bytes)):
        raise ValueError(f"A list is needed, not a single text. Write [{values!r}].")
    return list(values)


def as_key(doc_id):
    """Returns an id as it is stored; raises ValueError unless it is a text or a whole number."""
    if isinstance(doc_id, np.integer):
        doc_id = int(doc_id)
    if isinstance(doc_id, bool) or not isinstance(doc_id, (str, int)) or doc_id == "":
        raise ValueError(f"An id must be text or a whole number, not {doc_id!r}.")
    return json.dumps(doc_id)


def quoted(text):
    """Returns a text as the database's filters write it, so that no text can act as a command."""
    if not isinstance(text, str):
        raise ValueError(f"A topic must be text (str), not {type(text).__name__}.")
    return "'" + text.replace("'", "''") + "'"

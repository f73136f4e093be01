"""Three vector databases that run inside a Python process, behind one interface, to compare them.

Each class opens or creates a collection in a folder and has `add`, `delete`, `search`, `read` and
`settle` (whatever the engine advises to do after many writes). `index` builds an approximate index
or returns False where the engine has none. Only the engine that the course chose stands in
requirements.txt: install the others yourself to measure them again (`PACKAGES`).
"""

import importlib

DIMENSIONS = 384
PACKAGES = {
    "LanceDB": ["lancedb"],
    "Qdrant, local mode": ["qdrant-client"],
    "Milvus Lite": ["pymilvus", "milvus-lite"],
}


class Lance:
    """LanceDB: columns in files that are never changed; each write adds a new version."""

    def __init__(self, folder):
        arrow = importlib.import_module("pyarrow")
        self.arrow, self.lance = arrow, importlib.import_module("lancedb")
        vector = arrow.list_(arrow.float32(), DIMENSIONS)
        text = arrow.string()
        self.schema = arrow.schema(
            [("number", arrow.int64()), ("text", text), ("topic", text), ("vector", vector)]
        )
        database = self.lance.connect(folder)
        self.table = database.create_table("passages", schema=self.schema, exist_ok=True)

    def add(self, numbers, texts, topics, vectors):
        flat = self.arrow.array(vectors.ravel(), self.arrow.float32())
        column = self.arrow.FixedSizeListArray.from_arrays(flat, DIMENSIONS)
        self.table.add(self.arrow.table([numbers, texts, topics, column], schema=self.schema))

    def delete(self, numbers):
        self.table.delete(f"number IN ({', '.join(map(str, numbers))})")

    def search(self, vector, top_k, topic=None):
        query = self.table.search(vector).distance_type("dot").limit(top_k)
        if topic:
            query = query.where(f"topic = '{topic}'", prefilter=True)
        rows = query.select(["number", "text", "_distance"]).to_arrow().to_pydict()
        return list(zip(rows["number"], rows["text"], strict=True))

    def read(self):
        rows = self.table.to_arrow()
        vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, DIMENSIONS)
        numbers, texts = rows["number"].to_pylist(), rows["text"].to_pylist()
        return {n: (t, v) for n, t, v in zip(numbers, texts, vectors, strict=True)}

    def settle(self):
        self.table.optimize()

    def index(self):
        config = importlib.import_module("lancedb.index").HnswSq(distance_type="dot")
        self.table.create_index("vector", config=config)
        return True


class Qdrant:
    """Qdrant's local mode: arrays in memory, and a copy of each point in a SQLite file."""

    def __init__(self, folder):
        client = importlib.import_module("qdrant_client")
        self.models = models = client.models
        self.client = client.QdrantClient(path=folder)
        if not self.client.collection_exists("passages"):
            space = models.VectorParams(size=DIMENSIONS, distance=models.Distance.DOT)
            self.client.create_collection("passages", vectors_config=space)

    def add(self, numbers, texts, topics, vectors):
        point = self.models.PointStruct
        rows = zip(numbers, texts, topics, vectors.tolist(), strict=True)
        points = [point(id=n, payload={"text": t, "topic": o}, vector=v) for n, t, o, v in rows]
        self.client.upsert("passages", points)

    def delete(self, numbers):
        self.client.delete("passages", points_selector=list(numbers))

    def search(self, vector, top_k, topic=None):
        condition = None
        if topic:
            match = self.models.MatchValue(value=topic)
            only = self.models.FieldCondition(key="topic", match=match)
            condition = self.models.Filter(must=[only])
        found = self.client.query_points(
            "passages", query=vector, limit=top_k, query_filter=condition
        )
        return [(point.id, point.payload["text"]) for point in found.points]

    def read(self):
        points, _ = self.client.scroll("passages", limit=1_000_000, with_vectors=True)
        return {p.id: (p.payload["text"], p.vector) for p in points}

    def settle(self):
        pass  # nothing to do: the arrays in memory are always up to date

    def index(self):
        return False


class Milvus:
    """Milvus Lite: a log, tables in memory, and Parquet files once they are full or flushed."""

    def __init__(self, folder):
        milvus = importlib.import_module("pymilvus")
        kind = milvus.DataType
        self.client = milvus.MilvusClient(f"{folder}/milvus.db")
        if not self.client.has_collection("passages"):
            schema = self.client.create_schema(auto_id=False)
            schema.add_field("number", kind.INT64, is_primary=True)
            schema.add_field("text", kind.VARCHAR, max_length=60_000)
            schema.add_field("topic", kind.VARCHAR, max_length=100)
            schema.add_field("vector", kind.FLOAT_VECTOR, dim=DIMENSIONS)
            exact = self.parameters("FLAT")
            self.client.create_collection("passages", schema=schema, index_params=exact)
        self.client.load_collection("passages")

    def parameters(self, name, **options):
        wanted = self.client.prepare_index_params()
        wanted.add_index("vector", index_type=name, metric_type="IP", params=options)
        return wanted

    def add(self, numbers, texts, topics, vectors):
        columns = ("number", "text", "topic", "vector")
        rows = zip(numbers, texts, topics, vectors.tolist(), strict=True)
        self.client.insert("passages", [dict(zip(columns, row, strict=True)) for row in rows])

    def delete(self, numbers):
        self.client.delete("passages", ids=list(numbers))

    def search(self, vector, top_k, topic=None):
        condition = f"topic == '{topic}'" if topic else ""
        found = self.client.search(
            "passages", data=[vector], limit=top_k, filter=condition, output_fields=["text"]
        )[0]
        return [(hit["number"], hit["entity"]["text"]) for hit in found]

    def read(self):
        rows = self.client.query("passages", filter="", limit=16_000, output_fields=["*"])
        return {row["number"]: (row["text"], row["vector"]) for row in rows}

    def settle(self):
        self.client.flush("passages")

    def index(self):
        self.client.release_collection("passages")
        self.client.drop_index("passages", "vector")
        graph = self.parameters("HNSW", M=20, efConstruction=300)
        self.client.create_index("passages", graph)
        self.client.load_collection("passages")
        return True


ENGINES = dict(zip(PACKAGES, (Lance, Qdrant, Milvus), strict=True))

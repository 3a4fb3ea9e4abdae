"""Configurations: what the paper's lists, and how a wrong one is refused."""

import itertools
import os
import re
import time

import pytest


def dry_run(run, *arguments):
    done = run("--dry-run", *arguments)
    return done.returncode, done.stdout + done.stderr


def test_paper_lists_exactly_72_gpu_jobs_in_seconds(fresh):
    started = time.monotonic()
    code, text = dry_run(fresh, "--configfile", "config/paper.yaml")
    seconds = time.monotonic() - started
    assert code == 0, text
    jobs = re.split(r"\n(?=(?:local)?rule \w+:)", text)
    train = [job for job in jobs if job.startswith("rule train:")]
    found = {
        re.search(r"wildcards: dataset=dream, dim=(\d+), heads=(\d+), blocks=(\d+), head=(\w+)", job).groups()
        for job in train
    }
    widths = [("64", "2"), ("128", "4"), ("256", "8")]
    heads = ("AP", "1", "8", "16", "32", "64")
    assert found == {(*w, b, h) for w, b, h in itertools.product(widths, "1248", heads)}
    assert len(train) == 72
    assert all("gpu=1" in job for job in train)
    assert seconds < 10 * max(1, os.getloadavg()[0] / 2)  # on a machine that is not busy otherwise


@pytest.fixture
def overlay(fresh, tmp_path):
    """Dry-run with further keys on top of one of the configurations: (exit code, output)."""

    def run(text, *before):
        (tmp_path / "overlay.yaml").write_text(text)
        return dry_run(fresh, "--configfile", *before, str(tmp_path / "overlay.yaml"), "--quiet", "rules")

    return run


def test_paper_grows_by_72_jobs_per_seed(overlay):
    code, text = overlay("seeds: [1, 2, 3]", "config/paper.yaml")
    assert code == 0, text
    assert re.search(r"^train +216$", text, re.MULTILINE)


def test_demo_asks_for_no_gpu(fresh):
    code, text = dry_run(fresh)
    assert code == 0, text
    assert "gpu=1" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("result: x", "'result' was unexpected"),
        ("grids: {dream: {width: [64/2]}}", "'width' was unexpected"),
        ("grids: {dream: {widths: [64/0]}}", "'64/0' does not match"),
        ("grids: {dream: {expression_heads: [AP, CLS]}}", "'CLS' is not valid"),
        ("grids: {dream: {expression_heads: [0]}}", "0 is not valid"),
        ("grids: {dream: {blocks: [1.5]}}", "1.5 is not of type 'integer'"),
        ("grids: {moon: {widths: [8/1], blocks: [1], expression_heads: [AP]}}", "'moon' is no data set"),
        ("grids: {dream: {training: {epoch: 3}}}", "'epoch' was unexpected"),
        ("grids: {dream: {model: {kmers: 3}}}", "'kmers' was unexpected"),
        ("datasets: {dream: {train: dream-trian}}", "'dream-trian': neither a name in the catalogue"),
        ("datasets: {dream: {flanks: [ACGX, A]}}", "'ACGX' does not match"),
        ("device: tpu", "'tpu' is not one of"),
    ],
)
def test_wrong_configurations_are_refused_by_name(overlay, change, message):
    code, text = overlay(change)
    assert code != 0
    assert message in text
    assert "Traceback" not in text


def test_schema_knows_the_keys_of_model_and_training(root):
    """The schema refuses a typo before anything runs; here it is held to what the library takes."""
    from dataclasses import fields

    import yaml

    from proformer.models.proformer import Config
    from proformer.training.config import Training

    schema = yaml.safe_load((root / "workflow/schemas/config.schema.yaml").read_text())["$defs"]
    point = {"length", "dim", "heads", "blocks", "head", "expression_heads"}
    assert schema["model"]["properties"].keys() == {field.name for field in fields(Config)} - point
    assert schema["training"]["properties"].keys() == {field.name for field in fields(Training)} - {"seed"}


def test_lint_is_clean(fresh):
    done = fresh("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif("PROFORMER_MIRROR" not in os.environ, reason="PROFORMER_MIRROR names no folder with public files")
def test_sample_data_are_read_from_a_mirror_and_counted(root, tmp_path):
    import pandas as pd
    from checkouts import checkout, snakemake_in

    folder = checkout(root, tmp_path)
    done = snakemake_in(folder)(
        "--configfile", "config/sample.yaml", "--config", f"mirror={os.environ['PROFORMER_MIRROR']}",
        "--", "results/sample/tables/dream/filtered.tsv", "results/sample/tables/dream/split/seed~1.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = pd.read_csv(folder / "results/sample/tables/dream/filtered.tsv", sep="\t").set_index("what")["count"]
    assert counts[["rows", "too_long", "kept", "with_n"]].tolist() == [6370, 3, 6367, 25]
    provenance = pd.read_csv(
        folder / "results/sample/tables/provenance/dream-train-sample/demo_train.txt.tsv", sep="\t"
    ).iloc[0]
    assert provenance["obtained_from"] == "mirror"
    assert provenance["expected"] == provenance["found"]

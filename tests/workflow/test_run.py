"""One tiny run of the whole workflow: what it makes, what makes it run again, and what survives a kill."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from checkouts import TINY, checkout, snakemake_in
from chromium import walk_report

GRID = TINY["runs"]["grid"]["vary"]
TABLES = ("grid/grid", "grid/epochs", "grid/tests", "grid/means", "grid/spread", "private/scores", "private/ranks")
FIGURES = {
    "fig2b_run",
    "fig3a_run",
    "fig3b_chromosome_run",
    "fragments_run",
    "profile_run",
    "windows_run",
    "fig4a_dream_run",
    "fig4b_dream_private_run",
    "fig4subsets_dream_private_run",
    "fig4subsets_published",
    "fig4disparity_published",
    "fig5_complex",
}
FIGURES |= {
    f"fig4{name}_dream_run" for name in ("ranks", "disparity", "ensembles", "correlations", "changes", "leading")
}
SCORED = ("final-AP", "final-1", "final-8", "final-8+GLU", "second-measurement")
FIGURES |= {f"fig4density_dream_{name}_run" for name in SCORED}
DATA = ("atac", "atacchromosome", "complex", "dream")
FIGURES |= {f"prix_fixe_prixfixe_dream{what}" for what in ("", "_spearman", "_gain", "_blocks", "_best", "_curves")}
LEARNT = ("attribution", "logos", "motifs", "filters", "importance", "design")
FIGURES |= {f"explain_complex_{name}" for name in LEARNT} | {
    f"explain_dream_{name}" for name in ("coverage", "effects")
}
FIGURES |= {"axes_dream_final", "axes_dream_ablation", "benchmark_drosophila", "benchmark_drosophila_parameters"}
FIGURES |= {f"gopher_{name}_coverage" for name in ("2a", "3a", "3b", "4a", "4b", "5a", "5b", "5c", "ED3")}
FIGURES |= {f"gopher_{name}_coverage_published" for name in ("2c", "4b", "5b", "ED1a")}
FIGURES |= {f"gopher_{name}_coverage_{run}" for name in ("2b", "2c", "2e", "ED2") for run in ("basenji", "bpnet")}
FIGURES |= {"gopher_2d_coverage_basenji", "gopher_5_coverage_elements"}
FIGURES |= {f"{name}_{data}" for name in ("learning", "models") for data in DATA}
FIGURES |= {
    f"fig{name}_{source}" for name in ("1", "2a", "2c", "2d", "2e", "2f", "2g", "3b") for source in ("published", "run")
}


def table(folder, name):
    return pd.read_csv(folder / "results/tables/dream" / f"{name}.tsv", sep="\t", dtype={"head": str})


def test_every_point_is_trained_and_tabulated(finished):
    grid = table(finished[0], "grid/grid")
    points = set(itertools.product((4, 6), GRID["blocks"], map(str, GRID["head"])))
    assert set(grid[["dim", "blocks", "head"]].itertuples(index=False, name=None)) == points
    assert len(grid) == len(points)
    assert grid["r"].between(-1, 1).all()
    assert (grid["n_train"] + grid["n_validation"] <= 300).all()
    tokens = grid[grid["head"] != "AP"]
    assert (tokens["distinct_tokens"] <= tokens["head"].astype(int)).all()
    assert len(table(finished[0], "grid/epochs")) == 2 * len(points)


def test_simulated_data_have_a_ceiling_beside_every_r_and_judge_no_claim(finished):
    folder = finished[0] / "results/tables"
    names = ["dream/grid/grid", "dream/grid/epochs", "dream/private/scores", "atac/atac/grid", "dream/final/epochs"]
    for name in [*names, "comparison"]:
        found = pd.read_csv(folder / f"{name}.tsv", sep="\t")
        # Perfect models of tracks and enhancers stand in tables of their own.
        ceiling = found.loc[found["dataset"].isin(DATA) if "dataset" in found else slice(None), "ceiling"]
        assert ceiling.notna().all(), name
        several = found.loc[ceiling.index, "n"] > 3 if "n" in found else slice(None)  # three rows may go any way
        assert ceiling[several].between(0, 1).all(), name
        assert ceiling.between(-1, 1).all(), name
        assert ceiling.median() > 0.8, name
    scores = pd.read_csv(folder / "evaluations/native/scores.tsv", sep="\t")
    assert scores["pearson_ceiling"].notna().tolist() == scores["source"].isin(["run", "proformer"]).tolist()
    for name in ("dream/grid/report_card", "atac/atac/report_card", "dream/report_card_scores"):
        card = pd.read_csv(folder / f"{name}.tsv", sep="\t")
        assert card["verdict"].str.startswith("as simulated: ").all(), name
    assert "ceiling" not in pd.read_csv(folder / "published/dream/grid.tsv", sep="\t")


def test_every_figure_is_there_four_times_with_its_caption(finished):
    folder = finished[0] / "results/figures"
    assert {path.stem for path in folder.iterdir()} == FIGURES
    for figure, suffix in itertools.product(FIGURES, (".pdf", ".svg", ".png", ".tsv", ".rst")):
        assert (folder / f"{figure}{suffix}").stat().st_size > (50 if suffix in (".tsv", ".rst") else 1000)


def test_every_page_has_the_caption_of_its_table(finished):
    folder = finished[0] / "results/pages"
    pages = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.html")}
    captions = {path.relative_to(folder).with_suffix(""): path.read_text() for path in folder.rglob("*.rst")}
    assert captions.keys() == pages
    assert len(set(captions.values())) == len(pages) > 40
    assert "how many of its bases are known" in captions[Path("atac/genome")]
    assert "DREAM score" in captions[Path("dream/private/scores")]
    assert "evaluation set" in captions[Path("evaluations/scores")]


def test_every_rule_leaves_a_log_and_a_benchmark(finished):
    results = finished[0] / "results"
    assert len(list((results / "logs/train").rglob("*~*.log"))) == 16 + 4 + 7 + 3 + 4 + 8 + 8 + 4
    jobs = {"atac", "atacchromosome", "complex", "coverage", "dream", "starrseq"}
    for found in (results / "logs/train").glob("*.log"), (results / "benchmarks/train").glob("*.tsv"):
        assert {path.name.split("_")[1] for path in found} == jobs
    for step in ("align", "fragments", "peaks", "signal", "windows"):
        assert list((results / "logs/atac").rglob(f"{step}*")), step
        assert list((results / "benchmarks/atac").rglob(f"{step}*")), step
    assert not list((results / "checkpoints").rglob("*.pt"))


def test_every_log_begins_with_where_the_job_ran_and_what_it_was_asked(finished):
    logs = [path for path in (finished[0] / "results/logs").rglob("*") if path.is_file()]
    assert len(logs) > 80
    for path in logs:
        machine, versions, asked, *_ = [*path.read_text(errors="replace").splitlines(), "", "", ""]
        assert re.match(r"host \S+ · GPU .* CPUs", machine), path
        assert versions.startswith("proformer "), path
        assert asked.startswith("arguments {"), path
    train = next((finished[0] / "results/logs/train").rglob("run~grid_*.log")).read_text()
    assert re.search(r"^model {.*'dim': .* parameters$", train, re.MULTILINE)  # resolved: defaults, too
    assert re.search(r"^training {.*'betas': ", train, re.MULTILINE)


def test_status_knows_every_training(finished, proformer):
    done = proformer("status", "--results", finished[0] / "results", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["total"]["counts"]["done"] == len(found["points"]) == 16 + 4 + 7 + 3 + 4 + 8 + 8 + 4
    assert all(point["sequences_per_second"] > 0 for point in found["points"])
    unknown = {point["dataset"] for point in found["points"] if point["best_r"] is None}
    assert unknown <= {"coverage_labels"}  # one epoch of labels may leave predictions constant
    assert all(-1 <= point["best_r"] <= 1 for point in found["points"] if point["best_r"] is not None)


def test_the_report_opens_with_all_its_parts(finished):
    seen = walk_report(finished[0] / "results/report.html")
    for category in ("Figure 1", "Figure 2", "Figure 3", "Report card", "Tables"):
        assert any(name.startswith(category) for name in seen), category
    figures = {Path(name).stem for name in seen if name.endswith(".png")}
    assert figures == FIGURES
    assert any(name.endswith("report_card.html") for name in seen)
    assert any(name.endswith("multiqc.html") for name in seen)
    assert any(name.endswith("patterns.html") for name in seen)
    assert any(name.endswith("versions.html") for name in seen)


def test_progress_counts_names_and_estimates(finished):
    text = (finished[0] / "progress.txt").read_text()
    assert re.search(r"\[\d+/\d+\] train_pack_dream_seed1_\d · \d+ s", text)
    assert re.search(r"about \d+ (s|min) left", text)
    assert "Report: results/report.html" in text


def test_a_second_run_does_nothing_and_says_so(finished):
    done = finished[1]("--configfile", "tiny.yaml")
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout + done.stderr


def jobs(run, *arguments):
    """Names of the rules that a dry run would execute."""
    done = run("--dry-run", *(() if "--configfile" in arguments else ("--configfile", "tiny.yaml")), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE)
    return {re.sub("^(train|predict)_.*", r"\1", name) for name in found}


@pytest.mark.parametrize(
    ("file", "some", "none"),
    [
        (
            "src/proformer/figures/grid.py",
            {"figures_2", "figures_4_dream"},
            {"train", "collect", "prepare", "test_grid"},
        ),
        ("src/proformer/evaluation/statistics.py", {"test_grid"}, {"train", "collect", "prepare"}),
        ("src/proformer/training/loop.py", {"train", "collect"}, {"prepare", "split", "atac_windows"}),
        ("src/proformer/atac/windows.py", {"atac_windows", "split", "train"}, {"atac_align", "atac_peaks", "prepare"}),
        ("src/proformer/atac/quality.py", {"atac_quality", "figures_3"}, {"atac_windows", "train"}),
        ("src/proformer/simulate/model.py", {"simulate", "prepare", "train"}, {"fetch"}),
    ],
)
def test_what_an_edit_runs_again(finished, file, some, none):
    folder, run = finished
    path = folder / file
    before = path.read_bytes()
    times = path.stat()
    try:
        path.write_bytes(before + b"\n# edited\n")
        found = jobs(run)
        assert some <= found
        assert not none & found
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "some", "none"),
    [
        ("datasets: {dream: {part: public}}", {"score"}, {"train", "predict", "prepare", "split"}),
        ("datasets: {dream: {test: null}}", set(), {"train", "prepare", "split"}),
        ("evaluations: {native: {title: other}}", {"peers"}, {"train", "predict", "measured"}),
        ("evaluations: {drift: null}", {"compare"}, {"train", "split"}),
        ("score_samples: 500", {"score", "peers"}, {"train", "predict", "collect"}),
        ("runs: {grid: {predict: {blocks: 1}}}", {"predict", "score"}, {"train", "collect"}),
        ("runs: {legnet: null}", {"compare"}, {"prepare", "split"}),
        ("near: null", {"pages"}, {"train", "peers"}),
        ("datasets: {dream: {fractions: {train: 0.7}}}", {"split", "train"}, {"prepare"}),
        ("datasets: {dream: {length: 79}}", {"prepare", "split", "train"}, {"simulate"}),
        ("runs: {legnet: {training: {epochs: 2}}}", {"train"}, {"prepare", "split", "score"}),
    ],
)
def test_what_a_setting_runs_again(finished, tmp_path, change, some, none):
    (tmp_path / "change.yaml").write_text(change)
    found = jobs(finished[1], "--configfile", "tiny.yaml", str(tmp_path / "change.yaml"))
    assert some <= found
    assert not none & found


BROKEN = """
import torch

_build = build


def build(config):
    if torch.empty(0).device.type == "cpu":  # and not while it is only checked
        raise RuntimeError("broken on purpose")
    return _build(config)
"""


def test_a_run_that_fails_keeps_what_was_trained(finished, tmp_path):
    """Snakemake removes what a job has declared before it starts; a trained model is not."""
    folder = shutil.copytree(finished[0], tmp_path / "broken", symlinks=True)
    run, code = snakemake_in(folder), folder / "src/proformer/models/legnet.py"
    models = {path: path.read_bytes() for path in (folder / "results/models").rglob("model.safetensors")}
    before, times = code.read_text(), code.stat()
    code.write_text(before + BROKEN)
    done = run("--configfile", "tiny.yaml", "--", "results/tables/comparison.tsv")
    assert done.returncode != 0
    assert re.search(r"^proformer train-pack: error: .*run~legnet\S*: .*broken on purpose", done.stderr, re.MULTILINE)
    assert "Report:" not in done.stderr
    assert {path: path.read_bytes() for path in models} == models
    code.write_text(before)
    os.utime(code, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = run("--configfile", "tiny.yaml", "--", "results/tables/comparison.tsv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path: path.read_bytes() for path in models} == models


def test_a_changed_setting_trains_again_and_a_new_point_trains_alone(finished):
    run = finished[1]
    (finished[0] / "seeds.yaml").write_text("seeds: [1, 2]\n")
    more = run("--configfile", "tiny.yaml", "seeds.yaml", "--dry-run")
    assert more.returncode == 0, more.stderr
    trained = re.findall(r"^rule train_pack_(\w+?)_\d+:", more.stdout + more.stderr, re.MULTILINE)
    coverage = ("coverage", "coverage_peaks", "coverage_labels")
    assert {*trained} == {f"{dataset}_seed2" for dataset in (*DATA, *coverage, "starrseq")}
    assert "train" not in jobs(run, "--config", "results=results")


def test_killed_in_the_middle_it_ends_with_the_same_tables(finished, root, tmp_path):
    """kill -9 of Snakemake and all its jobs once some models are trained; unlock; the same command again."""
    folder = checkout(root, tmp_path)
    run = snakemake_in(folder)
    environment = os.environ | {"PYTHONPATH": str(folder / "src")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "tiny.yaml"],
        cwd=folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list(folder.glob("results/checkpoints/**/*.finished/model.json"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "results/report.html").exists()
    assert run("--configfile", "tiny.yaml", "--unlock").returncode == 0
    done = run("--configfile", "tiny.yaml", "--rerun-incomplete")
    assert done.returncode == 0, done.stdout + done.stderr
    for name in TABLES:
        ours, theirs = (f / "results/tables/dream" / f"{name}.tsv" for f in (folder, finished[0]))
        assert ours.read_bytes() == theirs.read_bytes(), name
    shutil.rmtree(folder)


def test_points_that_each_have_a_job_end_with_the_same_tables(root, finished, tmp_path):
    folder = checkout(root, tmp_path)
    (folder / "single.yaml").write_text("points_per_job: 1\n")
    targets = [f"results/tables/dream/grid/{name}.tsv" for name in ("grid", "epochs")]
    done = snakemake_in(folder)("--configfile", "tiny.yaml", "single.yaml", "--", *targets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list((folder / "results/benchmarks/train").rglob("*.tsv"))) == 16
    for target in targets:
        assert (folder / target).read_bytes() == (finished[0] / target).read_bytes()

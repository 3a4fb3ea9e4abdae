"""Behind the rules: what each configuration shows, which files its jobs depend on, and what they ask for."""

import ast
import inspect
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from proformer.cli import main
from proformer.errors import InputError
from proformer.figures.draw import _function
from proformer.planning.configuration import read_configuration
from proformer.points import training_jobs
from proformer.workflow import commands, finals, shown
from proformer.workflow.code import SHARED, library, model_code
from proformer.workflow.failures import failures
from proformer.workflow.results import Results

CONFIGURATIONS = ("demo", "sample", "paper")


@pytest.fixture(params=CONFIGURATIONS)
def results(request, root):
    return made(root, request.param)


def made(root, name, **keys):
    files = [] if name == "demo" else [root / f"config/{name}.yaml"]
    config, _ = read_configuration(files, root)
    return Results(config | keys, root)


def test_every_figure_and_table_has_a_caption_of_its_own(results):
    figures, tables = shown.figures(results), shown.tables(results)
    captions = [figure.caption for figure in figures] + list(tables.values())
    assert [caption for caption, count in Counter(captions).items() if count > 1] == []
    assert all(len(caption) > 40 and "{" not in caption for caption in captions)
    assert len({figure.name for figure in figures}) == len(figures)
    assert len({figure.label for figure in figures}) == len(figures)
    for name, caption in tables.items():
        dataset = name.split("/")[0]
        assert dataset in caption or dataset not in results.datasets or name.startswith("atac/"), name


def test_variants_and_records_are_there_or_switched_off(root):
    config, _ = read_configuration([root / "config/sample.yaml"], root)
    runs = {"dnase-basenji": config["runs"]["dnase-basenji"]}
    own = {"runs": runs, "explain": None, "benchmarks": None, "evaluations": None}
    own["profiles"] = {"dnase": config["profiles"]["dnase"]}
    results = Results(config | own, root)
    assert {"gopher_5a_dnase", "gopher_5b_dnase", "gopher_5c_dnase"} <= {each.name for each in shown.figures(results)}
    assert len(results.tfrecords["dnase"]) == 3 + 10
    assert commands.variant_options(results, "dnase").count("cagi5-") == 15 + 2
    own["profiles"] = {"dnase": own["profiles"]["dnase"] | {"variants": None}}
    without = Results(config | own, root)
    assert not [each.name for each in shown.figures(without) if re.fullmatch("gopher_5[abc]_dnase", each.name)]
    assert commands.variant_options(without, "dnase") == ""
    with pytest.raises(InputError, match=r"'tfrecords/dnase/.*': not among tfrecords"):
        Results(config | own | {"tfrecords": None}, root)


def test_every_figure_can_be_called_with_its_tables_and_options(results):
    for figure in shown.figures(results):
        function = _function(figure.name, figure.draw)
        inspect.signature(function).bind(*figure.tables, **figure.options)


def test_the_paper_and_the_demo_use_every_row(root, monkeypatch):
    rows = {}
    expand = shown._expand
    for name in CONFIGURATIONS:
        results = made(root, name)
        for file in ("figures.yaml", "tables.yaml"):
            each = {key for key, found in shown.contexts(results).items() if found}
            rows[file] = rows.get(file, set()) | each
            assert expand(file, results)
    assert rows["figures.yaml"] == shown.contexts(results).keys()


def test_what_the_snakefile_reads_imports_no_torch(root):
    """Snakemake starts for every look, and costs are kept in a file so that it need not."""
    names = re.findall(r"^from (proformer\S*) import (.+)$", (root / "workflow/rules/common.smk").read_text(), re.M)
    assert len(names) > 8
    lines = [f"from {module} import {what}" for module, what in names]
    code = "\n".join([*lines, "import sys; sys.exit('torch' in sys.modules)"])
    assert (
        subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(root / "src")}).returncode == 0
    )


def test_figures_of_one_job_are_those_of_one_section(root):
    jobs = Counter(figure.job for figure in shown.figures(made(root, "demo")))
    sections = {"published", "2", "3", "fragments", "4_dream", "5_complex", "models", "prixfixe_dream", "benchmarks"}
    assert jobs.keys() == sections | {"4_density_dream", "explain", "profiles_coverage"}
    for figure in shown.figures(made(root, "demo")):  # what waits for no training is drawn by a job that does not
        waits = not all(table.startswith(("published/", "models/published")) for table in figure.tables)
        assert waits == (figure.job != "published")


def test_learning_curves_are_those_of_models_that_learn(root):
    figures = {figure.name: figure for figure in shown.figures(made(root, "demo"))}
    assert "ridge-3-mers" in figures["models_dream"].where["run"]
    assert figures["learning_dream"].where["run"] == ["final"]


def test_without_its_part_a_figure_is_not_there(root):
    results = made(root, "demo", atac=None, evaluations=None)
    names = {figure.name for figure in shown.figures(results)}
    assert "fig2c_run" in names
    assert not any(name.startswith(("fig3", "fig5", "windows", "profile", "fragments")) for name in names)
    # How near the DREAM test set is to what was trained on is told all the same.
    assert not any(name.startswith(("atac", "evaluations")) for name in {*shown.tables(results)} - {"evaluations/near"})


def test_every_model_is_covered_by_its_files(results, root):
    """Its own file and the shared ones hold all that it imports from the models folder."""
    folder = root / "src/proformer/models"
    parts = [part for name in SHARED for part in library(name)]
    shared = {str(Path(part).resolve().relative_to(folder).with_suffix("")) for part in parts}
    for name in {job.config["model"]["model"] for job in results.jobs.values()}:
        seen, found = set(), {name, *shared - {"__init__"}}
        while found - seen:
            seen.add(file := min(found - seen))
            for node in ast.walk(ast.parse((folder / f"{file}.py").read_text())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("proformer.models"):
                    inner = node.module.removeprefix("proformer.models").lstrip(".").replace(".", "/")
                    imported = {inner} if inner else {alias.name for alias in node.names}
                    found |= {module for module in imported if (folder / f"{module}.py").is_file()}
        assert found <= {name, *shared}, name


def test_jobs_depend_on_files_that_are_there(results):
    assert library("atac", "sequences")
    jobs = list(results.jobs.values())[:1]
    files = model_code(jobs)
    assert any(file.endswith("models/proformer.py") for file in files)
    assert not any(file.endswith("models/legnet.py") for file in files)


def test_packs_and_predictions_cover_every_model_once(root):
    results = made(root, "demo", points_per_job=5)
    packed = [job.path for pack in results.packs() for job in pack]
    assert sorted(packed) == sorted(results.jobs)
    assert all(len({(job.dataset, job.seed) for job in pack}) == 1 and len(pack) <= 5 for pack in results.packs())
    groups = [group for dataset in results.datasets for group in results.predicting_packs(dataset)]
    tables = [table for group in groups for job in group for table in results.predictions(job).values()]
    assert len(set(tables)) == len(tables) == 45 + 9 + 14 * 3
    assert made(root, "demo", points_per_job=1).packs() == []


def test_a_pack_asks_for_what_runs_at_once(root):
    results = made(root, "demo")
    pack = next(pack for pack in results.packs() if pack[0].dataset == "dream")
    one, two, all_of_them = (commands.training_memory(pack, n, 1.0, results) for n in (1, 2, len(pack)))
    assert 700 < one < two < all_of_them
    assert two < 2.1 * one
    alone = commands.training_minutes(pack, 1, 10.0, results)
    assert alone > commands.training_minutes(pack, 8, 10.0, results) > 30
    assert commands.training_minutes(pack, 1, 1e9, results) == 24 * 60


def test_scored_models_have_names_of_their_own(root):
    results = made(root, "demo")
    names = finals.scored_jobs(results, "dream")
    assert len(names) == 9
    assert "grid AP (seed 1)" in names
    grid = finals.learning_curves(results, "dream")
    assert grid.folder == "dream/final"
    assert [job.axes["head"] for job in results.pair(grid)] == ["AP", 8]


def test_what_the_schema_cannot_know_is_refused(root):
    with pytest.raises(InputError, match="expected warn_distance at most within"):
        made(root, "demo", near={"within": 2, "warn_distance": 3, "warn_share": 0.1})
    with pytest.raises(InputError, match="neither a name in the catalogue"):
        made(root, "demo").raw("nowhere.csv")


def test_join_keeps_lines_as_they_are(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("set\tr\nx\t0.10\ny\t\n")
    (tmp_path / "b.tsv").write_text("set\tr\nx\t1e-9\n")
    (tmp_path / "c.tsv").write_text("set\trho\nx\t1\n")
    words = ["join", "--out", str(tmp_path / "out.tsv"), "--tables", str(tmp_path / "a.tsv"), str(tmp_path / "b.tsv")]
    assert main(words) == 0
    assert (tmp_path / "out.tsv").read_text() == "set\tr\nx\t0.10\ny\t\nx\t1e-9\n"
    assert main([*words, "--where", "y"]) == 0
    assert (tmp_path / "out.tsv").read_text() == "set\tr\ny\t\n"
    assert main([*words, str(tmp_path / "c.tsv")]) == 2
    assert "c.tsv, line 1: found 'set\\trho', expected 'set\\tr'" in capsys.readouterr().err


def test_pages_stand_beside_their_captions(tmp_path):
    (tmp_path / "tables/x").mkdir(parents=True)
    (tmp_path / "tables/x/grid.tsv").write_text("name\tr\na<b\t0.123456\n")
    captions = "{x/grid: 'What it holds: all.'}"
    words = ["--tables", str(tmp_path / "tables"), "--out", str(tmp_path / "pages")]
    assert main(["pages", "--captions", captions, *words]) == 0
    assert (tmp_path / "pages/x/grid.rst").read_text() == "What it holds: all.\n"
    page = (tmp_path / "pages/x/grid.html").read_text()
    assert "a&lt;b" in page
    assert 'data-value="0.123456">0.1235' in page


def test_only_proformers_are_described(tmp_path, capsys):
    assert main(["describe", "--config", "{model: deepsea}", "--out", str(tmp_path / "x.json")]) == 2
    assert "expected a Proformer" in capsys.readouterr().err


def test_a_failed_job_is_said_by_the_last_line_of_its_log_and_once(tmp_path):
    (tmp_path / "a.log").write_text("host x\nproformer prepare: error: mine.tsv, line 3: found 'x'\n\n")
    told = f"Error in rule prepare:\n    jobid: 3\n    log: {tmp_path}/a.log (check log file(s))\n\n"
    lost = "Error in rule split:\n    jobid: 4\n    log: nowhere.log (check log file(s))\n\n"
    (tmp_path / "snakemake.log").write_text(told + told + lost)
    first = f"proformer prepare: error: mine.tsv, line 3: found 'x' ({tmp_path}/a.log)"
    assert failures([tmp_path / "snakemake.log"]) == [first, "split: it wrote no log"]


POINTS = {"model": "proformer", "recipe": None, "datasets": ["x"], "keys": {"kmer": 3}, "training": {"epochs": 2}}
POINTS |= {"predict": True, "seeds": None, "gpus": 1, "nodes": 1}


def points(**keys):
    sets = {"x": {"source": "file", "length": 30, "flanks": ["", ""]}}
    return training_jobs({"datasets": sets, "atac": None, "seeds": [1, 2], "runs": {"run": POINTS | keys, "off": None}})


def test_a_run_says_what_becomes_of_a_training_that_diverges():
    assert {job.config.get("diverged") for job in points(vary={}, diverged="keep")} == {"keep"}
    assert {job.config.get("diverged") for job in points(vary={}, diverged="error")} == {None}


def test_axes_are_keys_shorthands_or_named_levels():
    rates = {"slow": {"training": {"learning_rate": 0.001}}, "wide": {"keys": {"kmer": 5}}, "off": None}
    found = points(vary={"blocks": [1, 2], "width": ["8/2"], "rate": rates, "none": None})
    assert len(found) == 2 * 1 * 2 * 2
    last = found[-1]
    assert last.axes == {"blocks": 2, "width": "8/2", "rate": "wide"}
    assert last.path == "dataset~x/run~run_blocks~2_width~8-2_rate~wide_seed~2"
    assert last.config["model"] == {"model": "proformer", "kmer": 5, "blocks": 2, "dim": 8, "heads": 2}
    assert found[0].config["training"] == {"epochs": 2, "learning_rate": 0.001, "seed": 1}
    assert last.config["point"] == {"run": "run", "dataset": "x", "axes": last.axes, "seed": 2}


def test_points_that_predict_are_trained_even_where_no_axis_lists_them():
    found = points(vary={"blocks": [1, 2], "head": ["AP", 4]}, predict={"blocks": 8, "head": ["AP"]}, seeds=[1])
    assert [job.axes["blocks"] for job in found if job.predicts] == [8]
    assert len(found) == 5


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"vary": {"width": ["8x2"]}}, "width: found '8x2', expected width/attention heads"),
        ({"vary": {"seed": [1]}}, "tables have a column seed already"),
        ({"vary": {"a": {"b": {}}}, "predict": {"a": "c"}}, "a: 'c' is no level; expected one of b"),
        ({"vary": {"kmer": ["1/2", "1-2"]}}, "two points for the folder"),
    ],
)
def test_axes_that_are_wrong_are_named(keys, message):
    with pytest.raises(InputError, match=message):
        points(**keys)


def test_a_test_part_is_drawn_before_the_others_and_for_all_seeds_alike(root):
    keys = made(root, "demo").datasets["dream"]
    plain = commands.split_commands(keys, 3, "all", ["a/t", "a/v"], "c")
    assert (
        plain
        == "python -m proformer split --store all --out a/t a/v --counts c --fractions 0.8 0.2 --seed 3 --by random"
    )
    keys = keys | {"fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}}
    first, second, _ = commands.split_commands(keys, 3, "all", ["a/t", "a/v", "a/x"], "c").split(" && ")
    assert "--store all --out a/rest.safetensors a/x --fractions 0.8 0.2 --seed 4294967295" in first
    assert "--store a/rest.safetensors --out a/t a/v --counts c --fractions 0.75 0.25 --seed 3" in second

"""Behind the rules: what each configuration shows, which files its jobs depend on, and what they ask for."""

import ast
import inspect
from collections import Counter
from pathlib import Path

import pytest

from proformer.cli import main
from proformer.errors import InputError
from proformer.figures.draw import _function
from proformer.planning.configuration import read_configuration
from proformer.workflow import commands, finals, shown
from proformer.workflow.code import SHARED, library, model_code
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


def test_figures_of_one_job_are_those_of_one_section(root):
    jobs = Counter(figure.job for figure in shown.figures(made(root, "demo")))
    assert jobs.keys() == {"published", "2", "3", "4_dream", "5_complex"}
    for figure in shown.figures(made(root, "demo")):  # what waits for no training is drawn by a job that does not
        waits = not all(table.startswith(("published/", "models/published")) for table in figure.tables)
        assert waits == (figure.job != "published")


def test_without_its_part_a_figure_is_not_there(root):
    results = made(root, "demo", atac=None, evaluations=None)
    names = {figure.name for figure in shown.figures(results)}
    assert "fig2c_run" in names
    assert not any(name.startswith(("fig3", "fig5", "windows", "profile", "fragments")) for name in names)
    assert not any(name.startswith(("atac", "evaluations")) for name in shown.tables(results))


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
    assert len(set(tables)) == len(tables) == 6 + 10 * 3
    assert made(root, "demo", points_per_job=1).packs() == []


def test_a_pack_asks_for_what_runs_at_once(root):
    results = made(root, "demo")
    (pack,) = [pack for pack in results.packs() if pack[0].dataset == "dream"]
    one, two, all_of_them = (commands.training_memory(pack, n, 1.0, results) for n in (1, 2, len(pack)))
    assert 3000 < one < two < all_of_them
    assert two < 2.1 * one
    alone = commands.training_minutes(pack, 1, 100.0, results)
    assert alone > commands.training_minutes(pack, 8, 100.0, results) > 30
    assert commands.training_minutes(pack, 1, 1e9, results) == 24 * 60


def test_scored_models_have_names_of_their_own(root):
    results = made(root, "demo")
    names = finals.scored_jobs(results, "dream")
    assert len(names) == 6
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

"""What the report shows: the figures of `figures.yaml` and the tables of `tables.yaml`, for one configuration."""

import re
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import yaml

from proformer.errors import InputError
from proformer.explain.questions import Study
from proformer.points import TrainingJob
from proformer.workflow import benchmarks, explained, profiles
from proformer.workflow.checks import PUBLIC
from proformer.workflow.finals import density_models, finals, is_baseline, learning_curves
from proformer.workflow.results import Results

Words = dict[str, Any]
# What the parts of the DREAM test set are, in captions.
ROWS = {
    "private": "the private part, which decided the challenge",
    "public": "the rows of the public leaderboard",
    "all": "all rows, those of the public leaderboard among them",
}


@dataclass(frozen=True)
class Figure:
    """One figure: how `proformer draw` makes it, and where the report has it; `job` says which are drawn together."""

    name: str
    job: str
    draw: str
    tables: list[str]
    category: str
    label: str
    caption: str
    where: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> dict[str, Any]:
        """What `proformer draw --figures` takes."""
        return {key: getattr(self, key) for key in ("draw", "tables", "where", "options", "caption")}


def figures(results: Results) -> list[Figure]:
    """The figures of a configuration."""
    return [Figure(name=name, **keys) for name, keys in _expand("figures.yaml", results)]


def tables(results: Results) -> dict[str, str]:
    """The tables of a configuration that are pages, by their names below `tables/`: their captions."""
    return {name: keys["caption"] for name, keys in _expand("tables.yaml", results)}


def contexts(results: Results) -> dict[str, list[Words]]:
    """What rows of both lists can be for `each` of: the words that differ from one to the next."""
    experiment, grids, shown_grids = results.experiment, results.grids, results.figure_grids
    whole = [experiment.keys["windows"]] if experiment.keys else []
    windows = [{**words, "grid": shown_grids["3"].folder} for words in whole if "3" in shown_grids]
    second = [
        {"source": "published", "section": "published", "grid": "published/dream"},
        *({"source": "run", "section": "2", "grid": grid.folder} for key, grid in shown_grids.items() if key == "2"),
    ]
    tested = [grid for grid in grids if results.has_figure_axes(grid)]
    papers = dict.fromkeys(results.published_as(grid) for grid in tested)
    published = [{"grid": f"published/{paper}", "of": f"the paper's own grid ({paper})"} for paper in papers]
    own = [{"grid": grid.folder, "of": f"the run {grid.run} on {grid.dataset}"} for grid in tested]
    baselines = {job.run for job in results.jobs.values() if is_baseline(job)}
    trained_on = dict.fromkeys(job.dataset for job in results.jobs.values())
    compared_on = [dataset for dataset in trained_on if dataset not in profiles.datasets(results)]
    curves = {dataset: learning_curves(results, dataset) for dataset in results.scored}
    media = {
        keys["medium"]
        for name, keys in results.evaluations.items()
        if keys["printed"] or keys["published"] or results.evaluation_models(name)
    }
    return {
        "paper": [{}] if "2" in shown_grids else [],
        "grid 2": second if len(second) > 1 else [],
        "pair": [_pair(results)] if results.figure_pair else [],
        "experiment": whole,
        "fragments": [] if experiment.finished else whole,
        "reads": whole if experiment.reads else [],
        "annotation": whole if experiment.setting("annotation") else [],
        "simulated reads": whole if experiment.simulated else [],
        "grid 3": windows,
        "chromosome grid": [{"grid": shown_grids["chromosome"].folder}] if "chromosome" in shown_grids else [],
        "grid": [{"dataset": grid.dataset, "run": grid.run} for grid in grids],
        "other grid": [
            {"dataset": grid.dataset, "run": grid.run} for grid in grids if grid not in [*tested, *results.block_grids]
        ],
        "block grid": [
            {
                "dataset": grid.dataset,
                "run": grid.run,
                "grid": grid.folder,
                "measure": "Pearson Score" if results.scores_blocks(grid) else "validation Pearson r",
            }
            for grid in results.block_grids
        ],
        "scored block grid": [
            {"dataset": grid.dataset, "run": grid.run, "grid": grid.folder}
            for grid in results.block_grids
            if results.scores_blocks(grid)
        ],
        **_profiles(results),
        "published grid": published,
        "own grid": own,
        "tested grid": [*published, *own],
        "encoded": [{"dataset": name} for name in results.encoded],
        "split": [
            {"dataset": dataset, "seed": seed}
            for dataset in trained_on
            if dataset not in results.folds
            for seed in dict.fromkeys(job.seed for job in results.jobs.values() if job.dataset == dataset)
        ],
        "scored": [_scored(results, dataset, part) for dataset in results.scored for part in results.parts(dataset)],
        "challenge": [_scored(results, dataset, results.parts(dataset)[0]) for dataset in results.scored],
        "challenge, all rows": [
            _scored(results, dataset, results.parts(dataset)[0])
            for dataset in results.scored
            if results.datasets[dataset]["test"] != PUBLIC
        ],
        "challenge published": [{}] if results.scored else [],
        "learning curves": [
            {"dataset": dataset, "grid": grid.folder, "where": _where(pair), "final": str(pair[-1].axes["head"])}
            for dataset, grid in curves.items()
            if grid and (pair := results.pair(grid))
        ],
        "density": [
            {"dataset": dataset, "part": results.parts(dataset)[0], "model": re.sub(r"[ /]", "-", label), "name": name}
            for dataset in results.scored
            for name, label in density_models(results, dataset).items()
        ],
        "models": [
            {"dataset": dataset, "runs": runs, "sets": ["validation", *results.evaluated_on(dataset)]}
            for dataset in compared_on
            if (runs := results.whole_runs(dataset))
        ],
        "learning": [  # baselines are fitted in one go
            {"dataset": dataset, "runs": runs}
            for dataset in compared_on
            if (runs := [run for run in results.whole_runs(dataset) if run not in baselines])
        ],
        "profiled experiment": [{}] if "atac/nonpeaks.bed" in results.sources else [],
        "benchmark": [
            {"benchmark": name, "title": keys["title"], "standard": keys["standard"]}
            for name, keys in benchmarks.compared(results).items()
        ],
        "explained": [_explained(results, dataset) for dataset in explained.asked(results)],
        "explained motifs": _explained_with(results, "motifs"),
        "explained patterns": _explained_with(results, "importance"),
        "explained designs": _explained_with(results, "design"),
        "certain": [{"dataset": dataset} for dataset in explained.certain(results)],
        "evaluations": [{"sets": results.evaluations_folder}] if results.evaluations else [],
        "found": [{}] if results.evaluations.keys() - results.held_out.keys() else [],
        "near": [{}] if results.near else [],
        "medium": [_medium(results, medium) for medium in ("complex", "defined", None) if medium in media],
        "download": [
            {"name": name, "file": results.catalogue[name].filename}
            for name in results.sources
            if name in results.catalogue
        ],
    }


def _profiles(results: Results) -> dict[str, list[Words]]:
    """Of each set of scored profiles, the runs that its figures are of, by their axes."""
    kinds = (
        "profiles",
        *(f"{what} of profiles" for what in ("tracks", "losses", "bins", "augmentations", "labels", "variants")),
    )
    found: dict[str, list[Words]] = {kind: [] for kind in (*kinds, "training sets of profiles")}
    for name, keys in profiles.judged(results).items():
        jobs, test = profiles.jobs(results, name), results.datasets[keys["test"]]
        axes = {job.run: set(job.axes) for job in jobs}
        words = {"profiles": name, "folder": f"profiles/{name}"}
        found["profiles"].append(words)
        found["variants of profiles"] += [words] if keys["variants"] else []
        if test["windows"].get("kind") == "binary":
            continue
        found["tracks of profiles"].append(words)
        with_bins = [run for run, own in axes.items() if "bin" in own]
        found["losses of profiles"] += [words | {"run": run} for run in with_bins if "loss" in axes[run]]
        found["bins of profiles"] += [
            words | {"run": run, "where": {"run": run} | ({"loss": "Poisson"} if "loss" in axes[run] else {})}
            for run in with_bins
            if "loss" in axes[run] or len(with_bins) == 1
        ]
        found["augmentations of profiles"] += [words] if any("augmentation" in own for own in axes.values()) else []
        found["labels of profiles"] += [words] if test["peaks"] else []
        # Training sets are compared by the runs of one model that is trained on several of them.
        for model in dict.fromkeys(job.config["model"]["model"] for job in jobs if job.run in with_bins):
            own = [job for job in jobs if job.run in with_bins and job.config["model"]["model"] == model]
            if len({job.dataset for job in own}) > 1:
                runs = list(dict.fromkeys(job.run for job in own))
                found["training sets of profiles"].append(words | {"runs": runs, "model": model})
    return found | {"published profiles": found["tracks of profiles"][:1]}


def _pair(results: Results) -> Words:
    pair, grid = results.figure_pair, results.figure_grids["2"]
    return {**pair[0].axes, "where": _where(pair), "grid": grid.folder}


def _where(pair: list[TrainingJob]) -> Words:
    """The rows of a pair in the tables of its grid."""
    return {axis: str(level) for axis, level in pair[0].axes.items()} | {
        "head": [str(job.axes["head"]) for job in pair]
    }


def _scored(results: Results, dataset: str, part: str) -> Words:
    jobs, submitted = finals(results, dataset), [*results.submissions(dataset)]
    entries = [*(name for name, job in jobs.items() if not is_baseline(job)), *submitted]
    words = {"dataset": dataset, "part": part, "rows": ROWS[part], "samples": results.config["score_samples"]}
    return words | {"models": [*jobs, *submitted], "entries": entries}


def _explained(results: Results, dataset: str) -> Words:
    questions = explained.questions(results, dataset)
    truth = (
        ""
        if not explained.knows_truth(results, dataset)
        else " The perfect model is the simulator itself, asked the same."
    )
    plan = Study(**{name: questions[name] for name in ("null", "edits")})
    return {"dataset": dataset, "truth": truth, "null": ", ".join(plan.nulls), "edits": plan.edits}


def _explained_with(results: Results, table: str) -> list[Words]:
    return [_explained(results, name) for name in explained.asked(results) if table in explained.tables(results, name)]


def _medium(results: Results, medium: str | None) -> Words:
    files = [f"evaluations/{name}/scores.tsv" for name in results.sets_of_medium(medium)]
    words = {"medium": medium or "own", "of": f"the {medium} medium" if medium else "this configuration"}
    words["job"] = f"5_{medium}" if medium else "models"
    return words | {"tables": files, "note": results.peers_note(medium)}


def _expand(file: str, results: Results) -> list[tuple[str, dict[str, Any]]]:
    """Every row of a list, once for each of what it is for, with the words in their places."""
    rows = yaml.safe_load((resources.files(__package__) / file).read_text(encoding="utf-8"))
    known: dict[str, list[Words]] = {"": [{}], **contexts(results)}
    found = []
    for name, row in rows.items():
        keys = {key: value for key, value in row.items() if key not in ("each", "words")}
        each = row.get("each", "")
        if each not in known:
            raise InputError(f"{file}: {name}: found each: {each}, expected one of {', '.join(known)}")
        for words in known[each]:
            words = words | row.get("words", {})
            found.append((name.format(**words), {key: _fill(value, words) for key, value in keys.items()}))
    return found


def _fill(value: Any, words: Words) -> Any:
    """Put words in place of their names in braces; a name that is all of the text may stand for a list."""
    if isinstance(value, dict):
        return {key: _fill(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, words) for item in value]
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\{(\w+)\}", value)
    return words[whole[1]] if whole else value.format(**words)

"""What the report shows: the figures of `figures.yaml` and the tables of `tables.yaml`, for one configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from itertools import product
from typing import Any

import yaml

from proformer.errors import InputError
from proformer.workflow.finals import density_jobs, finals, learning_curves
from proformer.workflow.results import PUBLIC, Results

SOURCES = ("published", "run")
Words = dict[str, Any]


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
    config, experiment, grids = results.config, results.experiment, results.grids
    whole = [experiment.keys["windows"]] if experiment.keys else []
    scored = [_scored(results, dataset) for dataset in results.scored]
    curves = {dataset: learning_curves(results, dataset) for dataset in results.scored}
    encoded = [name for name in grids if results.published_as(name) == name]
    encoded += [name for keys in results.evaluations.values() for name in keys["datasets"]]
    shown = {
        keys["medium"]
        for name, keys in results.evaluations.items()
        if keys["printed"] or keys["published"] or results.evaluation_models(name)
    }
    return {
        "source": [{"source": source, "section": {"run": "2"}.get(source, source)} for source in SOURCES],
        "pair": [_pair(config["grids"]["dream"]["convergence"])],
        "experiment": whole,
        "fragments": [] if experiment.finished else whole,
        "reads": whole if experiment.reads else [],
        "annotation": whole if experiment.setting("annotation") else [],
        "simulated reads": whole if experiment.simulated else [],
        "atac grid": whole if "atac" in grids else [],
        "chromosome grid": whole if "atacchromosome" in grids else [],
        "grid": [{"dataset": name} for name in grids],
        "grid and source": [
            {"dataset": name, "source": source}
            for name, source in product(grids, SOURCES)
            if source == "run" or results.published_as(name) == name
        ],
        "encoded": [{"dataset": name} for name in dict.fromkeys(encoded) if name != "atac"],
        "split": [{"dataset": name, "seed": seed} for name, seed in product(grids, config["seeds"])],
        "scored": scored,
        "learning curves": [{"dataset": name, "final": final} for name, (final, jobs) in curves.items() if jobs],
        "density": [
            {"dataset": dataset, "model": job.label, "name": name}
            for dataset in results.scored
            for name, job in density_jobs(results, dataset).items()
        ],
        "evaluations": [{}] if results.evaluations else [],
        "medium": [_medium(results, medium) for medium in ("complex", "defined") if medium in shown],
        "download": [
            {"name": name, "file": results.catalogue[name].filename}
            for name in results.sources
            if name in results.catalogue
        ],
    }


def _pair(keys: Mapping[str, Any]) -> Words:
    dim, heads = keys["width"].split("/")
    names = [str(head) for head in keys["expression_heads"]]
    return {"dim": dim, "heads": heads, "blocks": str(keys["blocks"]), "names": names}


def _scored(results: Results, dataset: str) -> Words:
    keys, partial = results.datasets[dataset], ""
    public = keys["test"] == PUBLIC
    if public:
        partial = " This run holds only some of the subsets: its weighted scores stand on those alone and are not to be"
        partial += " compared with the printed ones."
    words = {"dataset": dataset, "models": [*finals(results, dataset)], "samples": results.config["score_samples"]}
    return words | {"part": PUBLIC if public else keys["part"], "partial": partial}


def _medium(results: Results, medium: str) -> Words:
    files = [f"evaluations/{name}/scores.tsv" for name in results.sets_of_medium(medium)]
    return {"medium": medium, "tables": files, "note": results.peers_note(medium)}


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

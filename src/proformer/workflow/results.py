"""What a configuration makes, where it lies, and which files of which models belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proformer.errors import InputError
from proformer.planning.data import training_files
from proformer.points import TrainingJob, active_datasets, active_grids, grid_points, packs, point_path, training_jobs
from proformer.sources import load_catalogue
from proformer.workflow.experiment import Experiment

MODEL_FILES = ("model.safetensors", "model.json", "metrics.tsv")
PUBLIC = "public"  # the measured test set of the sequences that the public files name, without the whole of it


class Results:
    """The files of a run.

    config: with its defaults filled in; checkout: where the workflow lies. Raises InputError for what the schema cannot
    know: names that are nowhere, and keys that contradict each other.
    """

    def __init__(self, config: Mapping[str, Any], checkout: Path) -> None:
        self.config = config
        self.folder = config["results"].rstrip("/")
        self.catalogue = load_catalogue()
        self.datasets = active_datasets(config)
        self.grids = active_grids(config)
        self.evaluations = {name: keys for name, keys in (config["evaluations"] or {}).items() if keys}
        self.jobs = {job.path: job for job in training_jobs(config)}
        self.experiment = Experiment(config, checkout, self.raw)
        self.scored = [name for name, keys in self.datasets.items() if keys["test"] and keys["leaderboard"]]
        self._check()
        self.sources = self._sources()

    def raw(self, name: str) -> str:
        """Where a source lies: downloaded by its name in the catalogue, simulated, or a file of the user's own."""
        if name in self.catalogue:
            return f"{self.folder}/data/raw/{name}/{self.catalogue[name].filename}"
        if name.startswith(("simulated/", "simulated_atac/", "simulated_vaishnav/")):
            return f"{self.folder}/data/{name}"
        if not Path(name).exists():
            raise InputError(f"{name!r}: neither a name in the catalogue (proformer fetch --list) nor a file or folder")
        return name

    def raws(self, dataset: str, key: str) -> list[str]:
        """Where the files lie that a key of a data set names."""
        keys = self.datasets[dataset]
        return [self.raw(name) for name in (training_files(keys) if key == "train" else keys[key])]

    def store(self, dataset: str) -> str:
        """The encoded store of a data set: windows of the experiment, or a file's sequences."""
        from_atac = self.datasets[dataset]["source"] == "atac"
        return f"{self.folder}/{'atac/windows' if from_atac else f'data/{dataset}/all'}.safetensors"

    def part(self, job: TrainingJob, part: str) -> str:
        """The training or the validation part that a model is trained on."""
        return f"{self.folder}/data/{job.dataset}/seed~{job.seed}/{part}.safetensors"

    def model(self, path: str) -> str:
        """The folder of a trained model."""
        return f"{self.folder}/models/{path}"

    def published_as(self, dataset: str) -> str:
        """The data set of the paper's own table that a data set is compared with."""
        return "atac" if self.datasets[dataset]["source"] == "atac" else dataset

    def packs(self) -> list[list[TrainingJob]]:
        """Trainings that share a job, where there are any."""
        size = self.config["points_per_job"]
        return packs(list(self.jobs.values()), size) if size > 1 else []

    def grid_jobs(self, dataset: str, pair: bool = False) -> list[TrainingJob]:
        """The trainings of a data set's grid, or of its convergence pair alone."""
        points = [point for point in grid_points(self.config) if point["dataset"] == dataset]
        if pair:
            keys = self.grids.get(dataset, {}).get("convergence")
            wanted = {(keys["width"], keys["blocks"], str(head)) for head in keys["expression_heads"]} if keys else {}
            points = [p for p in points if (f"{p['dim']}/{p['heads']}", p["blocks"], p["head"]) in wanted]
        return [self.jobs[point_path(point)] for point in points]

    def single_models(self, dataset: str) -> list[TrainingJob]:
        """The trainings of single models (`models` of the configuration) on a data set."""
        return [job for job in self.jobs.values() if job.dataset == dataset and job.label in self.config["models"]]

    def predicting_jobs(self, dataset: str) -> list[TrainingJob]:
        """The trainings whose models predict evaluation sets: single models and convergence pairs."""
        jobs = [*self.single_models(dataset), *self.grid_jobs(dataset, pair=True)] if self.evaluated_on(dataset) else []
        return list({job.path: job for job in jobs}.values())

    def predicting_packs(self, dataset: str) -> list[list[TrainingJob]]:
        """The models of a data set that one job predicts with."""
        jobs, size = self.predicting_jobs(dataset), self.config["points_per_job"]
        return [jobs[i : i + size] for i in range(0, len(jobs), size)]

    def test_file(self, dataset: str) -> str:
        """The measured test sequences of a data set."""
        test = self.datasets[dataset]["test"]
        return f"{self.folder}/data/{dataset}/public_test.txt" if test == PUBLIC else self.raw(test)

    def evaluated_on(self, dataset: str) -> dict[str, str]:
        """What the models of a data set predict: name of the evaluation set → its sequences."""
        own = {"test": self.test_file(dataset)} if self.datasets[dataset]["test"] else {}
        named = [name for name, keys in self.evaluations.items() if dataset in keys["datasets"]]
        return own | {name: f"{self.folder}/data/evaluations/{name}.txt" for name in named}

    def measured_for(self, dataset: str) -> dict[str, str]:
        """The measurements of what the models of a data set predict: name of the evaluation set → its table."""
        tables = {name: f"{self.folder}/data/evaluations/{name}.tsv" for name in self.evaluations}
        return {name: tables.get(name, file) for name, file in self.evaluated_on(dataset).items()}

    def predictions(self, job: TrainingJob) -> dict[str, str]:
        """The tables that a model predicts: name of the evaluation set → table."""
        return {name: f"{self.folder}/predictions/{job.path}/{name}.tsv" for name in self.evaluated_on(job.dataset)}

    def evaluation_models(self, evaluation: str) -> dict[str, str]:
        """The single models that predict an evaluation set: name in tables, with the seed → table of predictions."""
        datasets = self.evaluations[evaluation]["datasets"]
        return {
            f"{job.label if len(datasets) == 1 else f'{job.label}-{job.dataset}'}:{job.seed}": self.predictions(job)[
                evaluation
            ]
            for dataset in self.datasets
            if dataset in datasets
            for job in self.single_models(dataset)
        }

    def evaluation_parts(self, table: str) -> list[str]:
        """The tables that are joined into one of all evaluation sets."""
        names = [(name, table) for name in self.evaluations]
        if table == "near":
            names = [(name, f"near_{d}") for name, keys in self.evaluations.items() for d in keys["datasets"]]
        return [f"{self.folder}/tables/evaluations/{name}/{part}.tsv" for name, part in names]

    def sets_of_medium(self, medium: str) -> list[str]:
        """The evaluation sets that Figure 5 shows for a medium."""
        return [name for name, keys in self.evaluations.items() if keys["medium"] == medium]

    def run_note(self, dataset: str) -> str:
        """What a run was trained on, in a sentence."""
        data = "ATAC-seq windows" if self.datasets[dataset]["source"] == "atac" else "promoters"
        if self.is_simulated(dataset):
            return f"This run was trained on simulated {data}, which say nothing about the paper's claims."
        return f"This run was trained on {data} of {', '.join(self._read_for(dataset))}."

    def is_simulated(self, dataset: str) -> bool:
        """Whether a data set is simulated, promoters or windows."""
        return any(name.startswith("simulated") for name in self._read_for(dataset))

    def ceiling_option(self, dataset: str) -> str:
        """Option for a simulated data set: a perfect model's r stands beside."""
        if not self.is_simulated(dataset):
            return ""
        windows = self.datasets[dataset]["source"] == "atac"
        return f"--simulated {self.folder}/data/simulated_atac" if windows else "--simulated"

    def _read_for(self, dataset: str) -> list[str]:
        """The files that a data set is made of; of windows, the genome."""
        keys = self.datasets[dataset]
        return [self.experiment.keys["genome"]] if keys["source"] == "atac" else training_files(keys)

    def peers_note(self, medium: str) -> str:
        """What the sets and models of Figure 5 are, for its lower margin."""
        shown = self.sets_of_medium(medium)
        if any(self.evaluations[name]["file"].startswith("simulated") for name in shown):
            return "Sets and models of this run are simulated, printed numbers are not."
        sets = [self.evaluations[name]["datasets"] for name in shown if self.evaluation_models(name)]
        return " ".join(self.run_note(dataset) for dataset in dict.fromkeys(d for names in sets for d in names))

    def described_models(self) -> list[dict[str, Any]]:
        """Configs for Figures 1 and 2a: the paper's final model, then this run's convergence pair; AP before MEH."""
        grid = self.config["grids"]["dream"]
        pair = grid["convergence"]
        dim, heads = map(int, pair["width"].split("/"))
        tokens = max((h for h in pair["expression_heads"] if isinstance(h, int)), default=32)
        own = {"length": self.config["datasets"]["dream"]["length"], "dim": dim, "heads": heads}
        own |= {"blocks": pair["blocks"], "expression_heads": tokens, **grid["model"]}
        return [base | {"head": head} for base in ({}, own) for head in ("ap", "meh")]

    def _sources(self) -> dict[str, str]:
        """What this configuration reads, and where it lies; each is looked up at once, so that a typo stops here."""
        sets = self.evaluations.values()
        named = {file for keys in self.datasets.values() for file in (*training_files(keys), keys["test"])}
        named |= {name for keys in self.datasets.values() for key in ("subsets", "leaderboard") for name in keys[key]}
        named |= {file for keys in sets for file in (keys["file"], *keys["published"].values())}
        found = {name for name in named | self.experiment.sources if name and name != PUBLIC}
        return {name: self.raw(name) for name in sorted(found)}

    def _check(self) -> None:
        datasets = self.config["datasets"]
        for name, keys in self.datasets.items():
            if keys["test"] == PUBLIC and not (keys["subsets"] and keys["leaderboard"]):
                raise InputError(f"datasets: {name}: found test: public, expected subsets and leaderboard beside it")
        for name, keys in self.evaluations.items():
            for dataset in keys["datasets"]:
                where = f"evaluations: {name}"
                if dataset not in datasets:
                    raise InputError(f"{where}: {dataset!r} is no data set; datasets: {', '.join(datasets)}")
                if datasets[dataset]["source"] == "atac":
                    raise InputError(f"{where}: found {dataset}, windows of a genome; expected promoters")
                medium = datasets[dataset]["medium"]
                if medium != keys["medium"]:
                    raise InputError(
                        f"{where}: found the medium {keys['medium']}, but the data set {dataset} has {medium}"
                    )
        near = self.config["near"]
        if near["warn_distance"] > near["within"]:
            raise InputError(f"near: found {dict(near)}, expected warn_distance at most within")

"""Options of commands, and what their jobs ask for."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from proformer.evaluation.judgement import Judgement
from proformer.planning.cost import THREAD, host_megabytes
from proformer.planning.data import row_bytes
from proformer.points import AT_ONCE, TrainingJob
from proformer.settings import read
from proformer.workflow import benchmarks, explained, profiles
from proformer.workflow.checks import BOTH, PUBLIC
from proformer.workflow.results import Results

VARIANTS = 1800  # of an element of CAGI5, at most, and as many windows of the reference
HELD_OUT_SEED = 2**32 - 1  # of the draw of test parts: no seed of a run


def as_yaml(keys: Any) -> str:
    """Settings as one line."""
    return yaml.safe_dump(keys, default_flow_style=True, width=10**6).strip()


def option(flag: str, value: Any) -> str:
    """A command-line option, or nothing."""
    values = [value] if isinstance(value, str | int | float) else list(value or [])
    return " ".join([flag, *(shlex.quote(str(item)) for item in values)]) if values not in ([], [""]) else ""


def prepare_options(keys: Mapping[str, Any]) -> str:
    """Options of `proformer prepare`: what of a data set decides how its sequences are encoded."""
    options = f"--length {keys['length']} --flanks {shlex.join(keys['flanks'])}"
    options += f" --too-long {keys['too_long']} --wrong-flank {keys['wrong_flank']}"
    keys = {**keys, "medium": None if keys["medium"] == BOTH else keys["medium"]}
    more = [option(f"--{name}", keys[name]) for name in ("medium", "targets", "values")]
    more += ["--repeats drop"] if keys["repeats"] == "drop" else []
    return " ".join([options, *filter(None, [*more, option("--split-by", keys["split_by"])])])


def coverage_options(results: Results, dataset: str) -> str:
    """Options of `proformer coverage` for a data set."""
    keys = results.datasets[dataset]
    plan = {"test": (keys["chromosomes"] or {}).get("test", [])} | (keys["windows"] or {})
    files = [option(f"--{key}", results.named_files(dataset, key)) for key in ("tracks", "peaks")]
    compared = [
        f"{name}/{task}={results.raw(file)}" for name, own in keys["compared"].items() for task, file in own.items()
    ]
    files += [option("--compared", compared)]
    files += [option("--regions", results.raws(dataset, "regions"))]
    files += [option("--gaps", keys["gaps"] and results.raw(keys["gaps"]))]
    more = [option("--exclude", keys["exclude_contigs"]), option("--contig-names", keys["contig_names"])]
    return " ".join(filter(None, [*files, *more, f"--plan {shlex.quote(as_yaml(plan))}"]))


def variant_options(results: Results, name: str) -> str:
    """Options of `proformer profiles` for measured effects of variants."""
    keys = results.profiles[name]["variants"]
    if not keys:
        return ""
    measured = [f"{element}={results.raw(file)}" for element, file in keys["measured"].items()]
    sequences = results.raw(keys["sequences"]) if keys["loci"] else results.laid_out(keys["sequences"])
    options = [option("--variants", measured), option("--sequences", sequences)]
    options += [option("--loci", keys["loci"] and results.raw(keys["loci"]))]
    return " ".join(filter(None, [*options, option("--contig-names", keys["contig_names"])]))


def split_commands(keys: Mapping[str, Any], seed: int, store: str, outs: Sequence[str], counts: str) -> str:
    """What splits a data set into a training, a validation and perhaps a test part.

    The test part is the same for every seed: a random one is drawn first, and the others from the rest.
    """
    split = "python -m proformer split --store"
    drawn = f"{split} {shlex.quote(store)} --out {shlex.join(outs)} --counts {shlex.quote(counts)}"
    if keys["chromosomes"]:
        names = [",".join(keys["chromosomes"].get(part, [])) for part in ("train", "validation", "test")]
        return f"{drawn} --chromosomes {shlex.join(names[: len(outs)])}"
    if keys["folds"]:
        return f"{drawn} {option('--folds', [n for n in keys['folds'].values() if n is not None])}"
    if keys["parts"]:
        return f"{drawn} {option('--parts', keys['parts']['file'])}"
    draw = {"by": keys["split"], "block": keys["block"], "near": keys["near"]}
    by, shares = " ".join(f"--{name} {value}" for name, value in draw.items() if value), keys["fractions"]
    test, first = shares["test"], ""
    if test:
        rest = str(Path(outs[0]).with_name("rest.safetensors"))
        first = f"{split} {shlex.quote(store)} --out {shlex.join([rest, outs[2]])} --fractions {1 - test:.12g} {test}"
        first = f"{first} --seed {HELD_OUT_SEED} {by} && "
        drawn = drawn.replace(shlex.quote(store), shlex.quote(rest)).replace(f" {shlex.quote(outs[2])}", "")
        by += f" && rm {shlex.quote(rest)}"
    train, validation = (shares[part] / (1 - test) for part in ("train", "validation"))
    return f"{first}{drawn} --fractions {train:.12g} {validation:.12g} --seed {seed} {by}"


def fold_for(results: Results, dataset: str, fold: str) -> str:
    """What splits a cross-validated data set into the parts of one draw."""
    folder = f"{results.folder}/data/{dataset}/fold~{fold}"
    outs = [f"{folder}/{part}.safetensors" for part in ("train", "validation", "test")]
    counts = f"{results.folder}/tables/{dataset}/split/fold~{fold}.tsv"
    drawn = next(each for each in results.folds[dataset] if each.name == fold)
    names = ["", *([] if drawn.nested else [",".join(drawn.validation)]), ",".join(drawn.test)]
    options = [f"--chromosomes {shlex.join(names)}", option("--nested", [*(drawn.nested or ())])]
    keys = results.datasets[dataset]["cross_validation"]
    options += [option(f"--{name}", keys[name]) for name in ("outliers", "closed", "trim") if keys[name]]
    options += [f"--stretches {keys['block']} {len(keys['test'])}"] if keys["block"] else []
    parted = keys["parted"]
    split = f"python -m proformer split --store {shlex.quote(results.store(dataset))} --out {shlex.join(outs)}"
    return " ".join([split, f"--counts {shlex.quote(counts)}", *filter(None, options), f"--parted {parted}"])


def fold_options(results: Results, benchmark: str) -> str:
    """Options of `proformer folds` for a benchmark."""
    keys = benchmarks.compared(results)[benchmark]
    jobs = [job for job in results.jobs.values() if job.fold and job.dataset in keys["datasets"]]
    words = ["--benchmark", benchmark, "--standard", keys["standard"], "--datasets", *keys["datasets"]]
    words += ["--runs", *dict.fromkeys(job.run for job in jobs), "--draws", *dict.fromkeys(job.fold for job in jobs)]
    if files := benchmarks.simulated_files(results, benchmark):
        words += ["--files", *(f"{dataset}={file}" for dataset, file in files.items())]
    words += ["--simulated"] if any(map(results.is_simulated, keys["datasets"])) else []
    notes = dict.fromkeys(map(results.run_note, keys["datasets"]))
    return shlex.join([*words, "--note", " ".join(notes)])


def split_for(results: Results, dataset: str, seed: str) -> str:
    """What splits a data set for a seed; and makes an evaluation set of its test part, where it has one."""
    keys, test = results.datasets[dataset], dataset in (*results.with_test_part, *results.coverage_tests)
    folder, counts = f"{results.folder}/data/{dataset}/seed~{seed}", f"{results.folder}/tables/{dataset}/split"
    outs = [f"{folder}/{part}.safetensors" for part in ("train", "validation", "test")[: 2 + test]]
    split = split_commands(keys, int(seed), results.store(dataset), outs, f"{counts}/seed~{seed}.tsv")
    files = f"--out {folder}/test.tsv --sequences {folder}/test.txt --counts {counts}/test_seed~{seed}.tsv"
    options = measured_options({**keys, "rows": None})
    measured = f" && python -m proformer measured --file {outs[-1]} --name {dataset}_held_out {options} {files}"
    return split + measured * (dataset in results.with_test_part)


def score_options(results: Results, dataset: str, part: str) -> str:
    """Options of `proformer score` for a part of the test set."""
    test = results.datasets[dataset]["test"]
    options = [f"--part {part}", "--partial" if test == PUBLIC else option("--truth", results.raw(test))]
    options += [option(f"--{key}", results.raws(dataset, key)) for key in ("subsets", "leaderboard")]
    return " ".join(options)


def study_settings(results: Results, dataset: str) -> str:
    """Settings of `proformer explain-models`."""
    keys = explained.questions(results, dataset)
    more = list(dict.fromkeys(job.label for job in explained.attributed(results, dataset)))
    return as_yaml({name: value for name, value in keys.items() if name != "known"} | {"attributed": more})


def study_options(results: Results, dataset: str, jobs: Sequence[TrainingJob]) -> str:
    """Options of `proformer explain-models` and `explain-patterns`: these models, and which motifs are known."""
    models, names = [results.model(job.path) for job in jobs], [f"{job.label}:{job.seed}" for job in jobs]
    known = explained.known_motifs(results, dataset) or explained.questions(results, dataset)["known"]
    options = [option("--models", models), option("--names", names), option("--known", known)]
    return " ".join([*options, "--simulated" if explained.knows_truth(results, dataset) else ""])


def drift_options(results: Results, dataset: str) -> str:
    """Options of `proformer explain-scored`: the mutants, and the models that predict them, if there are any."""
    models = [results.model(job.path) for job in explained.certain(results)[dataset]]
    file = explained.mutants(results)
    return f"{option('--drift', file)} {option('--models', models)} --device cpu" if file else ""


def measured_options(keys: Mapping[str, Any]) -> str:
    """Options of `proformer measured` for an evaluation set."""
    options = [f"--flanks {shlex.join(keys['flanks'])}", option("--rows", keys["rows"])]
    return " ".join([*options, option("--medium", keys["medium"])])


def peer_options(results: Results, evaluation: str) -> str:
    """Options of `proformer peers` for an evaluation set."""
    keys = results.evaluations[evaluation]
    published = [f"{model}={results.raw(file)}" for model, file in keys["published"].items()]
    predictions = [f"{name}={path}" for name, path in results.evaluation_models(evaluation).items()]
    words = ["--title", keys["title"] or evaluation, "--flanks", *keys["flanks"]]
    words += ["--printed", keys["printed"]] if keys["printed"] else []
    words += ["--published", *published, "--predictions", *predictions]
    return f"{shlex.join(words)} {option('--medium', keys['medium'])}"


def launcher(job: TrainingJob, config: Mapping[str, Any]) -> str:
    """What starts the processes of a training: python alone, torchrun on a node, or srun on several nodes."""
    if job.nodes > 1:
        gpus = f" --gpus-per-node={job.gpus}" if config["device"] == "cuda" else ""
        return (
            f"srun --kill-on-bad-exit=1 --nodes={job.nodes} --ntasks-per-node={job.gpus}{gpus}"
            f" --cpus-per-task={config['threads']} python"
        )
    if job.gpus > 1:
        # After SIGTERM, the processes have so many seconds to write a checkpoint.
        return f"python -m torch.distributed.run --standalone --nproc-per-node={job.gpus} --shutdown-timeout=120"
    return "python"


def asks(
    megabytes: float, minutes: float, per_gb: float = 0, per_mb: float = 0, per_thread: float = 0
) -> dict[str, Callable[..., int]]:
    """Resources of a rule, which grow with each attempt.

    per_gb: further minutes per gigabyte of input; per_mb, per_thread: further megabytes per megabyte and thread.
    """

    def memory(wildcards: Any, input: Any, threads: int, attempt: int) -> int:
        return attempt * int(megabytes + per_thread * threads + (per_mb * input.size_mb if per_mb else 0))

    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        return attempt * int(minutes + (per_gb * input.size_mb / 1000 if per_gb else 0))

    return {"mem_mb": memory, "runtime": runtime}


def training_asks(results: Results, jobs: Sequence[TrainingJob] = ()) -> dict[str, Callable[..., int]]:
    """Resources of a job that trains these models together, or the one of its wildcard `point`."""
    gpu = results.config["device"] == "cuda"

    def memory(wildcards: Any, input: Any, threads: int, attempt: int) -> int:
        trained = jobs or [results.jobs[wildcards.point]]
        together = len(trained) if gpu else threads // results.config["threads"]
        return attempt * training_memory(trained, together, input.size_mb / draws(trained), results)

    def runtime(wildcards: Any, input: Any, attempt: int) -> int:
        trained = jobs or [results.jobs[wildcards.point]]
        together = 1 if gpu else at_once(trained)
        return attempt * training_minutes(trained, together, input.size_mb / draws(trained), results)

    return {"mem_mb": memory, "runtime": runtime}


def draws(jobs: Sequence[TrainingJob]) -> int:
    """How many draws of their data set trainings read."""
    return len({job.draw for job in jobs})


def at_once(jobs: Sequence[TrainingJob]) -> int:
    """How many trainings of a pack have a thread on CPUs."""
    return max(1, min(len(jobs), AT_ONCE))


def training_memory(jobs: Sequence[TrainingJob], at_once: int, store_mb: float, results: Results) -> int:
    """Megabytes of a node: of the largest models that a job trains at the same time, per process."""
    sizes = []
    for job in jobs:
        price = results.costs[job.path]
        rows = 0 if results.config["device"] == "cuda" else price.batch_size
        sizes.append(host_megabytes(price, job.gpus, store_mb, rows))
    return sum(sorted(sizes, reverse=True)[: max(1, at_once)])


def training_minutes(jobs: Sequence[TrainingJob], at_once: int, store_mb: float, results: Results) -> int:
    """Minutes: half an hour, and the operations of all epochs at a modest rate.

    Rates: 10 TFLOP/s of a GPU, 5 GFLOP/s of a CPU thread. At most a day for the first attempt, since a queue may never
    start what asks for more than it allows; training that takes longer goes on with the next one.
    """
    config = results.config
    rate = 1e13 if config["device"] == "cuda" else THREAD * config["threads"] * at_once
    work = 0.0
    for job in jobs:
        price = results.costs[job.path]
        rows = price.epoch_rows or store_mb * 1e6 / row_bytes(job.data)
        work += price.training_flops * rows * price.epochs / (job.gpus * job.nodes)
    return min(30 + int(work / rate / 60), 24 * 60)


def scoring_minutes(results: Results, name: str) -> int:
    """Minutes of a job that scores profiles: half an hour, and predictions of all variants, as `training_minutes`."""
    variants = results.profiles[name]["variants"]
    shifts = read(Judgement, results.profiles[name]["settings"] or {}, f"profiles: {name}: settings").shifts
    sequences = VARIANTS * len(variants["measured"]) * (1 + shifts) if variants else 0
    rate = 1e13 if results.config["device"] == "cuda" else THREAD * results.config["threads"]
    work = sequences * sum(results.costs[job.path].forward_flops for job in profiles.jobs(results, name))
    return min(30 + int(work / rate / 60), 24 * 60)


def checkpoint_minutes(asked: float, runtime: Any) -> float:
    """An interrupted training loses at most this much, and a short one at most a twentieth of its time."""
    return min(asked, runtime / 20) if isinstance(runtime, int) else asked

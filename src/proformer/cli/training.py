"""Verbs for training."""

from collections.abc import Mapping
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from proformer.cli.options import CpuThreads, Device, read_yaml
from proformer.errors import InputError
from proformer.files import Output, OutputFolder, existing, removed_if_empty, write_table
from proformer.settings import Count, Flanks, Positive, Threads
from proformer.units import aligned

Since = Annotated[tuple[Path, ...], "files: finished models older than one, or than their own code, are trained again"]


def train(
    *,
    train: Annotated[Path, "store of training sequences"],
    validation: Annotated[Path, "store of validation sequences"],
    out: Annotated[OutputFolder, "model folder to write"],
    config: Annotated[str | Path, "YAML file, or text, with the keys model, training and recipe"] = "{}",
    checkpoint: Annotated[Output | None, "where to keep the checkpoint (default: OUT/checkpoint.pt)"] = None,
    checkpoint_minutes: Annotated[Positive, "minutes between checkpoints"] = 10.0,
    device: Device = "auto",
    threads: CpuThreads = None,
    tensorboard: Annotated[OutputFolder | None, "folder for a TensorBoard log"] = None,
    replace: Annotated[bool, "replace the finished model of another configuration in OUT"] = False,
    since: Since = (),
) -> None:
    """Train one model.

    examples:
      proformer train --train train.safetensors --validation validation.safetensors --out model \\
          --config '{model: {dim: 64, heads: 2, blocks: 2, kmer: 5}, training: {epochs: 5, batch_size: 128}}'
      proformer train --config run.yaml --train train.safetensors --validation validation.safetensors \\
          --out model --device cuda

    `proformer config` lists the keys. The same command again goes on from the last checkpoint.
    """
    from proformer.training.lock import exclusive
    from proformer.training.progress import ProgressFile, progress_path

    settings, own = read_yaml(config, "--config"), checkpoint or out / "checkpoint.pt"
    state = ProgressFile(progress_path(own), keep=checkpoint is not None)
    owner = sha256(repr((settings, train, validation)).encode()).hexdigest()
    locked = nullcontext() if state.silent else exclusive(own.with_suffix(".lock"), owner)
    with removed_if_empty(out), locked, state:
        from proformer.training import run as job

        job.train(
            settings,
            train,
            validation,
            out,
            own,
            device=device,
            threads=threads,
            checkpoint_minutes=checkpoint_minutes,
            tensorboard=tensorboard,
            state=state,
            replace_other=replace,
            since=since,
        )


def train_pack(
    *,
    jobs: Annotated[str | Path, "YAML file, or text: name of a model: its config"],
    train: Annotated[tuple[Path, ...], "store of training sequences: one for all, or one for each model"],
    validation: Annotated[tuple[Path, ...], "store of validation sequences: likewise"],
    results: Annotated[OutputFolder, "folder for models, checkpoints and logs"],
    checkpoint_minutes: Annotated[Positive, "minutes between checkpoints"] = 10.0,
    device: Device = "auto",
    threads: Annotated[Threads, "CPU threads of each training"] = 1,
    cpus: Annotated[Count | None, "on CPUs: threads of all that train at the same time (default: all do)"] = None,
    since: Since = (),
) -> None:
    """Train several small models by one job.

    examples:
      proformer train-pack --jobs pack.yaml --train train.safetensors --validation validation.safetensors \\
          --results results --device cuda
    where pack.yaml holds a line per model, as `proformer train --config` takes it:
      small: {model: {dim: 64, heads: 2, blocks: 1}, training: {epochs: 5}}
      deep: {model: {dim: 64, heads: 2, blocks: 8}, training: {epochs: 5}}
    The models come to RESULTS/models/NAME. The same command again goes on where it stopped.
    """
    from proformer.training.lock import exclusive
    from proformer.training.pack import train_pack

    configs = read_yaml(jobs, "--jobs")
    for name, settings in configs.items():
        if not isinstance(settings, Mapping):
            raise InputError(f"--jobs: {name}: found {settings!r}, expected settings of a training")
    at_once = max(1, cpus // threads) if cpus and device != "cuda" else None
    for file in (*train, *validation, *since):
        existing(file)
    own: dict[str, list[str]] = {name: [] for name in configs}
    for option, files in (("--train", train), ("--validation", validation)):
        if len(files) not in (1, len(configs)):
            raise InputError(f"{option}: found {len(files)} files, expected 1, or {len(configs)} as there are models")
        for name, file in zip(configs, files if len(files) > 1 else files * len(configs), strict=True):
            own[name] += [option, str(file)]
    options = ["--device", device]
    options += ["--checkpoint-minutes", str(checkpoint_minutes), "--threads", str(threads)]
    options += ["--since", *map(str, since)] if since else []
    with exclusive(results / "checkpoints" / f"{next(iter(configs), '')}.pack.lock"):
        train_pack(configs, results, options, device != "cpu", at_once, own)


def models() -> None:
    """List the models, with their parameters and recipes.

    examples:
      proformer models
      proformer config model:legnet      the keys of one
    """
    import re

    import torch

    from proformer.models import build, find, find_recipe, names

    rows = [("MODEL", "PARAMETERS", "WHAT", "RECIPES, the first is the default")]
    for name in names():
        with torch.device("meta"):
            model = build({"model": name, **find_recipe(name)["model"]})
        count = sum(p.numel() for p in model.parameters())
        what = re.split(r" \(|:|, as |\.?\n", find(name).__doc__ or "")[0]
        rows.append((name, f"{count:,}", what, ", ".join(getattr(find(name), "RECIPES", {})) or "none"))
    print(aligned(rows))


def config(of: Annotated[str, "model:NAME, training or task"]) -> None:
    """List the settings of a model or of the training, with types, defaults and meaning.

    examples:
      proformer config model:legnet
      proformer config training

    In a configuration file they stand under `keys` or `model`, and `training`; for `proformer train` see its --config.
    """
    import json

    from proformer.models import find
    from proformer.settings import hints_of, meanings, words
    from proformer.tasks import Task
    from proformer.training.config import Training

    recipes: dict[str, dict[str, dict[str, object]]] = {}
    if of.startswith("model:"):
        module = find(of.removeprefix("model:"))
        kind, recipes = module.Config, getattr(module, "RECIPES", {})
    elif of in ("training", "task"):
        kind = {"training": Training, "task": Task}[of]
    else:
        raise InputError(f"found {of!r}, expected model:NAME, training or task; `proformer models` lists the models")
    known = meanings(kind)
    rows = [("KEY", "DEFAULT", "ALLOWED", "MEANING")]
    for key, hint in hints_of(kind).items():
        default = getattr(kind, key, "")
        shown = json.dumps(list(default) if isinstance(default, tuple) else default)
        rows.append((key, shown, words(hint), known.get(key, "")))
    print(aligned(rows))
    for name, parts in recipes.items():
        print(f"recipe {name}: {json.dumps({part: keys for part, keys in parts.items() if keys})}")


def import_weights(
    *,
    weights: Annotated[Path, ".npz, .safetensors, .pth or Keras' .h5 with the original's arrays"],
    out: Annotated[OutputFolder, "model folder to write"],
    model: Annotated[str, "proformer, composed, deepstarr or deepatt"] = "proformer",
    config: Annotated[str | Path, "YAML file, or text: model keys that differ from its defaults"] = "{}",
    mean: Annotated[float | None, "mean of the training targets (default: the original's, where known, or 0)"] = None,
    sd: Annotated[Positive | None, "standard deviation of the training targets (default: likewise, or 1)"] = None,
    flanks: Annotated[Flanks | None, "constant ends of the sequences (default: the original's)"] = None,
) -> None:
    """Turn weights of an original model into a model folder.

    examples:
      proformer import-weights --weights original.npz --out model --mean 11.15 --sd 2.35 \\
          --config '{kmer: 10, dim: 512, heads: 8, blocks: 4, head: meh, expression_heads: 32}'
      proformer import-weights --model composed --weights model_best.pth --out dream-rnn \\
          --config '{processor: autosome, first: bhi, core: bhi, final: autosome}'
      proformer import-weights --model deepstarr --weights deepstarr.model.h5 --out deepstarr

    Proformer's are named arrays in Keras layout (`proformer.models.original` lists the names), those of composed models
    state dicts of the Prix Fixe framework, DeepSTARR's and DeepAtt's the published Keras files.
    """
    from proformer.models import imports

    folder = imports.import_weights(model, weights, out, read_yaml(config, "--config"), mean, sd, flanks)
    print(f"model folder written: {folder}")


def benchmark(
    *,
    out: Annotated[Output, "table of rates, as `proformer plan --rates` takes it"],
    device: Device = "auto",
    threads: CpuThreads = None,
    precision: Annotated[Literal["float32", "bf16"], "of the products"] = "float32",
    shapes: Annotated[tuple[str, ...], "width/heads/blocks"] = ("64/2/1", "64/2/2", "128/4/2", "256/8/2", "512/8/4"),
) -> None:
    """Measure how fast this machine trains, for `plan`.

    examples:
      proformer benchmark --out rates.tsv                     a minute or two; then
      proformer plan --configfile config/paper.yaml --rates rates.tsv
      proformer benchmark --out rates.tsv --device cuda --precision bf16

    Short trainings on random sequences, and beside each what plain matrix products reach on the same device.
    """
    from proformer.planning.benchmark import measure

    try:
        parsed = [(int(d), int(h), int(n)) for d, h, n in (shape.split("/") for shape in shapes)]
    except ValueError:
        raise InputError(f"--shapes {' '.join(shapes)}: expected width/heads/blocks, such as 64/2/2") from None
    write_table(out, measure(device, threads, parsed, precision))
    print(f"rates in {out}")

"""Verbs for runs of the workflow."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import WithoutValue, named, one_of
from proformer.errors import InputError
from proformer.files import Output, read_table, write_table
from proformer.settings import Positive


def plan(
    *,
    configfile: Annotated[tuple[Path, ...], "configuration files, as for snakemake"] = (),
    rates: Annotated[Path | None, "measured rates: a table, or the results of a run"] = None,
    rate: Annotated[Positive | None, "sequences/s that every model trains at, on one device"] = None,
    tflops: Annotated[Positive | None, "TFLOP/s that every model reaches, on one device"] = None,
    tsv: Annotated[bool, "a line per training, for programs"] = False,
    json: Annotated[bool, "everything, for programs"] = False,
) -> None:
    """Say what a configuration will take, before anything is started.

    examples:
      proformer plan                                          the demo
      proformer plan --configfile config/paper.yaml           GPU hours at the rate of the released training
      proformer plan --configfile config/paper.yaml --tflops 200
      proformer plan --configfile config/paper.yaml --rates rates.tsv
      proformer plan --configfile config/sample.yaml --rates results

    Configuration files are read as Snakemake reads them: on top of config.yaml, in their order. Nothing is started.
    --rates takes a table with the columns training_flops (per sequence) and sequences_per_second (of one device), or
    the results of a run, whose models were timed while they trained.
    """
    from json import dumps

    from proformer.planning import plan
    from proformer.planning import rates as speeds
    from proformer.planning.configuration import read_configuration

    one_of(rates=rates, rate=rate, tflops=tflops)
    one_of(tsv=tsv, json=json)
    config, root = read_configuration(configfile)
    if rates:
        speed = speeds.measured(rates)
    elif rate:
        speed = speeds.given(rate)
    elif tflops:
        speed = speeds.sustained(tflops)
    else:
        speed = speeds.assumed(config["device"], config["threads"])
    made = plan.make_plan(config, speed, plan.read_samples_of(config, root))
    if tsv:
        import pandas as pd

        print(pd.DataFrame(plan.as_dict(made)["trainings"]).to_csv(sep="\t", index=False), end="")
    else:
        print(dumps(plan.as_dict(made), indent=1) if json else plan.as_text(made))


def status(
    *,
    results: Annotated[Path, "a run's results"] = Path("results"),
    configfile: Annotated[tuple[Path, ...] | None, "the run's configuration files, as for snakemake, instead"] = None,
    only: Annotated[tuple[str, ...] | None, "list only points in these states"] = None,
    silent: Annotated[Positive, "minutes after which a running point is silent"] = 10.0,
    watch: Annotated[Positive | None, WithoutValue(5.0), "look again every so many seconds (no number: 5)"] = None,
    tsv: Annotated[bool, "a table for programs"] = False,
    json: Annotated[bool, "everything, for programs"] = False,
) -> None:
    """Say how far a run is, from its files.

    examples:
      proformer status                              the run in results/
      proformer status --results results/paper
      proformer status --configfile config/paper.yaml --watch
      proformer status --results results/paper --only failed silent
      proformer status --json | python -m json.tool

    Only files are read, so it works on any machine that sees the results, and while nothing runs.
    """
    import shutil
    import sys
    import time

    from proformer import status
    from proformer.points import training_jobs

    one_of(tsv=tsv, json=json)
    if unknown := sorted(set(only or ()) - {*status.STATES}):
        raise InputError(f"--only {unknown[0]}: expected some of {', '.join(status.STATES)}")
    if configfile:
        from proformer.planning.configuration import read_configuration

        config, _ = read_configuration(configfile)
        folder, jobs = Path(config["results"]), training_jobs(config)
    else:
        folder, jobs = results, status.read_jobs(results / "jobs.json")
    while True:
        points = status.read_points(folder, jobs, silent)
        listed = [point for point in points if not only or point.state in only]
        if tsv:
            print(status.as_tsv(listed))
        elif json:
            print(status.as_json(listed, status.summarise(points)))
        elif watch is None:
            print("\n".join([status.as_text(listed), status.total_line(points), *status.failed_jobs(folder)]))
        else:
            rows = max(1, shutil.get_terminal_size().lines - 6)
            clear = "\033[H\033[J" if sys.stdout.isatty() else ""
            print(f"{clear}{folder} at {time.strftime('%H:%M:%S')}\n{status.as_text(listed, rows)}")
            print(status.total_line(points), flush=True)
        if watch is None or all(point.state == "done" for point in points):
            return
        try:
            time.sleep(watch)
        except KeyboardInterrupt:
            return


def compare(
    *,
    results: Annotated[Path, "folder of a run"] = Path("results"),
    metric: Annotated[str | None, "print this metric only"] = None,
    evaluation: Annotated[str | None, "print this evaluation set only"] = None,
    out: Annotated[Output | None, "gather everything, and write the table"] = None,
    epochs: Annotated[Output | None, "write every epoch of the models, too: part, metric, value"] = None,
    points: Annotated[tuple[str, ...] | None, "folders below RESULTS/models (default: all that are finished)"] = None,
    truth: Annotated[tuple[str, ...], "DATASET/SET=FILE, measured: see `proformer evaluate`"] = (),
    dream: Annotated[tuple[Path, ...], "tables of `proformer score`"] = (),
    simulated: Annotated[tuple[str, ...], "DATASET[=FOLDER of the ATAC-seq]: a perfect model's r beside"] = (),
    called: Annotated[tuple[str, ...], "POINT=NAME, names of the points in these tables"] = (),
    peers: Annotated[tuple[Path, ...], "tables of `proformer peers`, with intervals"] = (),
) -> None:
    """Print everything that was measured of a run's models, side by side.

    examples:
      proformer compare --results results
      proformer compare --results results/sample --metric pearson --evaluation validation
      proformer compare --results results --out everything.tsv --truth dream/test=filtered_test_data.txt

    Without --out, the table that the workflow wrote is printed; where there is none yet, what is finished is gathered.
    """
    from proformer.evaluation.compare import compare, learning_curves

    written = results / "tables" / "comparison.tsv"
    if out or not written.is_file():
        files = {name: Path(file) for name, file in named(truth)}
        pairs = (text.partition("=") for text in simulated)
        folders = {name: Path(folder) if folder else None for name, _, folder in pairs}
        table = compare(results, points, files, dream, dict(named(called)), folders, peers)
    else:
        table = read_table(written)
    shown = table
    for column, wanted in (("metric", metric), ("evaluation", evaluation)):
        if wanted and wanted not in set(table[column]):
            known = ", ".join(sorted(set(table[column])))
            raise InputError(f"--{column} {wanted}: not in this run; there are {known}")
        shown = shown[shown[column] == wanted] if wanted else shown
    write_table(out, table)
    if epochs:
        write_table(epochs, learning_curves(results, points))
    hidden = ["over", "hardware", "precision", "digest", "config", "best_epoch"]
    shown = shown.drop(columns=hidden).dropna(axis="columns", how="all")
    print(shown.to_string(index=False, na_rep="", float_format=lambda value: f"{value:.4g}"))

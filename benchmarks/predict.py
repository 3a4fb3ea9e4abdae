"""How fast is prediction? Ours, beside the straight eager float32 path, in turns; and a whole file, end to end.

    python benchmarks/predict.py --threads 1
    python benchmarks/predict.py --rows 71103            # as many as the challenge's test file, end to end

The straight path computes all rows and the nucleotides too, as the released code does.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from harness import arguments, bars, interleave, kind, own_peak, peak_memory, pin, publish, summarise, where
from train_step import SHAPES, WAYS, model_keys, ways

from proformer.planning.cost import cost
from proformer.tasks import Task

BATCH = {"64/2/2": 128, "512/8/4": 8}


def make_prediction(keys: dict[str, Any], batch: int, way: str, device: str) -> Any:
    """A function that predicts a batch of fixed random sequences."""
    import torch

    from proformer.datasets.batches import both_strands
    from proformer.models import build
    from proformer.training import products
    from proformer.training.validation import predict_codes

    rewrites, fast, precision = WAYS[way]
    torch.manual_seed(1)
    model = build(keys).to(device).eval()
    codes = torch.randint(0, 4, (batch, 100), dtype=torch.uint8).to(device)
    library = fast and device == "cpu" and products.onednn_is_faster()

    @torch.inference_mode()
    def straight() -> object:
        products.use_onednn(False)
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            return model.both(both_strands(codes))[0].float()

    def ours() -> object:
        products.use_onednn(library)
        return predict_codes(model, codes, precision)

    return ours if rewrites else straight


def whole_file(rows: int, device: str, threads: int, place: dict[str, Any], out: Path) -> None:
    """`proformer predict` on a simulated test file with untrained models, from the shell to the finished table."""
    import torch

    from proformer.models import build, resolve
    from proformer.models.folder import write_folder
    from proformer.simulate.dream import write_dream

    results = []
    with tempfile.TemporaryDirectory() as folder:
        write_dream(Path(folder), train=1, test=rows, seed=1)
        layout = {"length": 100, "flanks": ["TGCATTTTTTTCACATC", "GGTTACGGCTGTT"]}
        for name in SHAPES if device == "cuda" else ["64/2/2"]:
            torch.manual_seed(1)
            keys = model_keys(SHAPES[name], True)
            description = {"model": resolve(keys), "layout": layout, "task": asdict(Task(mean=(0.0,), sd=(1.0,)))}
            write_folder(Path(folder) / "model", build(keys).state_dict(), description)
            command = [sys.executable, "-m", "proformer", "predict", "--model", f"{folder}/model", "--out"]
            command += [f"{folder}/out.tsv", "--sequences", f"{folder}/filtered_test_data_with_MAUDE_expression.txt"]
            started = time.perf_counter()
            subprocess.run([*command, "--device", device, "--threads", str(threads)], check=True)
            seconds = time.perf_counter() - started
            results.append({"shape": name, "rows": rows, "seconds": seconds, "sequences_per_second": rows / seconds})
    publish(f"predict_file_{device}", pd.DataFrame(results).assign(**place), out)


def main(args: Any) -> None:
    """Measure, print, write."""
    place = pin(args.device, args.threads)
    device = place["device"]
    if args.rows:
        whole_file(args.rows, device, args.threads, place, args.out)
        return
    tables = []
    for name, (*shape, _) in SHAPES.items():
        batch = 512 if device == "cuda" else BATCH[name]
        predictions = {
            way: make_prediction(model_keys(SHAPES[name], WAYS[way][0]), batch, way, device) for way in ways(place)
        }
        table = summarise(interleave(predictions, args.repeats, 10 if device == "cuda" else 1), "straight, float32")
        del predictions
        table.insert(0, "shape", name)
        table.insert(1, "batch", batch)
        table["sequences_per_second"] = batch / table["seconds"]
        original = cost(model_keys((*shape, batch), False)).forward_flops
        table["original_gflops_per_second"] = table["sequences_per_second"] * original / 1e9
        if device == "cpu":
            own = ("--device", "cpu", "--threads", args.threads, "--shape", name, "--only")
            table["peak_mb"] = [peak_memory(__file__, *own, way) for way in table["way"]]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True).assign(**place)
    publish(
        f"predict_{kind(place)}_{place['threads']}", table, args.out,
        lambda t: bars(t.assign(panel=t["shape"] + ", batch " + t["batch"].astype(str)), "times_straight",
                       "speed of prediction, straight float32 path = 1", "panel", where(t)),
    )  # fmt: skip


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, help="time `proformer predict` on a file of so many sequences instead")
    parser.add_argument("--only", choices=WAYS, help="predict one batch in one way and print the peak memory in MB")
    parser.add_argument("--shape", choices=SHAPES, default="64/2/2", help="of --only")
    args = parser.parse_args()
    if args.only:
        pin(args.device, args.threads)
        keys = model_keys(SHAPES[args.shape], WAYS[args.only][0])
        make_prediction(keys, BATCH[args.shape], args.only, args.device)()
        print(own_peak())
    else:
        main(args)

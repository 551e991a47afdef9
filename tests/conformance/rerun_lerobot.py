#!/usr/bin/env python3
"""rerun's own importer reads an exported LeRobot set: states, tasks and every camera of every episode.

    rerun_lerobot.py FOLDER OUT.rrd          FOLDER holds one set a robot; OUT.rrd is overwritten
"""
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import rerun as rr

from checks import check, finish
from rrd_check import ENVIRONMENT, free_port, rerun_program


def check_set(root, out):
    info = json.loads((root / "meta/info.json").read_text())
    subprocess.run([rerun_program(), root, "--bind", "127.0.0.1", "--port", str(free_port()), "--save", out], check=True, env=ENVIRONMENT, capture_output=True, timeout=120)
    tasks = set(pq.read_table(root / "meta/tasks.parquet")["task"].to_pylist())
    with rr.server.Server(host="127.0.0.1", datasets={"set": [out]}) as server:
        dataset = server.client().get_dataset("set")
        check(len(dataset.segment_ids()) == info["total_episodes"], f"{root.name}: episodes {dataset.segment_ids()}")

        def column(entity, component):
            rows = dataset.filter_contents([entity]).reader(index="frame_index").to_pandas()
            return rows.get(f"{entity}:{component}", default=rows.iloc[:0]).dropna()

        states = column("/observation.state", "Scalars:scalars")
        check(len(states) == info["total_frames"], f"{root.name}: {len(states)} states")
        texts = column("/task", "TextDocument:text")
        check(len(texts) == info["total_frames"] and {text[0] for text in texts} <= tasks, f"{root.name}: {len(texts)} rows with a task")
        for key in [key for key, feature in info["features"].items() if feature["dtype"] == "video"]:
            frames = column(f"/{key}", "VideoStream:sample")
            check(len(frames) == info["total_frames"], f"{root.name} {key}: {len(frames)} frames")


def main():
    sets = sorted(path.parent.parent for path in Path(sys.argv[1]).glob("*/meta/info.json"))
    check(bool(sets), f"{len(sets)} sets")
    for root in sets:
        check_set(root, sys.argv[2])
    finish()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""The live view's recording through rerun itself: `rerun rrd verify`, then rows read back by the Python SDK.

    rrd_check.py LIVE.rrd [STORE]      with STORE, joints and pictures are compared with what the recorder kept
"""
import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import rerun as rr
import rerun_sdk

from checks import check, finish

INDEX = "robot_time"
ENVIRONMENT = {"CI": "1", "PATH": "/usr/bin:/bin"}


def free_port():
    """rerun's programs listen on 9876 unless told otherwise."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rerun_program():
    """The native program; the `rerun` on PATH is a shim around it."""
    return Path(next(iter(rerun_sdk.__path__))) / "rerun_cli/rerun"


def recorded(store, stream):
    """Rows of one stream by capture time, from all episodes."""
    tables = []
    for path in sorted(store.glob("episodes/*/*/*/manifest.json")):
        for entry in json.loads(path.read_text())["streams"]:
            if f"/{entry['robot']}/{entry['stream']}" == stream:
                tables += [pq.read_table(path.parent / file["name"]) for file in entry["files"] if file["name"].endswith(".parquet")]
    return tables


def main():
    path = sys.argv[1]
    store = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    verify = subprocess.run([rerun_program(), "rrd", "verify", path], capture_output=True, text=True, env=ENVIRONMENT)
    check(verify.returncode == 0 and "0 files verified" not in verify.stdout + verify.stderr, f"rerun rrd verify: {(verify.stdout + verify.stderr).strip()[-120:]}")
    with rr.server.Server(host="127.0.0.1", datasets={"live": [path]}) as server:
        dataset = server.client().get_dataset("live")
        check(len(dataset.segment_ids()) == 1, f"segments {dataset.segment_ids()}")
        columns = dataset.schema().component_columns()
        joints = sorted(c.entity_path for c in columns if c.entity_path.endswith("/joint/pos") and c.component == "Scalars:scalars")
        cameras = sorted(c.entity_path for c in columns if c.component == "VideoStream:sample")
        bodies = sorted({c.entity_path for c in columns if c.component == "Transform3D:child_frame" and c.entity_path.endswith("/tf")} - {"/field/tf"})
        check(len(joints) > 0 and len(cameras) > 0, f"joints {joints}, cameras {cameras}")
        check(len(bodies) == len(joints), f"robots in 3D: {bodies}")

        def rows(entity, component):
            frame = dataset.filter_contents([entity]).reader(index=INDEX).to_pandas().sort_values(INDEX)
            column = f"{entity}:{component}"
            return {int(np.datetime64(t, "ns").astype("int64")): value for t, value in zip(frame[INDEX].to_numpy(), frame[column]) if value is not None}

        for entity in joints:
            live = rows(entity, "Scalars:scalars")
            check(len(live) > 0, f"{entity}: {len(live)} rows")
            if store is None:
                continue
            compared = 0
            equal = True
            for table in recorded(store, entity.removesuffix("/pos")):
                names = [name for name in table.column_names if name.endswith(".pos")]
                values = np.column_stack([table[name].to_numpy() for name in names])
                for t, row in zip(table["t"].to_numpy().astype("int64"), values):
                    if int(t) in live:
                        compared += 1
                        equal &= np.array_equal(np.asarray(live[int(t)], float), row, equal_nan=True)
            check(compared > 100 and equal, f"{entity}: {compared} rows equal the recorder's bit for bit")
        for entity in cameras:
            live = rows(entity, "VideoStream:sample")
            first = bytes(np.asarray(next(iter(live.values()))[0], np.uint8)) if live else b""
            check(len(live) > 0 and first.startswith(b"\0\0\0\1"), f"{entity}: {len(live)} pictures, Annex-B")
            if store is not None:
                known = {int(t) for table in recorded(store, entity) for t in table["t"].to_numpy().astype("int64")}
                common = len(known & set(live))
                check(common > 10, f"{entity}: {common} pictures are the recorder's too")
    finish()


if __name__ == "__main__":
    main()

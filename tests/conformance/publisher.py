#!/usr/bin/env python3
"""The README's ten-line publisher joins a running recorder and is recorded without loss. The text in the README is what runs.

    publisher.py SANQU README.md FOLDER
"""
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from checks import check, finish

SAMPLES = 400
ROBOT, STREAM, STATION = "kuavo-01", "wrench/gripper", "c01"


def published_text(readme):
    """The Python between the README's markers."""
    between = re.search(r"<!-- publisher -->(.*?)<!-- /publisher -->", readme.read_text(), re.S)
    code = between and re.search(r"```python\n(.*?)```", between.group(1), re.S)
    if not code:
        sys.exit(f"{readme} has no Python between <!-- publisher --> and <!-- /publisher -->")
    return code.group(1)


def main():
    sanqu, readme, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "store"
    program = folder / "publisher.py"
    program.write_text(published_text(readme))
    recorder = subprocess.Popen([sanqu, "record", "--store", store, "--listen", "tcp/127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        line = recorder.stdout.readline()
        endpoint = re.search(r"listening on (\S+)", line).group(1)

        def episode(verb):
            subprocess.run([sanqu, "episode", verb, "--station", STATION, "--connect", endpoint], check=True, timeout=60)

        episode("start")
        subprocess.run([sys.executable, program, endpoint, str(SAMPLES)], check=True, timeout=120)
        episode("stop")
        recorder.send_signal(2)
        recorder.communicate(timeout=120)
    finally:
        recorder.kill()
    manifests = [json.loads(path.read_text()) for path in store.glob("episodes/*/*/*/manifest.json")]
    check(len(manifests) == 1, f"{len(manifests)} episode")
    entry = next((s for m in manifests for s in m["streams"] if (s["robot"], s["stream"]) == (ROBOT, STREAM)), None)
    if check(entry is not None, f"stream {ROBOT}/{STREAM}"):
        check(not entry["declared"], "marked as undeclared")
        check(int(entry["received"]) == SAMPLES and int(entry["rows"]) == SAMPLES, f"{entry['received']} of {SAMPLES} samples received")
        check(all(int(count) == 0 for count in entry["lost"].values()), f"lost: {entry['lost']}")
        path = next(store.glob(f"episodes/*/*/*/{ROBOT}.{STREAM.replace('/', '.')}.parquet"))
        table = pq.read_table(path)
        check(np.array_equal(table["seq"].to_numpy(), np.arange(SAMPLES)), "sequences 0 to the last, in order")
        values = np.column_stack([table[name].to_numpy() for name in table.column_names if name.endswith(".force")])
        check(np.array_equal(values, np.tile([0.0, 0.0, 9.81], (SAMPLES, 1))), f"values as sent: {table.column_names[4:]}")
    finish()


if __name__ == "__main__":
    main()

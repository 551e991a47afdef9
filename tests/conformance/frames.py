#!/usr/bin/env python3
"""Every exported video frame shows the number that its row says: the simulated cameras burn the frame's number into the
picture's top rows (40 cells: 4 sync, 32 number, 4 checksum), and each row of the data set names its source frame.

    frames.py FOLDER          FOLDER holds one LeRobot v3.0 set a robot
"""
import json
import sys
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq

from checks import check, finish

CELLS = 40
CONTRAST_MIN = 80


def read_strip(luma):
    """The burnt-in number of a luma plane, or None."""
    height, width = luma.shape
    cell, rows = width // CELLS, max(width // CELLS, 8)
    if cell < 2 or height < rows:
        return None
    margin_x, margin_y = cell // 4, rows // 4
    middle = luma[margin_y : rows - margin_y].astype(float)
    means = [middle[:, i * cell + margin_x : (i + 1) * cell - margin_x].mean() for i in range(CELLS)]
    bright, dark = (means[0] + means[2]) / 2, (means[1] + means[3]) / 2
    if bright < dark + CONTRAST_MIN:
        return None
    bits = [mean > (bright + dark) / 2 for mean in means]
    number = sum(bit << (31 - i) for i, bit in enumerate(bits[4:36]))
    checksum = 0b1010
    for nibble in range(8):
        checksum ^= (number >> (4 * nibble)) & 0xF
    good = bits[:4] == [True, False, True, False] and bits[36:] == [bool((checksum >> (3 - i)) & 1) for i in range(4)]
    return number if good else None


def luma_of(frame):
    plane = frame.reformat(format="yuv420p").planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]


def decode(path):
    """Numbers of all frames of a file by presentation time in seconds."""
    with av.open(str(path)) as container:
        return [(float(frame.pts * frame.time_base), read_strip(luma_of(frame))) for frame in container.decode(video=0)]


def check_set(root):
    info = json.loads((root / "meta/info.json").read_text())
    data = {}
    for path in sorted(root.glob("data/*/*.parquet")):
        for row in pq.read_table(path).to_pylist():
            data[row["episode_index"], row["frame_index"]] = row
    check(len(data) == info["total_frames"] > 0, f"{root.name}: {len(data)} rows")
    episodes = [row for path in sorted(root.glob("meta/episodes/*/*.parquet")) for row in pq.read_table(path).to_pylist()]
    for key in [key for key, feature in info["features"].items() if feature["dtype"] == "video"]:
        camera = key.removeprefix("observation.images.")
        files = {}
        compared = wrong = 0
        for episode in episodes:
            chunk, file = episode[f"videos/{key}/chunk_index"], episode[f"videos/{key}/file_index"]
            path = root / info["video_path"].format(video_key=key, chunk_index=chunk, file_index=file)
            if path not in files:
                files[path] = decode(path)
            begin = episode[f"videos/{key}/from_timestamp"]
            first = round(begin * info["fps"])
            for index in range(episode["length"]):
                pts, number = files[path][first + index] if first + index < len(files[path]) else (None, None)
                row = data[episode["episode_index"], index]
                on_time = pts is not None and abs(pts - begin - row["timestamp"]) < 1e-4
                compared += 1
                wrong += not (on_time and number == row[f"source.{camera}_seq"])
        check(compared == len(data) and wrong == 0, f"{root.name} {camera}: {compared} frames decoded, {wrong} do not show their row's number")
        numbers = [number for frames in files.values() for _, number in frames]
        check(None not in numbers, f"{root.name} {camera}: {len(numbers)} frames in the files, each with a readable number (those beyond the rows lead in from a keyframe)")


def main():
    sets = sorted(path.parent.parent for path in Path(sys.argv[1]).glob("*/meta/info.json"))
    check(bool(sets), f"{len(sets)} sets")
    for root in sets:
        check_set(root)
    finish()


if __name__ == "__main__":
    main()

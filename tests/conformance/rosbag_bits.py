#!/usr/bin/env python3
"""Compares an imported episode with its ROS 1 bag, as the PyPI package `rosbags` reads it: bit for bit.

    rosbag_bits.py BAG EPISODE_DIR        exit 1 on the first difference

Needs rosbags, numpy, pyarrow. Checks what the bag has of: joint positions, velocities, accelerations and the published
torque array, the torque rule, the IMU, arm targets (published degrees, and radians), headset poses, sticks and buttons;
header stamps, bag receive times, sequences and row counts.
"""
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from rosbags.rosbag1 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

LIMBS = [("leg_l", 6), ("leg_r", 6), ("zarm_l", 7), ("zarm_r", 7), ("zhead_", 2)]
JOINTS = [f"{limb}{i}" for limb, n in LIMBS for i in range(1, n + 1)]
ARM_C2T = [5.0, 2.3, 5.0, 4.7, 4.7, 4.7]


def newton_metres(i, raw):
    """The rule kuavo-torque/1, written a second time."""
    if i in (0, 3, 4, 5, 6, 9, 10, 11): return raw
    if i in (1, 2, 7, 8, 12, 19): return raw / 1.2 * 1.05
    if 13 <= i <= 18: return raw / 2.1 * ARM_C2T[i - 13]
    if 20 <= i <= 25: return raw / 2.1 * ARM_C2T[i - 20]
    return raw / 2.1 * (0.21 if i == 26 else 4.7)


def read_bag(path):
    store, topics = get_typestore(Stores.ROS1_NOETIC), {}
    with Reader(path) as bag:
        for c in bag.connections:
            store.register({k: v for k, v in get_types_from_msg(c.msgdef.data, c.msgtype).items() if k not in store.fielddefs})
        for c, recv, raw in bag.messages():
            topics.setdefault(c.topic, []).append((recv, store.deserialize_ros1(raw, c.msgtype)))
    return topics


def stamp_ns(m): return m.header.stamp.sec * 10**9 + m.header.stamp.nanosec
def xyz(v): return [v.x, v.y, v.z]
def xyzw(v): return [v.x, v.y, v.z, v.w]


class Stream:
    def __init__(self, folder, robot, name):
        self.name, self.compared = name, 0
        self.table = pq.read_table(folder / f"{robot}.{name.replace('/', '.')}.parquet")

    def same(self, column, expected):
        """Bit for bit: NaN equals the same NaN, 0.0 differs from -0.0."""
        array = self.table[column].combine_chunks()
        found = np.asarray(array.cast("int64") if str(array.type).startswith("timestamp") else array)
        expected = np.asarray(expected, dtype=found.dtype)
        if len(found) != len(expected):
            sys.exit(f"{self.name} {column}: {len(found)} rows, the bag has {len(expected)} messages")
        differ = np.flatnonzero(np.frombuffer(found.tobytes(), np.uint8).reshape(len(found), -1) != np.frombuffer(expected.tobytes(), np.uint8).reshape(len(found), -1))
        if len(differ):
            row = differ[0] // found.dtype.itemsize
            sys.exit(f"{self.name} {column} row {row}: {found[row]!r}, the bag has {expected[row]!r}")
        self.compared += len(found)

    def all(self, names, quantity, rows):
        for i, name in enumerate(names):
            self.same(f"{name}.{quantity}", [row[i] for row in rows])

    def times(self, messages, stamped):
        self.same("t_recv", [recv for recv, _ in messages])
        self.same("t", [stamp_ns(m) if stamped else recv for recv, m in messages])
        self.same("seq", [m.header.seq for _, m in messages] if stamped else range(len(messages)))

    def done(self): print(f"ok  {self.name:20} {self.table.num_rows:6} rows, {self.compared} values")


def main(bag, folder):
    folder, topics = Path(folder), read_bag(bag)
    robot = json.loads((folder / "manifest.json").read_text())["robots"][0]["robot"]
    if sensors := topics.get("/sensors_data_raw"):
        s = Stream(folder, robot, "joint")
        s.times(sensors, True)
        data = [m.joint_data for _, m in sensors]
        torque = [getattr(d, "joint_torque", None) if hasattr(d, "joint_torque") else d.joint_current for d in data]
        for quantity, rows in (("pos", [d.joint_q for d in data]), ("vel", [d.joint_v for d in data]), ("acc", [d.joint_vd for d in data]), ("effort_raw", torque)):
            s.all(JOINTS, quantity, rows)
        s.all(JOINTS, "effort", [[newton_metres(i, v) for i, v in enumerate(row)] for row in torque])
        s.same("source.sensor_time", [m.sensor_time.sec * 10**9 + m.sensor_time.nanosec for _, m in sensors])
        s.done()
        s = Stream(folder, robot, "imu/torso")
        s.times(sensors, True)
        imu = [m.imu_data for _, m in sensors]
        for quantity in ("gyro", "acc", "free_acc"):
            s.all("xyz", quantity, [xyz(getattr(i, quantity)) for i in imu])
        s.all("xyzw", "quat", [xyzw(i.quat) for i in imu])
        s.done()
    if targets := topics.get("/kuavo_arm_traj"):
        s = Stream(folder, robot, "command")
        s.times(targets, True)
        s.all(JOINTS[12:26], "pos_raw", [m.position for _, m in targets])
        s.all(JOINTS[12:26], "pos", [m.position * (np.pi / 180) for _, m in targets])
        s.done()
    if poses := topics.get("/leju_quest_bone_poses"):
        s = Stream(folder, robot, "teleop/bone-poses")
        s.times(poses, False)
        bones = range(len(poses[0][1].poses))
        s.all([f"bone_{b:02}_{a}" for b in bones for a in "xyz"], "position", [[v for p in m.poses for v in xyz(p.position)] for _, m in poses])
        s.all([f"bone_{b:02}_{a}" for b in bones for a in "xyzw"], "orientation", [[v for p in m.poses for v in xyzw(p.orientation)] for _, m in poses])
        s.same("source.headset_time", [m.timestamp_ms for _, m in poses])
        s.done()
    if sticks := topics.get("/quest_joystick_data"):
        s = Stream(folder, robot, "teleop/joystick")
        s.times(sticks, False)
        for field in (f for f in dir(sticks[0][1]) if f.startswith(("left_", "right_"))):
            s.same(f"{field}.{'button' if '_button_' in field else 'axis'}", [getattr(m, field) for _, m in sticks])
        s.done()
    if not topics.keys() & {"/sensors_data_raw", "/kuavo_arm_traj", "/leju_quest_bone_poses", "/quest_joystick_data"}:
        sys.exit(f"{bag}: none of the imported topics: nothing was compared")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

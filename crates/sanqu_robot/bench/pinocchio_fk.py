"""Times Pinocchio's forward kinematics as a Python program would call it: one call per robot and pass.

argv[1]: the job that the benchmark wrote. Prints median and 99th percentile of a pass, ms.
"""

import json
import math
import sys
import time

import pinocchio as pin

with open(sys.argv[1]) as file:
    job = json.load(file)
model = pin.buildModelFromUrdf(job["urdf"])


def configuration(pose):
    q = pin.neutral(model)
    for name, value in pose.items():
        joint = model.getJointId(name)
        if joint >= model.njoints:
            sys.exit(f"Pinocchio has no joint {name}")
        first = model.joints[joint].idx_q
        if model.joints[joint].nq == 1:
            q[first] = value
        else:
            q[first : first + 2] = math.cos(value), math.sin(value)
    return q


poses = [configuration(pose) for pose in job["poses"]]
robots = [model.createData() for _ in range(job["robots"])]
pin.framesForwardKinematics(model, robots[0], poses[0])
for link, place in job["places"].items():
    frame = model.getFrameId(link, pin.FrameType.BODY)
    if frame >= model.nframes:
        sys.exit(f"Pinocchio has no link {link}")
    off = max(abs(a - b) for a, b in zip(robots[0].oMf[frame].translation, place))
    if off > job["agree_m"]:
        sys.exit(f"Pinocchio's {link} is {off} m away: nothing is timed")

times = []
for number in range(job["passes"] + job["warm_up"]):
    begin = time.perf_counter()
    for index, data in enumerate(robots):
        pin.framesForwardKinematics(model, data, poses[(number + index) % len(poses)])
    times.append((time.perf_counter() - begin) * 1e3)
times = sorted(times[job["warm_up"] :])
print(times[len(times) // 2], times[len(times) * 99 // 100])

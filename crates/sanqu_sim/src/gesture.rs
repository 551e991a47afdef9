//! Key poses of the shipped robots' demonstrations, as offsets from the standing pose.

use sanqu_robot::RobotModel;

use crate::scene::SceneKind;

/// A pose to move to, then to hold.
pub(crate) struct KeyPose {
    /// Shortest time for the move, s; longer when a joint's speed asks for it.
    pub(crate) move_secs: f64,
    /// Time to stay, s.
    pub(crate) hold_secs: f64,
    /// Joint name and offset from the standing pose, rad; joints that are not named stand.
    pub(crate) offsets: &'static [(&'static str, f64)],
}

/// A demonstration that repeats itself.
pub(crate) struct Gesture {
    /// What is drawn around the robot.
    pub(crate) scene: SceneKind,
    /// The poses, the last one standing.
    pub(crate) keys: &'static [KeyPose],
    /// Joints that shift the weight from foot to foot: equal offsets at hip and ankle with these signs keep both soles flat.
    pub(crate) weight_shift: &'static [(&'static str, f64)],
}

const STAND: KeyPose = KeyPose { move_secs: 1.2, hold_secs: 0.8, offsets: &[] };

/// Walker S at the front of a car: both headlamps, then the grille. Signs are the telemetry's: forward is + for the left
/// shoulder and - for the right one, waist pitch - leans forward, head pitch + looks up.
const INSPECTION: Gesture = Gesture {
    scene: SceneKind::Car,
    keys: &[
        KeyPose {
            move_secs: 1.4,
            hold_secs: 0.4,
            offsets: &[
                ("waist_yaw_joint", -0.32),
                ("head_yaw_joint", 0.22),
                ("head_pitch_joint", 0.20),
                ("L_shoulder_pitch_joint", 0.42),
                ("L_elbow_roll_joint", 0.55),
                ("L_wrist_pitch_joint", -0.20),
                ("R_elbow_roll_joint", -0.15),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.3,
            offsets: &[
                ("waist_yaw_joint", -0.36),
                ("head_yaw_joint", 0.30),
                ("head_pitch_joint", 0.12),
                ("L_shoulder_pitch_joint", 0.50),
                ("L_shoulder_roll_joint", -0.18),
                ("L_elbow_roll_joint", 0.70),
                ("L_elbow_yaw_joint", 0.38),
                ("L_wrist_pitch_joint", -0.32),
                ("L_wrist_roll_joint", 0.42),
                ("R_elbow_roll_joint", -0.15),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.3,
            offsets: &[
                ("waist_yaw_joint", -0.28),
                ("head_yaw_joint", 0.12),
                ("head_pitch_joint", 0.22),
                ("L_shoulder_pitch_joint", 0.38),
                ("L_shoulder_roll_joint", 0.16),
                ("L_elbow_roll_joint", 0.58),
                ("L_elbow_yaw_joint", -0.36),
                ("L_wrist_pitch_joint", 0.10),
                ("L_wrist_roll_joint", -0.35),
            ],
        },
        KeyPose {
            move_secs: 1.5,
            hold_secs: 0.5,
            offsets: &[
                ("waist_pitch_joint", -0.18),
                ("head_pitch_joint", 0.10),
                ("L_shoulder_pitch_joint", 0.20),
                ("R_shoulder_pitch_joint", -0.20),
                ("L_elbow_roll_joint", 0.30),
                ("R_elbow_roll_joint", 0.30),
                ("L_shoulder_yaw_joint", 0.15),
                ("R_shoulder_yaw_joint", -0.15),
                ("L_hip_pitch_joint", 0.16),
                ("R_hip_pitch_joint", 0.16),
                ("L_knee_pitch_joint", -0.32),
                ("R_knee_pitch_joint", -0.32),
                ("L_ankle_pitch_joint", 0.16),
                ("R_ankle_pitch_joint", 0.16),
            ],
        },
        KeyPose {
            move_secs: 1.5,
            hold_secs: 0.4,
            offsets: &[
                ("waist_yaw_joint", 0.34),
                ("head_yaw_joint", -0.24),
                ("head_pitch_joint", 0.18),
                ("R_shoulder_pitch_joint", -0.42),
                ("R_elbow_roll_joint", 0.55),
                ("R_wrist_pitch_joint", 0.20),
                ("L_elbow_roll_joint", -0.15),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.3,
            offsets: &[
                ("waist_yaw_joint", 0.38),
                ("head_yaw_joint", -0.30),
                ("head_pitch_joint", 0.12),
                ("R_shoulder_pitch_joint", -0.50),
                ("R_shoulder_roll_joint", -0.18),
                ("R_elbow_roll_joint", 0.70),
                ("R_elbow_yaw_joint", -0.38),
                ("R_wrist_pitch_joint", 0.32),
                ("R_wrist_roll_joint", 0.42),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.3,
            offsets: &[
                ("waist_yaw_joint", 0.26),
                ("head_yaw_joint", -0.10),
                ("head_pitch_joint", 0.24),
                ("R_shoulder_pitch_joint", -0.36),
                ("R_shoulder_roll_joint", 0.16),
                ("R_elbow_roll_joint", 0.58),
                ("R_elbow_yaw_joint", 0.36),
                ("R_wrist_pitch_joint", -0.10),
                ("R_wrist_roll_joint", -0.35),
            ],
        },
        STAND,
    ],
    weight_shift: &[("L_hip_roll_joint", 1.0), ("R_hip_roll_joint", 1.0), ("L_ankle_roll_joint", -1.0), ("R_ankle_roll_joint", -1.0)],
};

/// 夸父 explains three panels: welcome, left, a bow with the knees, right, both hands. Shoulder pitch - is forward, shoulder
/// roll is outwards with + on the left and - on the right, elbow - bends, head pitch + looks down.
const GUIDE: Gesture = Gesture {
    scene: SceneKind::Exhibition,
    keys: &[
        KeyPose {
            move_secs: 1.4,
            hold_secs: 0.5,
            offsets: &[
                ("zarm_l1_joint", -0.70),
                ("zarm_l2_joint", 0.25),
                ("zarm_l4_joint", -0.75),
                ("zarm_r1_joint", -0.70),
                ("zarm_r2_joint", -0.25),
                ("zarm_r4_joint", -0.75),
                ("zhead_2_joint", 0.12),
            ],
        },
        KeyPose {
            move_secs: 1.5,
            hold_secs: 0.5,
            offsets: &[
                ("zarm_l1_joint", -1.25),
                ("zarm_l2_joint", 0.55),
                ("zarm_l3_joint", 0.25),
                ("zarm_l4_joint", -0.35),
                ("zhead_1_joint", 0.55),
                ("zhead_2_joint", -0.05),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.4,
            offsets: &[
                ("zarm_l1_joint", -1.05),
                ("zarm_l2_joint", 0.70),
                ("zarm_l3_joint", 0.45),
                ("zarm_l4_joint", -0.60),
                ("zarm_l5_joint", 0.50),
                ("zarm_l6_joint", -0.25),
                ("zarm_l7_joint", 0.20),
                ("zhead_1_joint", 0.40),
                ("zhead_2_joint", 0.10),
            ],
        },
        KeyPose {
            move_secs: 1.6,
            hold_secs: 0.5,
            offsets: &[
                // A little more than the knees need: the torso leans forward, as in a bow.
                ("leg_l3_joint", -0.295),
                ("leg_r3_joint", -0.295),
                ("leg_l4_joint", 0.40),
                ("leg_r4_joint", 0.40),
                ("leg_l5_joint", -0.20),
                ("leg_r5_joint", -0.20),
                ("zarm_l1_joint", -0.08),
                ("zarm_l4_joint", -0.20),
                ("zarm_r1_joint", -0.08),
                ("zarm_r4_joint", -0.20),
                ("zhead_2_joint", 0.28),
            ],
        },
        KeyPose {
            move_secs: 1.6,
            hold_secs: 0.5,
            offsets: &[
                ("zarm_r1_joint", -1.25),
                ("zarm_r2_joint", -0.55),
                ("zarm_r3_joint", -0.25),
                ("zarm_r4_joint", -0.35),
                ("zhead_1_joint", -0.55),
                ("zhead_2_joint", -0.05),
            ],
        },
        KeyPose {
            move_secs: 0.9,
            hold_secs: 0.4,
            offsets: &[
                ("zarm_r1_joint", -1.05),
                ("zarm_r2_joint", -0.70),
                ("zarm_r3_joint", -0.45),
                ("zarm_r4_joint", -0.60),
                ("zarm_r5_joint", -0.50),
                ("zarm_r6_joint", 0.25),
                ("zarm_r7_joint", 0.20),
                ("zhead_1_joint", -0.40),
                ("zhead_2_joint", 0.10),
            ],
        },
        KeyPose {
            move_secs: 1.3,
            hold_secs: 0.6,
            offsets: &[
                ("zarm_l1_joint", -0.60),
                ("zarm_l3_joint", -0.30),
                ("zarm_l4_joint", -0.95),
                ("zarm_l5_joint", -0.45),
                ("zarm_l7_joint", -0.30),
                ("zarm_r1_joint", -0.60),
                ("zarm_r3_joint", 0.30),
                ("zarm_r4_joint", -0.95),
                ("zarm_r5_joint", 0.45),
                ("zarm_r7_joint", -0.30),
                ("zhead_2_joint", 0.05),
            ],
        },
        STAND,
    ],
    weight_shift: &[("leg_l1_joint", 1.0), ("leg_r1_joint", 1.0), ("leg_l6_joint", -1.0), ("leg_r6_joint", -1.0)],
};

/// For a robot that no gesture was made for: it stands and sways.
const IDLE: Gesture = Gesture { scene: SceneKind::Exhibition, keys: &[STAND], weight_shift: &[] };

impl Gesture {
    /// The demonstration whose joints the robot has, else standing and swaying.
    pub(crate) fn for_model(model: &RobotModel) -> &'static Self {
        let fits = |gesture: &&'static Self| {
            let named = gesture.keys.iter().flat_map(|key| key.offsets).chain(gesture.weight_shift);
            named.into_iter().all(|(joint, _)| model.joint_index(joint).is_some())
        };
        [&INSPECTION, &GUIDE].into_iter().find(fits).unwrap_or(&IDLE)
    }
}

//! The row streams of a simulated robot: `joint`, `motor`, `command` and `imu/torso`.

use std::collections::BTreeMap;
use std::sync::Arc;

use nalgebra::{UnitQuaternion, Vector3};
use sanqu_model::{Quantity, StreamDescription, ValueType};
use sanqu_wire::ENCODING_ARROW;

use crate::body::{Body, GRAVITY, Moment};
use crate::drives::{Drives, JOINT_BITS};
use crate::motion::{JointState, Motion};
use crate::noise::Noise;
use crate::rows::RowStream;
use crate::{SimError, SimSample, SimSpec};

/// Rate of the operator's targets, Hz.
const COMMAND_HZ: f64 = 100.0;
/// How far the operator's targets are ahead of the joints, s: the joints follow with this delay.
const COMMAND_LEAD_SECS: f64 = 0.06;
/// Noise of the IMU: rad/s and m/s², one standard deviation.
const GYRO_NOISE: f64 = 0.002;
const ACC_NOISE: f64 = 0.02;

/// What a robot does, shared by its rows and its cameras.
pub(crate) struct Act {
    pub(crate) body: Body,
    pub(crate) motion: Motion,
    pub(crate) start_ns: i64,
}

impl Act {
    /// The joints at a moment; the motion begins at the start.
    pub(crate) fn joints_at(&self, t_ns: i64, out: &mut JointState) {
        self.motion.at(seconds(t_ns - self.start_ns), out);
    }
}

/// Seconds from nanoseconds; exact enough over months.
pub(crate) fn seconds(ns: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
    {
        ns as f64 * 1e-9
    }
}

/// Time of row `index` at `rate_hz`, ns after the start.
pub(crate) fn offset_ns(index: u64, rate_hz: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
    {
        (index as f64 * 1e9 / rate_hz).round() as i64
    }
}

/// Row streams; every row is computed from the moments before, at and after it.
pub(crate) struct Telemetry {
    act: Arc<Act>,
    drives: Drives,
    rate_hz: f64,
    joint: RowStream,
    motor: RowStream,
    imu: RowStream,
    command: RowStream,
    next_row: u64,
    next_command: u64,
    moments: [Moment; 3],
    target: JointState,
    noise: Noise,
}

impl Telemetry {
    pub(crate) fn new(act: Arc<Act>, drives: Drives, spec: &SimSpec) -> Result<Self, SimError> {
        let (rate_hz, seed) = (spec.rate_hz, spec.seed);
        let joints: Vec<String> = act.body.model.joints().iter().map(|joint| joint.name.clone()).collect();
        let motors = drives.names();
        let axes = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let framed = |quantity: Quantity, frame: &str| Quantity { frame: frame.to_owned(), ..quantity };
        let typed = |name: &str, value_type, unit: &str| Quantity { value_type, ..Quantity::f64(name, unit, &motors) };
        let joint =
            vec![Quantity::f64("pos", "rad", &joints), Quantity::f64("vel", "rad/s", &joints), Quantity::f64("effort", "N·m", &joints)];
        let motor = vec![
            Quantity::f64("pos", "rad", &motors),
            Quantity::f64("vel", "rad/s", &motors),
            Quantity::f64("current", "A", &motors),
            Quantity::f64("torque", "N·m", &motors),
            typed("temp", ValueType::F32, "°C"),
            typed("err", ValueType::U32, ""),
        ];
        let imu = vec![
            framed(Quantity::f64("gyro", "rad/s", &axes(&["x", "y", "z"])), "imu"),
            framed(Quantity::f64("acc", "m/s²", &axes(&["x", "y", "z"])), "imu"),
            framed(Quantity::f64("quat", "", &axes(&["x", "y", "z", "w"])), "world"),
        ];
        let command = vec![Quantity::f64("pos", "rad", &joints)];
        // A recording with faults says so itself.
        let faults = spec.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let mut motor_facts = vec![("torque_side", "rotor"), ("torque_model", "load, friction and inertia of the rotor")];
        if !faults.is_empty() {
            motor_facts.push(("injected_faults", &faults));
        }
        let mut telemetry = Self {
            joint: stream(
                "joint",
                rate_hz,
                joint,
                &[("joint_encoder_bits", &JOINT_BITS.to_string()), ("effort_model", "gravity and inertia of point masses")],
            )?,
            motor: stream("motor", rate_hz, motor, &motor_facts)?,
            imu: stream("imu/torso", rate_hz, imu, &[])?,
            command: stream("command", COMMAND_HZ, command, &[("lead_ms", "60")])?,
            act,
            drives,
            rate_hz,
            next_row: 0,
            next_command: 0,
            moments: Default::default(),
            target: JointState::default(),
            noise: Noise::new(seed, 3),
        };
        for (index, row) in [(1, -1.0), (2, 0.0)] {
            telemetry.moments[index].t_ns = telemetry.act.start_ns - if row < 0.0 { offset_ns(1, rate_hz) } else { 0 };
            telemetry.compute(index)?;
        }
        Ok(telemetry)
    }

    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &StreamDescription> {
        [&self.joint, &self.motor, &self.imu, &self.command].into_iter().map(|stream| &stream.description)
    }

    /// When the next payload is due.
    pub(crate) fn next_ns(&self) -> i64 {
        let last_row = |stream: &RowStream, next: u64| offset_ns(next + stream.missing() - 1, stream.description.rate_hz);
        self.act.start_ns + last_row(&self.joint, self.next_row).min(last_row(&self.command, self.next_command))
    }

    /// Appends every payload whose last row is due by `until_ns`.
    pub(crate) fn advance(&mut self, until_ns: i64, out: &mut Vec<SimSample>) -> Result<(), SimError> {
        while self.act.start_ns + offset_ns(self.next_row, self.rate_hz) <= until_ns {
            self.moments.rotate_left(1);
            self.moments[2].t_ns = self.act.start_ns + offset_ns(self.next_row + 1, self.rate_hz);
            self.compute(2)?;
            self.write_row()?;
            self.next_row += 1;
            for stream in [&mut self.joint, &mut self.motor, &mut self.imu] {
                out.extend(stream.take()?);
            }
        }
        while self.act.start_ns + offset_ns(self.next_command, COMMAND_HZ) <= until_ns {
            let t_ns = self.act.start_ns + offset_ns(self.next_command, COMMAND_HZ);
            self.act.motion.at(seconds(t_ns - self.act.start_ns) + COMMAND_LEAD_SECS, &mut self.target);
            self.command.begin(t_ns);
            self.command.extend(0, self.target.pos.iter().copied());
            self.next_command += 1;
            out.extend(self.command.take()?);
        }
        Ok(())
    }

    /// Computes the moment whose time is set.
    fn compute(&mut self, index: usize) -> Result<(), SimError> {
        let moment = &mut self.moments[index];
        self.act.joints_at(moment.t_ns, &mut moment.joints);
        self.act.body.settle(moment)?;
        self.drives.turn(moment)
    }

    fn write_row(&mut self) -> Result<(), SimError> {
        let [before, now, after] = &self.moments;
        let span_secs = seconds(after.t_ns - before.t_ns);
        for stream in [&mut self.joint, &mut self.motor, &mut self.imu] {
            stream.begin(now.t_ns);
        }
        self.joint.extend(0, now.seen.iter().copied());
        self.joint.extend(1, now.joints.vel.iter().copied());
        self.joint.extend(2, now.effort.iter().copied());

        let rotors = after.drives.iter().zip(&before.drives);
        self.motor.extend(0, now.drives.iter().map(|drive| drive.reading.motor_rad));
        self.motor.extend(1, rotors.map(|(after, before)| (after.truth.motor_rad - before.truth.motor_rad) / span_secs));
        self.motor.extend(2, now.drives.iter().map(|drive| drive.reading.current_a));
        self.motor.extend(3, now.drives.iter().map(|drive| drive.reading.motor_torque_nm));
        self.motor.extend(4, now.drives.iter().map(|drive| drive.reading.winding_c));
        self.motor.extend(5, now.drives.iter().map(|_| 0.0));

        let turn = before.world_from_imu.rotation.rotation_to(&after.world_from_imu.rotation).scaled_axis() / span_secs;
        let place = |moment: &Moment| moment.world_from_imu.translation.vector;
        let pull = (place(after) - 2.0 * place(now) + place(before)) / (span_secs / 2.0).powi(2) + Vector3::z() * GRAVITY;
        let imu_from_world: UnitQuaternion<f64> = now.world_from_imu.rotation.inverse();
        let (gyro, acc) = (imu_from_world * turn, imu_from_world * pull);
        self.imu.extend(0, gyro.iter().map(|rate| rate + GYRO_NOISE * self.noise.normal()));
        self.imu.extend(1, acc.iter().map(|pull| pull + ACC_NOISE * self.noise.normal()));
        self.imu.extend(2, now.world_from_imu.rotation.coords.iter().copied());
        Ok(())
    }
}

fn stream(name: &str, rate_hz: f64, quantities: Vec<Quantity>, facts: &[(&str, &str)]) -> Result<RowStream, SimError> {
    let mut all = BTreeMap::from([("evidence".to_owned(), "simulated".to_owned())]);
    all.extend(facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let stream = name.parse()?;
    Ok(RowStream::new(StreamDescription { stream, encoding: ENCODING_ARROW.to_owned(), rate_hz, clock: 1, quantities, facts: all }))
}

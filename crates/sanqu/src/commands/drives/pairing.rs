//! Both sides of a drive at the same moments.

use sanqu_robot::{DriveSample, DriveSamples, Drivetrain};
use sanqu_store::Columns;

/// Joint samples further apart than this are not interpolated between, ns.
const BRACKET_NS_MAX: i64 = 20_000_000;

/// Columns of one motor.
pub(super) struct MotorPlaces {
    pub(super) position: usize,
    pub(super) current: Option<usize>,
    pub(super) torque: Option<usize>,
    pub(super) temperature: Option<usize>,
}

/// Both sides of a unit's drives, to be brought to the same moments.
pub(super) struct Pairing<'a> {
    pub(super) train: &'a Drivetrain,
    pub(super) signed: Vec<f64>,
    pub(super) motor: Columns,
    pub(super) joint: Columns,
    pub(super) motors: Vec<MotorPlaces>,
    /// Whether efforts follow the positions in the joints' columns.
    pub(super) loaded: bool,
    /// Index in the model of each joint of the unit.
    pub(super) places: Vec<usize>,
    pub(super) q: Vec<f64>,
    pub(super) effort: Vec<f64>,
}

impl Pairing<'_> {
    /// Samples of each drive, and whether values were not finite. A run ends where either stream lost rows.
    pub(super) fn samples(&mut self) -> (Vec<DriveSamples>, bool) {
        let mut samples = vec![DriveSamples::default(); self.signed.len()];
        let mut not_finite = false;
        let boot = self.main_boot();
        let start_ns = self.motor.t_ns.first().copied().unwrap_or_default();
        let mut at = 0;
        for row in 0..self.motor.rows() {
            if Some(self.motor.run[row]) != boot {
                samples.iter_mut().for_each(|samples| samples.leave_out(1));
                continue;
            }
            if !self.motor.follows(row) {
                samples.iter_mut().for_each(DriveSamples::cut);
            }
            let before = at;
            at = self.joint_row(at, row);
            if (before + 1..=at).any(|passed| !self.joint.follows(passed)) {
                samples.iter_mut().for_each(DriveSamples::cut);
            }
            let Some(outputs) = self.outputs(at, self.motor.t_ns[row]) else {
                samples.iter_mut().for_each(|samples| samples.leave_out(1));
                continue;
            };
            #[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
            let t_s = self.motor.t_ns[row].saturating_sub(start_ns) as f64 * 1e-9;
            for (drive, samples) in samples.iter_mut().enumerate() {
                let places = &self.motors[drive];
                let value = |column: Option<usize>| column.map(|column| self.motor.values[column][row]);
                let motor = self.motor.values[places.position][row];
                not_finite |= !(motor.is_finite() && outputs[drive].0.is_finite());
                samples.push(DriveSample {
                    t_s,
                    motor,
                    output: outputs[drive].0,
                    torque_nm: outputs[drive].1,
                    motor_torque_nm: value(places.torque),
                    current_a: value(places.current),
                    temperature_c: value(places.temperature),
                });
            }
        }
        (samples, not_finite)
    }

    /// The boot with most rows: another boot may count turns from elsewhere.
    fn main_boot(&self) -> Option<u32> {
        let mut rows = std::collections::BTreeMap::new();
        self.motor.run.iter().for_each(|run| *rows.entry(*run).or_insert(0_usize) += 1);
        rows.into_iter().max_by_key(|(run, rows)| (*rows, u32::MAX - run)).map(|(run, _)| run)
    }

    /// The last joint row not after a motor row, from the one that was so far.
    fn joint_row(&self, mut at: usize, row: usize) -> usize {
        let (t_ns, joint) = (self.motor.t_ns[row], &self.joint.t_ns);
        if row > 0 && t_ns < self.motor.t_ns[row - 1] {
            // The robot's clock stepped back: so does the joints' stream, a little later or earlier.
            if let Some(stepped) = (at + 1..joint.len()).find(|next| joint[*next] < joint[*next - 1]) {
                at = stepped;
            }
        }
        while at + 1 < joint.len() && joint[at + 1] <= t_ns && joint[at + 1] >= joint[at] {
            at += 1;
        }
        at
    }

    /// Output and torque of every drive of the unit at an instant; `None` between joint rows that are no neighbours, or at a pose
    /// that the described linkage cannot take.
    fn outputs(&mut self, at: usize, t_ns: i64) -> Option<[(f64, Option<f64>); 2]> {
        let times = &self.joint.t_ns;
        let before_ns = *times.get(at)?;
        let (next, share) = if before_ns == t_ns {
            (at, 0.0)
        } else {
            let span_ns = times.get(at + 1)?.checked_sub(before_ns)?;
            if !(before_ns..=before_ns + span_ns).contains(&t_ns) || !(1..=BRACKET_NS_MAX).contains(&span_ns) || !self.joint.follows(at + 1)
            {
                return None;
            }
            #[expect(clippy::cast_precision_loss, reason = "at most 20 ms in ns")]
            let share = (t_ns - before_ns) as f64 / span_ns as f64;
            (at + 1, share)
        };
        let value = |column: usize| {
            let values = &self.joint.values[column];
            if next == at { values[at] } else { values[at] + share * (values[next] - values[at]) }
        };
        let count = self.places.len();
        for (joint, place) in self.places.iter().enumerate() {
            self.q[*place] = value(joint);
            self.effort[*place] = if self.loaded { value(count + joint) } else { f64::NAN };
        }
        let (mut rotors, mut torques) = ([0.0; 2], [f64::NAN; 2]);
        let drives = self.signed.len();
        if self.places.iter().any(|place| !self.q[*place].is_finite()) {
            return Some([(f64::NAN, None); 2]);
        }
        self.train.motor_from_joint(&self.q, &mut rotors[..drives]).ok()?;
        if self.places.iter().all(|place| self.effort[*place].is_finite()) {
            // A singular pose passes no torque; its position still counts.
            let _ = self.train.motor_torques(&self.q, &self.effort, &mut torques[..drives]);
        }
        let mut found = [(0.0, None); 2];
        for (drive, signed) in self.signed.iter().enumerate() {
            found[drive] = (rotors[drive] / signed, Some(torques[drive] * signed).filter(|torque| torque.is_finite()));
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use sanqu_robot::{DriveTable, RobotModel};

    use super::*;

    const STEP_NS: i64 = 2_000_000;
    const TABLE: &str = "[[drive]]\nmotor = \"m\"\njoints = [\"j\"]\nratio = 100\nsign = -1\nreducer = \"planetary\"\nlinkage = \"direct\"\nsource = \"test\"\n";
    const URDF: &str = r#"<robot name="hinge"><link name="base"/><link name="arm"/><joint name="j" type="revolute">
        <parent link="base"/><child link="arm"/><axis xyz="0 1 0"/><limit lower="-3" upper="3" velocity="1" effort="1"/></joint></robot>"#;

    /// Rows (run, seq) at 500 Hz; position and effort of the joint follow the time, `offset_ns` later than the step says.
    fn columns(rows: &[(u32, u64)], offset_ns: i64, of: impl Fn(f64) -> Vec<f64>) -> Columns {
        let mut columns = Columns::default();
        for (run, seq) in rows {
            let t_ns = i64::try_from(*seq).unwrap() * STEP_NS + offset_ns;
            columns.t_ns.push(t_ns);
            columns.run.push(*run);
            columns.seq.push(*seq);
            let values = of(t_ns as f64 * 1e-9);
            columns.values.resize(values.len(), Vec::new());
            columns.values.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        columns
    }

    fn samples(motor: Columns, joint: Columns) -> (DriveSamples, bool) {
        let model = RobotModel::from_urdf_str(URDF).unwrap();
        let table = DriveTable::from_toml_str(TABLE).unwrap();
        let train = Drivetrain::new(&table, &model).unwrap();
        let motors = vec![MotorPlaces { position: 0, current: None, torque: None, temperature: None }];
        let mut pairing = Pairing {
            train: &train,
            signed: vec![-100.0],
            motor,
            joint,
            motors,
            loaded: true,
            places: vec![0],
            q: vec![0.0],
            effort: vec![0.0],
        };
        let (mut samples, defective) = pairing.samples();
        (samples.remove(0), defective)
    }

    fn rows(run: u32, seqs: std::ops::Range<u64>) -> Vec<(u32, u64)> {
        seqs.map(|seq| (run, seq)).collect()
    }

    #[test]
    fn runs_end_where_either_stream_lost_rows() {
        let joint = |t_s: f64| vec![t_s, 5.0];
        let motor = |t_s: f64| vec![-100.0 * t_s];
        // Joint rows lie half a step beside the motor's; 100..110 of the joint and 200..220 of the motor are lost.
        let joint_rows = [rows(0, 0..100), rows(0, 110..400)].concat();
        let motor_rows = [rows(0, 0..200), rows(0, 220..400)].concat();
        let (samples, defective) = samples(columns(&motor_rows, 1_000_000, motor), columns(&joint_rows, 0, joint));
        assert!(!defective);
        let runs: Vec<usize> = samples.runs().map(|run| run.len()).collect();
        // 99 rows have joint rows around them, 110..200 and 220..399 have; the last one has none after it.
        assert_eq!(runs, [99, 90, 179]);
        assert_eq!(samples.left_out(), 12);
        for (motor, output) in samples.motor().iter().zip(samples.output()) {
            assert!((motor + 100.0 * output).abs() < 1e-9, "{motor} {output}");
        }
    }

    #[test]
    fn another_boot_and_values_that_are_none_are_left_out() {
        let joint = |t_s: f64| vec![if (t_s - 0.1).abs() < 1e-9 { f64::NAN } else { t_s }, f64::NAN];
        let motor = |t_s: f64| vec![-100.0 * t_s];
        let both = [rows(0, 0..150), rows(1, 300..320)].concat();
        let (found, defective) = samples(columns(&both, 0, motor), columns(&both, 0, joint));
        assert!(defective);
        assert_eq!((found.len(), found.left_out(), found.runs().count()), (149, 21, 2));
        // Nothing at all, and one row.
        let (none, _) = samples(columns(&[], 0, motor), columns(&[], 0, joint));
        let (one, _) = samples(columns(&[(0, 7)], 0, motor), columns(&[(0, 7)], 0, joint));
        assert_eq!((none.len(), one.len()), (0, 1));
    }

    #[test]
    fn a_clock_that_steps_back_ends_a_run_and_no_more() {
        let at = |seq: u64| if seq < 200 { seq } else { seq - 150 };
        let stepped = |offset_ns: i64, of: fn(f64) -> Vec<f64>| {
            let mut columns = columns(&rows(0, 0..400), 0, |_| of(0.0));
            for seq in 0..400_u64 {
                let t_ns = i64::try_from(at(seq)).unwrap() * STEP_NS + offset_ns;
                let row = usize::try_from(seq).unwrap();
                columns.t_ns[row] = t_ns;
                let values = of(i64::try_from(seq).unwrap() as f64 * 0.002 + offset_ns as f64 * 1e-9);
                values.into_iter().enumerate().for_each(|(column, value)| columns.values[column][row] = value);
            }
            columns
        };
        let (found, _) = samples(stepped(0, |t_s| vec![-100.0 * t_s]), stepped(0, |t_s| vec![t_s, 1.0]));
        assert_eq!(found.runs().map(|run| run.len()).collect::<Vec<_>>(), [200, 200]);
        assert!(found.motor().iter().zip(found.output()).all(|(motor, output)| (motor + 100.0 * output).abs() < 1e-9));
    }
}

//! Forward kinematics and drive state of 31 robots with 52 joints on one core, side by side with the forward kinematics of the
//! `k` crate and with Pinocchio called from Python. First all must agree on every link's place; then each pass over all robots is
//! timed. `cargo xtask bench drives` builds and starts it; on a machine that does nothing else, please.

mod report;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use nalgebra::Isometry3;
use report::{Report, Row};
use sanqu_robot::simulate::{DriveParameters, DriveSimulation};
use sanqu_robot::{DriveTable, Drivetrain, LinkPoses, RobotModel};

/// Robots of a field.
const ROBOTS: usize = 31;
/// Different poses that the robots go through.
const POSES: u32 = 64;
/// Passes over all robots that are timed.
const PASSES: usize = 2000;
/// Passes before, which are not timed.
const WARM_UP: usize = 50;
/// How far the poses of two programs may be apart, m.
const AGREE_M: f64 = 1e-9;
/// Time between two steps of the simulation, s.
const STEP_S: f64 = 0.002;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The robot that all programs move.
struct Robot {
    urdf: PathBuf,
    model: RobotModel,
    table: DriveTable,
    train: Drivetrain,
    /// Joint positions, model order.
    poses: Vec<Vec<f64>>,
    /// Motor positions at those.
    motors: Vec<Vec<f64>>,
}

fn main() -> Result<()> {
    let (mut python, mut page) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().map(PathBuf::from).ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--python" => python = Some(value?),
            "--write-docs" => page = Some(value?),
            _ => return Err(format!("{argument:?}: expected --python INTERPRETER (with the package pin) or --write-docs FILE").into()),
        }
    }
    let robot = Robot::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../assets/robots/walker-s"))?;
    let mut rows = ours(&robot)?;
    rows.push(theirs(&robot)?);
    if let Some(python) = &python {
        rows.push(pinocchio(&robot, python)?);
    }
    let report = Report::new(rows, &robot.model, robot.table.drives().len());
    print!("{}", report.table());
    if let Some(page) = page {
        std::fs::write(&page, report.page())?;
        println!("written to {}", page.display());
    }
    Ok(())
}

impl Robot {
    fn read(folder: &Path) -> Result<Self> {
        let urdf = folder.join("robot.urdf");
        let model = RobotModel::from_urdf_file(&urdf)?;
        let table = DriveTable::from_toml_file(&folder.join("drives.toml"))?;
        let train = Drivetrain::new(&table, &model)?;
        let poses: Vec<Vec<f64>> = (0..POSES).map(|pose| pose_of(&model, pose)).collect();
        let mut motors = vec![vec![0.0; table.drives().len()]; poses.len()];
        for (q, motor) in poses.iter().zip(&mut motors) {
            train.motor_from_joint(q, motor)?;
        }
        Ok(Self { urdf, model, table, train, poses, motors })
    }

    /// Places of all links at a pose.
    fn links(&self, pose: usize) -> Result<LinkPoses> {
        let mut links = LinkPoses::default();
        self.model.link_poses(&self.poses[pose], &Isometry3::identity(), &mut links)?;
        Ok(links)
    }
}

/// A pose inside every joint's limits.
fn pose_of(model: &RobotModel, pose: u32) -> Vec<f64> {
    let share = |joint: usize| 0.5 + 0.45 * (f64::from(pose) * 0.37 + joint as f64).sin();
    let joints = model.joints().iter().enumerate();
    joints.map(|(index, joint)| joint.lower.max(-3.0) + share(index) * (joint.upper.min(3.0) - joint.lower.max(-3.0))).collect()
}

fn ours(robot: &Robot) -> Result<Vec<Row>> {
    let Robot { model, train, poses, motors, .. } = robot;
    let base = Isometry3::identity();
    let mut links = vec![LinkPoses::default(); ROBOTS];
    let mut states = vec![Vec::new(); ROBOTS];
    let whole = time(|pass| {
        for robot in 0..ROBOTS {
            let pose = (pass + robot) % poses.len();
            model.link_poses(&poses[pose], &base, &mut links[robot])?;
            train.states(&poses[pose], Some(&motors[pose]), &mut states[robot])?;
        }
        Ok(())
    })?;
    let kinematics = time(|pass| {
        for (robot, links) in links.iter_mut().enumerate() {
            model.link_poses(&poses[(pass + robot) % poses.len()], &base, links)?;
        }
        Ok(())
    })?;
    let drives = || robot.table.drives().iter().enumerate();
    let simulation = |(seed, drive)| DriveSimulation::new(DriveParameters::of(drive, 100.0, seed as u64), seed as u64);
    let mut simulations = (0..ROBOTS).map(|_| drives().map(simulation).collect()).collect::<std::result::Result<Vec<Vec<_>>, _>>()?;
    let simulated = time(|pass| {
        let position = 0.4 * (pass as f64 * STEP_S * 2.0).sin();
        for drive in simulations.iter_mut().flatten() {
            std::hint::black_box(drive.move_output(STEP_S, position, 12.0 * position)?);
        }
        Ok(())
    })?;
    Ok(vec![
        Row { name: "sanqu_robot: links and drive state", times: whole },
        Row { name: report::OURS, times: kinematics },
        Row { name: "sanqu_robot: a step of all simulated drives", times: simulated },
    ])
}

fn theirs(robot: &Robot) -> Result<Row> {
    let chain = k::Chain::<f64>::from_urdf_file(&robot.urdf)?;
    let order: Vec<usize> = chain.iter_joints().filter_map(|joint| robot.model.joint_index(&joint.name)).collect();
    if order.len() != robot.model.joints().len() || chain.dof() != order.len() {
        return Err(format!("k moves {} joints, sanqu_robot {}", chain.dof(), robot.model.joints().len()).into());
    }
    let poses: Vec<Vec<f64>> = robot.poses.iter().map(|q| order.iter().map(|joint| q[*joint]).collect()).collect();
    let (mut worst, mut compared): (f64, usize) = (0.0, 0);
    for (pose, q) in poses.iter().enumerate() {
        chain.set_joint_positions_unchecked(q);
        chain.update_transforms();
        for (link, place) in robot.model.links().iter().zip(robot.links(pose)?.iter()) {
            let Some(transform) = chain.find_link(&link.name).and_then(k::Node::world_transform) else { continue };
            let off = (0..3).map(|axis| (transform.translation.vector[axis] - place.translation.vector[axis]).abs()).fold(0.0, f64::max);
            worst = worst.max(off);
            compared += 1;
        }
    }
    if worst > AGREE_M || compared < poses.len() * (robot.model.links().len() - 1) {
        return Err(format!("k and sanqu_robot differ by {worst} m over {compared} links: nothing is timed").into());
    }
    let times = time(|pass| {
        for robot in 0..ROBOTS {
            chain.set_joint_positions_unchecked(&poses[(pass + robot) % poses.len()]);
            std::hint::black_box(chain.update_transforms());
        }
        Ok(())
    })?;
    Ok(Row { name: report::K, times })
}

/// Hands URDF, poses and expected places to the script beside this program.
fn pinocchio(robot: &Robot, python: &Path) -> Result<Row> {
    let job = std::env::temp_dir().join(format!("sanqu-bench-drives-{}.json", std::process::id()));
    std::fs::write(&job, job_of(robot)?)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("pinocchio_fk.py");
    let output = Command::new(python).arg(script).arg(&job).output();
    std::fs::remove_file(&job)?;
    let output = output?;
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [median, slow] if output.status.success() => Ok(Row { name: report::PINOCCHIO, times: [median, slow] }),
        _ => Err(format!("Pinocchio: {said}{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn job_of(robot: &Robot) -> Result<String> {
    let model = &robot.model;
    let object = |pairs: &mut dyn Iterator<Item = (&str, String)>| {
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name:?}: {value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let poses = robot.poses.iter().map(|q| {
        let joints = model.joints().iter().zip(q).map(|(joint, q)| (joint.name.as_str(), format!("{q:?}")));
        let mimics =
            model.mimics().iter().map(|mimic| (mimic.name.as_str(), format!("{:?}", mimic.multiplier * q[mimic.joint] + mimic.offset)));
        object(&mut joints.chain(mimics))
    });
    let poses: Vec<String> = poses.collect();
    let links = robot.links(0)?;
    let places = model
        .links()
        .iter()
        .zip(links.iter())
        .map(|(link, place)| (link.name.as_str(), format!("{:?}", <[f64; 3]>::from(place.translation.vector))));
    let places = object(&mut places.into_iter());
    let mut job = String::new();
    write!(
        job,
        "{{\"urdf\": {:?}, \"robots\": {ROBOTS}, \"passes\": {PASSES}, \"warm_up\": {WARM_UP}, \"agree_m\": {AGREE_M}, \"poses\": [{}], \"places\": {places}}}",
        robot.urdf.canonicalize()?,
        poses.join(", ")
    )?;
    Ok(job)
}

/// Median and 99th percentile of the time of a pass, ms.
fn time(mut pass: impl FnMut(usize) -> Result<()>) -> Result<[f64; 2]> {
    let mut times = Vec::with_capacity(PASSES + WARM_UP);
    for number in 0..PASSES + WARM_UP {
        let begin = Instant::now();
        pass(number)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let mut times = times.split_off(WARM_UP);
    times.sort_by(f64::total_cmp);
    Ok([times[PASSES / 2], times[PASSES * 99 / 100]])
}

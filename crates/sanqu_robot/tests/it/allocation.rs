//! Nothing allocates after the first call.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use sanqu_robot::simulate::{DriveFault, DriveParameters, DriveSimulation};
use sanqu_robot::{DriveTable, Drivetrain, LinkPoses, RobotModel};

use crate::robot_folder;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting per thread.
pub(crate) struct Counting;

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call goes to the system's as it came")]
// SAFETY: every method hands its arguments on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[test]
fn kinematics_allocate_nothing_after_the_first_call() {
    let check = |train: &Drivetrain, q: &[f64], motors: usize| {
        let mut motor = vec![0.0; motors];
        let (mut back, mut rates, mut torques) = (q.to_vec(), vec![0.1; q.len()], vec![1.0; q.len()]);
        let mut states = Vec::new();
        let mut all = || {
            train.motor_from_joint(q, &mut motor).unwrap();
            train.states(q, Some(&motor), &mut states).unwrap();
            train.joint_from_motor(&motor, &mut back).unwrap();
            train.joint_rates(q, &motor, &mut rates).unwrap();
            train.motor_rates(q, &rates, &mut motor).unwrap();
            train.motor_torques(q, &torques, &mut motor).unwrap();
            train.joint_torques(q, &motor, &mut torques).unwrap();
        };
        all();
        let before = COUNT.get();
        all();
        assert_eq!(COUNT.get() - before, 0, "allocations in the second call");
    };
    for robot in ["kuavo-s45", "walker-s"] {
        let folder = robot_folder(robot);
        let model = RobotModel::from_urdf_file(&folder.join("robot.urdf")).unwrap();
        let table = DriveTable::from_toml_file(&folder.join("drives.toml")).unwrap();
        let q = table.pose("stand").unwrap().q(&model).unwrap();
        check(&Drivetrain::new(&table, &model).unwrap(), &q, table.drives().len());
        let mut poses = LinkPoses::default();
        let mut link_poses = || model.link_poses(&q, &nalgebra::Isometry3::identity(), &mut poses).unwrap();
        link_poses();
        let before = COUNT.get();
        link_poses();
        assert_eq!(COUNT.get() - before, 0, "{robot}: allocations of the second forward kinematics");
    }
    let (_, table, train) = crate::every_kind::train();
    check(&train, &[0.5, 0.3, 0.8, 0.4, -0.3, 0.2, 1.0], table.drives().len());
    let before = COUNT.get();
    drop(vec![0_u8; 100]);
    assert_eq!(COUNT.get() - before, 1, "the counter counts");
}

#[test]
fn simulated_drives_of_every_kind_allocate_nothing_while_they_run() {
    let (_, table, _) = crate::every_kind::train();
    for drive in table.drives() {
        let mut simulation = DriveSimulation::new(DriveParameters::of(drive, 80.0, 3), 3).unwrap();
        simulation.inject(DriveFault::Backlash { add_rad: 1e-3 }, 0.1, 0.5).unwrap();
        let before = COUNT.get();
        for row in 0..500_u32 {
            let step = simulation.move_output(0.002, 0.1 * (f64::from(row) * 0.01).sin(), f64::from(row) - 250.0).unwrap();
            assert!(step.reading.motor_rad.is_finite() && step.truth.windup_rad.abs() < 0.05, "{}: {step:?}", drive.motor);
        }
        assert_eq!(COUNT.get() - before, 0, "{}: allocations", drive.motor);
    }
}

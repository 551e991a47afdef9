use sanqu_robot::{Assembly, CrankSlider, FourBar, RobotError};

use super::Row;

pub(super) fn linear_knee(row: &Row) -> Option<f64> {
    let gamma0_rad = row.get("gamma0_deg").unwrap_or(0.0).to_radians();
    let knee = CrankSlider { a_m: row.need("a"), b_m: row.need("b"), gamma0_rad, direction: 1.0, zero_length_m: None, anchor_m: None };
    let joint = || row.need("q_deg").to_radians();
    if let Some(length) = row.in_name("error_if_L_", "") {
        return match knee.joint(length) {
            Err(RobotError::OutOfReach { by_m, .. }) => Some(by_m.abs()),
            other => panic!("{}: {other:?}", row.case),
        };
    }
    if let Some(force) = row.in_name("torque_at_", "N") {
        return Some(knee.jacobian(joint()).unwrap() * force);
    }
    if let Some(speed) = row.in_name("actuator_speed_at_", "rad_s") {
        return Some(knee.jacobian(joint()).unwrap() * speed);
    }
    Some(match row.output.as_str() {
        "length" => knee.length(joint()).unwrap(),
        "dL_dq" => knee.jacobian(joint()).unwrap(),
        "q_back" => knee.joint(knee.length(joint()).unwrap()).unwrap(),
        "min_length" => knee.length_range()[0],
        "max_length" => knee.length_range()[1],
        _ => return None,
    })
}

pub(super) fn four_bar(row: &Row) -> Option<f64> {
    let bars = FourBar {
        ground_m: row.need("ground"),
        crank_m: row.need("crank"),
        coupler_m: row.need("coupler"),
        rocker_m: row.need("rocker"),
        assembly: if row.need("assembly") > 0.0 { Assembly::Plus } else { Assembly::Minus },
        crank_zero_rad: 0.0,
        rocker_zero_rad: 0.0,
        direction: 1.0,
        ground_vector_m: None,
    };
    let crank = row.need("crank_deg").to_radians();
    if let Some(torque) = row.in_name("joint_torque_for_", "Nm_crank") {
        return Some(torque * bars.crank_per_rocker(crank).unwrap());
    }
    Some(match row.output.as_str() {
        "rocker_angle" => bars.rocker(crank).unwrap(),
        "dpsi_dtheta" => bars.rocker_per_crank(crank).unwrap(),
        "transmission_angle" => bars.transmission_angle(crank).unwrap(),
        "assembles" => f64::from(u8::from(bars.rocker(crank).is_ok())),
        "gap" => match bars.rocker(crank) {
            Err(RobotError::CannotClose { gap_m, .. }) => gap_m.abs(),
            other => panic!("{}: {other:?}", row.case),
        },
        _ => return None,
    })
}

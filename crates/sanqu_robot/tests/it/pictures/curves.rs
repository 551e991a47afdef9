use std::f64::consts::TAU;

use sanqu_robot::{Apparent, Stiffness, dead_band_torque, readable_joint_rate};

use super::svg::{FLEX, GREY, INK, INPUT, OUTPUT, Svg};

const ARCMIN: f64 = TAU / 360.0 / 60.0;

pub(super) fn torsion() -> String {
    let stiffness = Stiffness { t1_nm: 7.0, t2_nm: 25.0, k1_nm_per_rad: 16_000.0, k2_nm_per_rad: 25_000.0, k3_nm_per_rad: 29_000.0 };
    let mut svg = Svg::new(760.0, 420.0);
    svg.text([24.0, 30.0], 17.0, INK, "Wind-up under torque, input locked");
    let (left, top, width, height) = (80.0, 70.0, 620.0, 290.0);
    let at = |twist_arcmin: f64, torque: f64| [left + width * (0.5 + twist_arcmin / 14.0), top + height * (0.5 - torque / 90.0)];
    svg.line(at(-7.0, 0.0), at(7.0, 0.0), 1.0, GREY);
    svg.line(at(0.0, -45.0), at(0.0, 45.0), 1.0, GREY);
    svg.text([left + width - 130.0, at(0.0, 0.0)[1] + 18.0], 13.0, INK, "twist φ (arcmin)");
    for twist in [-6, -4, -2, 2, 4, 6] {
        let [x, y] = at(f64::from(twist), 0.0);
        svg.line([x, y - 3.0], [x, y + 3.0], 1.0, GREY);
        svg.middle([x, y - 7.0], 11.0, GREY, &format!("{twist}"));
    }
    svg.text([at(0.0, 45.0)[0] + 8.0, top + 4.0], 13.0, INK, "output torque T (N·m)");
    let torques = || (-40..=40).map(f64::from);
    let curve: Vec<[f64; 2]> = torques().map(|torque| at(stiffness.twist(torque) / ARCMIN, torque)).collect();
    svg.curve(&curve, 2.5, FLEX);
    for (name, torque) in [("T1 = 7", stiffness.t1_nm), ("T2 = 25", stiffness.t2_nm)] {
        let knee = at(stiffness.twist(torque) / ARCMIN, torque);
        svg.dashed(at(0.0, torque), knee, 1.0, GREY);
        svg.circle(knee, 4.0, 1.0, FLEX, FLEX);
        svg.text([at(0.0, torque)[0] - 58.0, knee[1] + 4.0], 12.0, INK, name);
    }
    svg.text([at(-4.2, 0.0)[0], at(0.0, 13.0)[1]], 12.0, FLEX, "K1 = 16 kN·m/rad");
    for (name, torque) in [("K2 = 25 kN·m/rad", 15.0), ("K3 = 29 kN·m/rad", 33.0)] {
        let [x, y] = at(stiffness.twist(torque) / ARCMIN, torque);
        svg.text([x + 14.0, y + 12.0], 12.0, FLEX, name);
    }
    let play: Vec<[f64; 2]> = (-140..=140)
        .map(|step| f64::from(step) * 0.05)
        .map(|twist| (twist, dead_band_torque(12_000.0, 5.0 * ARCMIN, twist * ARCMIN)))
        .filter(|(_, torque)| torque.abs() <= 40.0)
        .map(|(twist, torque)| at(twist, torque))
        .collect();
    svg.curve(&play, 2.0, INPUT);
    svg.text([at(1.2, -14.0)[0], at(1.2, -14.0)[1]], 12.0, INPUT, "planetary: play b = 5′, K = 12 kN·m/rad");
    let lost = stiffness.lost_motion(40.0, 0.04) / ARCMIN;
    svg.text(
        [left - 56.0, 398.0],
        13.0,
        FLEX,
        &format!("Strain wave, size 20, R = 100. Twist between ±4 % of 40 N·m: {lost:.2}′ elastic lost motion."),
    );
    svg.finish()
}

pub(super) fn aliasing() -> String {
    let mut svg = Svg::new(760.0, 400.0);
    svg.text([24.0, 30.0], 17.0, INK, "What 60 pictures a second show of a wave generator (R = 100)");
    let (left, top, width, height) = (80.0, 70.0, 620.0, 260.0);
    svg.axes([left, top, width, height], "joint speed (rad/s)", "seen turning rate of the wave generator (rev/s)");
    let at = |joint: f64, seen: f64| [left + width * joint / 4.0, top + height * (0.5 - seen / 70.0)];
    svg.line(at(0.0, 0.0), at(4.0, 0.0), 1.0, GREY);
    for joint in 0..=4 {
        svg.middle([at(f64::from(joint), 0.0)[0], top + height + 16.0], 12.0, INK, &format!("{joint}"));
    }
    for seen in [-30, -15, 0, 15, 30] {
        svg.text([left - 34.0, at(0.0, f64::from(seen))[1] + 4.0], 12.0, INK, &format!("{seen}"));
    }
    for (symmetry, colour, name, y) in [(1, OUTPUT, "with a mark on one lobe", 18.0), (2, INPUT, "two lobes", 0.0)] {
        let stroke = if symmetry == 1 { 5.0 } else { 2.0 };
        let mut branch: Vec<[f64; 2]> = Vec::new();
        let mut last = 0.0;
        for step in 0..=800 {
            let joint = f64::from(step) * 0.005;
            let seen = Apparent::new(joint * 100.0, symmetry, 60.0).seen_rad_per_s / TAU;
            if (seen - last).abs() > 10.0 {
                svg.curve(&branch, stroke, colour);
                branch.clear();
            }
            branch.push(at(joint, seen));
            last = seen;
        }
        svg.curve(&branch, stroke, colour);
        let limit = readable_joint_rate(100.0, symmetry, 60.0);
        svg.dashed(at(limit, -35.0), at(limit, 35.0), 1.0, colour);
        svg.text([left + 320.0, top + 4.0 + y], 13.0, colour, &format!("{name}: true below {limit:.2} rad/s"));
    }
    svg.text([24.0, 388.0], 12.0, FLEX, "Beyond the dashed lines the picture lies: it must be slowed down, or say so.");
    svg.finish()
}

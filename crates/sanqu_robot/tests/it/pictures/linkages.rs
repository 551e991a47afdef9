use sanqu_robot::{Assembly, CrankAnkle, CrankSlider, DriveTable, FourBar, LinkageKind, Universal};

use super::svg::{FIXED, FLEX, Frame, GREY, INK, INPUT, OUTPUT, PALE, Svg, polar};
use crate::robot_folder;

pub(super) fn signs() -> String {
    let mut svg = Svg::new(960.0, 250.0);
    svg.text([24.0, 30.0], 17.0, INK, "From motor to joint: what is positive, and in which unit");
    let boxes = [
        ("motor", "θ_m, rad, many turns", "as the motor counts", INPUT),
        ("reducer", "θ_m = s·N·o", "s = ±1, N > 0", FLEX),
        ("linkage", "o = f(q)", "crank angle (rad) or rod (m)", FIXED),
        ("joint", "q, rad", "as the URDF's axis turns", OUTPUT),
    ];
    for (index, (name, law, note, colour)) in boxes.into_iter().enumerate() {
        let left = 30.0 + 235.0 * f64::from(u8::try_from(index).unwrap());
        let corners = [[left, 70.0], [left + 175.0, 70.0], [left + 175.0, 160.0], [left, 160.0]];
        svg.shape(&corners, 1.5, colour, "#ffffff");
        svg.middle([left + 87.5, 95.0], 15.0, colour, name);
        svg.middle([left + 87.5, 120.0], 14.0, INK, law);
        svg.middle([left + 87.5, 143.0], 12.0, GREY, note);
        if index < 3 {
            svg.arrow([left + 178.0, 105.0], [left + 232.0, 105.0], 1.5, INK);
            svg.arrow([left + 232.0, 128.0], [left + 178.0, 128.0], 1.5, GREY);
        }
    }
    svg.text([30.0, 192.0], 13.0, INK, "speed: dθ_m/dt = s·N·J·dq/dt with J = ∂o/∂q;  torque without losses: τ_q = Jᵀ·s·N·τ_m");
    svg.text([30.0, 214.0], 13.0, INK, "wind-up: w = s·(θ_m − θ_m0)/N − (o − o_0); w > 0: the motor leads and pushes the joint in +q");
    svg.text([30.0, 236.0], 13.0, INK, "N = R with the circular spline fixed (natural sign −), R + 1 with the flexspline fixed (natural sign +); s also holds how axis and motor count");
    svg.finish()
}

pub(super) fn crank_slider() -> String {
    let knee = CrankSlider { a_m: 0.26, b_m: 0.055, gamma0_rad: 25_f64.to_radians(), direction: 1.0, zero_length_m: None, anchor_m: None };
    let mut svg = Svg::new(960.0, 460.0);
    svg.text([24.0, 30.0], 17.0, INK, "Linear actuator across a hinge: a = 0.26 m, b = 0.055 m, γ0 = 25°");
    let frame = Frame { centre: [180.0, 360.0], pixels_per_unit: 1100.0 };
    let (k, a) = (frame.at([0.0, 0.0]), frame.at(polar(knee.a_m, 90_f64.to_radians())));
    svg.line(k, a, 8.0, PALE);
    for (degrees, colour) in [(0.0_f64, FLEX), (60.0, INPUT), (130.0, OUTPUT)] {
        let q = degrees.to_radians();
        let b = frame.at(polar(knee.b_m, 90_f64.to_radians() - knee.gamma(q).unwrap()));
        svg.line(k, b, 4.0, colour);
        svg.line(a, b, 2.5, colour);
        svg.circle(b, 4.0, 1.0, colour, colour);
        let label = format!("q = {degrees:.0}°: L = {:.4} m, J = {:.4} m/rad", knee.length(q).unwrap(), knee.jacobian(q).unwrap());
        svg.text([262.0, 92.0 + degrees / 2.2], 13.0, colour, &label);
    }
    for (point, name, shift) in [(k, "K", [-24.0, 6.0]), (a, "A", [-24.0, 6.0])] {
        svg.circle(point, 5.0, 1.5, INK, "#ffffff");
        svg.text([point[0] + shift[0], point[1] + shift[1]], 14.0, INK, name);
    }
    svg.turn(k, 34.0, [90_f64.to_radians(), 65_f64.to_radians()], GREY);
    svg.text([k[0] + 8.0, k[1] - 42.0], 13.0, GREY, "γ");
    let (left, top, width, height) = (620.0, 90.0, 300.0, 240.0);
    svg.axes([left, top, width, height], "joint q (degrees)", "dL/dq (m/rad)");
    let at = |degrees: f64, slope: f64| [left + width * (degrees + 25.0) / 180.0, top + height * (1.0 - slope / 0.06)];
    let curve: Vec<[f64; 2]> =
        (-25..=155).filter_map(|degrees| Some(at(f64::from(degrees), knee.jacobian(f64::from(degrees).to_radians()).ok()?))).collect();
    svg.curve(&curve, 2.0, INK);
    for (degrees, colour) in [(0.0_f64, FLEX), (60.0, INPUT), (130.0, OUTPUT)] {
        svg.circle(at(degrees, knee.jacobian(degrees.to_radians()).unwrap()), 4.0, 1.0, colour, colour);
    }
    for degrees in [-25, 0, 65, 155] {
        svg.middle([at(f64::from(degrees), 0.0)[0], top + height + 16.0], 12.0, INK, &format!("{degrees}"));
    }
    for slope in [0.0, 0.02, 0.04, 0.06] {
        svg.text([left - 38.0, at(0.0, slope)[1] + 4.0], 12.0, INK, &format!("{slope:.2}"));
    }
    svg.text(
        [24.0, 446.0],
        12.0,
        GREY,
        "J is 0 at both dead points (γ = 0 and γ = 180°): there no speed and no force can be passed back, and the code says so.",
    );
    svg.finish()
}

pub(super) fn four_bar() -> String {
    let bars = FourBar {
        ground_m: 0.28,
        crank_m: 0.045,
        coupler_m: 0.285,
        rocker_m: 0.055,
        assembly: Assembly::Minus,
        crank_zero_rad: 0.0,
        rocker_zero_rad: 0.0,
        direction: 1.0,
        ground_vector_m: None,
    };
    let mut svg = Svg::new(960.0, 380.0);
    svg.text([24.0, 30.0], 17.0, INK, "Four-bar: crank O–P at θ drives rocker K–Q at ψ, which is the joint; angles from O→K");
    let frame = Frame { centre: [110.0, 270.0], pixels_per_unit: 1250.0 };
    let (o, k) = (frame.at([0.0, 0.0]), frame.at([bars.ground_m, 0.0]));
    svg.line(o, k, 8.0, PALE);
    for (line, (degrees, colour)) in (0_u8..).zip([(30.0_f64, FLEX), (60.0, INPUT), (120.0, OUTPUT)]) {
        let crank = degrees.to_radians();
        let rocker = bars.rocker(crank).unwrap();
        let p = frame.at(polar(bars.crank_m, crank));
        let [x, y] = polar(bars.rocker_m, rocker);
        let q = frame.at([bars.ground_m + x, y]);
        svg.line(o, p, 4.0, colour);
        svg.line(p, q, 2.0, colour);
        svg.line(k, q, 4.0, colour);
        let (slope, transmission) = (bars.rocker_per_crank(crank).unwrap(), bars.transmission_angle(crank).unwrap().to_degrees());
        let label =
            format!("θ = {degrees:.0}°: ψ = {:.2}°, dψ/dθ = {slope:.4}, transmission angle {transmission:.1}°", rocker.to_degrees());
        svg.text([60.0, 318.0 + 20.0 * f64::from(line)], 13.0, colour, &label);
    }
    for (point, name) in [(o, "O"), (k, "K")] {
        svg.circle(point, 5.0, 1.5, INK, "#ffffff");
        svg.text([point[0] - 5.0, point[1] + 24.0], 14.0, INK, name);
    }
    let (left, top, width, height) = (640.0, 90.0, 280.0, 200.0);
    svg.axes([left, top, width, height], "crank θ (degrees)", "rocker ψ (degrees)");
    let at = |crank: f64, rocker: f64| [left + width * crank / 150.0, top + height * (1.0 - rocker / 150.0)];
    let curve: Vec<[f64; 2]> =
        (10..=150).map(|degrees| at(f64::from(degrees), bars.rocker(f64::from(degrees).to_radians()).unwrap().to_degrees())).collect();
    svg.dashed(at(0.0, 0.0), at(150.0, 150.0), 1.0, GREY);
    svg.curve(&curve, 2.0, INK);
    for tick in [0, 50, 100, 150] {
        svg.middle([at(f64::from(tick), 0.0)[0], top + height + 16.0], 12.0, INK, &format!("{tick}"));
        svg.text([left - 34.0, at(0.0, f64::from(tick))[1] + 4.0], 12.0, INK, &format!("{tick}"));
    }
    svg.finish()
}

/// The shipped description's left ankle.
fn kuavo() -> CrankAnkle {
    let table = DriveTable::from_toml_file(&robot_folder("kuavo-s45").join("drives.toml")).unwrap();
    let legs = table.drives_of_joint("leg_l5_joint").filter_map(|drive| match &drive.linkage {
        LinkageKind::ParallelAnkle(leg) => Some(*leg),
        _ => None,
    });
    let legs = <[_; 2]>::try_from(legs.collect::<Vec<_>>()).unwrap();
    CrankAnkle::new(Universal::yx(legs[0].ankle_centre_m.into()), legs).unwrap()
}

pub(super) fn ankle() -> String {
    let ankle = kuavo();
    let mut svg = Svg::new(1080.0, 560.0);
    svg.text([24.0, 30.0], 17.0, INK, "Parallel ankle of the KUAVO S45, left leg, with the published dimensions");
    let poses = [([0.0, 0.0], 60.0), ([0.25, 0.0], 400.0), ([0.0, 0.2], 740.0)];
    for (pose, left) in poses {
        // From the right: x forward to the right; from behind: y to the left. Both z up.
        let side = Frame { centre: [left + 70.0, 80.0], pixels_per_unit: 850.0 };
        let back = Frame { centre: [left + 250.0, 80.0], pixels_per_unit: 850.0 };
        let cranks = ankle.cranks(pose).unwrap();
        for (frame, across, sense) in [(side, 0, 1.0), (back, 1, -1.0)] {
            let flat = |point: nalgebra::Vector3<f64>| frame.at([sense * point[across], point.z]);
            svg.line(flat(nalgebra::Vector3::zeros()), flat(ankle.joint().centre), 9.0, PALE);
            for (leg, colour) in [(0, INPUT), (1, FLEX)] {
                let [tip, socket] = ankle.rod_ends(leg, cranks[leg], pose);
                svg.line(flat(ankle.pivot(leg)), flat(tip), 4.0, colour);
                svg.line(flat(tip), flat(socket), 2.0, colour);
                svg.line(flat(ankle.joint().centre), flat(socket), 3.0, OUTPUT);
                svg.circle(flat(ankle.pivot(leg)), 4.0, 1.5, colour, "#ffffff");
                svg.circle(flat(socket), 3.5, 1.0, OUTPUT, OUTPUT);
            }
            let sole = [[0.17, 0.0477], [-0.073, 0.0477], [-0.073, -0.0477], [0.17, -0.0477]];
            let foot: Vec<[f64; 2]> =
                sole.iter().map(|[x, y]| flat(ankle.joint().point(pose, nalgebra::Vector3::new(*x, *y, -0.0595)))).collect();
            svg.shape(&foot, 1.5, OUTPUT, "#e3f3e8");
            svg.circle(flat(ankle.joint().centre), 5.0, 1.5, INK, "#ffffff");
        }
        svg.middle([left + 70.0, 68.0], 12.0, GREY, "from the right");
        svg.middle([left + 250.0, 68.0], 12.0, GREY, "from behind");
        svg.text([left, 505.0], 13.0, OUTPUT, &format!("pitch {:+.2}, roll {:+.2} rad", pose[0], pose[1]));
        svg.text([left, 524.0], 13.0, INPUT, &format!("motor 1 (left, rod 256 mm) {:+.4} rad", cranks[0]));
        svg.text([left, 543.0], 13.0, FLEX, &format!("motor 2 (right, rod 193 mm) {:+.4} rad", cranks[1]));
    }
    svg.finish()
}

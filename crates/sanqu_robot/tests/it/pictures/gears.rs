use std::f64::consts::TAU;

use sanqu_robot::{Arrangement, FixedMember, Flexspline, PlanetaryStage, RollerScrew, ScrewDesign, Splines};

use super::svg::{FIXED, FLEX, Frame, GREY, INK, INPUT, OUTPUT, PALE, Svg, gear, polar};

/// How much the flexspline's deflection is enlarged so that it can be seen.
const EXAGGERATION: f64 = 2.5;

pub(super) fn strain_wave() -> String {
    let splines = Splines::from_ratio(30, 2).unwrap();
    let ring = Flexspline::new(0.0254, splines).exaggerated(EXAGGERATION);
    let mut svg = Svg::new(960.0, 430.0);
    svg.text([24.0, 30.0], 17.0, INK, "Strain-wave gear, circular spline fixed, R = 30 (60/62 teeth)");
    let law = "The shape of the flexspline follows the wave generator; its material (dot) follows the output: two teeth back a turn.";
    svg.text([24.0, 54.0], 13.0, INK, law);
    for (index, turns) in [0.0, 0.25, 1.0].into_iter().enumerate() {
        let centre = [170.0 + 310.0 * f64::from(u8::try_from(index).unwrap()), 225.0];
        let frame = Frame { centre, pixels_per_unit: 4600.0 };
        let angles = splines.angles(Arrangement::CsFixed, turns * TAU);
        strain_wave_panel(&mut svg, frame, &ring, splines, angles.wave_generator, angles.flexspline);
        let flex_deg = angles.flexspline.to_degrees() + 0.0;
        svg.middle([centre[0], 385.0], 13.0, INK, &format!("wave generator {:+.0}°", angles.wave_generator.to_degrees()));
        let teeth = angles.flexspline / TAU * f64::from(splines.flexspline_teeth()) + 0.0;
        svg.middle([centre[0], 403.0], 13.0, FLEX, &format!("flexspline {flex_deg:+.1}° = {teeth:+.1} teeth"));
    }
    svg.text(
        [24.0, 424.0],
        12.0,
        GREY,
        &format!("Deflection enlarged {EXAGGERATION} times. Angles count counter-clockwise about the output's axis."),
    );
    svg.finish()
}

fn strain_wave_panel(svg: &mut Svg, frame: Frame, ring: &Flexspline, splines: Splines, wave: f64, flex: f64) {
    let (radius, teeth) = (ring.radius_m(), splines.circular_spline_teeth());
    let tooth = 0.012 * radius;
    let outer: Vec<[f64; 2]> = (0..120).map(|step| frame.at(polar(1.2 * radius, f64::from(step) * TAU / 120.0))).collect();
    svg.shape(&outer, 1.0, FIXED, PALE);
    let reach = radius + ring.deflection_m() + tooth;
    let half = TAU / f64::from(teeth) / 2.0;
    svg.shape(&gear(frame, [0.0, 0.0], reach, teeth, half, -tooth), 1.0, FIXED, "#ffffff");
    let outline = |out: f64, steps: u32, toothed: bool| -> Vec<[f64; 2]> {
        let mut points = Vec::new();
        for step in 0..steps {
            let parts: &[(f64, f64)] = if toothed { &[(-0.27, -1.0), (-0.15, 1.0), (0.15, 1.0), (0.27, -1.0)] } else { &[(0.0, 0.0)] };
            for (part, height) in parts {
                let at = ring.point(wave, flex + TAU * (f64::from(step) + part) / f64::from(steps));
                let [x, y] = at.xy_m;
                let length = x.hypot(y);
                let scale = (length + out + height * tooth) / length;
                points.push(frame.at([x * scale, y * scale]));
            }
        }
        points
    };
    svg.shape(&outline(0.0, splines.flexspline_teeth(), true), 1.0, FLEX, "#d7e8f7");
    svg.shape(&outline(-0.08 * radius, 120, false), 1.0, FLEX, "#ffffff");
    svg.shape(&outline(-0.12 * radius, 120, false), 1.4, INPUT, "#fbe3d6");
    let axis = |turn: f64| frame.at(polar(0.8 * radius, wave + turn));
    svg.arrow(frame.at([0.0, 0.0]), axis(0.0), 2.0, INPUT);
    let mark = ring.point(wave, flex).xy_m;
    svg.circle(frame.at(mark), 5.0, 1.0, FLEX, FLEX);
    svg.line(frame.at(polar(1.13 * radius, 0.0)), frame.at(polar(1.2 * radius, 0.0)), 3.0, FIXED);
}

pub(super) fn planetary() -> String {
    let stage = PlanetaryStage { sun: 12, planet: 24, ring: 60, planets: 3, fixed: FixedMember::Ring };
    let mut svg = Svg::new(960.0, 420.0);
    svg.text([24.0, 30.0], 17.0, INK, "Planetary stage, ring fixed: sun 12, planets 24, ring 60; i = 1 + 60/12 = 6");
    for (index, sun) in [0.0_f64, 60.0, 360.0].into_iter().enumerate() {
        let centre = [170.0 + 310.0 * f64::from(u8::try_from(index).unwrap()), 215.0];
        let frame = Frame { centre, pixels_per_unit: 3.9 };
        let angles = stage.angles_of_input(sun.to_radians());
        planetary_panel(&mut svg, frame, &stage, &angles);
        svg.middle([centre[0], 370.0], 13.0, INPUT, &format!("sun {sun:+.0}°"));
        let (carrier, planet) = (angles.carrier.to_degrees(), angles.planet.to_degrees());
        svg.middle([centre[0], 388.0], 13.0, OUTPUT, &format!("carrier {carrier:+.0}°"));
        svg.middle([centre[0], 406.0], 13.0, FLEX, &format!("planets {planet:+.0}° (seen from outside)"));
    }
    svg.finish()
}

fn planetary_panel(svg: &mut Svg, frame: Frame, stage: &PlanetaryStage, angles: &sanqu_robot::StageAngles) {
    // Module 1: pitch radius = teeth/2.
    let [sun, planet, ring] = [stage.sun, stage.planet, stage.ring].map(|teeth| f64::from(teeth) / 2.0);
    let outer: Vec<[f64; 2]> = (0..120).map(|step| frame.at(polar(1.15 * ring, f64::from(step) * TAU / 120.0))).collect();
    svg.shape(&outer, 1.0, FIXED, PALE);
    let mesh = |teeth: u32, even: bool| if even { 0.0 } else { TAU / f64::from(teeth) / 2.0 };
    svg.shape(&gear(frame, [0.0, 0.0], ring, stage.ring, angles.ring + mesh(stage.ring, true), -0.8), 1.0, FIXED, "#ffffff");
    svg.shape(&gear(frame, [0.0, 0.0], sun, stage.sun, angles.sun, 0.8), 1.0, INPUT, "#fbe3d6");
    let mut centres = Vec::new();
    for index in 0..stage.planets {
        let at = angles.carrier + TAU * f64::from(index) / f64::from(stage.planets);
        let centre = polar(sun + planet, at);
        // At angle 0 a gap of the planet meets the sun's tooth.
        let turned = angles.planet + mesh(stage.planet, false) + TAU * f64::from(index) / f64::from(stage.planets);
        svg.shape(&gear(frame, centre, planet, stage.planet, turned, 0.8), 1.0, FLEX, "#d7e8f7");
        let [x, y] = polar(0.7 * planet, angles.planet + TAU * f64::from(index) / f64::from(stage.planets));
        svg.circle(frame.at([centre[0] + x, centre[1] + y]), 4.0, 1.0, FLEX, FLEX);
        centres.push(frame.at(centre));
    }
    svg.shape(&centres, 3.0, OUTPUT, "none");
    svg.arrow(frame.at([0.0, 0.0]), frame.at(polar(sun * 0.9, angles.sun)), 2.0, INPUT);
    svg.arrow(frame.at(polar(sun, angles.carrier)), frame.at(polar(sun + planet, angles.carrier)), 2.0, OUTPUT);
}

pub(super) fn roller_screw() -> String {
    let screw = |design, starts| RollerScrew {
        design,
        pitch_m: 0.0005,
        starts,
        rollers: 7,
        screw_over_roller: 3.0,
        screw_diameter_m: None,
        stroke_m: None,
        axial_play_m: None,
        dynamic_load_n: None,
        friction: None,
        assumed: Vec::new(),
        source: String::new(),
    };
    let mut svg = Svg::new(960.0, 440.0);
    svg.text(
        [24.0, 30.0],
        17.0,
        INK,
        "Planetary roller screws seen along the axis, right-hand thread; both with r_s/r_r = 3, pitch 0.5 mm",
    );
    let designs = [
        (screw(ScrewDesign::Standard, 5), "standard: the screw turns 40°, 5 starts, lead 2.5 mm", 250.0),
        (screw(ScrewDesign::Inverted, 3), "inverted: the nut turns 40°, 3 starts, lead 1.5 mm", 710.0),
    ];
    for (screw, title, middle) in designs {
        let motion = screw.motion_of_rotor(40_f64.to_radians());
        let frame = Frame { centre: [middle, 205.0], pixels_per_unit: 26.0 };
        screw_panel(&mut svg, frame, &screw, &motion);
        svg.middle([middle, 372.0], 13.0, INK, title);
        let (orbit, spin) = (motion.orbit_rad.to_degrees(), motion.roller_rad.to_degrees());
        svg.middle([middle, 391.0], 13.0, FLEX, &format!("rollers: orbit {orbit:+.1}°, spin {spin:+.1}° (seen from outside)"));
        let travel = motion.nut_travel_m * 1e3;
        let rollers = (motion.roller_from_nut_m * 1e6).round() / 1e3 + 0.0;
        svg.middle([middle, 410.0], 13.0, OUTPUT, &format!("nut against screw {travel:+.3} mm, rollers against nut {rollers:+.3} mm"));
    }
    svg.text(
        [24.0, 432.0],
        12.0,
        GREY,
        "A bar on each part shows its angle. Standard rollers stay with the nut, inverted ones with the screw.",
    );
    svg.finish()
}

fn screw_panel(svg: &mut Svg, frame: Frame, screw: &RollerScrew, motion: &sanqu_robot::ScrewMotion) {
    let (roller, shaft) = (1.0, screw.screw_over_roller);
    let nut = shaft + 2.0 * roller;
    let circle = |svg: &mut Svg, centre: [f64; 2], radius: f64, colour: &str, fill: &str| {
        let points: Vec<[f64; 2]> = (0..90)
            .map(|step| {
                let [x, y] = polar(radius, f64::from(step) * TAU / 90.0);
                frame.at([centre[0] + x, centre[1] + y])
            })
            .collect();
        svg.shape(&points, 1.4, colour, fill);
    };
    let (screw_colour, nut_colour) = if screw.design == ScrewDesign::Standard { (INPUT, OUTPUT) } else { (OUTPUT, INPUT) };
    circle(svg, [0.0, 0.0], nut + 0.7, nut_colour, PALE);
    circle(svg, [0.0, 0.0], nut, nut_colour, "#ffffff");
    circle(svg, [0.0, 0.0], shaft, screw_colour, PALE);
    for index in 0..screw.rollers {
        let centre = polar(shaft + roller, motion.orbit_rad + TAU * f64::from(index) / f64::from(screw.rollers));
        circle(svg, centre, roller, FLEX, "#d7e8f7");
        let [x, y] = polar(0.9 * roller, motion.roller_rad);
        svg.line(frame.at(centre), frame.at([centre[0] + x, centre[1] + y]), 2.0, FLEX);
    }
    svg.line(frame.at([0.0, 0.0]), frame.at(polar(0.95 * shaft, motion.screw_rad)), 3.0, screw_colour);
    svg.line(frame.at(polar(nut + 0.05, motion.nut_rad)), frame.at(polar(nut + 0.65, motion.nut_rad)), 4.0, nut_colour);
    svg.dashed(frame.at([0.0, 0.0]), frame.at([nut + 1.0, 0.0]), 1.0, GREY);
}

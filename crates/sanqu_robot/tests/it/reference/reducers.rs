use std::f64::consts::TAU;

use sanqu_robot::{
    Arrangement, FixedMember, Flexspline, LifeRating, PlanetaryStage, RollerScrew, ScrewDesign, ScrewMotion, Splines, Stiffness,
    dead_band_torque, efficiency_at_load, step_rad,
};

use super::Row;

pub(super) const ARCMIN: f64 = TAU / 360.0 / 60.0;
pub(super) const ARCSEC: f64 = ARCMIN / 60.0;

fn rpm(value: f64) -> f64 {
    value * TAU / 60.0
}

fn splines(row: &Row) -> Splines {
    if row.get("zf").is_some() && row.get("zc").is_some() {
        return Splines::new(row.count("zf"), row.count("zc")).unwrap();
    }
    let (ratio, difference) = if row.get("R").is_some() { ("R", 2) } else { ("ratio", row.count("tooth_difference")) };
    Splines::from_ratio(row.count(ratio), difference).unwrap()
}

pub(super) fn strain_wave(row: &Row) -> Option<f64> {
    match row.group.as_str() {
        "strain_wave" => mesh(row),
        "strain_wave_draw" => draw(row),
        "strain_wave_torsion" => torsion(row),
        "strain_wave_life" => {
            let rating = LifeRating { life_h: row.need("L10_h"), torque_nm: row.need("TN"), speed_rad_per_s: rpm(row.need("nN_rpm")) };
            (row.output == "Lh").then(|| rating.life_h(row.need("Tav"), rpm(row.need("nav_rpm"))))
        }
        "strain_wave_efficiency" => match row.output.as_str() {
            "V" => Some(row.need("Tav") / row.need("TN")),
            "eta_L" => Some(efficiency_at_load(row.need("K"), row.need("eta_R"), row.get("eta_e").unwrap_or(0.0))),
            _ => None,
        },
        _ => None,
    }
}

fn mesh(row: &Row) -> Option<f64> {
    let splines = splines(row);
    let with_wave = |arrangement| splines.angles(arrangement, rpm(row.need("wg_rpm")));
    Some(match row.output.as_str() {
        "ratio_R" => splines.ratio(),
        "signed_ratio_cs_fixed" => splines.reduction(Arrangement::CsFixed),
        "ratio_fs_fixed" => splines.reduction(Arrangement::FsFixed),
        "fs_rate_cs_fixed" => with_wave(Arrangement::CsFixed).flexspline,
        "fs_rpm_cs_fixed" => with_wave(Arrangement::CsFixed).flexspline / rpm(1.0),
        "cs_rate_fs_fixed" => with_wave(Arrangement::FsFixed).circular_spline,
        "cs_rpm_fs_fixed" => with_wave(Arrangement::FsFixed).circular_spline / rpm(1.0),
        "cs_rate_wg_fixed_fs_in" => splines.angles(Arrangement::WgFixedFsIn, row.need("in_rate")).circular_spline,
        "fs_rate_wg_fixed_cs_in" => splines.angles(Arrangement::WgFixedCsIn, row.need("in_rate")).flexspline,
        "fs_rate_differential" => splines.flexspline(row.need("wg"), row.need("cs")),
        "cs_rate_differential" => splines.circular_spline(row.need("wg"), row.need("fs")),
        "wg_rate_differential" => splines.wave_generator(row.need("fs"), row.need("cs")),
        "zf" => f64::from(splines.flexspline_teeth()),
        "zc" => f64::from(splines.circular_spline_teeth()),
        _ => return None,
    })
}

fn draw(row: &Row) -> Option<f64> {
    let splines = splines(row);
    let ring = Flexspline::new(row.need("r0"), splines);
    let tooth = || {
        let wave = row.need("theta_wg");
        let angles = splines.angles(Arrangement::CsFixed, wave);
        ring.tooth(wave, row.get("theta_fs").unwrap_or(angles.flexspline), row.count("tooth"))
    };
    Some(match row.output.as_str() {
        "w0" => ring.deflection_m(),
        "slip_speed_at_major_axis_per_wg_rate" => ring.slip_at_major_axis(),
        "perimeter_over_2pi_r0" => ring.perimeter_ratio(),
        "tooth_shift_per_wg_turn" => splines.tooth_shift_per_turn(),
        "w" => tooth().radial_m,
        "v" => tooth().tangential_m,
        "normal_rotation" => tooth().normal_rotation_rad,
        "x" => tooth().xy_m[0],
        "y" => tooth().xy_m[1],
        _ => return None,
    })
}

fn torsion(row: &Row) -> Option<f64> {
    let stiffness = Stiffness {
        t1_nm: row.need("T1"),
        t2_nm: row.need("T2"),
        k1_nm_per_rad: row.need("K1"),
        k2_nm_per_rad: row.need("K2"),
        k3_nm_per_rad: row.need("K3"),
    };
    Some(match row.output.as_str() {
        "phi" => stiffness.twist(row.need("T")),
        "phi_arcmin" => stiffness.twist(row.need("T")) / ARCMIN,
        "T_back" => stiffness.torque(stiffness.twist(row.need("T"))),
        "elastic_lost_motion" => stiffness.lost_motion(row.need("TN"), row.need("fraction")) / ARCMIN,
        _ => return None,
    })
}

pub(super) fn planetary(row: &Row) -> Option<f64> {
    match row.group.as_str() {
        "planetary_backlash" => {
            (row.output == "torque").then(|| dead_band_torque(row.need("K"), row.need("b_arcmin") * ARCMIN, row.need("windup")))
        }
        "planetary_kuavo" => {
            let step = step_rad(row.count("encoder_bits"));
            Some(match row.output.as_str() {
                "kt_effective" => row.need("c2t_Nm_per_A") / row.need("ratio"),
                "counts_per_joint_rev" => TAU / step * row.need("ratio"),
                "joint_lsb" => step / row.need("ratio") / ARCSEC,
                _ => return None,
            })
        }
        _ => stage(row),
    }
}

fn stage(row: &Row) -> Option<f64> {
    let (sun, ring) = (row.count("zs"), row.count("zr"));
    let fixed = if row.text("ring") == "fixed" || row.get("ring_rate").is_some() { FixedMember::Ring } else { return None };
    let planets = if row.get("planets").is_some() { row.count("planets") } else { 3 };
    let stage = PlanetaryStage { sun, planet: (ring - sun) / 2, ring, planets, fixed };
    let angles = stage.angles(row.get("sun_rate").unwrap_or(0.0), row.get("ring_rate").unwrap_or(0.0));
    Some(match row.output.as_str() {
        "ratio" => stage.reduction(),
        "carrier_rate" => angles.carrier,
        "planet_rate_abs" => angles.planet,
        "planet_rate_rel_carrier" => angles.planet_in_carrier(),
        "mesh_frequency" => stage.mesh_frequency_hz(&angles),
        "max_planets_equal_spacing_check" => f64::from(stage.spacing_remainder(planets)),
        _ => return None,
    })
}

pub(super) fn roller_screw(row: &Row) -> Option<f64> {
    let inverted = row.text("type") == "inverted";
    let starts = if row.get("starts").is_some() { row.count("starts") } else { 1 };
    let screw = RollerScrew {
        design: if inverted { ScrewDesign::Inverted } else { ScrewDesign::Standard },
        pitch_m: row.get("pitch").unwrap_or_else(|| row.need("lead")),
        starts,
        rollers: 1,
        screw_over_roller: row.get("r_s/r_r").unwrap_or(1.0),
        screw_diameter_m: None,
        stroke_m: None,
        axial_play_m: None,
        dynamic_load_n: row.get("C"),
        friction: None,
        assumed: Vec::new(),
        source: String::new(),
    };
    let turns = |name: &str| screw.motion_of_rotor(row.need(name) * TAU);
    let moved = || turns(if inverted { "nut_turns" } else { "screw_turns" });
    let unit = || screw.motion_of_rotor(1.0);
    let of_unit = |read: fn(&ScrewMotion) -> f64| read(&unit());
    Some(match row.output.as_str() {
        "lead" => screw.lead_m(),
        "nut_travel" => moved().nut_travel_m,
        "screw_travel_rel_nut" => -moved().nut_travel_m,
        "orbit_per_screw_angle" | "orbit_per_nut_angle" => of_unit(|motion| motion.orbit_rad),
        "roller_spin_abs_per_screw_angle" | "roller_spin_abs_per_nut_angle" => of_unit(|motion| motion.roller_rad),
        "roller_spin_rel_carrier_per_screw_angle" | "roller_spin_rel_carrier_per_nut_angle" => of_unit(ScrewMotion::roller_in_carrier_rad),
        "roller_axial_rel_nut" => moved().roller_from_nut_m,
        "roller_axial_rel_screw" => moved().roller_from_screw_m,
        "linear_speed" => rpm(row.need("speed_rpm")) / screw.reduction(),
        "L10_revs" => screw.l10_turns(row.need("F_eq"))?,
        "L10_km" => screw.l10_turns(row.need("F_eq"))? * screw.lead_m() / 1000.0,
        _ => return None,
    })
}

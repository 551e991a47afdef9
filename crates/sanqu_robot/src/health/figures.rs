use super::answer::Doubt;
use crate::reducer::{Arrangement, LifeRating, RollerScrew, Stiffness};
use crate::{CurrentConvention, Drive};

/// Orders of the transmission error per motor turn that every drive is asked for.
const ORDERS: [f64; 3] = [1.0, 2.0, 4.0];

/// What the life of a reducer is reckoned by.
#[derive(Debug, Clone, PartialEq)]
pub enum LifeRule {
    /// A bearing rated at a torque and a speed.
    Rating(LifeRating),
    /// A roller screw of known dynamic load.
    Screw(RollerScrew),
}

/// What estimators need to know of a drive.
#[derive(Debug, Clone, PartialEq)]
pub struct DriveFigures {
    /// Motor per output.
    pub signed_ratio: f64,
    /// Torsion curve: its bends say where one stiffness ends and the next begins.
    pub stiffness: Option<Stiffness>,
    /// Expected width of the twist loop, rad.
    pub hysteresis_rad: Option<f64>,
    /// Rated output torque, N·m.
    pub rated_torque_nm: Option<f64>,
    /// Greatest torque that is put on for moments, N·m: ends the stiffness's third region.
    pub peak_torque_nm: Option<f64>,
    /// Rotor torque per current, N·m/A.
    pub torque_constant_nm_per_a: Option<f64>,
    /// Output torque per current with all losses, N·m/A.
    pub output_constant_nm_per_a: Option<f64>,
    /// What currents mean.
    pub current: CurrentConvention,
    /// Between two phases at 20 °C, Ω.
    pub resistance_ohm: Option<f64>,
    /// Rotor inertia seen at the output, kg·m².
    pub inertia_kg_m2: Option<f64>,
    /// Orders of the transmission error to look for, per motor turn.
    pub orders: Vec<f64>,
    /// How life is used up.
    pub life: Option<LifeRule>,
    /// Whether the torque constant is assumed.
    pub constant_assumed: bool,
    /// Whether the ratings of the life are assumed.
    pub life_assumed: bool,
}

impl DriveFigures {
    /// Of a described drive.
    pub fn of(drive: &Drive) -> Self {
        let wave = drive.strain_wave.as_ref();
        let electric = drive.electric.as_ref();
        let rotor = electric.and_then(|electric| electric.rotor_inertia_kg_m2).map(|inertia| inertia * drive.ratio * drive.ratio);
        let rating = wave.and_then(|gear| gear.life_rating()).map(LifeRule::Rating);
        let screw = drive.roller_screw.as_ref().filter(|screw| screw.dynamic_load_n.is_some()).cloned().map(LifeRule::Screw);
        let assumed = |fields: &[&str]| fields.iter().any(|field| drive.is_assumed(field));
        Self {
            signed_ratio: drive.signed_ratio(),
            stiffness: drive.stiffness(),
            hysteresis_rad: wave.and_then(|gear| gear.hysteresis_rad),
            rated_torque_nm: wave.and_then(|gear| gear.rated_torque_nm).or(drive.rated_torque_nm),
            peak_torque_nm: wave.and_then(|gear| gear.repeated_peak_torque_nm).or(drive.protect_peak_torque_nm),
            torque_constant_nm_per_a: electric.and_then(|electric| electric.torque_constant_nm_per_a),
            output_constant_nm_per_a: drive.torque_constant_nm_per_a,
            current: electric.and_then(|electric| electric.current).unwrap_or(CurrentConvention::Unknown),
            resistance_ohm: electric.and_then(|electric| electric.resistance_ohm),
            inertia_kg_m2: drive.armature_kg_m2.or(rotor),
            orders: orders_of(drive),
            life: rating.or(screw),
            constant_assumed: assumed(&["electric.torque_constant_nm_per_a"]),
            life_assumed: assumed(&["strain_wave.rated_torque_nm", "strain_wave.l10_h", "roller_screw.dynamic_load_n"]),
        }
    }

    /// Only a ratio, nothing else known.
    pub fn of_ratio(signed_ratio: f64) -> Self {
        Self {
            signed_ratio,
            stiffness: None,
            hysteresis_rad: None,
            rated_torque_nm: None,
            peak_torque_nm: None,
            torque_constant_nm_per_a: None,
            output_constant_nm_per_a: None,
            current: CurrentConvention::Unknown,
            resistance_ohm: None,
            inertia_kg_m2: None,
            orders: ORDERS.to_vec(),
            life: None,
            constant_assumed: false,
            life_assumed: false,
        }
    }

    /// The torques at which the stiffness bends; `None` for a spring of one stiffness.
    pub(super) fn bends(&self) -> Option<[f64; 2]> {
        let curve = self.stiffness.filter(|curve| curve.k1_nm_per_rad != curve.k2_nm_per_rad || curve.k2_nm_per_rad != curve.k3_nm_per_rad);
        curve.map(|curve| [curve.t1_nm, curve.t2_nm])
    }

    /// Torque at which lost motion is measured: 4 % of the rated one.
    pub(super) fn lost_motion_load(&self) -> Option<(f64, Vec<Doubt>)> {
        let rated = self.rated_torque_nm.map(|rated| (0.04 * rated, Vec::new()));
        // In the catalogues 4 % of the rated torque are 0.2 to 0.3 of the first bend.
        rated.or_else(|| self.bends().map(|[first, _]| (0.25 * first, vec![Doubt::RatedTorqueUnknown])))
    }
}

/// Orders per motor turn: 1, 2, 4 and, in a strain-wave gear, the flexspline's own beside the circular spline's 2; of several
/// planetary stages the first carrier's. (A single carrier turns with the joint: the footprint has its order.)
fn orders_of(drive: &Drive) -> Vec<f64> {
    let partner = match drive.arrangement {
        Some(Arrangement::CsFixed) => Some(2.0 + 2.0 / drive.ratio),
        Some(Arrangement::FsFixed) => Some(2.0 - 2.0 / drive.ratio),
        _ => drive.planetary.as_ref().filter(|gear| gear.stages.len() > 1).map(|gear| 1.0 / gear.stages[0].reduction().abs()),
    };
    let mut orders: Vec<f64> = ORDERS.into_iter().chain(partner).collect();
    orders.sort_by(f64::total_cmp);
    orders
}

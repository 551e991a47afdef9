//! Newton metres from what 夸父's `/sensors_data_raw` publishes as joint torque.

/// Name and version of the rule; a change of any constant is another version.
pub(super) const RULE: &str = "kuavo-torque/1";
/// Where the constants are from.
pub(super) const SOURCE: &str = "Leju's public post-processing of /sensors_data_raw: indices 0,3,4,5,6,9,10,11 are N·m already; \
    1,2,7,8,12,19: A/1.2*1.05; 13..18 and 20..25: A/2.1*[5,2.3,5,4.7,4.7,4.7]; 26,27: A/2.1*[0.21,4.7]";
/// How sure that is.
pub(super) const CONFIDENCE: &str = "medium: read from public code, not confirmed by the manufacturer's documentation";
/// Unit of the published values.
pub(super) const RAW_UNIT: &str = "N·m (legs 1,4,5,6) or A (others)";
/// Joints that the rule knows.
pub(super) const JOINTS: usize = 28;

/// Applies the rule to the value of joint `index` (order of the robot's vectors: legs, arms, head).
///
/// The operations are done one after another as the rule states them, so that others who apply it get the same bits.
pub(super) fn newton_metres(index: usize, raw: f64) -> Option<f64> {
    const ARM: [f64; 6] = [5.0, 2.3, 5.0, 4.7, 4.7, 4.7];
    let scaled = |constant: f64| raw / 2.1 * constant;
    match index {
        0 | 3..=6 | 9..=11 => Some(raw),
        1 | 2 | 7 | 8 | 12 | 19 => Some(raw / 1.2 * 1.05),
        13..=18 => ARM.get(index - 13).map(|c| scaled(*c)),
        20..=25 => ARM.get(index - 20).map(|c| scaled(*c)),
        26 => Some(scaled(0.21)),
        27 => Some(scaled(4.7)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_joint_has_its_constant() {
        for (index, expected) in [(0, 10.0), (1, 8.75), (3, 10.0), (8, 8.75), (12, 8.75), (19, 8.75)] {
            assert!((newton_metres(index, 10.0).unwrap() - expected).abs() < 1e-12, "{index}");
        }
        for (index, constant) in [(13, 5.0), (14, 2.3), (18, 4.7), (20, 5.0), (21, 2.3), (25, 4.7), (26, 0.21), (27, 4.7)] {
            assert!((newton_metres(index, 2.1).unwrap() - constant).abs() < 1e-12, "{index}");
        }
        assert!((0..JOINTS).all(|index| newton_metres(index, 1.0).is_some()));
        assert_eq!(newton_metres(JOINTS, 1.0), None);
    }
}

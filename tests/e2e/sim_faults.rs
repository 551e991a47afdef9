//! Simulated robots whose network fails as ordered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sanqu_ingest::Node;
use sanqu_model::SeqRanges;
use sanqu_wire::SampleHeader;

use crate::program::sanqu;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_leaves_a_gap_what_is_muted_comes_late_and_a_crash_begins_a_new_boot() {
    let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
    let boots: Arc<Mutex<BTreeMap<u64, SeqRanges>>> = Arc::default();
    let heard = Arc::clone(&boots);
    let take = move |header: SampleHeader| heard.lock().unwrap().entry(header.boot).or_default().insert(&(header.seq..header.next_seq()));
    let subscriber = router.session().declare_subscriber("sanqu/desk/kuavo-01/joint");
    let subscriber = subscriber.callback(move |sample| take(SampleHeader::decode(&sample.attachment().unwrap().to_bytes()).unwrap()));
    let _subscriber = subscriber.await.unwrap();
    let endpoint = router.locators().remove(0);
    let faults = ["--fault", "lose@1:0.5", "--fault", "restart@2.5", "--fault", "mute@3.5:0.5", "--fault", "stiffness@1:leg_r5_joint:0.5"];
    let robot = ["sim", "--connect", &endpoint, "--robots", "kuavo-01", "--rate", "100", "--seconds", "5"];
    let arguments: Vec<String> = robot.into_iter().chain(faults).map(str::to_owned).collect();
    let said = tokio::task::spawn_blocking(|| sanqu(arguments).exits(0)).await.unwrap().stderr;
    // An ankle's joint is moved by two motors; after the crash the drives are as worn as before.
    for motor in ["ankle_r_l", "ankle_r_r"] {
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("stiffness falls to 0.5") && line.contains(motor)).collect();
        assert_eq!(lines.len(), 2, "{motor}: {said}");
        assert!(lines[0].contains("at_secs=1.0") && lines[1].contains("at_secs=-1."), "{lines:?}");
    }

    // Boots are numbered by the clock.
    let boots: Vec<SeqRanges> = boots.lock().unwrap().values().cloned().collect();
    assert_eq!(boots.len(), 2, "{boots:?}");
    assert_eq!((boots[0].start(), boots[1].start()), (Some(0), Some(0)), "{boots:?}");
    assert_eq!((boots[0].len(), boots[1].len()), (2, 1), "lost in the first boot, late in the second: {boots:?}");
}

#[test]
fn what_is_no_fault_is_refused_by_name() {
    sanqu(["sim", "--fault", "cut@3"]).exits(2).complains(&["cut@3", "expected mute@T:S, lose@T:S, restart@T"]);
    sanqu(["sim", "--fault", "backlash@3:tail"]).exits(1).complains(&["no drive for the fault tail", "leg_l4", "waist_yaw"]);
}

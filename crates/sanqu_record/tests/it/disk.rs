use std::sync::Arc;
use std::time::Duration;

use sanqu_record::{ControlRequest, Outcome, StationState, Verb};
use sanqu_store::{DecisionKind, Store};

use crate::lossy::{Fate, Gate, LossyRobot};
use crate::rig::Rig;

async fn rig(gate: &Arc<Gate>, pre_roll: Duration) -> Rig {
    Rig::with(|config| {
        config.store = Store::clone(&config.store).on(gate.disk());
        config.pre_roll = pre_roll;
    })
    .await
}

async fn state(rig: &Rig, wanted: StationState) {
    rig.until(&format!("{wanted:?}"), |status| status.stations[0].state == wanted).await;
}

/// Records ten samples, of which the disk takes not all.
async fn fill_and_empty(rig: &Rig, gate: &Gate, mut send: impl AsyncFnMut(u64)) {
    let episode = rig.done("a01", Verb::Start).await;
    for n in 0..3 {
        send(n).await;
    }
    rig.heard("kuavo-01", 30, false).await;
    gate.set(episode, Fate::Full);
    for n in 3..6 {
        send(n).await;
    }
    state(rig, StationState::Failed).await;
    for n in 6..9 {
        send(n).await;
    }
    rig.heard("kuavo-01", 90, false).await;
    gate.set(episode, Fate::Written);
    state(rig, StationState::Recording).await;
    send(9).await;
    rig.heard("kuavo-01", 100, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_nothing_that_is_still_in_memory() {
    let gate = Arc::new(Gate::default());
    let rig = rig(&gate, Duration::from_secs(60)).await;
    fill_and_empty(&rig, &gate, async |n| rig.send("kuavo-01", 3, n * 10, 10).await).await;
    let sealed = rig.sealed("a01").await;
    sealed.check_joint(Some(100), 100, 0);
    assert_eq!(sealed.manifest.journal_sha256.len(), 2, "recording went on in a new segment");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_memory_any_more_comes_from_the_ring() {
    let gate = Arc::new(Gate::default());
    let rig = rig(&gate, Duration::ZERO).await;
    let robot = LossyRobot::start(&rig, "kuavo-01", 4).await;
    robot.heartbeat(&rig).await;
    rig.heard("kuavo-01", 0, false).await;
    fill_and_empty(&rig, &gate, async |_| robot.ten_rows(&rig, true).await).await;
    rig.sealed("a01").await.check_joint(Some(100), 100, 0);
    assert!(robot.asked() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_any_more_is_the_disks_loss() {
    let gate = Arc::new(Gate::default());
    let rig = rig(&gate, Duration::ZERO).await;
    fill_and_empty(&rig, &gate, async |n| rig.send("kuavo-01", 3, n * 10, 10).await).await;
    let sealed = rig.sealed("a01").await;
    let joint = sealed.joint();
    assert_eq!((joint.expected, joint.received + joint.lost.disk, joint.lost.total()), (Some(100), 100, joint.lost.disk), "{joint:#?}");
    assert!(joint.lost.disk >= 30, "{joint:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_durable_when_they_are_acknowledged_and_wait_for_no_seal() {
    let gate = Arc::new(Gate::default());
    let rig = rig(&gate, Duration::from_secs(2)).await;
    let episode = rig.done("a01", Verb::Start).await;
    rig.send("kuavo-01", 3, 0, 10).await;
    rig.heard("kuavo-01", 10, false).await;
    gate.set(format!("{episode}.tmp"), Fate::Held);
    let stopped = rig.ask("a01", &ControlRequest { outcome: Some(Outcome::Success), ..ControlRequest::new(Verb::Stop) }).await;
    assert!(stopped.ok, "{stopped:?}");
    while !gate.is_holding() {
        tokio::task::yield_now().await;
    }
    for verb in [Verb::Keep, Verb::Undo, Verb::Discard] {
        assert!(rig.verb("a01", verb).await.ok);
    }
    let kinds = |store: &Store| store.decisions(episode).unwrap().iter().map(|decision| decision.kind).collect::<Vec<_>>();
    let made = [DecisionKind::Outcome, DecisionKind::Keep, DecisionKind::Undo, DecisionKind::Discard];
    assert_eq!(kinds(&rig.store), made, "while the seal is under way");
    gate.set(episode, Fate::Written);
    rig.until("the seal", |status| status.stations[0].last.as_ref().is_some_and(|last| last.rows == 10)).await;
    assert_eq!(kinds(&rig.store), made, "beside the sealed episode");
}

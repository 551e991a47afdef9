//! A station whose thread panics.

use std::sync::Arc;

use sanqu_record::{ControlRequest, Light, RecordError, StationState, Verb, lamps, send_control};
use sanqu_store::{Store, check_balance};

use crate::lossy::{Fate, Gate};
use crate::rig::{Rig, Sealed, id};

#[tokio::test(flavor = "multi_thread")]
async fn a_station_that_panics_says_so_and_leaves_the_others_alone() {
    let gate = Arc::new(Gate::default());
    let rig = Rig::with(|config| {
        config.store = Store::clone(&config.store).on(gate.disk());
        config.queue_bytes = 64 << 10;
    })
    .await;
    for robot in ["kuavo-01", "kuavo-02"] {
        rig.send(robot, 3, 0, 10).await;
        rig.heard(robot, 10, false).await;
    }
    let (one, two) = (rig.done("a01", Verb::Start).await, rig.done("a02", Verb::Start).await);
    gate.set(one, Fate::Panic);
    rig.send("kuavo-01", 3, 10, 10).await;
    let status = rig.until("a failed station", |status| status.stations[0].state == StationState::Failed).await;
    let station = &status.stations[0];
    let problem = station.problem.as_deref().unwrap();
    assert!(problem.contains("panicked: a defect on purpose") && station.robots.is_empty(), "{station:?}");
    let lamp = lamps(station, &[id("kuavo-01")], status.room()).into_iter().find(|lamp| lamp.stage == "journal").unwrap();
    assert!(lamp.light == Light::Red && lamp.text.contains("a defect on purpose"), "{lamp:?}");
    assert_eq!(status.stations[1].state, StationState::Recording);

    // Operators are told.
    let refused = rig.verb("a01", Verb::Stop).await;
    assert!(!refused.ok && refused.state == StationState::Failed && refused.message.contains("a defect on purpose"), "{refused:?}");
    let told = send_control(&rig.outside, &id("desk"), &id("a01"), &ControlRequest::new(Verb::Status)).await.unwrap();
    assert!(told.ok && told.lamps.iter().any(|lamp| lamp.text.contains("a defect on purpose")), "{told:?}");

    // More than both stations' queues have room for: what nobody takes must not be in the others' way.
    for n in 0..400 {
        rig.send("kuavo-01", 3, 20 + n * 10, 10).await;
        if n % 20 == 19 {
            let thrown = n + 1;
            rig.until("thrown away", |status| status.stations[0].refused_samples >= thrown).await;
        }
    }
    for n in 1..40 {
        rig.send("kuavo-02", 3, n * 10, 10).await;
        if n % 5 == 4 {
            rig.heard("kuavo-02", n * 10 + 10, false).await;
        }
    }
    rig.sealed("a02").await.check_joint(Some(400), 400, 0);
    assert_eq!(rig.recorder.status()[1].refused_samples, 0);

    // What the station had open is left as by a crash.
    gate.set(one, Fate::Written);
    let Rig { recorder, store, .. } = rig;
    assert!(matches!(recorder.shutdown().await, Err(RecordError::Ended)));
    sanqu_store::repair(&store).unwrap();
    let repaired = Sealed::open(&store, one);
    assert_eq!(repaired.manifest.ended_by, "recovered");
    repaired.manifest.streams.iter().for_each(|stream| check_balance(stream).unwrap());
    assert_ne!(two, one);
}

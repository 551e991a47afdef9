use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};

use sanqu_ingest::RobotPublisher;
use sanqu_model::now_ns;
use tokio::sync::{mpsc, watch};

use crate::camera::SimCamera;
use crate::pace::{Pace, RunReport, stopped, until};
use crate::{SimError, SimRobot, SimSample};

/// Pictures that may wait between the camera thread and the publisher.
const FRAMES_WAITING_MAX: usize = 16;
/// Publishes what a robot makes as its times come, until `stop` becomes true or its sender is dropped.
///
/// Open loop: the schedule is the robot's own start time and rates, and nothing that happens downstream moves it. What
/// could not be made or sent in time is sent late, with its true capture time, counted in the report and warned about.
/// Pictures are drawn and encoded on a thread of their own, so that rows are not delayed by them; each stream keeps its
/// order.
///
/// # Errors
/// [`SimError::Publish`] when the bus is gone, [`SimError::CameraThread`], and whatever [`SimRobot::advance`] says.
pub async fn run(robot: SimRobot, publisher: &RobotPublisher, mut stop: watch::Receiver<bool>) -> Result<RunReport, SimError> {
    let SimRobot { spec, mut telemetry, cameras } = robot;
    let failed = |reason: String| SimError::CameraThread { robot: spec.robot.clone(), reason };
    let (sender, mut frames) = mpsc::channel(FRAMES_WAITING_MAX);
    let has_cameras = !cameras.is_empty();
    let thread = std::thread::Builder::new().name(format!("cameras {}", spec.robot));
    let (running, ended) = sync_channel(0);
    let thread = thread.spawn(move || shoot_all(cameras, &sender, &ended)).map_err(|error| failed(error.to_string()))?;

    let mut pace = Pace::new(publisher, 0);
    let mut samples = Vec::new();
    let outcome = loop {
        tokio::select! {
            () = stopped(&mut stop) => break Ok(()),
            () = pace.wait(telemetry.next_ns()) => {
                if let Err(error) = telemetry.advance(pace.now_ns(), &mut samples) {
                    break Err(error);
                }
                if let Err(error) = publish_all(&mut pace, &mut samples).await {
                    break Err(error);
                }
            }
            frame = frames.recv(), if has_cameras => {
                let published = match frame {
                    Some(Ok(frame)) => pace.publish(frame).await,
                    Some(Err(error)) => Err(error),
                    None => Err(failed("it ended too early".to_owned())),
                };
                if let Err(error) = published {
                    break Err(error);
                }
            }
        }
    };
    // The thread ends when nobody takes its pictures; those that wait are not sent any more.
    drop(frames);
    drop(running);
    let joined = tokio::task::spawn_blocking(|| thread.join()).await;
    outcome?;
    match joined {
        Ok(Ok(())) => Ok(pace.report),
        Ok(Err(_)) => Err(failed("it panicked".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

async fn publish_all(pace: &mut Pace<'_>, samples: &mut Vec<SimSample>) -> Result<(), SimError> {
    for sample in samples.drain(..) {
        pace.publish(sample).await?;
    }
    Ok(())
}

/// Draws each camera's next picture when its time comes, until nobody takes them any more, `ended` is disconnected, or
/// one fails.
fn shoot_all(mut cameras: Vec<SimCamera>, sender: &mpsc::Sender<Result<SimSample, SimError>>, ended: &Receiver<()>) {
    while let Some(camera) = cameras.iter_mut().min_by_key(|camera| camera.next_ns()) {
        let wait = until(now_ns(), camera.next_ns());
        if ended.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        let frame = camera.shoot();
        let failed = frame.is_err();
        if sender.blocking_send(frame).is_err() || failed {
            return;
        }
    }
}

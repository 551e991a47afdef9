//! How commands reach a recorder: plainly on this computer, or over TLS with `--keys`.

use anyhow::Result;
use sanqu_ingest::{Keys, Node, Role};
use sanqu_model::{Id, now_ns};

use crate::cli::WithKeys;

/// The keys of `--keys`, which must be those of `role` (and of `id`, where one is given); none without the flag.
///
/// # Errors
/// When they are absent, somebody else's, or not valid.
pub(crate) fn keys(args: &WithKeys, role: Role, id: Option<&Id>) -> Result<Option<Keys>> {
    Ok(args.keys.as_deref().map(|dir| Keys::find(dir, role, id, now_ns())).transpose()?)
}

/// The endpoint given, else zenoh's port on this computer.
pub(crate) fn endpoint(given: Option<&str>, with_keys: bool) -> String {
    let default = if with_keys { "tls/127.0.0.1:7447" } else { "tcp/127.0.0.1:7447" };
    given.unwrap_or(default).to_owned()
}

/// A client of the router at `endpoint`.
///
/// # Errors
/// When nobody answers, or one of both does not accept the other's certificate.
pub(crate) async fn client(endpoint: &str, keys: Option<&Keys>) -> Result<Node> {
    Ok(match keys {
        Some(keys) => Node::secured_client(endpoint, keys).await?,
        None => Node::client(endpoint).await?,
    })
}

/// A router to which several robots of this process publish, each with its own keys.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    pub(crate) endpoint: String,
    pub(crate) keys: WithKeys,
}

impl Router {
    /// A router of this process, which asks for no keys.
    pub(crate) fn plain(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned(), keys: WithKeys { keys: None } }
    }

    /// A session of `robot`.
    ///
    /// # Errors
    /// When there are no good keys of the robot, or nobody answers.
    pub(crate) async fn dial(&self, robot: &Id) -> Result<Node> {
        client(&self.endpoint, keys(&self.keys, Role::Robot, Some(robot))?.as_ref()).await
    }
}

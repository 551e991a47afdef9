//! What a secured router lets each holder of a certificate do, generated from the field file.
//!
//! Everything that is not listed is denied. zenoh matches a rule when its key expression includes the message's; a chunk
//! that begins with `@` is matched by no wildcard, so that `@` keys are named one by one.

use sanqu_model::{FieldConfig, Id, control_key, recorder_key};
use sanqu_wire::PAYLOAD_BYTES_MAX;
use serde_json::{Value, json};

use crate::announce::{alive_key, counts_key, describe_key};
use crate::{Counts, Holder, Role};

/// The largest message that is put together from fragments, in bytes; what is longer is thrown away while it arrives.
/// Twice the largest payload: what lies between is refused by the intake, with stream and sequence in the account.
pub(crate) const MESSAGE_BYTES_MAX: usize = 2 * PAYLOAD_BYTES_MAX;

/// The largest control request or other question, in bytes.
const QUERY_BYTES_MAX: usize = 64 * 1024;

/// The largest event, preview or description, in bytes.
const SMALL_BYTES_MAX: usize = 1 << 20;

/// zenoh's `access_control`: default deny, one subject per holder that the field names.
pub(crate) fn access_control(field: &FieldConfig) -> Value {
    let mut list = List::default();
    for robot in &field.robots {
        list.holder(Role::Robot, &robot.id, robot_rules(&field.field, &robot.id));
    }
    for operator in &field.operators {
        let keys: Vec<String> = field.stations_of(&operator.id).map(|place| control_key(&field.field, &place.station.id)).collect();
        if !keys.is_empty() {
            list.holder(Role::Operator, &operator.id, operator_rules(&keys));
        }
    }
    for viewer in &field.viewers {
        list.holder(Role::Viewer, &viewer.id, viewer_rules(&field.field));
    }
    json!({
        "enabled": true,
        "default_permission": "deny",
        "rules": list.rules,
        "subjects": list.subjects,
        "policies": list.policies,
    })
}

#[derive(Default)]
struct List {
    rules: Vec<Value>,
    subjects: Vec<Value>,
    policies: Vec<Value>,
}

/// From the holder to the router, or from the router to the holder.
#[derive(Clone, Copy)]
enum Flow {
    Ingress,
    Egress,
}

struct Rule {
    flow: Flow,
    messages: &'static [&'static str],
    keys: Vec<String>,
}

impl List {
    fn holder(&mut self, role: Role, id: &Id, rules: Vec<Rule>) {
        let name = Holder { role, id: id.clone() }.to_string();
        let mut ids = Vec::with_capacity(rules.len());
        for (index, rule) in rules.into_iter().enumerate() {
            let id = format!("{name} {index}");
            let flow = match rule.flow {
                Flow::Ingress => "ingress",
                Flow::Egress => "egress",
            };
            self.rules.push(json!({ "id": id, "permission": "allow", "flows": [flow], "messages": rule.messages, "key_exprs": rule.keys }));
            ids.push(id);
        }
        self.subjects.push(json!({ "id": name, "cert_common_names": [name], "link_protocols": ["tls"] }));
        self.policies.push(json!({ "rules": ids, "subjects": [name] }));
    }
}

/// What a robot answers, below its own key.
fn answers(field: &Id, robot: &str) -> Vec<String> {
    vec![describe_key(field, robot), counts_key(field, robot), format!("sanqu/{field}/{robot}/@resend/**")]
}

fn robot_rules(field: &Id, robot: &Id) -> Vec<Rule> {
    let robot = robot.as_str();
    let own = format!("sanqu/{field}/{robot}/**");
    let alive = format!("{}/**", alive_key(field, robot));
    // The recorder also asks all robots at once; a robot then sees the question as it was asked.
    let asked = [answers(field, robot), answers(field, "*")].concat();
    vec![
        Rule { flow: Flow::Ingress, messages: &["put"], keys: vec![own] },
        Rule { flow: Flow::Ingress, messages: &["declare_queryable", "reply"], keys: answers(field, robot) },
        Rule { flow: Flow::Ingress, messages: &["liveliness_token"], keys: vec![alive] },
        // A publisher sends only what it was told that somebody subscribes to.
        Rule { flow: Flow::Egress, messages: &["declare_subscriber"], keys: vec![format!("sanqu/{field}/**")] },
        Rule { flow: Flow::Egress, messages: &["query"], keys: asked },
    ]
}

fn operator_rules(control: &[String]) -> Vec<Rule> {
    vec![
        Rule { flow: Flow::Ingress, messages: &["query"], keys: control.to_vec() },
        Rule { flow: Flow::Egress, messages: &["reply", "declare_queryable"], keys: control.to_vec() },
    ]
}

fn viewer_rules(field: &Id) -> Vec<Rule> {
    let all = format!("sanqu/{field}/**");
    let alive = format!("{}/**", alive_key(field, "*"));
    let describe = describe_key(field, "*");
    let heard = vec![all, recorder_key(field)];
    vec![
        Rule { flow: Flow::Ingress, messages: &["declare_subscriber"], keys: heard.clone() },
        Rule { flow: Flow::Ingress, messages: &["query"], keys: vec![describe.clone()] },
        Rule { flow: Flow::Ingress, messages: &["liveliness_query", "declare_liveliness_subscriber"], keys: vec![alive.clone()] },
        Rule { flow: Flow::Egress, messages: &["put", "delete"], keys: heard },
        Rule { flow: Flow::Egress, messages: &["reply", "declare_queryable"], keys: vec![describe] },
        Rule { flow: Flow::Egress, messages: &["liveliness_token"], keys: vec![alive] },
    ]
}

/// zenoh's `low_pass_filter`: the largest message of each kind of key. Streams that are recorded are not in it: the intake
/// refuses what is too large for them and says which rows, and [`MESSAGE_BYTES_MAX`] bounds the rest.
pub(crate) fn low_pass_filter(field: &Id) -> Value {
    let limit = |id: &str, message: &str, keys: Vec<String>, bytes: usize| json!({ "id": id, "flows": ["ingress"], "messages": [message], "key_exprs": keys, "size_limit": bytes });
    json!([
        limit("status", "put", vec![format!("sanqu/{field}/*/status")], Counts::BYTES_MAX),
        limit("small", "put", vec![format!("sanqu/{field}/*/event"), format!("sanqu/{field}/*/preview/**")], SMALL_BYTES_MAX),
        limit("counts", "reply", vec![counts_key(field, "*")], Counts::BYTES_MAX),
        limit("describe", "reply", vec![describe_key(field, "*")], SMALL_BYTES_MAX),
        limit("control", "query", vec![format!("sanqu/{field}/@station/*/ctl")], QUERY_BYTES_MAX),
        limit("questions", "query", vec![format!("sanqu/{field}/**")], QUERY_BYTES_MAX),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use zenoh::key_expr::KeyExpr;

    const FIELD: &str = r#"
        field = "desk"
        name = "desk"
        time_zone = "UTC"
        [[zones]]
        id = "home"
        name = "home"
        name_en = "home"
        colour = [0.1, 0.2, 0.3]
        [[zones.scenes]]
        id = "kitchen"
        name = "kitchen"
        name_en = "kitchen"
        [[zones.scenes.stations]]
        id = "b01"
        position_m = [0.0, 0.0]
        heading_rad = 0.0
        [[robots]]
        id = "kuavo-01"
        name = "kuavo"
        model = "kuavo-s45"
        [[operators]]
        id = "op-07"
        stations = ["b01"]
        [[operators]]
        id = "op-08"
        [[viewers]]
        id = "wall-1"
    "#;

    /// Whether the list lets `holder` send (or, with `flow` egress, get) `message` on `key`.
    fn allows(list: &Value, holder: &str, flow: &str, message: &str, key: &str) -> bool {
        let has = |value: &Value, text: &str| value.as_array().unwrap().iter().any(|item| item == text);
        let subject = list["subjects"].as_array().unwrap().iter().find(|subject| has(&subject["cert_common_names"], holder));
        let Some(subject) = subject else { return false };
        let key = KeyExpr::new(key).unwrap();
        let policies =
            list["policies"].as_array().unwrap().iter().filter(|policy| has(&policy["subjects"], subject["id"].as_str().unwrap()));
        policies.flat_map(|policy| policy["rules"].as_array().unwrap()).any(|id| {
            let rule = list["rules"].as_array().unwrap().iter().find(|rule| &rule["id"] == id).unwrap();
            has(&rule["flows"], flow)
                && has(&rule["messages"], message)
                && rule["key_exprs"].as_array().unwrap().iter().any(|own| KeyExpr::new(own.as_str().unwrap()).unwrap().includes(&key))
        })
    }

    #[test]
    fn each_holder_can_do_its_own_and_nothing_else() {
        let list = access_control(&FieldConfig::parse(FIELD).unwrap());
        assert_eq!(list["default_permission"], "deny");
        for (holder, message, key, expect) in [
            ("robot:kuavo-01", "put", "sanqu/desk/kuavo-01/camera/head", true),
            ("robot:kuavo-01", "put", "sanqu/desk/kuavo-02/joint", false),
            ("robot:kuavo-01", "put", "sanqu/desk/**", false),
            ("robot:kuavo-01", "put", "sanqu/desk/kuavo-01/@counts", false),
            ("robot:kuavo-01", "reply", "sanqu/desk/kuavo-01/@resend/camera/head", true),
            ("robot:kuavo-01", "reply", "sanqu/desk/*/@counts", false),
            ("robot:kuavo-01", "liveliness_token", "sanqu/desk/kuavo-01/@alive/joint", true),
            ("robot:kuavo-01", "query", "sanqu/desk/@station/b01/ctl", false),
            ("robot:kuavo-01", "declare_subscriber", "sanqu/desk/kuavo-01/joint", false),
            ("robot:kuavo-02", "put", "sanqu/desk/kuavo-02/joint", false),
            ("operator:op-07", "query", "sanqu/desk/@station/b01/ctl", true),
            ("operator:op-07", "query", "sanqu/desk/@station/*/ctl", false),
            ("operator:op-07", "declare_queryable", "sanqu/desk/@station/b01/ctl", false),
            ("operator:op-08", "query", "sanqu/desk/@station/b01/ctl", false),
            ("viewer:wall-1", "declare_subscriber", "sanqu/desk/*/joint", true),
            ("viewer:wall-1", "declare_subscriber", "sanqu/desk/@recorder/status", true),
            ("viewer:wall-1", "put", "sanqu/desk/@recorder/status", false),
            ("viewer:wall-1", "declare_subscriber", "sanqu/**", false),
            ("viewer:wall-1", "put", "sanqu/desk/kuavo-01/joint", false),
            ("viewer:wall-1", "query", "sanqu/desk/@station/b01/ctl", false),
            ("viewer:wall-1", "query", "sanqu/desk/kuavo-01/@resend/joint", false),
        ] {
            assert_eq!(allows(&list, holder, "ingress", message, key), expect, "{holder} {message} {key}");
        }
        assert!(allows(&list, "robot:kuavo-01", "egress", "query", "sanqu/desk/*/@describe"));
        assert!(!allows(&list, "robot:kuavo-01", "egress", "put", "sanqu/desk/kuavo-01/joint"), "robots take nothing from the bus");
    }
}

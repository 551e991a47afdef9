//! A certificate authority for the tests, which can also make what `sanqu keys` never makes: expired certificates, those
//! of another authority, those of nobody.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use sanqu_ingest::{CA_FILE, CERT_FILE, KEY_FILE, Keys, Node, Refusal, RefusalKind, Refusals, field_organisation};
use sanqu_model::{FieldConfig, Id, now_ns};
use time::OffsetDateTime;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const FIELD: &str = r#"
    field = "desk"
    name = "桌面"
    time_zone = "Asia/Shanghai"
    [[zones]]
    id = "industry"
    name = "工业智造"
    name_en = "Industry"
    colour = [0.2, 0.4, 0.8]
    [[zones.scenes]]
    id = "vehicle-inspection"
    name = "整车质检"
    name_en = "Vehicle inspection"
    [[zones.scenes.stations]]
    id = "a01"
    position_m = [0.0, 0.0]
    heading_rad = 0.0
    robots = ["kuavo-01"]
    [[zones.scenes.stations]]
    id = "a02"
    position_m = [3.0, 0.0]
    heading_rad = 0.0
    robots = ["kuavo-02"]
    [[robots]]
    id = "kuavo-01"
    name = "夸父 01"
    model = "kuavo-s45"
    [[robots]]
    id = "kuavo-02"
    name = "夸父 02"
    model = "kuavo-s45"
    [[operators]]
    id = "op-07"
    stations = ["a01"]
    [[viewers]]
    id = "wall-1"
"#;

pub(crate) fn field() -> FieldConfig {
    FieldConfig::parse(FIELD).unwrap()
}

pub(crate) fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

/// An authority with a folder for what it makes.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = named("sanqu field CA desk");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { folder: tempfile::tempdir().unwrap(), pem, issuer: Issuer::new(params, key) }
    }

    /// A folder of keys for `name`, valid for the days `valid` from today.
    pub(crate) fn folder(&self, name: &str, valid: std::ops::Range<i64>) -> PathBuf {
        let mut params = named(name);
        let day = |days: i64| OffsetDateTime::now_utc() + time::Duration::days(days);
        (params.not_before, params.not_after) = (day(valid.start), day(valid.end));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if name.starts_with("recorder:") {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
            params.subject_alt_names =
                CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap().subject_alt_names;
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let folder = self.folder.path().join(name.replace(':', "-"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(CA_FILE), &self.pem).unwrap();
        std::fs::write(folder.join(CERT_FILE), certificate.pem()).unwrap();
        let private = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(KEY_FILE));
        private.unwrap().write_all(key.serialize_pem().as_bytes()).unwrap();
        folder
    }

    pub(crate) fn keys(&self, name: &str) -> Keys {
        Keys::load(&self.folder(name, -1..30), now_ns()).unwrap()
    }

    /// A secured router on a free port, and its endpoint.
    pub(crate) async fn router(&self) -> (Node, String) {
        let keys = self.keys("recorder:rec-1");
        let router = Node::secured_router("tls/127.0.0.1:0", &keys, &field(), watch().0.clone()).await.unwrap();
        let endpoint = router.locators().remove(0);
        (router, endpoint)
    }

    /// A router with the keys of `name`, whatever they are.
    pub(crate) async fn router_of(&self, name: &str) -> (zenoh::Session, String) {
        let own = self.folder(name, -1..30);
        let mut config = zenoh::Config::default();
        let mut set = |key: &str, value: serde_json::Value| config.insert_json5(key, &value.to_string()).unwrap();
        set("mode", "router".into());
        set("scouting/multicast/enabled", false.into());
        set("listen/endpoints", vec!["tls/127.0.0.1:0"].into());
        set("transport/link/tls/root_ca_certificate", own.join(CA_FILE).to_str().unwrap().into());
        set("transport/link/tls/listen_certificate", own.join(CERT_FILE).to_str().unwrap().into());
        set("transport/link/tls/listen_private_key", own.join(KEY_FILE).to_str().unwrap().into());
        let session = zenoh::open(config).await.unwrap();
        let endpoint = session.info().locators().await[0].to_string();
        (session, endpoint)
    }

    pub(crate) async fn client(&self, name: &str, endpoint: &str) -> Node {
        Node::secured_client(endpoint, &self.keys(name)).await.unwrap()
    }
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, field_organisation(&id("desk")));
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A client that does not ask our code whether it may: the certificate and private key of `own` if any, trusting `trusts`.
pub(crate) fn raw_client(endpoint: &str, trusts: &Path, own: Option<&Path>) -> zenoh::Config {
    let mut config = zenoh::Config::default();
    let quoted = |path: &Path| serde_json::Value::from(path.to_str().unwrap()).to_string();
    let mut set = |key: &str, value: String| config.insert_json5(key, &value).unwrap();
    set("mode", "\"client\"".to_owned());
    set("scouting/multicast/enabled", "false".to_owned());
    set("connect/endpoints", serde_json::Value::from(vec![endpoint]).to_string());
    // One try: it is to be refused.
    set("connect/timeout_ms", "0".to_owned());
    set("connect/exit_on_failure", "true".to_owned());
    set("transport/link/tls/root_ca_certificate", quoted(&trusts.join(CA_FILE)));
    if let Some(own) = own {
        set("transport/link/tls/enable_mtls", "true".to_owned());
        set("transport/link/tls/connect_certificate", quoted(&own.join(CERT_FILE)));
        set("transport/link/tls/connect_private_key", quoted(&own.join(KEY_FILE)));
    }
    config
}

/// What was logged as a warning.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The process's watch over refusals, as a program sets it up.
pub(crate) fn watch() -> &'static (Refusals, Log) {
    static WATCH: OnceLock<(Refusals, Log)> = OnceLock::new();
    WATCH.get_or_init(|| {
        let (refusals, log) = (Refusals::default(), Log::default());
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let filter = tracing_subscriber::EnvFilter::new("warn,zenoh=error");
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(refusals.layer()).init();
        (refusals, log)
    })
}

/// Waits until a refusal of the kind with the parts is counted, and the same is in the log.
#[track_caller]
pub(crate) fn refused(kind: RefusalKind, parts: &[&str]) -> Refusal {
    let (refusals, log) = watch();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = refusals.report();
        let fits = |row: &&Refusal| row.kind == kind && parts.iter().all(|part| row.to_string().contains(part));
        let logged = log.text().lines().any(|line| line.contains("WARN") && parts.iter().all(|part| line.contains(part)));
        match report.rows.iter().find(fits) {
            Some(row) if logged => return row.clone(),
            _ => assert!(Instant::now() < deadline, "no {kind:?} with {parts:?}: {report:#?}\n{}", log.text()),
        }
        std::thread::yield_now();
    }
}

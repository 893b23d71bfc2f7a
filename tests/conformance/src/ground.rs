//! What one scenario is done on, once for each runner: an emulator with what is there before, and the words by which jobs
//! speak of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use cos_emulator::{Config, Emulator, TlsFiles};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::signature::{self, Kind, SecretKey};
use cos_slice::protocol::{Answer, Api};
use serde_json::{Value, json};

use crate::Failure;
use crate::authority::Authority;
use crate::contents::Contents;
use crate::places::{LOGIN, Proxy, Silence, SilentPlace};
use crate::scenario::{Content, Document, Scenario, Step, Unfinished};

pub const APP_ID: &str = "1251668577";
pub const SECRET_ID: &str = "AKIDtest";
pub const SECRET_KEY: &str = "secret";
const BUCKET: &str = "videos";
const PATH: &str = "2026/big.mp4";

/// An emulator, and what is around it.
pub struct Ground<'a> {
    scenario: &'a Scenario,
    contents: &'a Contents,
    folder: PathBuf,
    pub emulator: Emulator,
    /// The authority of the emulator's certificate.
    ca_pem: Option<String>,
    places: RefCell<BTreeMap<&'static str, SilentPlace>>,
    proxy: RefCell<Option<Proxy>>,
}

impl<'a> Ground<'a> {
    /// Starts the emulator in a folder of its own, and puts there what is there before.
    ///
    /// # Errors
    /// That is not possible.
    pub fn new(scenario: &'a Scenario, contents: &'a Contents, folder: PathBuf) -> Result<Self, Failure> {
        let settings = &scenario.emulator;
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut config = Config::new(folder.join("service"));
        config.path_prefix.clone_from(&settings.path_prefix);
        config.buckets.clone_from(&settings.buckets);
        config.tls = settings.tls || settings.certificate_for.is_some();
        let mut ca_pem = None;
        if let Some(host) = &settings.certificate_for {
            let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
            ca_pem = Some(Authority::new()?.certify(host, &certificate, &key)?);
            config.tls_files = Some(TlsFiles { certificate, key });
        }
        let emulator = Emulator::start(config).map_err(|error| format!("the emulator: {error}"))?;
        for (name, value) in &settings.switches {
            emulator.set(name, value).map_err(|error| error.to_string())?;
        }
        let ca_pem = ca_pem.or_else(|| emulator.ca_pem().map(str::to_owned));
        let ground = Self {
            scenario,
            contents,
            folder,
            emulator,
            ca_pem,
            places: RefCell::default(),
            proxy: RefCell::default(),
        };
        for (object, content) in &scenario.objects {
            ground.put_object(object, ground.content(content)?)?;
        }
        for unfinished in &scenario.unfinished {
            ground.leave_unfinished(unfinished)?;
        }
        Ok(ground)
    }

    /// Makes the emulator ready for a step.
    ///
    /// # Errors
    /// A fault is none.
    pub fn begin(&self, step: &Step) -> Result<(), Failure> {
        self.emulator.clear_faults();
        self.emulator.clear_requests();
        for fault in &step.faults {
            let fault = cos_emulator::Fault::from_json(&fault.to_string());
            self.emulator.add_fault(fault.map_err(|error| error.to_string())?);
        }
        Ok(())
    }

    /// The job of a step, with all that goes without saying.
    ///
    /// # Errors
    /// It speaks of something that there is not.
    pub fn job(&self, id: &str, step: &Step) -> Result<Document, Failure> {
        let mut client = step.client.clone();
        if !client.contains_key("region") {
            client.entry("endpoint").or_insert_with(|| json!("{endpoint}"));
        }
        let signers = ["authorization", "signer"];
        if !signers.iter().any(|signer| client.contains_key(*signer)) {
            let key = json!({"app_id": APP_ID, "secret_id": SECRET_ID, "secret_key": SECRET_KEY});
            client.entry("secret_key").or_insert(key);
        }
        client.retain(|_, value| !value.is_null());
        let uploads = step.uploads.iter().map(|upload| {
            let mut upload = upload.clone();
            upload.remove("expect");
            upload.entry("bucket").or_insert_with(|| json!(BUCKET));
            upload.entry("path").or_insert_with(|| json!(format!("/{PATH}")));
            Value::Object(upload)
        });
        let job = json!({"id": id, "client": client, "uploads": uploads.collect::<Vec<_>>()});
        match self.filled(job)? {
            Value::Object(job) => Ok(job),
            other => Err(format!("no job: {other}")),
        }
    }

    /// A value whose texts have the words in braces replaced by what they stand for.
    fn filled(&self, value: Value) -> Result<Value, Failure> {
        Ok(match value {
            Value::String(text) => Value::String(self.fill(&text)?),
            Value::Array(values) => {
                let values = values.into_iter().map(|value| self.filled(value));
                Value::Array(values.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let members = members
                    .into_iter()
                    .map(|(name, value)| Ok::<_, Failure>((name, self.filled(value)?)));
                Value::Object(members.collect::<Result<_, _>>()?)
            }
            other => other,
        })
    }

    /// A text with the words in braces replaced.
    ///
    /// # Errors
    /// There is no such word.
    pub fn fill(&self, text: &str) -> Result<String, Failure> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, behind) = after
                .split_once('}')
                .ok_or_else(|| format!("a brace without an end: {text:?}"))?;
            filled.push_str(before);
            filled.push_str(&self.word(word)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn word(&self, word: &str) -> Result<String, Failure> {
        let text = |path: PathBuf| path.display().to_string();
        if let Some(name) = word.strip_prefix("file:") {
            return Ok(text(self.contents.path(self.content(name)?)));
        }
        if let Some(name) = word.strip_prefix("bytes:") {
            return Ok(self.contents.path_in_hexadecimal(self.content(name)?));
        }
        Ok(match word {
            "endpoint" => self.endpoint(),
            "address" => self.emulator.address().to_string(),
            "folder" => text(self.folder.clone()),
            "closed" => self.silent("closed", Silence::Closed)?,
            "mute" => self.silent("mute", Silence::Mute)?,
            "full" => self.silent("full", Silence::Full)?,
            "proxy" => format!("http://{}", self.proxy(false)?),
            "strict_proxy" => format!("http://{}", self.proxy(true)?),
            "strict_proxy_and_login" => format!("http://{LOGIN}@{}", self.proxy(true)?),
            "ca_pem" => self.ca_pem()?,
            "ca_file" => self.written("ca.pem", &self.ca_pem()?)?,
            "other_ca_pem" => Authority::new()?.pem(),
            "other_ca_file" => self.written("other-ca.pem", &Authority::new()?.pem())?,
            "no_ca_file" => self.written("no-ca.pem", "nothing\n")?,
            "authorization" => authorization(PATH, 0),
            "authorization_for_another_path" => authorization("2026/another.mp4", 0),
            "expired_authorization" => authorization(PATH, 3600),
            _ => return Err(format!("there is no word {{{word}}}")),
        })
    }

    fn endpoint(&self) -> String {
        format!(
            "{}{}",
            self.emulator.endpoint(),
            self.scenario.emulator.path_prefix
        )
    }

    fn ca_pem(&self) -> Result<String, Failure> {
        self.ca_pem
            .clone()
            .ok_or_else(|| "the emulator has no certificate".to_owned())
    }

    fn written(&self, name: &str, text: &str) -> Result<String, Failure> {
        let path = self.folder.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path.display().to_string())
    }

    fn silent(&self, name: &'static str, silence: Silence) -> Result<String, Failure> {
        let mut places = self.places.borrow_mut();
        if !places.contains_key(name) {
            let place = SilentPlace::new(silence).map_err(|error| format!("{name}: {error}"))?;
            places.insert(name, place);
        }
        Ok(places[name].address().to_string())
    }

    fn proxy(&self, login: bool) -> Result<String, Failure> {
        let mut proxy = self.proxy.borrow_mut();
        if proxy.is_none() {
            let started = Proxy::start(self.emulator.address(), login);
            *proxy = Some(started.map_err(|error| format!("the proxy: {error}"))?);
        }
        Ok(proxy
            .as_ref()
            .map(|proxy| proxy.address().to_string())
            .unwrap_or_default())
    }

    /// Whose hosts and ports the proxy was asked for.
    pub fn proxied(&self) -> std::collections::BTreeSet<String> {
        self.proxy.borrow().as_ref().map(Proxy::asked).unwrap_or_default()
    }

    /// What is another in each run, and the word in its place.
    pub fn replacements(&self) -> Vec<(String, String)> {
        let mut all = vec![
            (self.folder.display().to_string(), "{folder}".to_owned()),
            (self.emulator.address().to_string(), "{address}".to_owned()),
        ];
        for (name, place) in self.places.borrow().iter() {
            all.push((place.address().to_string(), format!("{{{name}}}")));
        }
        if let Some(proxy) = &*self.proxy.borrow() {
            all.push((proxy.address().to_string(), "{proxy}".to_owned()));
        }
        all
    }

    /// The content of a name.
    ///
    /// # Errors
    /// There is none.
    pub fn content(&self, name: &str) -> Result<Content, Failure> {
        let content = self.scenario.contents.get(name).copied();
        content.ok_or_else(|| format!("there is no content {name:?}"))
    }

    /// The bytes of that content.
    pub fn bytes(&self, content: Content) -> &[u8] {
        self.contents.bytes(content)
    }

    /// The bytes of an object; `None` where there is none.
    ///
    /// # Errors
    /// It can't be read.
    pub fn object(&self, object: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (bucket, path) = bucket_and_path(object)?;
        match self.emulator.object(bucket, path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{object}: {error}")),
        }
    }

    /// How many checkpoints are in the folder of checkpoints.
    pub fn checkpoints(&self) -> usize {
        let entries = fs::read_dir(self.folder.join("checkpoints"));
        let names = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()));
        names
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "checkpoint")
            })
            .count()
    }

    fn put_object(&self, object: &str, content: Content) -> Result<(), Failure> {
        let (bucket, path) = bucket_and_path(object)?;
        let file = self.emulator.object_file(bucket, path);
        let parent = file.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, self.contents.bytes(content)))
            .map_err(|error| format!("{}: {error}", file.display()))
    }

    /// A client of this process, which stands for other processes and machines.
    fn client(&self, change: impl FnOnce(&mut ClientConfig)) -> Result<Client, Failure> {
        let endpoint = Endpoint::parse(&self.endpoint()).map_err(|error| error.to_string())?;
        let mut config = ClientConfig::new(endpoint, key()?);
        config.ca_pem = self.ca_pem.clone().map(String::into_bytes);
        change(&mut config);
        Client::new(config).map_err(|error| error.to_string())
    }

    fn leave_unfinished(&self, unfinished: &Unfinished) -> Result<(), Failure> {
        let (bucket, path) = bucket_and_path(&unfinished.object)?;
        let is_v1 = unfinished.api == Some(1);
        let said = |error: cos_slice::upload::error::Error| error.to_string();
        let client = self.client(|config| {
            config.api = if is_v1 { Api::FilesV1 } else { Api::FilesV2 };
        })?;
        let call = client.call(bucket, path).map_err(said)?;
        let bytes = self.contents.bytes(self.content(&unfinished.content)?).to_vec();
        let size = bytes.len() as u64;
        call.set_source(Arc::new(MemorySource::new(bytes)))
            .map_err(said)?;
        call.set_settings(|settings| settings.slice_size = Some(unfinished.slice_size))
            .map_err(said)?;
        if unfinished.hash {
            call.hash().map_err(said)?;
        }
        let Answer::Session(session) = call.init().map_err(said)? else {
            return Err(format!("no upload was begun at {}", unfinished.object));
        };
        call.set_settings(|settings| settings.session = Some(session.session.clone()))
            .map_err(said)?;
        for slice in &unfinished.slices {
            let offset = slice * session.slice_size;
            let length = session.slice_size.min(size - offset);
            call.slice(offset, length).map_err(said)?;
        }
        Ok(())
    }

    /// Begins an upload as another process with the same folder of checkpoints would, and leaves it running.
    ///
    /// # Errors
    /// It does not begin.
    pub fn hold_checkpoint(&self, content: Content) -> Result<Holder, Failure> {
        let said = |error: cos_slice::upload::error::Error| error.to_string();
        let fault = r#"{"operation":"upload_slice_data","action":{"hang":"before"},"times":0}"#;
        let fault = cos_emulator::Fault::from_json(fault).map_err(|error| error.to_string())?;
        self.emulator.add_fault(fault);
        let client = self.client(|config| {
            config.checkpoint_dir = Some(self.folder.join("checkpoints"));
            config.connections = 1.into();
        })?;
        let upload = client.upload(BUCKET, PATH).map_err(said)?;
        upload.set_file(self.contents.path(content)).map_err(said)?;
        upload.start(None).map_err(said)?;
        let waits = |records: &[cos_emulator::RequestRecord]| {
            let mut operations = records.iter().map(|record| record.operation.as_deref());
            operations.any(|operation| operation == Some("upload_slice_data"))
        };
        if !self.emulator.wait_for_requests(waits, crate::HANG_GUARD) {
            return Err("the upload that holds the checkpoint does not begin".into());
        }
        self.emulator.clear_requests();
        Ok(Holder { _upload: upload })
    }
}

/// An upload that is under way until it is dropped.
pub struct Holder {
    _upload: cos_slice::engine::handle::Upload,
}

fn bucket_and_path(object: &str) -> Result<(&str, &str), Failure> {
    object
        .split_once('/')
        .ok_or_else(|| format!("{object:?} is no bucket and path"))
}

fn key() -> Result<SecretKey, Failure> {
    SecretKey::new(APP_ID, SECRET_ID, SECRET_KEY).map_err(|error| error.to_string())
}

/// An authorization string for a path, made so many seconds ago, and good for ten minutes from then.
fn authorization(path: &str, age: u64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let file_id = format!("/{APP_ID}/{BUCKET}/{path}");
    let lifetime = Duration::from_secs(600);
    let made = now.as_secs().saturating_sub(age);
    key().map_or_else(
        |_| String::new(),
        |key| signature::sign(&key, BUCKET, Kind::MultiEffect, &file_id, made, lifetime, 1).to_string(),
    )
}

//! `stat`, `delete`, `create`, and what a download finds.

use super::{Call, Data, Service, checks, object};
use crate::codes::{self, Refusal};
use crate::store::{Attributes, Upload};
use crate::switches::{DeleteUnfinished, Numbers, StatUnfinished};
use serde_json::{Value, json};

impl Service<'_> {
    pub(super) fn stat(&self, call: &Call) -> Result<Data, Refusal> {
        let key = &call.target.key;
        if call.target.is_directory {
            let made = self.store.directory(key)?.ok_or_else(|| not_there(call))?;
            return Ok(object([
                ("biz_attr", json!(made.biz_attr)),
                ("ctime", json!(made.ctime)),
                ("mtime", json!(made.mtime)),
            ]));
        }
        if let Some(complete) = self.complete_object(call)? {
            return Ok(self.stat_complete(call, &complete));
        }
        match (self.store.upload(key)?, self.switches.stat_unfinished) {
            (Some(upload), StatUnfinished::Shown) => self.stat_unfinished(call, &upload),
            _ => Err(not_there(call)),
        }
    }

    fn stat_complete(&self, call: &Call, complete: &Attributes) -> Data {
        let mut data = object([
            ("filesize", json!(complete.filesize)),
            ("filelen", json!(complete.filesize)),
            ("sha", json!(complete.sha)),
            ("slicesize", json!(complete.slice_size)),
            ("ctime", json!(complete.ctime)),
            ("mtime", json!(complete.mtime)),
            ("biz_attr", json!(complete.biz_attr)),
        ]);
        self.add_stat_addresses(call, &mut data);
        data
    }

    fn stat_unfinished(&self, call: &Call, upload: &Upload) -> Result<Data, Refusal> {
        let received: u64 = self.store.parts(upload)?.iter().map(|(_, length)| length).sum();
        let mut data = object([
            ("filesize", json!(upload.filesize)),
            ("filelen", json!(received)),
            ("sha", json!("")),
            ("slicesize", json!(upload.slice_size)),
            ("ctime", json!(upload.session_since)),
            ("mtime", json!(upload.session_since)),
            ("biz_attr", json!(upload.biz_attr)),
        ]);
        self.add_stat_addresses(call, &mut data);
        Ok(data)
    }

    fn add_stat_addresses(&self, call: &Call, data: &mut Data) {
        let wanted = |name: &str| matches!(name, "access_url" | "source_url");
        data.extend(self.addresses(call).into_iter().filter(|(name, _)| wanted(name)));
    }

    pub(super) fn delete(&self, call: &Call) -> Result<Data, Refusal> {
        let key = &call.target.key;
        if call.target.is_directory {
            return self.store.remove_directory(key).map(|()| Data::new());
        }
        let complete = self.complete_object(call)?.is_some();
        let unfinished = self.store.upload(key)?.is_some();
        if unfinished {
            self.store.remove_upload(key)?;
        }
        if complete {
            self.store.remove_object(key)?;
        }
        let only_unfinished = unfinished && self.switches.delete_unfinished == DeleteUnfinished::Success;
        if complete || only_unfinished {
            Ok(Data::new())
        } else {
            Err(not_there(call))
        }
    }

    pub(super) fn create(&self, call: &Call) -> Result<Data, Refusal> {
        let biz_attr = checks::biz_attr(&call.form)?;
        self.check_parent(&call.target.key)?;
        self.store
            .create_directory(&call.target.key, biz_attr, call.now)?;
        Ok(object([("ctime", json!(call.now))]))
    }

    /// Turns numbers into strings when the switch says so.
    pub(crate) fn with_number_style(&self, mut data: Data) -> Data {
        if self.switches.numbers == Numbers::Text {
            for value in data.values_mut().filter(|value| value.is_number()) {
                *value = Value::String(value.to_string());
            }
        }
        data
    }
}

fn not_there(call: &Call) -> Refusal {
    codes::FILE_NOT_EXIST.because(format!("nothing at {:?}", call.target.key.path))
}

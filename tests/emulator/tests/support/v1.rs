//! The requests of `files/v1`.

use super::{Answer, Client, Fixture, start_set};

impl Client {
    /// The same client on `files/v1`.
    pub fn on_v1(&self) -> Client {
        Client {
            api: "v1",
            ..self.clone()
        }
    }

    pub fn control(&self, path: &str, filesize: usize, sha: &str, more: &[(&str, &str)]) -> Answer {
        let filesize = filesize.to_string();
        let first = [("op", "upload_slice"), ("filesize", &*filesize), ("sha", sha)];
        self.post_text(path, &[&first, more].concat())
    }

    pub fn slice_request(
        &self,
        path: &str,
        session: &str,
        offset: usize,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> Vec<u8> {
        let offset = offset.to_string();
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("op", b"upload_slice"),
            ("session", session.as_bytes()),
            ("offset", offset.as_bytes()),
        ];
        fields.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
        fields.push(("filecontent", content));
        self.form(path, &fields)
    }

    pub fn slice(
        &self,
        path: &str,
        session: &str,
        offset: usize,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> Answer {
        self.send(&self.slice_request(path, session, offset, content, more))
    }
}

/// An emulator with some switches set, and a client of `files/v1`.
pub fn start_v1(settings: &[&str]) -> Fixture {
    let fixture = start_set(settings);
    Fixture {
        client: fixture.client.on_v1(),
        ..fixture
    }
}

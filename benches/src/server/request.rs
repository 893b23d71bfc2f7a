//! Requests as far as they have to be understood: the head, and the form's fields up to the content.

/// The longest head, and the longest beginning of a form before its content, together, in bytes.
pub(super) const MAX_TEXT: usize = 16 << 10;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Init,
    Slice,
    List,
    Finish,
    Upload,
    Stat,
    Delete,
    /// Directories: there is nothing to make.
    Create,
    /// Not of the service: opens the gate.
    Release,
}

/// Why a request has no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub &'static str);

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The path with the application and the bucket, without the query.
    pub path: String,
    /// The bytes that it takes.
    pub length: usize,
    /// The bytes of the body.
    pub body: u64,
    query: Option<String>,
    boundary: Option<String>,
}

/// What a body begins with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    op: String,
    pub size: u64,
    pub slice_size: u64,
    pub offset: u64,
    pub sha: Option<String>,
    /// The bytes of the content, where there is one.
    pub content: u64,
}

impl Head {
    /// Reads a head; `None` where its end is not there yet.
    pub fn parse(text: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(end) = find(text, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(&text[..end]).map_err(|_| Malformed("the head is not UTF-8"))?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(_method), Some(target)) = (words.next(), words.next()) else {
            return Err(Malformed("there is no request line"));
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut parsed = Self {
            path: path.to_owned(),
            length: end + 4,
            body: 0,
            query,
            boundary: None,
        };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            parsed.header(name, value.trim())?;
        }
        Ok(Some(parsed))
    }

    fn header(&mut self, name: &str, value: &str) -> Result<(), Malformed> {
        if name.eq_ignore_ascii_case("content-length") {
            self.body = value
                .parse()
                .map_err(|_| Malformed("the Content-Length is no number"))?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Malformed("chunked bodies are not understood"));
        } else if name.eq_ignore_ascii_case("content-type") {
            self.boundary = value
                .split_once("boundary=")
                .map(|(_, boundary)| boundary.trim_matches('"').to_owned());
        }
        Ok(())
    }

    /// The operation with what the form says before its content, out of the beginning of the body; `None` where more of
    /// that has to come.
    pub fn body(&self, text: &[u8]) -> Result<Option<(Operation, Form)>, Malformed> {
        let is_whole = text.len() as u64 >= self.body;
        let form = match &self.boundary {
            Some(boundary) => Form::parse(text, boundary, self.body)?,
            None if !is_whole => None,
            None => Some(Form {
                op: self.op_elsewhere(text),
                ..Form::default()
            }),
        };
        match form {
            Some(form) => Ok(Some((form.operation()?, form))),
            None if is_whole => Err(Malformed("the form does not end")),
            None => Ok(None),
        }
    }

    /// The `op` of a request without a form: in the query, or in a JSON body.
    fn op_elsewhere(&self, body: &[u8]) -> String {
        let query = self
            .query
            .iter()
            .flat_map(|query| query.split('&'))
            .find_map(|pair| pair.strip_prefix("op="));
        let json = || serde_json::from_slice::<serde_json::Value>(body).ok();
        match query {
            Some(op) => op.to_owned(),
            None => json()
                .and_then(|json| Some(json.get("op")?.as_str()?.to_owned()))
                .unwrap_or_default(),
        }
    }
}

impl Form {
    /// Reads fields until the content begins, or the list of digests, which is not looked at, or the form ends.
    fn parse(text: &[u8], boundary: &str, body: u64) -> Result<Option<Self>, Malformed> {
        let delimiter = format!("--{boundary}");
        let mut form = Self::default();
        let mut rest = text;
        loop {
            if rest.len() < delimiter.len() + 4 {
                return Ok(None);
            }
            let Some(after) = rest.strip_prefix(delimiter.as_bytes()) else {
                return Err(Malformed("a field does not begin with the boundary"));
            };
            if after.starts_with(b"--") {
                return Ok(Some(form));
            }
            let Some(end) = find(after, b"\r\n\r\n") else {
                return Ok(None);
            };
            let value = &after[end + 4..];
            match field_name(&after[..end])? {
                "filecontent" => {
                    let before = (text.len() - value.len()) as u64;
                    // The content is the last field: a line end and the closing delimiter follow it.
                    let behind = (2 + delimiter.len() + 4) as u64;
                    form.content = body
                        .checked_sub(before + behind)
                        .ok_or(Malformed("the body is shorter than its form"))?;
                    return Ok(Some(form));
                }
                "uploadparts" => return Ok(Some(form)),
                name => {
                    let Some(length) = find(value, b"\r\n") else {
                        return Ok(None);
                    };
                    form.field(name, &value[..length])?;
                    rest = &value[length + 2..];
                }
            }
        }
    }

    fn field(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        let text = || std::str::from_utf8(value).map_err(|_| Malformed("a field is not UTF-8"));
        let number = || {
            text()?
                .parse()
                .map_err(|_| Malformed("a field should be a number, and is none"))
        };
        match name {
            "op" => self.op = text()?.to_owned(),
            "sha" => self.sha = Some(text()?.to_owned()),
            "filesize" => self.size = number()?,
            "slice_size" => self.slice_size = number()?,
            "offset" => self.offset = number()?,
            _ => (),
        }
        Ok(())
    }

    fn operation(&self) -> Result<Operation, Malformed> {
        Ok(match self.op.as_str() {
            "upload_slice_init" => Operation::Init,
            "upload_slice_data" => Operation::Slice,
            "upload_slice_list" => Operation::List,
            "upload_slice_finish" => Operation::Finish,
            "upload" => Operation::Upload,
            "stat" => Operation::Stat,
            "delete" => Operation::Delete,
            "create" => Operation::Create,
            "release" => Operation::Release,
            _ => return Err(Malformed("it has no op that is known")),
        })
    }
}

fn field_name(head: &[u8]) -> Result<&str, Malformed> {
    const BEFORE: &[u8] = b"name=\"";
    let from = find(head, BEFORE).ok_or(Malformed("a field has no name"))? + BEFORE.len();
    let length = find(&head[from..], b"\"").ok_or(Malformed("the name of a field does not end"))?;
    std::str::from_utf8(&head[from..from + length]).map_err(|_| Malformed("a name is not UTF-8"))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--x\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\nupload_slice_data\r\n\
        --x\r\nContent-Disposition: form-data; name=\"offset\"\r\n\r\n1048576\r\n\
        --x\r\nContent-Disposition: form-data; name=\"filecontent\"\r\n\r\n";
    const CLOSE: &str = "\r\n--x--\r\n";

    fn head(body: usize) -> Head {
        let text = format!(
            "POST /files/v2/1/b/p?a=b HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\ncontent-length: {body}\r\n\r\n"
        );
        Head::parse(text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn a_slice_is_known_before_its_content_has_come() {
        let head = head(FORM.len() + 1000 + CLOSE.len());
        assert_eq!(head.path, "/files/v2/1/b/p");
        let (operation, form) = head.body(FORM.as_bytes()).unwrap().unwrap();
        assert_eq!(
            (operation, form.offset, form.content),
            (Operation::Slice, 1 << 20, 1000)
        );
    }

    #[test]
    fn what_has_come_in_part_is_waited_for_wherever_it_is_cut() {
        let text = "POST / HTTP/1.1\r\nHost: h\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(Head::parse(&text.as_bytes()[..cut]), Ok(None), "{cut}");
        }
        let head = head(FORM.len() + CLOSE.len());
        for cut in 0..FORM.len() {
            assert_eq!(head.body(&FORM.as_bytes()[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn the_operation_is_in_the_query_or_in_json_where_there_is_no_form() {
        let stat = Head::parse(b"GET /p?op=stat HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!(stat.body(b"").unwrap().unwrap().0, Operation::Stat);
        let json = b"{\"op\":\"delete\"}";
        let delete = Head::parse(b"POST /p HTTP/1.1\r\nContent-Length: 15\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(delete.body(&json[..8]), Ok(None));
        assert_eq!(delete.body(json).unwrap().unwrap().0, Operation::Delete);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(
            head(3).body(FORM.as_bytes()).is_err(),
            "a content of less than nothing"
        );
        assert!(head(3).body(b"abc").is_err(), "a form that does not end");
        assert!(head(99).body(b"no boundary at the beginning").is_err());
        assert!(Head::parse(b"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(Head::parse(b"POST /p HTTP/1.1\r\nContent-Length: x\r\n\r\n").is_err());
        let none = Head::parse(b"GET /p?op=move HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert!(none.body(b"").is_err());
    }
}

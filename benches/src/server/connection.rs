//! One connection: a request after the other, until the client closes it.

use std::io;
use std::thread;

use super::objects::Object;
use super::request::{Form, Head, MAX_TEXT, Malformed, Operation};
use super::wire::Wire;
use super::{Delay, Shared, answer};

pub(super) struct Connection<'a> {
    wire: Box<dyn Wire>,
    shared: &'a Shared,
    has_had_a_slice: bool,
}

/// A request whose beginning is there.
struct Request {
    head: Head,
    operation: Operation,
    form: Form,
}

impl<'a> Connection<'a> {
    pub fn new(wire: Box<dyn Wire>, shared: &'a Shared) -> Self {
        Self {
            wire,
            shared,
            has_had_a_slice: false,
        }
    }

    /// Answers requests until the client closes the connection.
    pub fn serve(mut self) -> io::Result<()> {
        loop {
            let request = match self.read()? {
                None => return Ok(()),
                Some(Ok(request)) => request,
                Some(Err(Malformed(why))) => return self.wire.write(answer::malformed(why).as_bytes()),
            };
            let Request {
                head,
                operation,
                form,
            } = request;
            if operation == Operation::Slice {
                let is_first = !std::mem::replace(&mut self.has_had_a_slice, true);
                self.shared.counts.slice_begins(is_first);
            }
            self.wire.discard(head.length as u64 + head.body)?;
            if operation == Operation::Release {
                self.shared.counts.released();
                self.shared.gate.open();
                return self.wire.write(answer::done().as_bytes());
            }
            self.shared.gate.pass();
            let text = self.answer(&head.path, operation, &form);
            // The waiting is what is asked for here.
            match self.shared.delay {
                Delay::Slices(time) if operation == Operation::Slice => thread::sleep(time),
                Delay::All(time) => thread::sleep(time),
                Delay::Slices(_) | Delay::None => (),
            }
            // Before the answer goes, so that a client that has it finds it counted.
            self.shared.counts.answered(operation, form.content);
            self.wire.write(text.as_bytes())?;
        }
    }

    /// The beginning of the next request, as much as tells what it is; `None` where there is no other.
    fn read(&mut self) -> io::Result<Option<Result<Request, Malformed>>> {
        loop {
            match understand(self.wire.buffered()) {
                Ok(Some(request)) => return Ok(Some(Ok(request))),
                Ok(None) if self.wire.buffered().len() >= MAX_TEXT => {
                    return Ok(Some(Err(Malformed("what comes before the content is too long"))));
                }
                Ok(None) => (),
                Err(malformed) => return Ok(Some(Err(malformed))),
            }
            if self.wire.fill()? == 0 {
                return match self.wire.buffered() {
                    [] => Ok(None),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    fn answer(&self, path: &str, operation: Operation, form: &Form) -> String {
        let objects = &self.shared.objects;
        match operation {
            Operation::Slice => answer::stored(form),
            Operation::Init => {
                objects.put(path, object(form, form.size, false));
                answer::session(form)
            }
            Operation::Upload => {
                objects.put(path, object(form, form.content, true));
                answer::complete(path)
            }
            Operation::Finish if objects.complete(path) => answer::complete(path),
            Operation::List if objects.get(path).is_some_and(|object| object.complete) => {
                answer::complete(path)
            }
            Operation::Delete if objects.remove(path) => answer::done(),
            Operation::Stat => match objects.get(path) {
                Some(object) => answer::status(path, &object),
                None => answer::absent(),
            },
            Operation::Create => answer::done(),
            Operation::Finish | Operation::List | Operation::Delete | Operation::Release => answer::absent(),
        }
    }
}

fn understand(text: &[u8]) -> Result<Option<Request>, Malformed> {
    let Some(head) = Head::parse(text)? else {
        return Ok(None);
    };
    let body = head.body(&text[head.length..])?;
    Ok(body.map(|(operation, form)| Request {
        head,
        operation,
        form,
    }))
}

fn object(form: &Form, size: u64, complete: bool) -> Object {
    Object {
        size,
        sha: form.sha.clone(),
        complete,
    }
}

//! What becomes of one request on its way to the server and back.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::Api;
use cos_slice::protocol::codes::{Class, lookup, lookup_http};
use cos_slice::protocol::digest::Hasher;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::{Answer, Init, Operation, Refusal, Session, Stored};
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};
use cos_slice::upload::task::Task;

use crate::scenario::{FAULTS_UNTIL, Fault, Scenario};
use crate::world::{Answered, Effect, World};

/// How an answer that was given is made wrong.
#[derive(Clone, Copy, Debug)]
pub enum Distortion {
    WrongOffset,
    AbsurdSliceSize(u64),
    ListClaimsMore,
    Offset(u64),
}

impl Distortion {
    pub fn distort(self, answer: Answer) -> Answer {
        match (self, answer) {
            (Self::WrongOffset, Answer::Stored(stored)) => Answer::Stored(Stored {
                offset: stored.offset.map(|offset| offset + 1),
                ..stored
            }),
            (Self::AbsurdSliceSize(slice_size), Answer::Session(session)) => Answer::Session(Session {
                slice_size,
                ..session
            }),
            (Self::Offset(offset), Answer::Session(session)) => {
                Answer::Session(Session { offset, ..session })
            }
            (Self::AbsurdSliceSize(slice_size), Answer::Unfinished(mut listed)) => {
                listed.slice_size = slice_size;
                Answer::Unfinished(listed)
            }
            (Self::ListClaimsMore, Answer::Unfinished(mut listed)) => {
                listed.parts = Ranges::from_unsorted(vec![(0, listed.size)]);
                Answer::Unfinished(listed)
            }
            (_, answer) => answer,
        }
    }
}

impl World<'_> {
    pub fn draw_fault(&mut self, operation: &Operation) -> Fault {
        let Scenario {
            faults,
            fault_percent,
            ..
        } = &self.scenario;
        if self.now >= FAULTS_UNTIL || self.random.up_to(99) >= *fault_percent {
            return Fault::None;
        }
        let fits = |fault: &&Fault| applies(**fault, operation);
        let Some(last) = faults.iter().filter(fits).count().checked_sub(1) else {
            return Fault::None;
        };
        self.faults_drawn += 1;
        let drawn = self.random.up_to(last as u64) as usize;
        faults
            .iter()
            .filter(fits)
            .nth(drawn)
            .copied()
            .unwrap_or(Fault::None)
    }

    pub fn send_request(&mut self, fault: Fault, operation: Operation, task: Task, at: Duration) {
        self.interfere(fault);
        let bytes = self.bytes_of(&operation);
        let effect = Some(Effect::Request(operation.clone(), bytes.clone()));
        match fault {
            Fault::NoConnection => self.later(at, None, task, broken(Phase::Connect, false, false)),
            Fault::Stale => self.later(at, None, task, broken(Phase::Answer, true, true)),
            Fault::LostRequest => self.later(at, None, task, broken(Phase::Send, true, false)),
            Fault::LostAnswer => self.later(at, effect, task, broken(Phase::Answer, true, false)),
            Fault::HalfStored => {
                let effect = self.half_of(operation, bytes);
                self.later(at, effect, task, broken(Phase::Send, true, false));
            }
            Fault::Late => {
                let then = at + Duration::from_millis(self.random.up_to(60_000));
                self.later(at, None, task, timed_out());
                self.unanswered(then, Effect::Request(operation, bytes));
            }
            Fault::Duplicated => {
                let again = at + Duration::from_millis(self.random.up_to(2000));
                self.later(at, effect, task, Answered::Executed(None));
                self.unanswered(again, Effect::Request(operation, bytes));
            }
            Fault::ServerErrorAfterEffect => self.later(at, effect, task, self.status(502, None, None)),
            Fault::NotUnderstood => self.later(at, effect, task, self.status(200, None, None)),
            Fault::WrongOffset => self.distorted(at, effect, task, Distortion::WrongOffset),
            Fault::OffsetMisstated => {
                let size = match &operation {
                    Operation::Init(init) => init.size,
                    _ => 0,
                };
                let offset = self.random.up_to(size);
                self.distorted(at, effect, task, Distortion::Offset(offset));
            }
            Fault::AbsurdSliceSize => {
                let absurd = [
                    Distortion::AbsurdSliceSize(0),
                    Distortion::AbsurdSliceSize(1 << 60),
                    Distortion::AbsurdSliceSize(u64::MAX),
                    Distortion::Offset(u64::MAX),
                ];
                let absurd = absurd[self.random.up_to(3) as usize];
                self.distorted(at, effect, task, absurd);
            }
            Fault::ListClaimsMore => self.distorted(at, effect, task, Distortion::ListClaimsMore),
            Fault::ServerError
            | Fault::Overload
            | Fault::Unsigned
            | Fault::Relist
            | Fault::ContentDoubted
            | Fault::StatLags
            | Fault::AnswerWithoutEffect => {
                let answer = self.said_without_effect(fault, &operation);
                self.later(at, None, task, answer);
            }
            Fault::None
            | Fault::SessionLost
            | Fault::SessionRotated
            | Fault::SliceSizeChanged
            | Fault::SerialChanged
            | Fault::Replaced
            | Fault::PartForgotten
            | Fault::PartCorrupted => self.later(at, effect, task, Answered::Executed(None)),
        }
    }

    /// What a server says that does not do what it is asked.
    fn said_without_effect(&mut self, fault: Fault, operation: &Operation) -> Answered {
        match fault {
            Fault::ServerError => self.status(500, Some(-195), None),
            Fault::Overload => {
                let asked = (self.random.up_to(1) == 0).then(|| Duration::from_secs(self.random.up_to(10)));
                self.status(503, Some(-71), asked)
            }
            Fault::Unsigned => {
                let code = [-97, -96, -59][self.random.up_to(2) as usize];
                self.status(401, Some(code), None)
            }
            Fault::Relist if self.model.manner.api == Api::FilesV1 => {
                Answered::Said(self.model.reset_offset())
            }
            Fault::Relist => Answered::Said(self.model.refuse(409, -4019)),
            Fault::ContentDoubted => {
                let code = [-4016, -4026, -4027][self.random.up_to(2) as usize];
                Answered::Said(self.model.refuse(409, code))
            }
            Fault::StatLags => Answered::Said(self.model.lagging_stat()),
            _ => Answered::Said(Ok(success_of(operation))),
        }
    }

    /// The first half of a slice, for a server that appends what it gets.
    fn half_of(&self, operation: Operation, mut bytes: Vec<u8>) -> Option<Effect> {
        bytes.truncate(bytes.len() / 2);
        let is_appended = self.model.manner.api == Api::FilesV1 && !bytes.is_empty();
        matches!(operation, Operation::Slice(_) if is_appended).then_some(Effect::Request(operation, bytes))
    }

    fn status(&self, http_status: u16, code: Option<i64>, retry_after: Option<Duration>) -> Answered {
        let api = self.model.manner.api;
        let row = code.and_then(|code| lookup(api, code));
        let class: Class = row.map_or_else(|| lookup_http(http_status).class, |row| row.class);
        Answered::Failed(TaskFailure::Refused(Refusal {
            http_status,
            code,
            message: "said by the simulation".into(),
            request_id: None,
            class,
            retry_after,
            ambiguous: code.is_none() || class == Class::Retry,
            clocks: None,
            api,
            has_fixed_signature: false,
        }))
    }

    fn distorted(&mut self, at: Duration, effect: Option<Effect>, task: Task, distortion: Distortion) {
        self.later(at, effect, task, Answered::Executed(Some(distortion)));
    }

    /// What the server, or another client, does to the unfinished upload before the request arrives.
    fn interfere(&mut self, fault: Fault) {
        match fault {
            Fault::SessionLost => self.model.upload = None,
            Fault::SessionRotated => self.model.rotate_session(),
            Fault::SliceSizeChanged => {
                let slice_size = 50 + self.random.up_to(400);
                self.model.change_slice_size(slice_size);
            }
            Fault::SerialChanged => {
                let was_serial = self.model.manner.serial.take().is_some();
                self.model.manner.serial = (!was_serial).then_some(crate::model::Serial::Silent);
                let v1 = &mut self.model.manner.v1;
                v1.knows_content = !v1.knows_content;
            }
            Fault::Replaced => {
                let (hashed, stored) = (self.random.up_to(1) == 0, self.random.up_to(5));
                let other = vec![9; self.source.len()];
                self.model
                    .replace_upload(&other_init(&other, hashed), &other, stored);
            }
            Fault::PartForgotten => {
                if let Some(upload) = &mut self.model.upload {
                    upload.forget_part();
                }
            }
            Fault::PartCorrupted => {
                if let Some(upload) = &mut self.model.upload {
                    upload.corrupt_part();
                }
            }
            _ => {}
        }
    }

    fn bytes_of(&self, operation: &Operation) -> Vec<u8> {
        match operation {
            Operation::Slice(slice) => {
                self.source[slice.offset as usize..(slice.offset + slice.length) as usize].to_vec()
            }
            Operation::Upload(_) => self.source.to_vec(),
            _ => Vec::new(),
        }
    }
}

fn applies(fault: Fault, operation: &Operation) -> bool {
    use Operation::{CreateDirectory, Delete, Finish, Init, List, Slice, Stat};
    match fault {
        // A delete executed later can hit what was finished meanwhile; no client can guard against that.
        Fault::Duplicated | Fault::Late => !matches!(operation, Delete),
        // What the server says of its own record, and of what is complete, is all that there is to go by.
        Fault::AnswerWithoutEffect => matches!(operation, Init(_) | Slice(_) | Delete | CreateDirectory(_)),
        Fault::Relist => matches!(operation, Init(_) | Slice(_) | Finish(_)),
        Fault::ContentDoubted => matches!(operation, Slice(_) | Finish(_)),
        Fault::HalfStored | Fault::WrongOffset => matches!(operation, Slice(_)),
        Fault::OffsetMisstated => matches!(operation, Init(_)),
        Fault::AbsurdSliceSize => matches!(operation, Init(_) | List),
        Fault::ListClaimsMore => matches!(operation, List),
        Fault::StatLags => matches!(operation, Stat),
        _ => true,
    }
}

/// An upload by somebody else.
pub fn other_init(content: &[u8], hashed: bool) -> Operation {
    let digests = hashed.then(|| {
        let mut hasher = Hasher::new(64);
        hasher.update(content);
        Arc::new(hasher.finish())
    });
    Operation::Init(Init {
        size: content.len() as u64,
        slice_size: 1 << 20,
        digests,
        biz_attr: None,
        overwrite: true,
        session: None,
    })
}

fn success_of(operation: &Operation) -> Answer {
    match operation {
        Operation::Init(_) => Answer::Session(Session {
            session: "nowhere".into(),
            slice_size: 100,
            serial: None,
            offset: 0,
        }),
        Operation::Slice(slice) => Answer::Stored(Stored {
            offset: Some(slice.offset),
            length: Some(slice.length),
        }),
        Operation::CreateDirectory(_) => Answer::Created,
        _ => Answer::Deleted,
    }
}

fn broken(phase: Phase, ambiguous: bool, stale: bool) -> Answered {
    let (cause, detail, os_errno) = (Cause::Broken, "reset by the simulation".into(), Some(104));
    Answered::Failed(TaskFailure::Network(NetworkFailure {
        phase,
        cause,
        ambiguous,
        stale,
        detail,
        os_errno,
    }))
}

fn timed_out() -> Answered {
    Answered::Failed(TaskFailure::Network(NetworkFailure {
        phase: Phase::Answer,
        cause: Cause::TimedOut,
        ambiguous: true,
        stale: false,
        detail: String::new(),
        os_errno: None,
    }))
}

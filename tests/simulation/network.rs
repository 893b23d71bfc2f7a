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

use crate::model::refusal;
use crate::scenario::{FAULTS_UNTIL, Fault, Scenario};
use crate::world::{Answered, Effect, World};

/// How an answer that was given is made wrong.
#[derive(Clone, Copy, Debug)]
pub enum Distortion {
    WrongOffset,
    AbsurdSliceSize(u64),
    ListClaimsMore,
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
        if self.now >= FAULTS_UNTIL || faults.is_empty() || self.random.up_to(99) >= *fault_percent {
            return Fault::None;
        }
        self.faults_drawn += 1;
        let fault = faults[self.random.up_to(faults.len() as u64 - 1) as usize];
        let applies = match (fault, operation) {
            // A delete executed later can hit what was finished meanwhile; no client can guard against that.
            (Fault::Duplicated | Fault::Late, Operation::Delete) => false,
            // What the server says of its own record, and of what is complete, is all that there is to go by.
            (Fault::AnswerWithoutEffect, operation) => {
                matches!(
                    operation,
                    Operation::Init(_) | Operation::Slice(_) | Operation::Delete
                )
            }
            (Fault::Relist, operation) => {
                matches!(
                    operation,
                    Operation::Init(_) | Operation::Slice(_) | Operation::Finish(_)
                )
            }
            _ => true,
        };
        if applies { fault } else { Fault::None }
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
            Fault::ServerError => self.later(at, None, task, status(500, Some(-195), None)),
            Fault::ServerErrorAfterEffect => self.later(at, effect, task, status(502, None, None)),
            Fault::Overload => {
                let asked = (self.random.up_to(1) == 0).then(|| Duration::from_secs(self.random.up_to(10)));
                self.later(at, None, task, status(503, Some(-71), asked));
            }
            Fault::NotUnderstood => self.later(at, effect, task, status(200, None, None)),
            Fault::Unsigned => self.later(at, None, task, status(401, Some(-97), None)),
            Fault::Relist => self.later(at, None, task, Answered::Said(refusal(409, -4019))),
            Fault::AnswerWithoutEffect => {
                let answer = success_of(&operation);
                self.later(at, None, task, Answered::Said(Ok(answer)));
            }
            Fault::WrongOffset => self.distorted(at, effect, task, Distortion::WrongOffset),
            Fault::AbsurdSliceSize => {
                let slice_size = [0, 1 << 60, u64::MAX][self.random.up_to(2) as usize];
                self.distorted(at, effect, task, Distortion::AbsurdSliceSize(slice_size));
            }
            Fault::ListClaimsMore => self.distorted(at, effect, task, Distortion::ListClaimsMore),
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

fn status(http_status: u16, code: Option<i64>, retry_after: Option<Duration>) -> Answered {
    let row = code.and_then(|code| lookup(Api::FilesV2, code));
    let class: Class = row.map_or_else(|| lookup_http(http_status).class, |row| row.class);
    Answered::Failed(TaskFailure::Refused(Refusal {
        http_status,
        code,
        message: "said by the simulation".into(),
        request_id: None,
        class,
        retry_after,
        ambiguous: code.is_none(),
        clocks: None,
        api: Api::FilesV2,
        has_fixed_signature: false,
    }))
}

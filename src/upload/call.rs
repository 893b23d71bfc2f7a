//! One operation by itself, with the retries of any other request: for callers that have a flow of their own.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::codes::{self, Class};
use crate::protocol::{Answer, Api, Operation, Refusal};

use super::error::{Error, Place};
use super::event::{Consequence, Event, Events};
use super::failure::TaskFailure;
use super::machine::{Free, Want};
use super::retry::{Attempts, Context, Kind, Next, kind_of_network, kind_of_refusal};
use super::status::Status;
use super::task::{Done, Work};

/// What to do where an upload would ask the server what it has.
const ASK: &str = "One request at a time: the list, or init where there is none, tells what the server has.";

/// How a call is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallOptions {
    /// The most attempts, 1 for none but the first; `None` for as many as the client's policy has.
    pub attempts: Option<u32>,
    /// Whether reading the source may take as long as somebody else likes.
    pub blocks: bool,
}

pub(crate) struct Call {
    name: Arc<str>,
    operation: Operation,
    api: Api,
    most_attempts: u32,
    attempts: Attempts,
    ready_at: Duration,
    in_flight: bool,
    result: Option<Result<Answer, Error>>,
    events: Events,
}

impl Call {
    pub(crate) fn new(
        name: Arc<str>,
        operation: Operation,
        api: Api,
        options: CallOptions,
        events: Events,
    ) -> Self {
        let (attempts, ready_at) = (Attempts::default(), Duration::ZERO);
        Self {
            name,
            operation,
            api,
            most_attempts: options.attempts.unwrap_or(u32::MAX),
            attempts,
            ready_at,
            in_flight: false,
            result: None,
            events,
        }
    }

    pub(crate) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    pub(crate) fn result(&self) -> Option<&Result<Answer, Error>> {
        self.result.as_ref()
    }

    pub(crate) fn want(&mut self, now: Duration, free: Free) -> Want {
        if self.in_flight || self.result.is_some() {
            return Want::Reports;
        }
        if self.ready_at > now {
            return Want::WaitUntil(self.ready_at);
        }
        if !free.place {
            return Want::Place;
        }
        self.in_flight = true;
        let attempt = self.attempts.begin(self.ready_at, now);
        Want::Task(Work::Request(self.operation.clone()), attempt)
    }

    pub(crate) fn report(&mut self, done: Result<Done, TaskFailure>, context: &mut Context) {
        self.in_flight = false;
        if self.result.is_some() {
            return;
        }
        match done {
            Ok(Done::Answered(answer)) => self.result = Some(Ok(answer)),
            Ok(Done::Hashed | Done::Saved | Done::Signed { .. } | Done::Spooled { .. } | Done::Digest(_)) => {
                self.stop(Error::new(Status::Panic, "a call was reported as something else"));
            }
            Err(TaskFailure::Refused(refusal)) => self.refused(refusal, context),
            Err(TaskFailure::Network(failure)) => {
                let error = Error::network(&self.name, self.place(), &failure);
                let kind = kind_of_network(&failure);
                self.again(kind, None, TaskFailure::Network(failure), error, context);
            }
            Err(failure) => self.stop(Error::without_request(&self.name, failure)),
        }
    }

    fn refused(&mut self, refusal: Refusal, context: &mut Context) {
        let error = Error::refused(&self.name, self.place(), &refusal);
        match self.where_asking_helps(&refusal) {
            Some(status) => self.stop(Error { status, ..error }.with_note(ASK)),
            None => {
                let (kind, retry_after) = (kind_of_refusal(&refusal), refusal.retry_after);
                self.again(kind, retry_after, TaskFailure::Refused(refusal), error, context);
            }
        }
    }

    /// How a refusal ends a call after which an upload would ask what the server has.
    fn where_asking_helps(&self, refusal: &Refusal) -> Option<Status> {
        match (refusal.class, &self.operation) {
            (Class::Relist, Operation::Init(_)) => Some(Status::OtherUpload),
            (Class::Relist | Class::BadOffset | Class::Delivered, _) => Some(Status::Refused),
            // Sent again it goes back once more.
            (Class::Retry, Operation::Slice(_)) if refusal.code == Some(codes::OFFSET_WENT_BACK) => {
                Some(Status::Refused)
            }
            _ => None,
        }
    }

    fn again(
        &mut self,
        kind: Option<Kind>,
        retry_after: Option<Duration>,
        failure: TaskFailure,
        error: Error,
        context: &mut Context,
    ) {
        let kind = kind.filter(|_| self.attempts.begun < self.most_attempts);
        match kind.map(|kind| self.attempts.failed(kind, retry_after, context)) {
            Some(Next::At(at)) => {
                let (place, wait) = (self.place(), at.saturating_sub(context.now));
                self.events.add(|| Event::Failed {
                    place,
                    failure: Box::new(failure),
                    next: Consequence::Again(wait),
                });
                self.ready_at = at;
            }
            Some(Next::GiveUp) | None => self.stop(error),
        }
    }

    fn place(&self) -> Place {
        let operation = Some((self.api, self.operation.kind()));
        Place {
            operation,
            offset: self.operation.offset(),
            attempts: self.attempts.begun,
        }
    }

    pub(crate) fn stop(&mut self, error: Error) {
        self.result.get_or_insert(Err(error));
    }
}

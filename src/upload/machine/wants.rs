//! What an upload wants now: the next task, or what it waits for.

use super::*;

/// How much is hashed in one task: long enough to be cheap, short enough to let cancel and others in.
const HASH_PIECE: u64 = 8 << 20;

/// What may begin now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    /// One more hashing task.
    pub hasher: bool,
    /// One more request.
    pub place: bool,
}

/// What an upload wants now.
pub(crate) enum Want {
    /// This to be done.
    Task(Work, u32),
    /// To hash, but no hashing task is free.
    Hasher,
    /// To make a request, but no more may be in flight.
    Place,
    /// Nothing before then.
    WaitUntil(Duration),
    /// Nothing until a task comes back.
    Reports,
}

impl Machine {
    /// What the checkpoint must say before the next request is made: that it was made. A life that ends in the midst of
    /// it knows nothing better.
    fn memory_ahead(&self) -> Memory {
        let mut memory = self.memory.clone();
        match &self.step {
            Step::Send(_) => memory.sent.insert(0..self.size),
            _ => {
                memory.init_unanswered.get_or_insert(self.content());
            }
        }
        memory
    }

    /// What to do now. A task that is handed out counts as in flight until it is reported.
    pub(crate) fn want(&mut self, now: Duration, free: Free) -> Want {
        self.check_deadline(now);
        match (self.saving, &self.step) {
            (_, Step::Over) | (Saving::NotNeeded, _) => {}
            (Saving::InFlight, _) => return Want::Reports,
            (Saving::Wanted, _) => {
                (self.saving, self.saved) = (Saving::InFlight, true);
                return Want::Task(Work::Save(Box::new(self.memory_ahead())), 1);
            }
        }
        match &mut self.step {
            Step::Over | Step::Close { in_flight: true, .. } => Want::Reports,
            Step::Close { result, in_flight } => {
                *in_flight = true;
                let work = match **result {
                    Ok(_) => Work::Forget,
                    Err(_) => Work::Save(Box::new(self.memory.clone())),
                };
                Want::Task(work, 1)
            }
            Step::Local { in_flight: true, .. } => Want::Reports,
            Step::Local { work, in_flight } => {
                *in_flight = true;
                let work = match work {
                    Local::Spool => Work::Spool,
                    Local::Digest(_) => Work::Digest,
                };
                Want::Task(work, 1)
            }
            Step::Hash { hasher } => match hasher.take_if(|_| free.hasher) {
                Some(taken) => {
                    let length = HASH_PIECE.min(self.size - taken.position());
                    Want::Task(
                        Work::Hash {
                            hasher: taken,
                            length,
                        },
                        1,
                    )
                }
                None if hasher.is_some() => Want::Hasher,
                None => Want::Reports,
            },
            Step::Control(control) => {
                if control.in_flight {
                    return Want::Reports;
                }
                if control.ready_at > now {
                    return Want::WaitUntil(control.ready_at);
                }
                if !free.place {
                    return Want::Place;
                }
                control.in_flight = true;
                let attempt = control.attempts.begin(control.ready_at, now);
                self.commit_sent |= matches!(control.goal, Goal::Finish(_));
                self.progress.retries += u64::from(attempt > 1);
                Want::Task(Work::Request(self.control_operation()), attempt)
            }
            Step::Send(_) => self.want_of_slices(now, free),
        }
    }

    fn want_of_slices(&mut self, now: Duration, free: Free) -> Want {
        let Step::Send(sending) = &mut self.step else {
            return Want::Reports;
        };
        sending.set_window(self.places.count());
        match sending.need(now, free.place) {
            Need::Send { index, attempt } => {
                let (offset, length) = (sending.plan.offset(index), sending.plan.length(index));
                let session = sending.session.clone();
                self.memory.sent.insert(offset..offset + length);
                self.tried_slices = true;
                self.commit_sent |= !self.rules.has_finish && offset + length == self.size;
                self.progress.retries += u64::from(attempt > 1);
                let slice = Slice {
                    session,
                    offset,
                    length,
                    sha: self.sha(),
                };
                Want::Task(Work::Request(Operation::Slice(slice)), attempt)
            }
            Need::Place => Want::Place,
            Need::WaitUntil(at) => Want::WaitUntil(at),
            Need::Answers => Want::Reports,
            Need::Leave(leave) => {
                match leave {
                    Leave::List => self.ask_for_list(),
                    Leave::Restart => self.restart(true),
                }
                // The hashing of a restart waits for the next call, which says whether a hasher is free.
                self.want(
                    now,
                    Free {
                        hasher: false,
                        ..free
                    },
                )
            }
            Need::Finish => {
                let session = sending.session.clone();
                self.all_is_there(session);
                self.want(
                    now,
                    Free {
                        hasher: false,
                        ..free
                    },
                )
            }
        }
    }

    pub(super) fn control_operation(&self) -> Operation {
        let Step::Control(control) = &self.step else {
            return Operation::Stat;
        };
        let (size, sha) = (self.size, self.sha());
        let (biz_attr, overwrite) = (self.options.biz_attr.clone(), self.options.overwrite);
        match &control.goal {
            Goal::Init => Operation::Init(Init {
                size,
                slice_size: self.slice_size,
                digests: self.digests.clone(),
                biz_attr,
                overwrite,
                session: self.session_to_go_on_with(),
            }),
            Goal::Upload => Operation::Upload(SingleUpload {
                size,
                sha,
                biz_attr,
                overwrite,
            }),
            Goal::List => Operation::List,
            Goal::Compare | Goal::BeforeDiscard | Goal::Verify(..) => Operation::Stat,
            Goal::Discard => Operation::Delete,
            Goal::CreateParent(level) => Operation::CreateDirectory(*level),
            Goal::Finish(session) => Operation::Finish(Finish {
                session: session.clone(),
                size,
                sha,
            }),
        }
    }
}

//! One upload: started, killed, started again, until it is done.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;

use crate::Failure;
use crate::log::{self, Record};
use crate::moment::{Absence, Moment, Watched};
use crate::process::{Event, Remains, Uploader};
use crate::service::Service;
use crate::setup::{Api, Home, InTheWay, Setup, Source, Tools, said};
use crate::tally::{State, Tally};
use crate::verdict::{self, Ending};

/// No run takes a fraction of this.
const HANG_GUARD: Duration = Duration::from_secs(180);

/// Calls in the checkpoint folder in a whole run, before any were counted.
const FIRST_GUESS: u64 = 24;

/// The files of one run.
#[derive(Debug)]
pub struct Paths {
    /// What it writes on stdout.
    pub out: PathBuf,
    /// What it writes on stderr.
    pub errors: PathBuf,
    /// What the preloaded library writes.
    pub report: PathBuf,
}

/// What the service had when a run began.
struct Before {
    /// The offsets of the slices of the unfinished upload.
    held: Vec<u64>,
    /// Whether there was the object.
    complete: bool,
}

/// A run that is over.
struct Run {
    before: Before,
    remains: Remains,
    moment: Moment,
    /// Killed, and not over before.
    killed: bool,
    /// What the preloaded library wrote.
    report: String,
}

/// A round under way.
struct Round<'a> {
    tools: &'a Tools,
    setup: Setup,
    random: StdRng,
    folder: &'a Path,
    home: Home,
    service: Service,
    /// Calls in the checkpoint folder in a whole run, as they were counted last.
    checkpoint_calls: u64,
    /// The runs so far, from number 1 on; what number 0 was never was.
    runs: Vec<Run>,
    /// Deaths of uploader and service while there was an upload.
    deaths: u64,
    in_the_way: InTheWay,
    /// The last command, for a failure.
    command: String,
    tally: Tally,
}

/// Does the round of this seed below `folder`, with this API where `only` it is wanted.
///
/// # Errors
/// What must hold did not.
pub fn run(
    tools: &Tools,
    sources: &[Source],
    only: Option<Api>,
    seed: u64,
    host: &str,
    folder: &Path,
) -> Result<Tally, Failure> {
    let mut random = StdRng::seed_from_u64(seed);
    let setup = Setup::draw(&mut random, sources, only);
    let home = Home(folder.join("home"));
    said("the round's folder", fs::create_dir_all(&home.0))?;
    let mut round = Round {
        tools,
        checkpoint_calls: FIRST_GUESS,
        random,
        folder,
        home,
        service: Service::start(&tools.emulator(), &folder.join("service"), host)?,
        runs: Vec::new(),
        deaths: 0,
        in_the_way: InTheWay::Stays,
        command: String::new(),
        tally: Tally::default(),
        setup,
    };
    let done = round.until_done();
    done.map_err(|failure| {
        format!(
            "{failure}\n  {:?}\n  run {}, {:?}\n  {}",
            round.setup,
            round.runs.len(),
            round.runs.last().map(|run| &run.moment),
            round.command
        )
    })?;
    Ok(round.tally)
}

impl Round<'_> {
    fn until_done(&mut self) -> Result<(), Failure> {
        let wanted = self.random.random_range(1..=10);
        loop {
            let before = self.look_around()?;
            let missing = self.setup.slices().saturating_sub(before.held.len() as u64);
            let moment = if self.kills() < wanted {
                Moment::draw(&mut self.random, &self.setup, self.checkpoint_calls, missing)
            } else {
                Moment::Never
            };
            let run = self.one_run(before, moment)?;
            let killed = run.killed;
            self.runs.push(run);
            if killed {
                self.after_death()?;
            } else if let Some(ending) = self.after_end()? {
                return self.judge(ending);
            }
        }
    }

    fn paths(&self, run: usize) -> Paths {
        let file = |kind: &str| self.folder.join(format!("run-{run}.{kind}"));
        Paths {
            out: file("out"),
            errors: file("err"),
            report: file("calls"),
        }
    }

    fn kills(&self) -> usize {
        self.runs.iter().filter(|run| run.killed).count()
    }

    /// Before a run: what the service holds, and whether that is right.
    fn look_around(&mut self) -> Result<Before, Failure> {
        let logged = log::runs(&self.service.logs()?);
        let held = self.service.parts()?;
        // The finish of a killed run may still come in, and makes an object of the slices.
        let complete = verdict::no_other_object(&self.service, &self.setup)?;
        if self.setup.resumes() && !complete {
            verdict::nothing_stored_is_lost(&logged, &held)?;
        }
        // Those of the last run would strike the mark, too.
        self.service.clear_faults()?;
        self.service.mark(self.runs.len() + 1)?;
        Ok(Before { held, complete })
    }

    fn one_run(&mut self, before: Before, moment: Moment) -> Result<Run, Failure> {
        let number = self.runs.len() + 1;
        let paths = self.paths(number);
        self.service.add_faults(&moment.faults(self.setup.api))?;
        let mut command =
            self.setup
                .command(self.tools, &self.service.endpoint(), &self.home, self.in_the_way);
        moment.preload(&mut command, &self.setup, self.tools, &self.home, &paths.report);
        self.command = format!("{command:?}");
        self.tally.runs += 1;
        let (remains, killed) = self.start_and_kill(&mut command, &moment, &paths)?;
        Ok(Run {
            before,
            remains,
            moment,
            killed,
            report: fs::read_to_string(&paths.report).unwrap_or_default(),
        })
    }

    /// Starts it and kills it when the moment has come. Tells whether it was killed, and not over before.
    fn start_and_kill(
        &mut self,
        command: &mut Command,
        moment: &Moment,
        paths: &Paths,
    ) -> Result<(Remains, bool), Failure> {
        command.stdin(Stdio::null());
        command.stdout(said("the output", File::create(&paths.out))?);
        command.stderr(said("the output", File::create(&paths.errors))?);
        let mut uploader = Uploader::start(command)?;
        let event = match moment {
            Moment::Time { after, .. } => uploader.wait(*after)?,
            _ => self.wait_for_moment(&uploader, moment)?,
        };
        let event = match (moment, event) {
            (Moment::ServiceGone { absence, .. }, Event::Logged) => self.leave(&mut uploader, *absence)?,
            (Moment::Time { .. }, event) | (_, event @ (Event::Over | Event::Logged)) => event,
            (_, Event::Time) => return Err("it hangs".to_owned()),
        };
        if event != Event::Over {
            uploader.kill()?;
        }
        let remains = uploader.bury()?;
        // By whoever it was killed: a run that was over before has a status of its own.
        Ok((remains, remains.status.code().is_none()))
    }

    fn wait_for_moment(&self, uploader: &Uploader, moment: &Moment) -> Result<Event, Failure> {
        let run = self.runs.len() + 1;
        uploader.wait_for_log(&self.service.log_file(), HANG_GUARD, |records| {
            let mark = records.iter().find(|record| record.mark == Some(run));
            let begins = mark.map_or(0, |mark| mark.connection);
            let own: Vec<Record> = records
                .iter()
                .filter(|record| record.connection > begins)
                .cloned()
                .collect();
            moment.has_come(&own)
        })
    }

    /// Kills the service under a running uploader.
    fn leave(&mut self, uploader: &mut Uploader, absence: Absence) -> Result<Event, Failure> {
        self.service.kill()?;
        self.tally.emulator_kills += 1;
        self.deaths += 1;
        match absence {
            Absence::For(time) => {
                if uploader.wait(time)? == Event::Over {
                    // What it came to is judged as any other end.
                    self.service.start_again()?;
                    return Ok(Event::Over);
                }
                self.service.start_again()?;
                match uploader.wait(HANG_GUARD)? {
                    Event::Over => Ok(Event::Over),
                    _ => Err("it hangs after the service came back".to_owned()),
                }
            }
            Absence::UntilDeath(time) => {
                let event = uploader.wait(time)?;
                uploader.kill()?;
                self.service.start_again()?;
                Ok(event)
            }
        }
    }

    /// Counts a death, and now and then lets the service die or end, too.
    fn after_death(&mut self) -> Result<(), Failure> {
        self.deaths += 1;
        let Some(run) = self.runs.last() else {
            return Ok(());
        };
        if run.remains.status.signal() != Some(Signal::KILL.as_raw()) {
            return Err(format!("it ended with {}", run.remains.status));
        }
        let said_so = !said("the output", fs::read_to_string(self.paths(self.runs.len()).out))?.is_empty();
        if said_so && !verdict::no_other_object(&self.service, &self.setup)? {
            return Err("it told of its success before it was killed, and there is no object".to_owned());
        }
        match (self.random.random_range(0..4), &run.moment) {
            // Only where it is known what the run was doing without the last lines of the log, which this costs.
            (
                0,
                Moment::Held { .. }
                | Moment::Call {
                    watched: Watched::Checkpoints,
                    ..
                },
            ) => {
                self.service.kill()?;
                self.tally.emulator_kills += 1;
                self.deaths += 1;
                self.service.start_again()
            }
            (0 | 1, _) => {
                self.service.stop()?;
                self.service.start_again()
            }
            _ => Ok(()),
        }
    }

    /// What an end that was no death comes to; `None` where the upload is to be run again.
    fn after_end(&mut self) -> Result<Option<Ending>, Failure> {
        let Some(run) = self.runs.last() else {
            return Ok(None);
        };
        let words: Vec<&str> = run.report.split_whitespace().collect();
        let watched_source = matches!(
            run.moment,
            Moment::Call {
                watched: Watched::Source,
                ..
            }
        );
        if let (["ended", calls], true, false) = (&words[..], self.setup.checkpoint, watched_source) {
            self.checkpoint_calls = said("the count of calls", calls.parse())?;
            if self.checkpoint_calls == 0 {
                return Err("it has a checkpoint folder, and made no call there".to_owned());
            }
        }
        let ending = verdict::ending(&run.remains, &self.paths(self.runs.len()))?;
        let complete = verdict::no_other_object(&self.service, &self.setup)?;
        match ending {
            Ending::Success if complete => Ok(Some(ending)),
            Ending::Success => Err("it reports success, and there is no object".to_owned()),
            // Nothing proves to it what the service has, so these are right and clear.
            Ending::ObjectExists | Ending::Unknown if !self.setup.hash && complete => Ok(Some(ending)),
            Ending::OtherUpload if !self.setup.resumes() && self.in_the_way == InTheWay::Stays => {
                self.in_the_way = InTheWay::Goes;
                Ok(None)
            }
            // The service tells of an unfinished upload that has all slices, perhaps since a moment ago, what it would
            // tell of an object.
            Ending::ObjectExists
                if self.in_the_way == InTheWay::Goes
                    && self.service.parts()?.len() as u64 == self.setup.slices() =>
            {
                self.in_the_way = InTheWay::GoesWithObject;
                Ok(None)
            }
            _ => Err(format!("it ended with {ending:?}, complete: {complete}")),
        }
    }

    /// Judges the round that is done.
    fn judge(&mut self, ending: Ending) -> Result<(), Failure> {
        // Now even the last request of a killed run is in the log.
        self.service.stop()?;
        let mut logged = log::runs(&self.service.logs()?);
        logged.resize(self.runs.len() + 1, Vec::new());
        if !verdict::no_other_object(&self.service, &self.setup)? {
            return Err("the object is gone".to_owned());
        }
        if ending == Ending::Success {
            verdict::nothing_is_left(&self.service, &self.home)?;
        }
        if self.setup.resumes() {
            for (run, records) in self.runs.iter().zip(&logged[1..]) {
                verdict::nothing_held_is_sent(&run.before.held, records)?;
            }
            let (again, percent) = verdict::work_bound(&logged, &self.setup, self.deaths)?;
            self.tally.resent_bytes += again;
            self.tally.worst_resent_percent = percent;
        }
        self.judge_hashing(&logged)?;
        self.count(ending, &logged);
        Ok(())
    }

    /// Whether the last run, which was not killed, read the file for its SHA-1 only if it had to.
    fn judge_hashing(&mut self, logged: &[Vec<Record>]) -> Result<(), Failure> {
        let Some((last, earlier)) = self.runs.split_last() else {
            return Ok(());
        };
        // The log lacks what was on its way when the service was killed, so what was sent is not known there.
        let hashed = match last.moment {
            Moment::ServiceGone { .. } => None,
            _ => verdict::hashed(&last.remains, &logged[self.runs.len()], &self.setup),
        };
        // Each request comes after the SHA-1 was taken and kept …
        let asked = logged[..=earlier.len()].iter().any(|records| !records.is_empty());
        // … and it is kept until the object is complete.
        let must_be_kept = self.setup.checkpoint && asked && !last.before.complete;
        let bytes = last.remains.bytes_read;
        match hashed {
            Some(true) if must_be_kept => Err(format!("it read {bytes} bytes, so it hashed again")),
            Some(true) if !self.setup.hash => Err(format!("it read {bytes} bytes, so it hashed")),
            Some(false) if self.setup.hash && !self.setup.checkpoint => {
                Err(format!("it read {bytes} bytes: that is no hashing"))
            }
            Some(false) if self.setup.hash => {
                self.tally.unhashed += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, ending: Ending, logged: &[Vec<Record>]) {
        for (run, records) in self.runs.iter().zip(&logged[1..]) {
            if !run.killed {
                let came_back = matches!(run.moment, Moment::ServiceGone { .. });
                self.tally.survived += u64::from(came_back && run.remains.status.success());
                continue;
            }
            let words: Vec<&str> = run.report.split_whitespace().collect();
            let state = match (&run.moment, &words[..]) {
                (Moment::ServiceGone { .. }, _) => State::ServiceGone,
                (
                    Moment::Call {
                        watched: Watched::Checkpoints,
                        ..
                    },
                    ["killed", call, _],
                ) => {
                    *self.tally.calls.entry((*call).to_owned()).or_default() += 1;
                    State::Checkpoint
                }
                _ => verdict::state_of(records, &run.remains, &self.setup),
            };
            *self.tally.kills.entry(state).or_default() += 1;
            if self.setup.api == Api::V1 {
                *self.tally.kills_of_v1.entry(state).or_default() += 1;
            }
        }
        self.tally.uploads += 1;
        self.tally.uploads_of_v1 += u64::from(self.setup.api == Api::V1);
        self.tally.uploads_in_c += u64::from(self.setup.program.source.is_some());
        self.tally.refused += u64::from(ending != Ending::Success);
        self.tally.bytes += self.setup.source.size;
    }
}
